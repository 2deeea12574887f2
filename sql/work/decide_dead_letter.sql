-- Emits what was decided about a dead letter. Whatever it is has one id, derived from the letter's: decided twice, it is one
-- fact, and otherwise than before it is refused, also where a snapshot does not show the first. Tenant and correlation are the
-- letter's, whatever the session's defaults are.
CREATE FUNCTION lifestream.decide_dead_letter(letter lifestream.dead_letters, event_type text, payload jsonb) RETURNS uuid
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET lifestream.tenant_id = '' SET lifestream.correlation_id = ''
SET lifestream.traceparent = '' AS $$
    SELECT lifestream.emit_event(
        event_type, 'work', letter.subject_id, payload,
        id => lifestream.derived_id('decision|' || letter.id),
        correlation_id => letter.correlation_id,
        causation_id => letter.id,
        tenant_id => letter.tenant_id,
        headers => CASE WHEN letter.work_message ->> 'traceparent' ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
                        THEN jsonb_build_object('traceparent', letter.work_message ->> 'traceparent') END)
$$;
COMMENT ON FUNCTION lifestream.decide_dead_letter(lifestream.dead_letters, text, jsonb) IS 'For retry_dead_letter and discard_dead_letter: emits the decision';
