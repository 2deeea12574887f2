-- A projection writes where the caller's search_path points: into shadows, and nowhere else
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA shadow;
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT DISTINCT relname FROM lifestream.projections, unnest(tables) t JOIN pg_class c ON c.oid = t LOOP
        EXECUTE format('CREATE TABLE shadow.%I (LIKE lifestream.%I INCLUDING ALL)', name, name);
    END LOOP;
END $$;
SET search_path = shadow, lifestream;
SELECT project_link_added(public.example('link.added', 1, 'link:a', '{"url": "u", "tags": ["t"]}'));
SELECT project_content_fetched(public.example('content.fetched', 2, 'link:a', '{"text_content": "t"}'));
SELECT project_enrichment_completed(public.example('enrichment.completed', 3, 'link:a', '{"tags": ["e"]}'));
SELECT project_publish_completed(public.example('publish.completed', 4, 'link:a', '{"url": "u"}'));
SELECT project_link_removed(public.example('link.removed', 5, 'link:a', '{}'));
SELECT project_work_failed(public.example('work.failed', 6, 'link:a', '{"work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1, "work_type": "t"}, "error": "e"}'));
SELECT project_temp_reading_recorded(public.example('temp.reading_recorded', 7, 'temp:a', '{"value": 1}'));
SELECT project_todo_created(public.example('todo.created', 8, 'todo:a', '{"title": "t"}'));
SELECT project_todo_completed(public.example('todo.completed', 9, 'todo:a', '{}'));
SELECT project_annotation_added(public.example('annotation.added', 10, 'link:a', '{}'));
RESET search_path;
SELECT state();
CREATE FUNCTION public.rows_of(relation regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE rows bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s', relation) INTO rows;
    RETURN rows;
END $$;
SELECT relname, rows_of(oid) FROM pg_class WHERE relnamespace = 'shadow'::regnamespace AND relkind = 'r' ORDER BY relname COLLATE "C";
SELECT status FROM shadow.links;
SET client_min_messages = warning;
DROP SCHEMA shadow CASCADE;
