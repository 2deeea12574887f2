-- All of them ALWAYS: replication apply and session_replication_role = replica come in by the same door.

-- A row trigger, because an apply worker fires no statement triggers; the name sorts before those that users add.
CREATE TRIGGER a_guard_event BEFORE INSERT ON lifestream.events
    FOR EACH ROW EXECUTE FUNCTION lifestream.guard_event();
ALTER TABLE lifestream.events ENABLE ALWAYS TRIGGER a_guard_event;

-- Every column but the flag. A statement trigger: a BEFORE UPDATE row trigger, whatever its columns, would make each
-- flip of a flag fetch and lock its row first.
CREATE TRIGGER a_refuse_change BEFORE DELETE OR TRUNCATE OR UPDATE OF
        id, seq, occurred_at, received_at, source, subject, subject_id, event_type, payload, schema_version,
        correlation_id, causation_id, tenant_id, headers
    ON lifestream.events
    FOR EACH STATEMENT EXECUTE FUNCTION lifestream.refuse_change();
ALTER TABLE lifestream.events ENABLE ALWAYS TRIGGER a_refuse_change;

-- What an apply worker deletes fires row triggers only.
CREATE TRIGGER a_refuse_delete BEFORE DELETE ON lifestream.events
    FOR EACH ROW EXECUTE FUNCTION lifestream.refuse_change();
ALTER TABLE lifestream.events ENABLE ALWAYS TRIGGER a_refuse_delete;
