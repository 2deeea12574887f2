-- temp.reading_recorded {value, unit}, or {celsius}, {fahrenheit}, {kelvin}, {temperature, unit}; failing those, the
-- payload's only number is the reading. Without one: 23502. A named member that is no number: 22023.
CREATE FUNCTION lifestream.project_temp_reading_recorded(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_unit text := lifestream.payload_text(e.payload, 'unit', false, e.id);
    member text := CASE WHEN e.payload ? 'value' THEN 'value'
                        WHEN e.payload ? 'celsius' THEN 'celsius'
                        WHEN e.payload ? 'temperature' THEN 'temperature'
                        WHEN e.payload ? 'fahrenheit' THEN 'fahrenheit'
                        WHEN e.payload ? 'kelvin' THEN 'kelvin' END;
    reading jsonb;
    owner text;
BEGIN
    IF member IS NULL THEN
        SELECT min(key) INTO member FROM jsonb_each(e.payload) WHERE jsonb_typeof(value) = 'number' HAVING count(*) = 1;
        IF member IS NULL THEN
            RAISE EXCEPTION 'payload of event % lacks "value"', e.id
                USING ERRCODE = 'not_null_violation', DETAIL = format('Payload: %s', left(e.payload::text, 500));
        END IF;
    END IF;
    reading := e.payload -> member;
    IF jsonb_typeof(reading) <> 'number' THEN
        RAISE EXCEPTION '"%" of event % is no number: %', member, e.id, left(reading::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF given_unit IS NULL AND member IN ('celsius', 'fahrenheit', 'kelvin') THEN
        given_unit := member;
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO temperature_latest AS l (subject_id, tenant_id, value, unit, recorded_at, event_id, seq)
    VALUES (e.subject_id, e.tenant_id, reading::numeric, given_unit, e.occurred_at, e.id, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        value = excluded.value, unit = excluded.unit, recorded_at = excluded.recorded_at,
        event_id = excluded.event_id, seq = excluded.seq
    WHERE l.tenant_id = excluded.tenant_id AND (excluded.recorded_at, excluded.seq) > (l.recorded_at, l.seq);
    IF NOT FOUND THEN
        -- An older reading, or another tenant's.
        SELECT l.tenant_id INTO owner FROM temperature_latest l WHERE l.subject_id = e.subject_id;
        IF owner <> e.tenant_id THEN
            PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
        END IF;
    END IF;
    INSERT INTO temperature_readings (event_id, tenant_id, subject_id, value, unit, recorded_at, seq)
    VALUES (e.id, e.tenant_id, e.subject_id, reading::numeric, given_unit, e.occurred_at, e.seq)
    ON CONFLICT (event_id) DO NOTHING;
END $$;
COMMENT ON FUNCTION lifestream.project_temp_reading_recorded(lifestream.events) IS 'Projection of temp.reading_recorded';
