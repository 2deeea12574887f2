-- Notes what was decided about the first of a subject, and wakes its stage, which does it. Gives how many events that
-- lets go: itself and those behind it.
CREATE FUNCTION lifestream.decide_parked(id bigint, decision text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head lifestream.parked;
BEGIN
    IF id IS NULL THEN
        RAISE EXCEPTION 'the id of something parked is needed, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT p.* INTO head FROM lifestream.parked p WHERE p.id = decide_parked.id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing is parked under %', id
            USING ERRCODE = 'no_data_found', HINT = 'SELECT id, subject_id, error FROM lifestream.parked WHERE behind IS NULL;';
    END IF;
    IF head.behind IS NOT NULL THEN
        RAISE EXCEPTION '% waits behind %, the first parked of subject "%"', id, head.behind, head.subject_id
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('Decide about %s: it lets this one go as well.', head.behind);
    END IF;
    IF head.decision <> decide_parked.decision THEN
        RAISE EXCEPTION 'about % it was decided already: %', id, head.decision
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('The %s does it as soon as it runs; if it is refused again, it can be decided anew.', head.stage);
    END IF;
    UPDATE lifestream.parked p SET decision = decide_parked.decision WHERE p.id = decide_parked.id;
    PERFORM pg_notify('lifestream_parked', '');
    RETURN 1 + (SELECT count(*) FROM lifestream.parked p WHERE p.behind = decide_parked.id);
END $$;
COMMENT ON FUNCTION lifestream.decide_parked(bigint, text) IS 'For retry_parked and discard_parked: notes the decision';
