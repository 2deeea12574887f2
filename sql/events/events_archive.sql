-- Events that lifestream.archive() moved out of lifestream.events, so that the table of the living stays small. They are as much
-- the source of truth as the others: whoever reads the past reads lifestream.all_events.
CREATE TABLE lifestream.events_archive (
    LIKE lifestream.events,
    CONSTRAINT events_archive_pkey PRIMARY KEY (id),
    CONSTRAINT events_archive_seq_key UNIQUE (seq)
);
CREATE INDEX events_archive_subject_id_seq_idx ON lifestream.events_archive (subject_id, seq);

-- Append-only as lifestream.events is.
CREATE TRIGGER a_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON lifestream.events_archive
    FOR EACH STATEMENT EXECUTE FUNCTION lifestream.refuse_change();
ALTER TABLE lifestream.events_archive ENABLE ALWAYS TRIGGER a_refuse_change;

-- What an apply worker changes fires row triggers only.
CREATE TRIGGER a_refuse_row BEFORE UPDATE OR DELETE ON lifestream.events_archive
    FOR EACH ROW EXECUTE FUNCTION lifestream.refuse_change();
ALTER TABLE lifestream.events_archive ENABLE ALWAYS TRIGGER a_refuse_row;

COMMENT ON TABLE lifestream.events_archive IS 'Events that were moved out of lifestream.events; lifestream.all_events shows both';
