-- Moves what may go of the events with after < seq <= last: see move_to_archive. In C, as the guard that
-- lets nobody else take events out of their table; an archive() of one's own is built on it.
CREATE FUNCTION lifestream.archive_batch(after bigint, last bigint, before timestamptz) RETURNS bigint
STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'refuse_change_wrapper';
COMMENT ON FUNCTION lifestream.archive_batch(bigint, bigint, timestamptz) IS 'Archives a stretch of events, in one transaction: how many were moved';
