-- work.retry_requested {dead_letter_id, work_message}: somebody wants it done after all. Without a dead letter, as other
-- tools may ask for a retry, no state changes.
CREATE FUNCTION lifestream.project_work_retry_requested(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF e.payload ->> 'dead_letter_id' IS NOT NULL THEN
        PERFORM lifestream.decide_work(e, 'retried', NULL);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_work_retry_requested(lifestream.events) IS 'Projection of work.retry_requested';
