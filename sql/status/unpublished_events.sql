-- Below the bridge's watermark nothing is unpublished; above it the flag tells. Never scans the table: an index on seq bounds it.
CREATE VIEW lifestream.unpublished_events AS
SELECT e.*
FROM lifestream.events e
WHERE e.seq > COALESCE((SELECT p.watermark FROM lifestream.bridge_progress p), 0)
  AND NOT e.published_to_kafka;
COMMENT ON VIEW lifestream.unpublished_events IS 'Events that Kafka has not acknowledged yet';
