-- Every reading, one row an event.
CREATE TABLE lifestream.temperature_readings (
    event_id    uuid        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    subject_id  text        NOT NULL,
    value       numeric     NOT NULL,
    unit        text,
    recorded_at timestamptz NOT NULL,
    seq         bigint      NOT NULL
);
CREATE INDEX temperature_readings_by_subject ON lifestream.temperature_readings (subject_id, recorded_at);
COMMENT ON TABLE lifestream.temperature_readings IS 'Temperature readings; the subject is the sensor or the place';
COMMENT ON COLUMN lifestream.temperature_readings.value IS 'as given, exact';
COMMENT ON COLUMN lifestream.temperature_readings.recorded_at IS 'occurred_at of the event';
