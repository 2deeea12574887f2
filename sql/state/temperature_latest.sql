-- The newest reading of each subject: by the time of the reading, then by seq.
CREATE TABLE lifestream.temperature_latest (
    subject_id  text        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    value       numeric     NOT NULL,
    unit        text,
    recorded_at timestamptz NOT NULL,
    event_id    uuid        NOT NULL,
    seq         bigint      NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE lifestream.temperature_latest IS 'The newest temperature of each subject';
COMMENT ON COLUMN lifestream.temperature_latest.event_id IS 'the row of temperature_readings that this is';
