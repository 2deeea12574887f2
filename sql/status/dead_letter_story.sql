-- What happened to each dead letter's work, a row for each attempt.
CREATE VIEW lifestream.dead_letter_story AS
SELECT d.id, d.tenant_id, d.subject_id, d.work_type, d.status, a.attempt, a.failed_at, a.agent, a.permanent, a.error
FROM lifestream.dead_letters d
CROSS JOIN LATERAL (
    SELECT r.attempt, r.failed_at, r.agent, r.permanent, r.error
    FROM jsonb_to_recordset(d.attempts) AS r (attempt integer, failed_at timestamptz, agent text, permanent boolean, error text)
    UNION ALL
    -- Given up without an attempt that failed: a guard that raised, a record that was no work message.
    SELECT d.attempt, d.failed_at, d.agent, true, d.error
    WHERE d.seq IS NOT NULL AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(d.attempts) AS r (attempt integer) WHERE r.attempt = d.attempt)
) a;
COMMENT ON VIEW lifestream.dead_letter_story IS 'The attempts behind each dead letter: ... WHERE id = ... ORDER BY attempt, failed_at';
COMMENT ON COLUMN lifestream.dead_letter_story.id IS 'of the dead letter';
