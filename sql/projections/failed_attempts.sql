-- The failed attempts at one piece of work up to a number, as dead_letters.attempts shows them.
CREATE FUNCTION lifestream.failed_attempts(of_subject text, of_work_type text, of_trigger uuid, up_to integer) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT jsonb_agg(jsonb_build_object('attempt', w.attempt, 'failed_at', to_char(w.failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'agent', w.agent,
                                            'permanent', w.permanent, 'error', w.error) ORDER BY w.attempt, w.seq)
        FROM work_attempts w
        WHERE w.subject_id = of_subject AND w.work_type = of_work_type AND w.attempt <= up_to
            AND lifestream.payload_uuid(w.work_message, 'triggered_by_event_id') = of_trigger), '[]');
END $$;
COMMENT ON FUNCTION lifestream.failed_attempts(text, text, uuid, integer) IS 'For projections: the story of a dead letter';
