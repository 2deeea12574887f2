-- work.dead_lettered {work_message, error, agent, failed_at}: what is known of the message is taken, and nothing else of it
-- needed, so that what was given up is never lost to a second mistake.
CREATE FUNCTION lifestream.project_work_dead_lettered(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    message jsonb := e.payload -> 'work_message';
    given_error text := lifestream.payload_text(e.payload, 'error', true, e.id);
    given_agent text := lifestream.payload_text(e.payload, 'agent', false, e.id);
    given_type text := CASE WHEN jsonb_typeof(message -> 'work_type') = 'string' THEN message ->> 'work_type'
                            ELSE substring(message ->> 'topic' FROM 'work\.([a-z0-9._-]+)$') END;
    given_trigger uuid := lifestream.payload_uuid(message, 'triggered_by_event_id');
    given_attempt integer;
    given_time timestamptz := e.occurred_at;
    owner text;
BEGIN
    IF jsonb_typeof(message) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION '"work_message" of event % is no object: %', e.id, left(message::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(message -> 'attempt') = 'number' AND (message ->> 'attempt')::numeric BETWEEN 1 AND 2147483647 THEN
        given_attempt := (message ->> 'attempt')::numeric;
    END IF;
    IF jsonb_typeof(e.payload -> 'failed_at') = 'string' THEN
        BEGIN
            given_time := (e.payload ->> 'failed_at')::timestamptz;
        EXCEPTION WHEN data_exception THEN
            NULL;  -- when it was told will do
        END;
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO dead_letters AS d (id, tenant_id, subject_id, work_type, status, attempt, agent, error, failed_at, attempts,
                                   work_id, triggered_by_event_id, correlation_id, work_message, seq)
    VALUES (e.id, e.tenant_id, e.subject_id, given_type, 'open', given_attempt, given_agent, given_error, given_time,
            lifestream.failed_attempts(e.subject_id, given_type, given_trigger, given_attempt),
            lifestream.payload_uuid(message, 'id'), given_trigger, e.correlation_id, message, e.seq)
    ON CONFLICT (id) DO UPDATE SET
        work_type = excluded.work_type, attempt = excluded.attempt, agent = excluded.agent, error = excluded.error,
        failed_at = excluded.failed_at, attempts = excluded.attempts, work_id = excluded.work_id,
        triggered_by_event_id = excluded.triggered_by_event_id, correlation_id = excluded.correlation_id,
        work_message = excluded.work_message, seq = excluded.seq
    -- Attempts may have been pruned since.
    WHERE d.tenant_id = excluded.tenant_id AND d.seq IS NULL
    RETURNING d.tenant_id INTO owner;
    IF NOT FOUND THEN
        SELECT d.tenant_id INTO owner FROM dead_letters d WHERE d.id = e.id;
    END IF;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_work_dead_lettered(lifestream.events) IS 'Projection of work.dead_lettered';
