-- work.failed {work_message, error, agent, permanent, not_before}: one failed attempt. Casts of the work message raise 22P02, which parks.
CREATE FUNCTION lifestream.project_work_failed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
    message jsonb := e.payload -> 'work_message';
    given_error text := lifestream.payload_text(e.payload, 'error', true, e.id);
    given_agent text := lifestream.payload_text(e.payload, 'agent', false, e.id);
    given_permanent jsonb := coalesce(nullif(e.payload -> 'permanent', 'null'), 'false');
    given_attempt jsonb := message -> 'attempt';
BEGIN
    IF jsonb_typeof(message) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION '"work_message" of event % is no object: %', e.id, left(message::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(given_permanent) <> 'boolean' THEN
        RAISE EXCEPTION '"permanent" of event % is no boolean: %', e.id, left(given_permanent::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(given_attempt) IS DISTINCT FROM 'number' THEN
        RAISE EXCEPTION '"attempt" in the work message of event % is no number: %', e.id, left(given_attempt::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO work_attempts AS w (work_id, attempt, tenant_id, subject_id, work_type, agent, error, permanent, failed_at, event_id, seq, work_message)
    VALUES (lifestream.payload_text(message, 'id', true, e.id)::uuid, given_attempt::integer, e.tenant_id, e.subject_id,
            lifestream.payload_text(message, 'work_type', true, e.id), given_agent, given_error, given_permanent::boolean,
            e.occurred_at, e.id, e.seq, message)
    ON CONFLICT (work_id, attempt) DO UPDATE SET
        tenant_id = excluded.tenant_id, subject_id = excluded.subject_id, work_type = excluded.work_type, agent = excluded.agent,
        error = excluded.error, permanent = excluded.permanent, failed_at = excluded.failed_at, event_id = excluded.event_id,
        seq = excluded.seq, work_message = excluded.work_message
    WHERE excluded.seq >= w.seq;
    -- It may be known already that the work was given up.
    UPDATE dead_letters d SET attempts = lifestream.failed_attempts(d.subject_id, d.work_type, d.triggered_by_event_id, d.attempt)
    WHERE d.subject_id = e.subject_id AND d.work_type = message ->> 'work_type' AND d.attempt >= given_attempt::integer
        AND d.triggered_by_event_id = lifestream.payload_uuid(message, 'triggered_by_event_id');
END $$;
COMMENT ON FUNCTION lifestream.project_work_failed(lifestream.events) IS 'Projection of work.failed';
