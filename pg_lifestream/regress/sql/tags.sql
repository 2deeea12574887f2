-- Tags merged and dropped: for uses of before and after, in any order
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION public.tags() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(format('%s %s:%s@%s', subject_id, origin, tag, seq), ', ' ORDER BY tenant_id, subject_id, tag COLLATE "C", origin), 'none') FROM lifestream.tags
$$;
SELECT apply('link.added', 1, 'link:a', '{"url": "u", "tags": ["golang", "Web"]}'), apply('link.added', 2, 'link:b', '{"url": "u", "tags": ["Go"]}'),
       apply('enrichment.completed', 3, 'link:a', '{"tags": ["Go", "code"]}');
SELECT tags();
SELECT * FROM lifestream.tag_counts ORDER BY tag COLLATE "C";
-- merged: what there is, and what comes
SELECT apply('tag.merged', 4, 'tags', '{"from": "golang", "into": " Go "}');
SELECT tags();
SELECT apply('link.added', 5, 'link:c', '{"url": "u", "tags": ["golang"]}'), apply('enrichment.completed', 6, 'link:c', '{"tags": ["golang", "Go", "code"]}');
SELECT tags();
SELECT apply('enrichment.completed', 7, 'link:c', '{"tags": ["code"]}');
SELECT tags();
-- through others
SELECT apply('tag.merged', 8, 'tags', '{"from": "Go", "into": "Go language"}');
SELECT tags();
-- back again: what was merged into last stands
SELECT apply('tag.merged', 9, 'tags', '{"from": "Go language", "into": "golang"}');
SELECT tags();
-- dropped: what there is; a later use brings it back, under whichever of its names
SELECT apply('tag.dropped', 10, 'tags', '{"tag": "golang"}'), apply('tag.dropped', 11, 'tags', '{"tag": "never used"}');
SELECT tags();
SELECT * FROM lifestream.tag_counts ORDER BY tag COLLATE "C";
SELECT apply('link.added', 12, 'link:b', '{"url": "u", "tags": ["Go"]}');
SELECT tags();
-- an alias has nothing to drop
SELECT apply('tag.dropped', 13, 'tags', '{"tag": "Go"}');
SELECT tags();
-- into itself: nothing
SELECT apply('tag.merged', 14, 'tags', '{"from": "code", "into": "code"}');
SELECT tags();
-- a removed link's tags are not counted; it keeps them
SELECT apply('link.removed', 15, 'link:b', '{}');
SELECT * FROM lifestream.tag_counts ORDER BY tag COLLATE "C";
-- another tenant's rules and tags are its own
SELECT apply('link.added', 20, 'link:t', '{"url": "u", "tags": ["code"]}', 'acme'), apply('tag.merged', 21, 'tags:acme', '{"from": "code", "into": "programs"}', 'acme');
SELECT tags();
SELECT * FROM lifestream.tag_counts ORDER BY tenant_id, tag COLLATE "C";
SELECT * FROM lifestream.tag_rules ORDER BY seq;
SELECT forget();
-- what is refused
SELECT refused('tag.merged', '{}');
SELECT refused('tag.merged', '{"from": "a"}');
SELECT refused('tag.merged', '{"from": "a", "into": ""}');
SELECT refused('tag.merged', '{"from": ["a"], "into": "b"}');
SELECT refused('tag.dropped', '{"tag": null}');
SELECT refused('tag.dropped', '{"tag": 5}');
SELECT state();

-- every order ends the same
CREATE FUNCTION public.sequel(events lifestream.events[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget();
    PERFORM public.apply(e) FROM unnest(events) e;
    RETURN public.tags();
END $$;
CREATE TEMP TABLE cases (n int, events lifestream.events[]);
INSERT INTO cases VALUES
(1, ARRAY[example('link.added', 1, 'link:a', '{"url": "u", "tags": ["a", "x"]}'), example('tag.merged', 2, 'tags', '{"from": "a", "into": "b"}'),
    example('tag.dropped', 3, 'tags', '{"tag": "b"}'), example('tag.merged', 4, 'tags', '{"from": "b", "into": "c"}'),
    example('enrichment.completed', 5, 'link:a', '{"tags": ["b", "c"]}')]),
(2, ARRAY[example('link.added', 1, 'link:a', '{"url": "u", "tags": ["a"]}'), example('tag.merged', 2, 'tags', '{"from": "a", "into": "b"}'),
    example('tag.dropped', 3, 'tags', '{"tag": "a"}'), example('tag.merged', 4, 'tags', '{"from": "b", "into": "a"}')]),
(3, ARRAY[example('tag.merged', 1, 'tags', '{"from": "a", "into": "b"}'), example('tag.merged', 2, 'tags', '{"from": "b", "into": "c"}'),
    example('tag.merged', 3, 'tags', '{"from": "c", "into": "a"}'), example('link.added', 4, 'link:a', '{"url": "u", "tags": ["a", "b", "c", "d"]}'),
    example('tag.dropped', 5, 'tags', '{"tag": "d"}')]),
(4, ARRAY[example('enrichment.completed', 1, 'link:a', '{"tags": ["a", "b"]}'), example('enrichment.completed', 3, 'link:a', '{"tags": ["b"]}'),
    example('tag.merged', 2, 'tags', '{"from": "b", "into": "a"}'), example('tag.dropped', 4, 'tags', '{"tag": "a"}'),
    example('enrichment.completed', 5, 'link:a', '{"tags": ["a", "c"]}')]),
(5, ARRAY[example('link.added', 1, 'link:a', '{"url": "u", "tags": ["a"]}'), example('link.added', 3, 'link:a', '{"url": "u", "tags": ["a"]}'),
    example('tag.dropped', 2, 'tags', '{"tag": "a"}'), example('tag.dropped', 4, 'tags:t', '{"tag": "a"}', 't'),
    example('link.added', 5, 'link:b', '{"url": "u", "tags": ["a"]}', 't')]);
SELECT n, orders, ends FROM cases, LATERAL ends(events) ORDER BY n;
SELECT n, sequel(events) FROM cases ORDER BY n;
DROP FUNCTION public.sequel, public.tags;
DROP TABLE cases;
SELECT forget();
