-- CREATE EXTENSION has made the schema (the control file names it).
COMMENT ON SCHEMA lifestream IS 'pg_lifestream: an outbox of events, and the state that is derived from them';
GRANT USAGE ON SCHEMA lifestream TO lifestream_emitter, lifestream_reader, lifestream_bridge, lifestream_agent, lifestream_admin;
