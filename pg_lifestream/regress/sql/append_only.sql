-- Events are append-only, for their owner too; the flag alone can change
\pset format unaligned
\pset tuples_only on
SELECT emit_event('t', 's', 'a-1', '{}') IS NOT NULL;
SELECT attempt(format('UPDATE lifestream.events SET %I = %I WHERE subject_id = ''a-1''', attname, attname))
FROM pg_attribute WHERE attrelid = 'lifestream.events'::regclass AND attnum > 0 AND attname <> 'seq' ORDER BY attnum;
SELECT attempt('UPDATE lifestream.events SET seq = DEFAULT');
SELECT attempt('UPDATE lifestream.events SET published_to_kafka = true, payload = ''{}''');
SELECT attempt('DELETE FROM lifestream.events');
SELECT attempt('DELETE FROM lifestream.events WHERE false');
SELECT attempt('TRUNCATE lifestream.events');
SELECT attempt('TRUNCATE lifestream.events RESTART IDENTITY CASCADE');
SELECT attempt('MERGE INTO lifestream.events e USING (SELECT 1) one ON e.subject_id = ''a-1'' WHEN MATCHED THEN DELETE');
SET session_replication_role = replica;
SELECT attempt('UPDATE lifestream.events SET payload = ''{}''');
SELECT attempt('DELETE FROM lifestream.events');
SELECT attempt('TRUNCATE lifestream.events');
RESET session_replication_role;
UPDATE lifestream.events SET published_to_kafka = true WHERE subject_id = 'a-1';
SELECT published_to_kafka FROM lifestream.events WHERE subject_id = 'a-1';

-- setting the flag is a HOT update, and no trigger looks at its row
CREATE TABLE flip_plan (line text);
DO $$ DECLARE line text; BEGIN
    FOR line IN EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) UPDATE lifestream.events SET published_to_kafka = NOT published_to_kafka WHERE subject_id = 'a-1' LOOP
        INSERT INTO flip_plan VALUES (line);
    END LOOP;
END $$;
SELECT count(*) FILTER (WHERE line LIKE '%rigger%') FROM flip_plan;
DROP TABLE flip_plan;
SELECT count(*) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'published_to_kafka'
WHERE i.indrelid = 'lifestream.events'::regclass AND (a.attnum = ANY (i.indkey) OR pg_get_indexdef(i.indexrelid) LIKE '%published%');
