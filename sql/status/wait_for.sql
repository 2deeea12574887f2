-- Waits until an event is published, or materialized, and says whether it is: false when the time is over, and at once
-- where the event is parked or discarded on the way, which only a person can change.
--
-- For whoever emits and must then read what it led to; it tells nothing of an event but this, so it may look where the
-- caller may not. It looks again and again, at first every few milliseconds; a wait costs no lock.
CREATE FUNCTION lifestream.wait_for(event_id uuid, stage text DEFAULT 'materialized', timeout interval DEFAULT '10 s') RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    until timestamptz := clock_timestamp() + timeout;
    pause double precision := 0.002;
    own numeric := pg_current_xact_id_if_assigned()::text::numeric;
    event record;
    here boolean;
BEGIN
    IF event_id IS NULL OR stage IS NULL OR timeout IS NULL THEN
        RAISE EXCEPTION 'wait_for needs an event_id, a stage and a timeout, not %', format('(%L, %L, %L)', event_id, stage, timeout)
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF stage NOT IN ('published', 'materialized') THEN
        RAISE EXCEPTION 'unknown stage "%"', stage
            USING ERRCODE = 'invalid_parameter_value', HINT = 'It is published, or materialized.';
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'wait_for sees nothing change in a transaction that is %', current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state', HINT = 'Call it in a transaction of its own, or under READ COMMITTED.';
    END IF;
    -- One snapshot for both: the event may be on its way from one to the other.
    SELECT e.xmin::text::numeric AS xid, false AS archived INTO event FROM lifestream.events e WHERE e.id = wait_for.event_id
    UNION ALL SELECT 0, true FROM lifestream.events_archive a WHERE a.id = wait_for.event_id;
    IF FOUND AND event.archived THEN
        RETURN stage = 'published' OR NOT EXISTS (SELECT FROM lifestream.discarded x WHERE x.event_id = wait_for.event_id AND x.stage = 'materializer');
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no event %', event_id
            USING ERRCODE = 'no_data_found', HINT = 'It is there once the transaction that emits it has committed.';
    END IF;
    IF own IS NOT NULL THEN
        BEGIN
            -- A row has the lower half of a transaction id. Of what is visible here, only this transaction's own still runs.
            here := pg_xact_status((own + mod(event.xid - mod(own, 4294967296) + 6442450944, 4294967296) - 2147483648)::text::xid8) = 'in progress';
        EXCEPTION WHEN invalid_parameter_value THEN
            here := false;  -- so old that the half stands for a number yet to come
        END;
        IF here THEN
            RAISE EXCEPTION 'event % was emitted in this very transaction: nobody else sees it before it commits', event_id
                USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Commit, then wait.';
        END IF;
    END IF;
    LOOP
        IF stage = 'published' THEN
            PERFORM FROM lifestream.all_events e WHERE e.id = wait_for.event_id AND e.published_to_kafka;
        ELSE
            PERFORM FROM lifestream.event_ingest_dedupe d
            WHERE d.event_id = wait_for.event_id
              AND d.consumer_group = ANY (ARRAY(SELECT DISTINCT o.consumer_group FROM lifestream.kafka_offsets o))
              AND NOT EXISTS (SELECT FROM lifestream.discarded x WHERE x.event_id = wait_for.event_id AND x.stage = 'materializer');
        END IF;
        IF FOUND THEN
            RETURN true;
        END IF;
        PERFORM FROM lifestream.parked p WHERE p.event_id = wait_for.event_id AND (p.stage = 'bridge' OR wait_for.stage = 'materialized')
        UNION ALL
        SELECT FROM lifestream.discarded x WHERE x.event_id = wait_for.event_id AND (x.stage = 'bridge' OR wait_for.stage = 'materialized');
        IF FOUND OR clock_timestamp() >= until THEN
            RETURN false;
        END IF;
        PERFORM pg_sleep(least(pause, greatest(extract(epoch FROM until - clock_timestamp()), 0)));
        pause := least(pause * 1.5, 0.1);
    END LOOP;
END $$;
COMMENT ON FUNCTION lifestream.wait_for(uuid, text, interval) IS 'Waits until an event is published or materialized; false when the time is over, or it is parked';
