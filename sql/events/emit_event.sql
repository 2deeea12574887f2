CREATE FUNCTION lifestream.emit_event(
    event_type       text,
    subject          text,
    subject_id       text,
    payload          jsonb,
    source           text        DEFAULT NULL,
    occurred_at      timestamptz DEFAULT NULL,
    id               uuid        DEFAULT NULL,
    correlation_id   uuid        DEFAULT NULL,
    causation_id     uuid        DEFAULT NULL,
    tenant_id        text        DEFAULT NULL,
    schema_version   integer     DEFAULT NULL,
    headers          jsonb       DEFAULT NULL,
    expected_version bigint      DEFAULT NULL
) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'emit_event_wrapper';
COMMENT ON FUNCTION lifestream.emit_event IS 'Emits an event in the caller''s transaction and returns its id';
