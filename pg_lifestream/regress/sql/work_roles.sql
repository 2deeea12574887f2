-- Who may do what with work: processes do it, an administrator changes routes, a reader looks, an emitter does neither
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE FUNCTION public.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    answer := split_part(public.attempt(statement), E'\n', 1);
    RESET ROLE;
    RETURN role || ' ' || answer;
END $$;
CREATE ROLE regress_nobody;
SELECT apply('work.dead_lettered', 1, 'link:a', '{"error": "e", "work_message": {"id": "00000000-0000-4000-8000-00000000000a", "work_type": "w", "attempt": 3, "triggered_by_event_id": "00000000-0000-4000-8000-00000000000b"}}');
SELECT statement, as_role(name, statement)
FROM unnest(ARRAY[
    $$SELECT count(*) FROM lifestream.routes, lifestream.dropped_routes$$,
    $$SELECT lifestream.add_route('note.created', 'index')$$,
    $$SELECT lifestream.drop_route('note.created', 'index')$$,
    $$INSERT INTO lifestream.routes (event_type, work_type) VALUES ('t', 'w')$$,
    $$SELECT lifestream.needs_fetch(NULL), lifestream.needs_enrichment(NULL), lifestream.needs_publish(NULL), lifestream.needs_republish(NULL), lifestream.wants_webhook(NULL), lifestream.publish_payload(NULL)$$,
    $$SELECT count(*) FROM lifestream.pending_retries, lifestream.circuits, lifestream.consumer_progress$$,
    $$SELECT count(*) FROM lifestream.dead_letters, lifestream.dead_letter_story, lifestream.tag_counts, lifestream.tag_rules, lifestream.tag_uses$$,
    $$DELETE FROM lifestream.pending_retries$$,
    $$DELETE FROM lifestream.circuits$$,
    $$DELETE FROM lifestream.consumer_progress$$,
    $$UPDATE lifestream.dead_letters SET status = 'open'$$,
    $$DELETE FROM lifestream.tag_rules$$,
    $$SELECT lifestream.derived_id('a')$$,
    $$SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters$$,
    $$SELECT lifestream.retry_dead_letter('00000000-0000-4000-8000-000000000001')$$,
    $$SELECT lifestream.settle_tags('', '{}')$$
]) WITH ORDINALITY AS s (statement, n), unnest(ARRAY['regress_nobody', 'lifestream_emitter', 'lifestream_reader', 'lifestream_bridge', 'lifestream_agent', 'lifestream_admin']) WITH ORDINALITY AS r (name, m)
ORDER BY n, m;
-- the materializer's role can apply every built-in projection, and ask every built-in guard
SELECT p.function FROM lifestream.projections p WHERE builtin AND NOT has_function_privilege('lifestream_agent', to_regprocedure(p.function || '(lifestream.events)'), 'EXECUTE');
SELECT r.guard FROM lifestream.routes r WHERE builtin AND NOT has_function_privilege('lifestream_agent', to_regprocedure(r.guard || '(lifestream.events)'), 'EXECUTE');
SELECT t FROM lifestream.projections p, unnest(p.tables) t WHERE builtin AND NOT has_table_privilege('lifestream_agent', t, 'INSERT');
GRANT EXECUTE ON FUNCTION public.apply(lifestream.events) TO lifestream_agent;
SET ROLE lifestream_agent;
SELECT public.apply(e) FROM unnest(ARRAY[
    public.example('link.added', 10, 'link:r', '{"url": "u", "tags": ["a"]}'), public.example('tag.merged', 11, 'tags', '{"from": "a", "into": "b"}'),
    public.example('tag.dropped', 12, 'tags', '{"tag": "x"}'), public.example('enrichment.completed', 13, 'link:r', '{"tags": ["a"]}'),
    public.example('publish.retracted', 14, 'link:r', '{}'),
    public.example('work.failed', 15, 'link:r', '{"error": "e", "work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1, "work_type": "w"}}'),
    public.example('work.dead_lettered', 16, 'link:r', '{"error": "e", "work_message": {}}'),
    public.example('work.discarded', 17, 'link:r', '{"dead_letter_id": "00000000-0000-4000-8000-000000000016"}'),
    public.example('work.retry_requested', 18, 'link:r', '{"dead_letter_id": "00000000-0000-4000-8000-000000000016"}')]) e;
RESET ROLE;
SELECT tag, origin FROM lifestream.tags ORDER BY 1, 2;
-- outside projections, whose tables are the caller's to choose, search_path is pinned
-- (drop_projection finds a function as its caller would; archive commits, which a pinned search_path forbids, and runs as its caller)
SELECT p.proname FROM pg_proc p WHERE pronamespace = 'lifestream'::regnamespace AND p.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c')
    AND p.prosqlbody IS NULL    AND NOT EXISTS (SELECT FROM unnest(proconfig) c WHERE c LIKE 'search_path=%') AND obj_description(p.oid, 'pg_proc') !~ '^(Projection of|For projections:)' ORDER BY 1;
SELECT forget();
DROP FUNCTION public.as_role;
DROP ROLE regress_nobody;
DELETE FROM lifestream.dropped_routes;
