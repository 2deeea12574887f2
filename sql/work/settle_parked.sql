-- For the stages, once they have carried out what was decided about the first of a subject. Refused is what was refused
-- again, if anything was: the first itself, which waits for another decision then, or one behind it, which becomes the first of
-- those that are left. What was discarded stays in lifestream.discarded, taken in without effect.
CREATE FUNCTION lifestream.settle_parked(head bigint, refused bigint DEFAULT NULL, error text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone lifestream.parked;
BEGIN
    -- Another member of the group may have been quicker.
    PERFORM FROM lifestream.parked p WHERE p.id = settle_parked.head AND p.decision IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE lifestream.parked p SET behind = nullif(settle_parked.refused, p.id)
    WHERE p.behind = settle_parked.head AND settle_parked.refused <> settle_parked.head;
    UPDATE lifestream.parked p SET error = settle_parked.error, attempts = p.attempts + 1, decision = NULL
    WHERE p.id = settle_parked.refused;
    IF settle_parked.refused IS DISTINCT FROM settle_parked.head THEN
        DELETE FROM lifestream.parked p WHERE p.id = settle_parked.head RETURNING p.* INTO gone;
        IF gone.decision = 'discard' THEN
            INSERT INTO lifestream.discarded (id, stage, consumer_group, event_id, seq, subject_id, tenant_id, event_type, topic, partition, "offset",
                                              record_key, record_value, record_headers, error, attempts, parked_at)
            VALUES (gone.id, gone.stage, gone.consumer_group, gone.event_id, gone.seq, gone.subject_id, gone.tenant_id, gone.event_type, gone.topic,
                    gone.partition, gone."offset", gone.record_key, gone.record_value, gone.record_headers, gone.error, gone.attempts,
                    gone.parked_at);
            IF gone.stage = 'materializer' AND gone.seq IS NOT NULL THEN
                INSERT INTO lifestream.event_ingest_dedupe (consumer_group, event_id, topic, partition, "offset")
                VALUES (gone.consumer_group, gone.event_id, gone.topic, gone.partition, gone."offset") ON CONFLICT DO NOTHING;
            END IF;
        END IF;
    END IF;
    PERFORM pg_notify('lifestream_parked', '');
END $$;
COMMENT ON FUNCTION lifestream.settle_parked(bigint, bigint, text) IS 'For the bridge and the materializer: takes the first of a subject out once what was decided is done';
