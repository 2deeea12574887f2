-- Asks for work that was given up to be done after all, for the group that gave it up: the same work, one attempt further. Gives
-- the id of the request; asked again, the same. A discarded one is an error, and so is what never was work.
CREATE FUNCTION lifestream.retry_dead_letter(id uuid) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    letter lifestream.dead_letters := lifestream.undecided_dead_letter(id, 'retried');
BEGIN
    IF letter.work_id IS NULL OR letter.work_type IS NULL OR letter.triggered_by_event_id IS NULL THEN
        RAISE EXCEPTION 'dead letter % holds no work message', letter.id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('Error: %s', left(letter.error, 500)),
                  HINT = 'SELECT lifestream.discard_dead_letter(id) puts it away.';
    END IF;
    RETURN lifestream.decide_dead_letter(letter, 'work.retry_requested',
        jsonb_build_object('dead_letter_id', letter.id, 'work_message', letter.work_message, 'agent', letter.agent));
END $$;
COMMENT ON FUNCTION lifestream.retry_dead_letter(uuid) IS 'Has the work of a dead letter done after all, one attempt further; gives the id of work.retry_requested';
