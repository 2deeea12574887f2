-- link.added {url, title, note, tags}: the first addition's values stay, later ones fill what is empty, tags are joined.
CREATE FUNCTION lifestream.project_link_added(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_url text := lifestream.payload_text(e.payload, 'url', true, e.id);
    given_title text := lifestream.payload_text(e.payload, 'title', false, e.id);
    given_note text := lifestream.payload_text(e.payload, 'note', false, e.id);
    given_tags text[];
    owner text;
    known_stage integer;
    has_rules boolean;
BEGIN
    IF e.payload ? 'tags' THEN
        given_tags := lifestream.payload_tags(e.payload, e.id);
    END IF;
    -- Assigned, not performed: PL/pgSQL evaluates a plain expression without starting the executor for it.
    owner := lifestream.claim_subject(e.subject_id, e.tenant_id, e.subject, e.occurred_at, e.seq, e.id);
    known_stage := lifestream.known_link_stage(e.subject_id);
    INSERT INTO links AS l (subject_id, tenant_id, url, title, note, stage, status, added_at, first_seq, added_seq)
    VALUES (e.subject_id, e.tenant_id, given_url, given_title, given_note, known_stage,
            lifestream.link_status(known_stage, e.seq, NULL), e.occurred_at, e.seq, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        url = CASE WHEN excluded.first_seq < l.first_seq THEN excluded.url ELSE coalesce(l.url, excluded.url) END,
        title = CASE WHEN excluded.first_seq < l.first_seq THEN coalesce(nullif(excluded.title, ''), l.title)
                     ELSE coalesce(nullif(l.title, ''), excluded.title) END,
        note = CASE WHEN excluded.first_seq < l.first_seq THEN coalesce(nullif(excluded.note, ''), l.note)
                    ELSE coalesce(nullif(l.note, ''), excluded.note) END,
        added_at = CASE WHEN excluded.first_seq < l.first_seq THEN excluded.added_at ELSE coalesce(l.added_at, excluded.added_at) END,
        status = lifestream.link_status(l.stage, greatest(l.added_seq, excluded.added_seq), l.removed_seq),
        first_seq = least(l.first_seq, excluded.first_seq),
        added_seq = greatest(l.added_seq, excluded.added_seq);
    IF given_tags <> '{}' THEN
        has_rules := lifestream.hold_tag_rules(e.tenant_id);
        INSERT INTO tag_uses AS u (subject_id, tag, origin, tenant_id, first_seq, last_seq)
        SELECT e.subject_id, given, 'user', e.tenant_id, e.seq, e.seq FROM unnest(given_tags) AS given
        ON CONFLICT (subject_id, tag, origin) DO UPDATE SET
            first_seq = least(u.first_seq, excluded.first_seq), last_seq = greatest(u.last_seq, excluded.last_seq)
        WHERE excluded.first_seq < u.first_seq OR excluded.last_seq > u.last_seq;
        IF has_rules THEN
            PERFORM lifestream.settle_tags(e.tenant_id, ARRAY[e.subject_id]);
        ELSE
            INSERT INTO tags AS t (subject_id, tag, origin, tenant_id, seq)
            SELECT e.subject_id, given, 'user', e.tenant_id, e.seq FROM unnest(given_tags) AS given
            ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = excluded.seq WHERE excluded.seq < t.seq;
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_link_added(lifestream.events) IS 'Projection of link.added';
