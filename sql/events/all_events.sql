-- Every event there is, archived or not. Both sides have indexes on id, seq and (subject_id, seq): conditions on them reach either.
CREATE VIEW lifestream.all_events AS
SELECT * FROM lifestream.events
UNION ALL
SELECT * FROM lifestream.events_archive;
COMMENT ON VIEW lifestream.all_events IS 'Every event, those in lifestream.events_archive too';
