-- Temperatures, todos, annotations, work: additive state by event id, last-writer state by seq, numbers exact
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
SELECT apply('temp.reading_recorded', 1, 'temp:lab', '{"value": 21.50, "unit": "C"}');
SELECT apply('temp.reading_recorded', 2, 'temp:lab', '{"celsius": 12345678901234567890.000000000000000000100}');
SELECT apply('temp.reading_recorded', 3, 'temp:lab', '{"temperature": -1e-30}');
SELECT apply('temp.reading_recorded', 4, 'temp:lab', '{"degrees": 70, "sensor": "x"}');
SELECT apply('temp.reading_recorded', 4, 'temp:lab', '{"degrees": 70, "sensor": "x"}');
SELECT event_id, value, unit, recorded_at FROM lifestream.temperature_readings ORDER BY seq;
SELECT value, recorded_at, seq FROM lifestream.temperature_latest;
-- newest by the time of the reading, not by arrival
SELECT apply((example('temp.reading_recorded', 5, 'temp:lab', '{"value": 1}')));
SELECT apply(jsonb_populate_record(example('temp.reading_recorded', 6, 'temp:lab', '{"value": 99}'), '{"occurred_at": "2025-01-01T00:00:00Z"}'));
SELECT value, seq FROM lifestream.temperature_latest;
SELECT count(*) FROM lifestream.temperature_readings;
SELECT * FROM ends(ARRAY[
    example('temp.reading_recorded', 1, 'temp:a', '{"value": 1}'),
    jsonb_populate_record(example('temp.reading_recorded', 2, 'temp:a', '{"value": 2}'), '{"occurred_at": "2027-01-01T00:00:00Z"}'),
    jsonb_populate_record(example('temp.reading_recorded', 3, 'temp:a', '{"value": 3}'), '{"occurred_at": "2027-01-01T00:00:00Z"}'),
    example('temp.reading_recorded', 4, 'temp:a', '{"value": 4}')]);
SELECT value FROM lifestream.temperature_latest;
SELECT forget();

SELECT apply('todo.created', 1, 'todo:milk', '{"title": "Buy milk", "price": 1.10}');
SELECT * FROM lifestream.todos;
SELECT apply('todo.completed', 2, 'todo:milk', '{}');
SELECT status, completed_at FROM lifestream.todos;
SELECT * FROM ends(ARRAY[
    example('todo.created', 1, 'todo:a', '{"title": "one"}'),
    example('todo.created', 2, 'todo:a', '{"title": "two"}'),
    example('todo.completed', 3, 'todo:a', '{}'),
    example('todo.completed', 4, 'todo:a', '{}'),
    example('todo.created', 5, 'todo:a', '{"title": "five"}')]);
SELECT title, status, created_at, completed_at FROM lifestream.todos;
SELECT kind, first_seen_at, last_seen_at, first_seq, last_seq FROM lifestream.subjects;
SELECT forget();

SELECT apply('annotation.added', 1, 'link:a', '{"text": "good", "score": 3.10, "deep": {"n": 1e400}}');
SELECT apply('annotation.added', 1, 'link:a', '{"text": "good", "score": 3.10, "deep": {"n": 1e400}}');
SELECT apply('annotation.added', 2, 'link:a', '{}');
SELECT subject_id, text, length(payload::text) AS octets, payload -> 'score' AS score, annotated_at FROM lifestream.annotations ORDER BY seq;
SELECT forget();

SELECT apply('work.failed', 1, 'link:a', '{"work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1, "work_type": "fetch_link"},
    "error": "timed out", "agent": "fetcher-agent-v2", "permanent": false}');
SELECT work_id, attempt, work_type, agent, error, permanent, failed_at FROM lifestream.work_attempts;
SELECT * FROM ends(ARRAY[
    example('work.failed', 1, 'link:a', '{"work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1, "work_type": "fetch_link"}, "error": "one"}'),
    example('work.failed', 2, 'link:a', '{"work_message": {"id": "00000000-0000-4000-8000-00000000000a", "attempt": 1, "work_type": "fetch_link"}, "error": "two", "permanent": true}'),
    example('work.failed', 3, 'link:a', '{"work_message": {"id": "00000000-0000-4000-8000-00000000000b", "attempt": 2, "work_type": "fetch_link"}, "error": "three"}')]);
SELECT attempt, error, permanent FROM lifestream.work_attempts ORDER BY attempt;
SELECT forget();

-- any other type has no projection
SELECT count(*) FROM lifestream.projections WHERE event_type = 'note.created';
SELECT event_type, function, tables FROM lifestream.projections ORDER BY event_type COLLATE "C";
