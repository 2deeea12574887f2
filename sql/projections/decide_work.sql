-- Records a decision about a dead letter; of two the first (by seq) counts. Decided before it is known, it is a row without a story.
CREATE FUNCTION lifestream.decide_work(e lifestream.events, decision text, given_reason text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    letter uuid := lifestream.payload_uuid(e.payload, 'dead_letter_id');
    owner text;
BEGIN
    IF letter IS NULL THEN
        RAISE EXCEPTION '"dead_letter_id" of event % is no uuid: %', e.id, left((e.payload -> 'dead_letter_id')::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO dead_letters AS d (id, tenant_id, subject_id, status, decided_at, reason, decided_seq)
    VALUES (letter, e.tenant_id, e.subject_id, decision, e.occurred_at, given_reason, e.seq)
    ON CONFLICT (id) DO UPDATE SET
        status = excluded.status, decided_at = excluded.decided_at, reason = excluded.reason, decided_seq = excluded.decided_seq
    WHERE d.tenant_id = excluded.tenant_id AND (d.decided_seq IS NULL OR excluded.decided_seq < d.decided_seq);
    IF NOT FOUND THEN
        SELECT d.tenant_id INTO owner FROM dead_letters d WHERE d.id = letter;
        IF owner <> e.tenant_id THEN
            PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.decide_work(lifestream.events, text, text) IS 'For projections: records a decision about a dead letter';
