-- What a projection will not take: SQLSTATE, the value, the event; and nothing is left half done
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION public.refused(event_type text, payload jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT public.attempt(format('SELECT public.apply(%L, 7, %L, %L)', event_type, 'subject:x', payload))
$$;
SELECT refused('link.added', '{}');
SELECT refused('link.added', '{"url": null}');
SELECT refused('link.added', '{"url": "  "}');
SELECT refused('link.added', '{"url": 17}');
SELECT refused('link.added', '{"url": {"a": 1}}');
SELECT refused('link.added', '{"url": "u", "title": ["t"]}');
SELECT refused('link.added', '{"url": "u", "note": true}');
SELECT refused('link.added', '{"url": "u", "tags": "one"}');
SELECT refused('link.added', '{"url": "u", "tags": ["one", 2]}');
SELECT refused('link.added', '{"url": "u", "tags": [["one"]]}');
SELECT left(refused('link.added', jsonb_build_object('url', 'u', 'tags', jsonb_build_array((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) i)))), 60);
SELECT refused('content.fetched', '{}');
SELECT refused('content.fetched', '{"text_content": 1}');
SELECT refused('content.fetched', '{"fetch_error": {}}');
SELECT refused('content.fetched', '{"text_content": "t", "metadata": []}');
SELECT refused('enrichment.completed', '{"model": "m"}');
SELECT refused('enrichment.completed', '{"tags": {}}');
SELECT refused('enrichment.completed', '{"tags": [], "summary": 3}');
SELECT refused('publish.completed', '{}');
SELECT refused('publish.completed', '{"url": 3}');
SELECT refused('work.failed', '{"error": "e"}');
SELECT refused('work.failed', '{"error": "e", "work_message": "m"}');
SELECT refused('work.failed', '{"error": "e", "work_message": {"id": "x", "attempt": 1, "work_type": "t"}}');
SELECT refused('work.failed', '{"error": "e", "work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": "1", "work_type": "t"}}');
SELECT refused('work.failed', '{"error": "e", "work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1e20, "work_type": "t"}}');
SELECT refused('work.failed', '{"error": "e", "work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1}}');
SELECT refused('work.failed', '{"work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1, "work_type": "t"}}');
SELECT refused('work.failed', '{"error": "e", "permanent": "yes", "work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1, "work_type": "t"}}');
SELECT refused('temp.reading_recorded', '{}');
SELECT refused('temp.reading_recorded', '{"value": "21.5"}');
SELECT refused('temp.reading_recorded', '{"inside": 20, "outside": 10}');
SELECT refused('temp.reading_recorded', '{"value": 1, "unit": 2}');
SELECT refused('todo.created', '{"done": false}');
SELECT refused('todo.created', '{"title": 1}');
SELECT refused('annotation.added', '{"text": 1}');
SELECT state();

-- another tenant's subject
SELECT apply('link.added', 1, 'link:a', '{"url": "u"}', 'a');
SELECT attempt($$SELECT apply('link.added', 2, 'link:a', '{"url": "u"}', 'b')$$);
SELECT attempt($$SELECT apply('link.removed', 3, 'link:a', '{}', 'b')$$);
SELECT attempt($$SELECT apply('content.fetched', 4, 'link:a', '{"text_content": "t"}', 'b')$$);
SELECT attempt($$SELECT apply('enrichment.completed', 5, 'link:a', '{"tags": []}', '')$$);
SELECT attempt($$SELECT apply('publish.completed', 6, 'link:a', '{"url": "u"}', 'b')$$);
SELECT attempt($$SELECT apply('work.failed', 7, 'link:a', '{"error": "e", "work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1, "work_type": "t"}}', 'b')$$);
SELECT attempt($$SELECT apply('annotation.added', 8, 'link:a', '{}', 'b')$$);
SELECT attempt($$SELECT apply('todo.completed', 9, 'link:a', '{}', 'b')$$);
SELECT attempt($$SELECT apply('temp.reading_recorded', 10, 'link:a', '{"value": 1}', 'b')$$);
SELECT apply('temp.reading_recorded', 11, 'temp:a', '{"value": 1}', 'a');
SELECT attempt($$SELECT apply('temp.reading_recorded', 12, 'temp:a', '{"value": 2}', 'b')$$);
SELECT apply('content.fetched', 13, 'link:orphan', '{"text_content": "t"}', 'a');
SELECT attempt($$SELECT apply('content.fetched', 14, 'link:orphan', '{"text_content": "t"}', 'b')$$);
SELECT apply('enrichment.completed', 15, 'link:orphan', '{"tags": []}', 'a');
SELECT attempt($$SELECT apply('enrichment.completed', 16, 'link:orphan', '{"tags": []}', 'b')$$);
SELECT attempt($$SELECT apply('publish.completed', 17, 'link:orphan', '{"url": "u"}', 'b')$$);
SELECT apply('link.removed', 18, 'link:gone', '{}', 'a');
SELECT attempt($$SELECT apply('link.removed', 19, 'link:gone', '{}', 'b')$$);
SELECT state();
SELECT forget();
