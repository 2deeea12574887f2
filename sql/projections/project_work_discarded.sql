-- work.discarded {dead_letter_id, reason}: nobody wants it done any more.
CREATE FUNCTION lifestream.project_work_discarded(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lifestream.decide_work(e, 'discarded', lifestream.payload_text(e.payload, 'reason', false, e.id));
END $$;
COMMENT ON FUNCTION lifestream.project_work_discarded(lifestream.events) IS 'Projection of work.discarded';
