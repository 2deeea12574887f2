-- What is parked, what a person decides about it, and how the stages settle it
TRUNCATE lifestream.parked, lifestream.discarded, lifestream.event_ingest_dedupe RESTART IDENTITY;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION public.numbered(n bigint) RETURNS uuid LANGUAGE sql AS $$ SELECT format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION public.park(seq bigint, subject_id text, behind bigint DEFAULT NULL, stage text DEFAULT 'materializer') RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO lifestream.parked (stage, consumer_group, event_id, seq, subject_id, event_type, topic, partition, "offset", error, behind)
    VALUES (stage, CASE stage WHEN 'materializer' THEN 'materializer-v1' END, public.numbered(seq), seq, subject_id, 'link.added', 'events.raw', 0, seq, 'refused', behind)
    RETURNING id
$$;
CREATE VIEW public.parked AS SELECT id, seq, behind, decision, attempts, error FROM lifestream.parked ORDER BY id;
SELECT park(1, 'a'), park(2, 'a', 1), park(3, 'a', 1), park(4, 'b');

-- decided about the first of a subject, which lets go what is behind it
SELECT attempt('SELECT lifestream.retry_parked(NULL)');
SELECT attempt('SELECT lifestream.discard_parked(99)');
SELECT attempt('SELECT lifestream.retry_parked(3)');
SELECT lifestream.retry_parked(1);
SELECT lifestream.retry_parked(1);
SELECT attempt('SELECT lifestream.discard_parked(1)');
SELECT lifestream.discard_parked(id) FROM lifestream.parked WHERE subject_id = 'b';
SELECT * FROM public.parked;
SELECT split_part(attempt('UPDATE lifestream.parked SET decision = ''forget'''), E'\n', 1);
SELECT split_part(attempt('UPDATE lifestream.parked SET decision = ''retry'' WHERE id = 2'), E'\n', 1);

-- refused again: it waits for another decision, and those behind it with it
SELECT lifestream.settle_parked(1, 1, 'refused again');
SELECT * FROM public.parked;
-- done, but the second behind it was refused: it becomes the first
SELECT lifestream.retry_parked(1);
DELETE FROM lifestream.parked WHERE id = 2;
SELECT park(5, 'a', 1), park(6, 'a', 1);
SELECT lifestream.settle_parked(1, 5, 'another error');
SELECT * FROM public.parked;
-- what nobody decided about stays, and nothing goes while something waits behind it
SELECT lifestream.settle_parked(5);
SELECT lifestream.retry_parked(5);
SELECT split_part(attempt('SELECT lifestream.settle_parked(5)'), E'\n', 1);
DELETE FROM lifestream.parked WHERE behind = 5;
SELECT lifestream.settle_parked(5);
SELECT * FROM public.parked;
-- what was discarded is kept, and never applied when it comes again
SELECT lifestream.settle_parked(4);
SELECT count(*) FROM public.parked;
SELECT id, stage, consumer_group, event_id, subject_id, topic, partition, "offset", error, attempts FROM lifestream.discarded;
SELECT consumer_group, event_id, topic, partition, "offset" FROM lifestream.event_ingest_dedupe;
-- a record that names no event has nothing to come again
INSERT INTO lifestream.parked (stage, consumer_group, topic, partition, "offset", error) VALUES ('materializer', 'materializer-v1', 'events.raw', 0, 9, 'no event') RETURNING lifestream.discard_parked(id);
SELECT lifestream.settle_parked(id) FROM lifestream.parked;
-- the bridge's own are no concern of the materializer's books
SELECT lifestream.discard_parked(park(11, 'c', NULL, 'bridge'));
SET ROLE lifestream_bridge;
SELECT lifestream.settle_parked(id) FROM lifestream.parked;
SELECT attempt('SELECT lifestream.retry_parked(1)');
RESET ROLE;
SELECT stage, event_id FROM lifestream.discarded ORDER BY id;
SELECT count(*) FROM lifestream.event_ingest_dedupe;
