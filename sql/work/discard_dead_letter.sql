-- Puts a dead letter away for good. Gives the id of the fact that says so; asked again, the same. A retried one is an error.
CREATE FUNCTION lifestream.discard_dead_letter(id uuid, reason text DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    letter lifestream.dead_letters := lifestream.undecided_dead_letter(id, 'discarded');
BEGIN
    RETURN lifestream.decide_dead_letter(letter, 'work.discarded',
        jsonb_build_object('dead_letter_id', letter.id, 'reason', reason));
END $$;
COMMENT ON FUNCTION lifestream.discard_dead_letter(uuid, text) IS 'Puts a dead letter away for good; gives the id of work.discarded';
