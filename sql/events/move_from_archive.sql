-- What unarchive_batch does; called by anybody else, the append-only guard refuses it. The numbers come back as a restored
-- dump's do: only where no bridge works on this table.
CREATE FUNCTION lifestream.move_from_archive(batch integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Those that users have added too; the flag is not brought back.
    columns text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                     WHERE a.attrelid = 'lifestream.events_archive'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'published_to_kafka');
    moved bigint;
BEGIN
    EXECUTE format('WITH leaving AS (
            DELETE FROM lifestream.events_archive WHERE seq IN (SELECT s.seq FROM lifestream.events_archive s ORDER BY s.seq LIMIT $1) RETURNING %1$s
        ), back AS (
            INSERT INTO lifestream.events (%1$s) OVERRIDING SYSTEM VALUE SELECT * FROM leaving RETURNING 1
        )
        SELECT count(*) FROM back', columns) INTO moved USING batch;
    RETURN moved;
END $$;
COMMENT ON FUNCTION lifestream.move_from_archive(integer) IS 'The body of unarchive_batch';
