-- content.fetched {text_content, fetch_error, metadata}: fetch_error null means fetched, even with no text to read.
CREATE FUNCTION lifestream.project_content_fetched(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_text text := lifestream.payload_text(e.payload, 'text_content', false, e.id);
    given_error text := lifestream.payload_text(e.payload, 'fetch_error', false, e.id);
    given_metadata jsonb := coalesce(nullif(e.payload -> 'metadata', 'null'), '{}');
    fetched boolean := given_error IS NULL;
    has_text boolean;
    owner text;
    raised boolean;
BEGIN
    IF NOT e.payload ?| ARRAY['text_content', 'fetch_error'] THEN
        RAISE EXCEPTION 'payload of event % has neither "text_content" nor "fetch_error"', e.id
            USING ERRCODE = 'not_null_violation', DETAIL = format('Payload: %s', left(e.payload::text, 500));
    END IF;
    IF jsonb_typeof(given_metadata) <> 'object' THEN
        RAISE EXCEPTION '"metadata" of event % is no object: %', e.id, left(given_metadata::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO link_content AS c (subject_id, tenant_id, text_content, metadata, fetch_error, fetched_at, checked_at, text_seq, seq)
    VALUES (e.subject_id, e.tenant_id, CASE WHEN fetched THEN given_text END, given_metadata, given_error,
            CASE WHEN fetched THEN e.occurred_at END, e.occurred_at, CASE WHEN fetched THEN e.seq END, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        text_content = CASE WHEN excluded.text_seq >= coalesce(c.text_seq, 0) THEN excluded.text_content ELSE c.text_content END,
        -- A failure's own metadata is shown only as long as there is no text's.
        metadata = CASE WHEN excluded.text_seq >= coalesce(c.text_seq, 0) THEN excluded.metadata
                        WHEN c.text_seq IS NULL AND excluded.seq >= c.seq THEN excluded.metadata
                        ELSE c.metadata END,
        fetched_at = CASE WHEN excluded.text_seq >= coalesce(c.text_seq, 0) THEN excluded.fetched_at ELSE c.fetched_at END,
        fetch_error = CASE WHEN excluded.seq >= c.seq THEN excluded.fetch_error ELSE c.fetch_error END,
        checked_at = CASE WHEN excluded.seq >= c.seq THEN excluded.checked_at ELSE c.checked_at END,
        text_seq = greatest(c.text_seq, excluded.text_seq),
        seq = greatest(c.seq, excluded.seq)
    RETURNING c.tenant_id, c.text_seq IS NOT NULL INTO owner, has_text;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
    raised := lifestream.raise_link_stage(e.subject_id, CASE WHEN has_text THEN 3 ELSE 2 END);
END $$;
COMMENT ON FUNCTION lifestream.project_content_fetched(lifestream.events) IS 'Projection of content.fetched';
