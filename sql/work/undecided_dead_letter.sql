-- The dead letter, held so that no other session decides about it; an error where the other decision was taken already.
-- Asked of events rather than of dead_letters, which the materializer brings up to date only later.
CREATE FUNCTION lifestream.undecided_dead_letter(id uuid, decision text) RETURNS lifestream.dead_letters
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    letter lifestream.dead_letters;
    other text := CASE decision WHEN 'retried' THEN 'discarded' ELSE 'retried' END;
    other_type text := CASE decision WHEN 'retried' THEN 'work.discarded' ELSE 'work.retry_requested' END;
    decided timestamptz;
BEGIN
    IF id IS NULL THEN
        RAISE EXCEPTION 'the id of a dead letter is needed, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('lifestream.dead_letters ' || id, 0));
    SELECT d.* INTO letter FROM lifestream.dead_letters d WHERE d.id = undecided_dead_letter.id;
    IF NOT FOUND OR letter.seq IS NULL THEN
        RAISE EXCEPTION 'no dead letter %', id
            USING ERRCODE = 'no_data_found', HINT = 'SELECT id, subject_id, error FROM lifestream.dead_letters WHERE status = ''open'';';
    END IF;
    SELECT e.occurred_at INTO decided FROM lifestream.events e
    WHERE e.id = lifestream.derived_id('decision|' || undecided_dead_letter.id) AND e.event_type = other_type;
    IF FOUND OR letter.status = other THEN
        RAISE EXCEPTION 'dead letter % was % at %', id, other, coalesce(decided, letter.decided_at)
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN letter;
END $$;
COMMENT ON FUNCTION lifestream.undecided_dead_letter(uuid, text) IS 'For retry_dead_letter and discard_dead_letter: the letter, held until the transaction ends';
