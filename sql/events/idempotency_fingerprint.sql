-- Lets whoever may only emit tell a repeated request from another one under the same key: what comes out is the digest that
-- the request left in its event's headers, nothing of the event itself. is_new: this very transaction has emitted it.
CREATE FUNCTION lifestream.idempotency_fingerprint(event_id uuid, OUT fingerprint text, OUT is_new boolean)
LANGUAGE sql STABLE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.headers ->> 'idempotency_fingerprint', e.xmin = pg_current_xact_id()::xid
    FROM lifestream.events AS e WHERE e.id = event_id
    UNION ALL
    SELECT e.headers ->> 'idempotency_fingerprint', false
    FROM lifestream.events_archive AS e WHERE e.id = event_id
$$;
COMMENT ON FUNCTION lifestream.idempotency_fingerprint(uuid) IS 'Digest of the request that emitted this event, and whether this transaction did';
