-- What the state's goldens use: an event that never was in lifestream.events, given to its projections as the materializer gives it.
CREATE FUNCTION public.example(event_type text, seq bigint, subject_id text, payload jsonb, tenant_id text DEFAULT '')
RETURNS lifestream.events LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_populate_record(NULL::lifestream.events, jsonb_build_object(
        'id', format('00000000-0000-4000-8000-%s', lpad(seq::text, 12, '0')), 'seq', seq,
        'occurred_at', '2026-01-01T00:00:00Z'::timestamptz + seq * interval '1 min', 'received_at', '2026-01-02T00:00:00Z',
        'source', 'golden', 'subject', split_part(event_type, '.', 1), 'subject_id', subject_id, 'event_type', event_type,
        'payload', payload, 'schema_version', 1, 'tenant_id', tenant_id, 'headers', '{}'::jsonb))
$$;

CREATE FUNCTION public.apply(e lifestream.events) RETURNS void LANGUAGE plpgsql SET search_path = lifestream, pg_temp AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT function FROM lifestream.projections WHERE event_type = e.event_type ORDER BY function LOOP
        EXECUTE format('SELECT %s($1)', name) USING e;
    END LOOP;
END $$;

CREATE FUNCTION public.apply(event_type text, seq bigint, subject_id text, payload jsonb, tenant_id text DEFAULT '')
RETURNS void LANGUAGE sql AS $$ SELECT public.apply(public.example(event_type, seq, subject_id, payload, tenant_id)) $$;

-- All state as one text, without what differs by nothing but time.
CREATE FUNCTION public.state() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name text; part text; whole text := '';
BEGIN
    FOREACH name IN ARRAY ARRAY['subjects', 'links', 'tags', 'link_content', 'link_metadata', 'publish_state', 'work_attempts',
                                'temperature_readings', 'temperature_latest', 'todos', 'annotations', 'tag_uses', 'tag_rules', 'dead_letters'] LOOP
        EXECUTE format('SELECT coalesce(string_agg(t::text, E''\n'' ORDER BY t::text), '''') FROM lifestream.%I t', name) INTO part;
        whole := whole || name || E'\n' || part || E'\n';
    END LOOP;
    RETURN whole;
END $$;

CREATE FUNCTION public.forget() RETURNS void LANGUAGE sql AS $$
    DELETE FROM lifestream.subjects;
    DELETE FROM lifestream.links;
    DELETE FROM lifestream.tags;
    DELETE FROM lifestream.link_content;
    DELETE FROM lifestream.link_metadata;
    DELETE FROM lifestream.publish_state;
    DELETE FROM lifestream.work_attempts;
    DELETE FROM lifestream.temperature_readings;
    DELETE FROM lifestream.temperature_latest;
    DELETE FROM lifestream.todos;
    DELETE FROM lifestream.annotations;
    DELETE FROM lifestream.tag_uses;
    DELETE FROM lifestream.tag_rules;
    DELETE FROM lifestream.dead_letters;
$$;

-- In how many different states all orders of these events end; each event is applied twice on its way.
CREATE FUNCTION public.ends(events lifestream.events[]) RETURNS TABLE (orders bigint, ends bigint) LANGUAGE plpgsql AS $$
DECLARE
    way int[]; at int;
BEGIN
    CREATE TEMP TABLE seen (fingerprint text);
    FOR way IN
        WITH RECURSIVE ways (so_far) AS (
            SELECT '{}'::int[]
            UNION ALL
            SELECT so_far || n FROM ways, generate_series(1, cardinality(events)) n WHERE n <> ALL (so_far))
        SELECT so_far FROM ways WHERE cardinality(so_far) = cardinality(events)
    LOOP
        PERFORM public.forget();
        FOREACH at IN ARRAY way LOOP
            PERFORM public.apply(events[at]);
        END LOOP;
        PERFORM public.apply(events[way[1]]);
        PERFORM public.apply(events[way[2]]);
        INSERT INTO seen SELECT md5(public.state());
    END LOOP;
    RETURN QUERY SELECT count(*), count(DISTINCT fingerprint) FROM seen;
    DROP TABLE seen;
END $$;
