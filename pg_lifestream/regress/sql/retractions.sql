-- What was published and is taken back: by seq, in any order
\pset format unaligned
\pset tuples_only on
SET timezone = 'UTC';
SELECT apply('enrichment.completed', 1, 'link:a', '{"tags": [], "text_digest": "d1"}'), apply('publish.completed', 2, 'link:a', '{"url": "p"}');
SELECT * FROM lifestream.publish_state;
SELECT apply('publish.retracted', 3, 'link:a', '{"url": null}');
SELECT * FROM lifestream.publish_state;
SELECT apply('publish.completed', 2, 'link:a', '{"url": "p"}'), apply('enrichment.completed', 4, 'link:a', '{"tags": [], "text_digest": "d4"}');
SELECT status, url, enriched_seq, published_seq, retracted_seq FROM lifestream.publish_state;
SELECT apply('publish.completed', 5, 'link:a', '{"url": "q"}');
SELECT status, url FROM lifestream.publish_state;
SELECT text_digest, seq FROM lifestream.link_metadata;
SELECT refused('enrichment.completed', '{"tags": [], "text_digest": 5}');
SELECT attempt($$SELECT apply('publish.retracted', 6, 'link:a', '{}', 'b')$$);
SELECT * FROM ends(ARRAY[
    example('enrichment.completed', 1, 'link:a', '{"tags": [], "text_digest": "d1"}'), example('publish.completed', 2, 'link:a', '{"url": "p"}'),
    example('publish.retracted', 3, 'link:a', '{}'), example('publish.completed', 4, 'link:a', '{"url": "q"}'),
    example('enrichment.completed', 5, 'link:a', '{"tags": [], "text_digest": "d5"}')]);
SELECT * FROM lifestream.publish_state;
SELECT * FROM ends(ARRAY[
    example('publish.completed', 2, 'link:a', '{"url": "p"}'), example('publish.retracted', 3, 'link:a', '{}'), example('publish.completed', 4, 'link:a', '{"url": "q"}'),
    example('publish.retracted', 5, 'link:a', '{}')]);
SELECT * FROM lifestream.publish_state;
SELECT forget();
