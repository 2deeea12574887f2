-- A link's way: each event type writes its tables, a repeat changes nothing, the status never goes back
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
SELECT apply('link.added', 1, 'link:a', '{"url": "https://example.org/a", "title": "A", "tags": ["News", " rust ", "", "rust"]}');
SELECT * FROM lifestream.links;
SELECT * FROM lifestream.subjects;
SELECT tag, origin, seq FROM lifestream.tags ORDER BY tag, origin;
SELECT apply('content.fetched', 2, 'link:a', '{"text_content": "long text", "fetch_error": null, "metadata": {"lang": "en", "n": 1.10}}');
SELECT status FROM lifestream.links;
SELECT * FROM lifestream.link_content;
SELECT apply('enrichment.completed', 3, 'link:a', '{"tags": ["rust", "code"], "summary": "S", "topic": "T", "model": "m-1"}');
SELECT status FROM lifestream.links;
SELECT * FROM lifestream.link_metadata;
SELECT * FROM lifestream.publish_state;
SELECT apply('publish.completed', 4, 'link:a', '{"url": "https://feed.example.org/a"}');
SELECT status FROM lifestream.links;
SELECT * FROM lifestream.publish_state;

-- every one of them again
CREATE TEMP TABLE kept AS SELECT state();
SELECT apply('link.added', 1, 'link:a', '{"url": "https://example.org/a", "title": "A", "tags": ["News", " rust ", "", "rust"]}');
SELECT apply('content.fetched', 2, 'link:a', '{"text_content": "long text", "fetch_error": null, "metadata": {"lang": "en", "n": 1.10}}');
SELECT apply('enrichment.completed', 3, 'link:a', '{"tags": ["rust", "code"], "summary": "S", "topic": "T", "model": "m-1"}');
SELECT apply('publish.completed', 4, 'link:a', '{"url": "https://feed.example.org/a"}');
SELECT state = state() FROM kept;

-- added again: the first time stays, what is empty is filled, tags are joined
SELECT apply('link.added', 5, 'link:a', '{"url": "https://example.org/a#x", "title": "Other", "note": "read this", "tags": ["later"]}');
SELECT url, title, note, status, added_at, added_seq FROM lifestream.links;
SELECT tag, origin, seq FROM lifestream.tags ORDER BY tag COLLATE "C", origin;

-- fetched again: published stays published; a failure keeps the text and says so
SELECT apply('content.fetched', 6, 'link:a', '{"text_content": null, "fetch_error": "404 Not Found"}');
SELECT l.status, c.text_content, c.metadata, c.fetch_error, c.fetched_at, c.checked_at FROM lifestream.links l JOIN lifestream.link_content c USING (subject_id);
SELECT apply('content.fetched', 7, 'link:a', '{"text_content": "newer", "fetch_error": null}');
SELECT l.status, c.text_content, c.metadata, c.fetch_error FROM lifestream.links l JOIN lifestream.link_content c USING (subject_id);

-- enriched again: its own tags are replaced, a person's are not
SELECT apply('enrichment.completed', 8, 'link:a', '{"tags": ["code", "New"], "summary": "S2"}');
SELECT tag, origin, seq FROM lifestream.tags ORDER BY tag COLLATE "C", origin;
SELECT summary, topic, seq FROM lifestream.link_metadata;
-- an older enrichment comes late
SELECT apply('enrichment.completed', 3, 'link:a', '{"tags": ["stale"], "summary": "old"}');
SELECT count(*) FROM lifestream.tags WHERE tag = 'stale';
SELECT summary FROM lifestream.link_metadata;

-- removed, and added again: by seq
SELECT apply('link.removed', 9, 'link:a', '{}');
SELECT status, removed_at FROM lifestream.links;
SELECT apply('content.fetched', 10, 'link:a', '{"text_content": "t", "fetch_error": null}');
SELECT apply('link.added', 5, 'link:a', '{"url": "https://example.org/a"}');
SELECT status FROM lifestream.links;
SELECT apply('link.added', 11, 'link:a', '{"url": "https://example.org/a"}');
SELECT status, added_at, removed_at FROM lifestream.links;
SELECT apply('link.removed', 9, 'link:a', '{}');
SELECT status FROM lifestream.links;

-- what cannot be fetched
SELECT apply('link.added', 20, 'link:b', '{"url": "https://example.org/b"}');
SELECT apply('content.fetched', 21, 'link:b', '{"fetch_error": "410 Gone"}');
SELECT status FROM lifestream.links WHERE subject_id = 'link:b';
SELECT apply('content.fetched', 22, 'link:b', '{"text_content": "back", "fetch_error": null}');
SELECT status FROM lifestream.links WHERE subject_id = 'link:b';

-- facts about a link that is not known: kept, and no link is made of them
SELECT apply('content.fetched', 30, 'link:c', '{"text_content": "early", "fetch_error": null}');
SELECT apply('enrichment.completed', 31, 'link:c', '{"tags": ["early"], "summary": "S"}');
SELECT apply('publish.completed', 32, 'link:c', '{"url": "u"}');
SELECT count(*) FROM lifestream.links WHERE subject_id = 'link:c';
SELECT apply('link.added', 29, 'link:c', '{"url": "https://example.org/c"}');
SELECT status FROM lifestream.links WHERE subject_id = 'link:c';

-- every order of a link's events ends the same
SELECT * FROM ends(ARRAY[
    example('link.added', 1, 'link:z', '{"url": "https://example.org/z", "tags": ["mine", "both"]}'),
    example('content.fetched', 2, 'link:z', '{"text_content": "text", "fetch_error": null}'),
    example('enrichment.completed', 3, 'link:z', '{"tags": ["both", "theirs"], "summary": "S"}'),
    example('publish.completed', 4, 'link:z', '{"url": "u"}'),
    example('link.removed', 5, 'link:z', '{}'),
    example('link.added', 6, 'link:z', '{"url": "https://example.org/z", "title": "Z"}')]);
SELECT state();
SELECT * FROM ends(ARRAY[
    example('content.fetched', 1, 'link:z', '{"text_content": "one", "fetch_error": null}'),
    example('content.fetched', 2, 'link:z', '{"fetch_error": "404", "metadata": {"status": 404}}'),
    example('content.fetched', 3, 'link:z', '{"text_content": "three", "fetch_error": null}'),
    example('content.fetched', 4, 'link:z', '{"fetch_error": "410", "metadata": {"status": 410}}'),
    example('enrichment.completed', 5, 'link:z', '{"tags": ["a"]}'),
    example('enrichment.completed', 6, 'link:z', '{"tags": ["b"]}')]);
SELECT state();
SELECT forget();
-- an enrichment counts by its text: one of an older text that comes late changes nothing, in whatever order they are applied
BEGIN;
SELECT count(lifestream.emit_event('content.fetched', 'link', 'link:texts', jsonb_build_object('text_content', n), id => format('00000000-0000-4000-8000-00000000770%s', n)::uuid)) FROM generate_series(1, 2) n;
CREATE FUNCTION of_text(n int, seq bigint, payload jsonb) RETURNS lifestream.events LANGUAGE sql AS $$
    SELECT jsonb_populate_record(example('enrichment.completed', 9000000 + seq, 'link:texts', payload), jsonb_build_object('causation_id', format('00000000-0000-4000-8000-00000000770%s', n)))
$$;
SELECT * FROM ends(ARRAY[
    of_text(1, 1, '{"tags": ["one", "both"], "summary": "of the first text"}'),
    of_text(2, 2, '{"tags": ["two", "both"], "summary": "of the second text"}'),
    of_text(1, 3, '{"tags": ["late", "both"], "summary": "of the first text, late"}'),
    example('annotation.added', 9000004, 'link:texts', '{"text": "t"}')]);
SELECT m.summary, m.seq, m.text_seq = (SELECT max(seq) FROM lifestream.events WHERE subject_id = 'link:texts'), p.enriched_seq FROM lifestream.link_metadata m JOIN lifestream.publish_state p USING (subject_id);
SELECT tag, seq, last_seq FROM lifestream.tags ORDER BY tag;
-- without a cause it is about the text that there was
SELECT apply('enrichment.completed', 9000005, 'link:texts', '{"summary": "by hand"}');
SELECT summary FROM lifestream.link_metadata;
ROLLBACK;
