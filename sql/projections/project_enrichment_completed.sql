-- enrichment.completed {tags, summary, topic, model, text_digest}: that of the newest text counts, of one text the newest: a retry may
-- enrich an older text late. Its tags replace those of another enrichment and touch none that a person gave.
CREATE FUNCTION lifestream.project_enrichment_completed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_tags text[] := lifestream.payload_tags(e.payload, e.id);
    given_summary text := lifestream.payload_text(e.payload, 'summary', false, e.id);
    given_topic text := lifestream.payload_text(e.payload, 'topic', false, e.id);
    given_model text := lifestream.payload_text(e.payload, 'model', false, e.id);
    given_digest text := lifestream.payload_text(e.payload, 'text_digest', false, e.id);
    -- What it was made of is its cause. Without one, it is about the text that there was when it was emitted.
    given_text bigint := coalesce(
        (SELECT c.seq FROM lifestream.all_events c
         WHERE c.id = e.causation_id AND c.subject_id = e.subject_id AND c.event_type = 'content.fetched'),
        (SELECT c.seq FROM lifestream.all_events c
         WHERE c.subject_id = e.subject_id AND c.event_type = 'content.fetched' AND c.seq < e.seq ORDER BY c.seq DESC LIMIT 1),
        0);
    done text;
    owner text;
    raised boolean;
BEGIN
    IF NOT e.payload ?| ARRAY['tags', 'summary', 'topic'] THEN
        RAISE EXCEPTION 'payload of event % has neither "tags" nor "summary" nor "topic"', e.id
            USING ERRCODE = 'not_null_violation', DETAIL = format('Payload: %s', left(e.payload::text, 500));
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO link_metadata AS m (subject_id, tenant_id, summary, topic, model, text_digest, enriched_at, seq, text_seq)
    VALUES (e.subject_id, e.tenant_id, given_summary, given_topic, given_model, given_digest, e.occurred_at, e.seq, given_text)
    ON CONFLICT (subject_id) DO UPDATE SET
        summary = excluded.summary, topic = excluded.topic, model = excluded.model, text_digest = excluded.text_digest,
        enriched_at = excluded.enriched_at, seq = excluded.seq, text_seq = excluded.text_seq
    WHERE (excluded.text_seq, excluded.seq) >= (m.text_seq, m.seq);
    IF FOUND THEN
        done := lifestream.replace_tags(e.subject_id, e.tenant_id, given_tags, e.seq);
    END IF;
    INSERT INTO publish_state AS p (subject_id, tenant_id, status, ready_at, enriched_seq)
    VALUES (e.subject_id, e.tenant_id, 'ready', e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        ready_at = CASE WHEN excluded.enriched_seq >= coalesce(p.enriched_seq, 0) THEN excluded.ready_at ELSE p.ready_at END,
        enriched_seq = greatest(p.enriched_seq, excluded.enriched_seq)
    RETURNING p.tenant_id INTO owner;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
    raised := lifestream.raise_link_stage(e.subject_id, 4);
END $$;
COMMENT ON FUNCTION lifestream.project_enrichment_completed(lifestream.events) IS 'Projection of enrichment.completed';
