-- Guards: does the work still need doing? What is not known means yes
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION public.needs(e lifestream.events) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    route record; answer boolean; said text := '';
BEGIN
    FOR route IN SELECT * FROM lifestream.routes r WHERE r.event_type = e.event_type AND guard IS NOT NULL ORDER BY work_type LOOP
        EXECUTE format('SELECT %s($1)', route.guard) INTO answer USING e;
        said := said || ' ' || route.work_type || '=' || coalesce(answer::text, 'NULL');
    END LOOP;
    RETURN ltrim(said);
END $$;

-- a link that is new
SELECT needs(example('link.added', 1, 'link:a', '{"url": "u"}'));
SELECT apply('link.added', 1, 'link:a', '{"url": "u"}');
SELECT needs(example('link.added', 1, 'link:a', '{"url": "u"}'));
-- removed before it was fetched; added again
SELECT apply('link.removed', 2, 'link:a', '{}');
SELECT needs(example('link.added', 1, 'link:a', '{"url": "u"}'));
SELECT needs(example('link.added', 3, 'link:a', '{"url": "u"}'));
SELECT apply('link.added', 3, 'link:a', '{"url": "u"}');
SELECT needs(example('link.added', 3, 'link:a', '{"url": "u"}'));
-- unfetchable: this addition is answered, the next one tries again
SELECT apply('content.fetched', 4, 'link:a', '{"fetch_error": "404 Not Found"}');
SELECT needs(example('link.added', 3, 'link:a', '{"url": "u"}'));
SELECT needs(example('link.added', 5, 'link:a', '{"url": "u"}'));
-- fetched: for good
SELECT apply('content.fetched', 6, 'link:a', '{"text_content": "some text", "fetch_error": null}');
SELECT needs(example('link.added', n, 'link:a', '{"url": "u"}')) FROM unnest(ARRAY[5, 7]) n;
-- a failure after it changes nothing about that
SELECT apply('content.fetched', 8, 'link:a', '{"fetch_error": "410 Gone"}');
SELECT needs(example('link.added', 9, 'link:a', '{"url": "u"}'));

-- what there is to enrich
SELECT payload, needs(example('content.fetched', 6, 'link:a', payload)) FROM unnest(ARRAY[
    '{"text_content": "some text", "fetch_error": null}', '{"text_content": "some text"}',
    '{"text_content": "some text", "fetch_error": "404"}', '{"fetch_error": "404"}', '{"text_content": null, "fetch_error": null}',
    '{"text_content": "", "fetch_error": null}', '{"text_content": " \n\t", "fetch_error": null}', '{}']::jsonb[]) payload;
-- not once this very text is enriched, from whichever fetch it came
SELECT apply('enrichment.completed', 10, 'link:a', jsonb_build_object('tags', '[]'::jsonb, 'text_digest', encode(sha256('some text'), 'hex')));
SELECT needs(example('content.fetched', n, 'link:a', '{"text_content": "some text", "fetch_error": null}')) FROM unnest(ARRAY[6, 11]) n;
SELECT needs(example('content.fetched', 11, 'link:a', '{"text_content": "another text", "fetch_error": null}'));
SELECT apply('enrichment.completed', 12, 'link:b', jsonb_build_object('tags', '[]'::jsonb, 'text_digest', '67a0c56bbb3c5012a6b4d4ce8de9f13b6b06ff9cfe68cdc1cd6c5fb5a40e1ee5'));
SELECT needs(example('content.fetched', 13, 'link:b', jsonb_build_object('text_content', 'na' || U&'\00ef' || 've')));
SELECT apply('enrichment.completed', 14, 'link:b', jsonb_build_object('tags', '[]'::jsonb, 'text_digest', encode(sha256(convert_to('na' || U&'\00ef' || 've', 'UTF8')), 'hex')));
SELECT needs(example('content.fetched', 13, 'link:b', jsonb_build_object('text_content', 'na' || U&'\00ef' || 've')));
-- an enrichment that does not say of what
SELECT apply('enrichment.completed', 15, 'link:b', '{"tags": []}');
SELECT needs(example('content.fetched', 13, 'link:b', '{"text_content": "t"}'));
-- nor a text that a newer one has taken the place of; a newer one without any does not
SELECT apply('content.fetched', 16, 'link:c', '{"text_content": "newer", "fetch_error": null}');
SELECT needs(example('content.fetched', n, 'link:c', '{"text_content": "older", "fetch_error": null}')) FROM unnest(ARRAY[15, 16, 17]) n;
SELECT apply('content.fetched', 18, 'link:c', '{"text_content": null, "fetch_error": null}');
SELECT needs(example('content.fetched', 15, 'link:c', '{"text_content": "older", "fetch_error": null}'));
-- for a removed link all the same: nothing would enrich it when it comes back
SELECT apply('link.removed', 19, 'link:c', '{}');
SELECT needs(example('content.fetched', 20, 'link:c', '{"text_content": "text", "fetch_error": null}'));

-- publishing
SELECT needs(example('enrichment.completed', 1, 'link:new', '{"tags": []}'));
SELECT needs(example('enrichment.completed', 10, 'link:a', '{"tags": []}'));
SELECT apply('publish.completed', 21, 'link:a', '{"url": "p"}');
SELECT n, needs(example('enrichment.completed', n, 'link:a', '{"tags": []}')) FROM unnest(ARRAY[10, 22]) n;
SELECT apply('link.removed', 23, 'link:a', '{}');
SELECT n, needs(example('enrichment.completed', n, 'link:a', '{"tags": []}')) FROM unnest(ARRAY[10, 22, 24]) n;
SELECT apply('enrichment.completed', 24, 'link:a', '{"tags": []}');
SELECT needs(example('enrichment.completed', 24, 'link:a', '{"tags": []}'));
-- a state that lags does not know whether the link is still removed then: better once too often
SELECT apply('link.added', 25, 'link:lag', '{"url": "u"}'), apply('link.removed', 26, 'link:lag', '{}');
SELECT n, needs(example('enrichment.completed', n, 'link:lag', '{"tags": []}')) FROM unnest(ARRAY[24, 28]) n;
SELECT apply('enrichment.completed', 28, 'link:lag', '{"tags": []}');
SELECT n, needs(example('enrichment.completed', n, 'link:lag', '{"tags": []}')) FROM unnest(ARRAY[24, 28]) n;
-- added again: what it had goes out anew, once, though the state does not know of it yet; the first addition, seen again, is none
SELECT n, needs(example('link.added', n, 'link:a', '{"url": "u"}')) FROM unnest(ARRAY[1, 3, 25]) n;
SELECT apply('link.added', 25, 'link:a', '{"url": "u"}');
SELECT n, needs(example('link.added', n, 'link:a', '{"url": "u"}')) FROM unnest(ARRAY[1, 3, 25]) n;
SELECT apply('publish.completed', 26, 'link:a', '{"url": "p"}');
SELECT needs(example('link.added', 25, 'link:a', '{"url": "u"}'));
-- never enriched, or enriched only later
SELECT apply('link.added', 30, 'link:d', '{"url": "u"}');
SELECT needs(example('link.added', 30, 'link:d', '{"url": "u"}'));
SELECT apply('enrichment.completed', 31, 'link:d', '{"tags": []}');
SELECT needs(example('link.added', 30, 'link:d', '{"url": "u"}'));
-- a publication is told to a webhook where its publisher says what; a removed link's as well
SELECT payload, needs(example('publish.completed', 40, 'link:a', payload::jsonb)), needs(example('publish.retracted', 40, 'link:a', payload::jsonb))
FROM unnest(ARRAY['{"url": "p"}', '{"url": "p", "webhook": {"title": "T"}}', '{"url": "p", "webhook": null}', '{"url": "p", "webhook": true}']) payload;
-- what the publisher is asked for: nothing of it comes from the payload of a link
SELECT event_type, lifestream.publish_payload(example(event_type, 41, 'link:a', '{"what": "webhook", "data": {"a": 1}, "webhook": {"title": "T"}}'))
FROM unnest(ARRAY['link.added', 'enrichment.completed', 'link.removed', 'publish.completed', 'publish.retracted', 'tag.merged', 'tag.dropped']) event_type;
SELECT lifestream.publish_payload(example('publish.completed', 42, 'link:a', '{"url": "p"}'));
SELECT forget();
-- the names that guards use are theirs, whatever the caller's search_path
CREATE SCHEMA trap;
CREATE TABLE trap.links (subject_id text, removed_seq bigint, status text);
CREATE FUNCTION trap.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT 1/0; SELECT 'x'::bytea $$;
SET search_path = trap, pg_catalog, public;
INSERT INTO trap.links VALUES ('link:t', 9, 'removed');
SELECT needs(example('link.added', 1, 'link:t', '{"url": "u"}')), needs(example('content.fetched', 2, 'link:t', '{"text_content": "t"}'));
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA trap CASCADE;
DROP FUNCTION public.needs;
