-- link.added {url, title, note, tags}: the first addition's values stay, later ones fill what is empty, tags are joined.
CREATE FUNCTION lifestream.project_link_added(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_url text := lifestream.payload_text(e.payload, 'url', true, e.id);
    given_title text := lifestream.payload_text(e.payload, 'title', false, e.id);
    given_note text := lifestream.payload_text(e.payload, 'note', false, e.id);
    given_tags text[];
    owner text;
    known_stage integer;
    done text;
BEGIN
    IF e.payload ? 'tags' THEN
        given_tags := lifestream.payload_tags(e.payload, e.id);
    END IF;
    -- Assigned, not performed: PL/pgSQL evaluates a plain expression without starting the executor for it.
    owner := lifestream.claim_subject(e.subject_id, e.tenant_id, e.subject, e.occurred_at, e.seq, e.id);
    known_stage := lifestream.known_link_stage(e.subject_id);
    INSERT INTO links AS l (subject_id, tenant_id, url, title, note, stage, status, added_at, first_seq, added_seq)
    VALUES (e.subject_id, e.tenant_id, given_url, given_title, given_note, known_stage,
            lifestream.link_status(known_stage, e.seq, NULL), e.occurred_at, e.seq, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        url = CASE WHEN excluded.first_seq < l.first_seq THEN excluded.url ELSE coalesce(l.url, excluded.url) END,
        title = CASE WHEN excluded.first_seq < l.first_seq THEN coalesce(nullif(excluded.title, ''), l.title)
                     ELSE coalesce(nullif(l.title, ''), excluded.title) END,
        note = CASE WHEN excluded.first_seq < l.first_seq THEN coalesce(nullif(excluded.note, ''), l.note)
                    ELSE coalesce(nullif(l.note, ''), excluded.note) END,
        added_at = CASE WHEN excluded.first_seq < l.first_seq THEN excluded.added_at ELSE coalesce(l.added_at, excluded.added_at) END,
        status = lifestream.link_status(l.stage, greatest(l.added_seq, excluded.added_seq), l.removed_seq),
        first_seq = least(l.first_seq, excluded.first_seq),
        added_seq = greatest(l.added_seq, excluded.added_seq);
    IF given_tags <> '{}' THEN
        done := lifestream.use_tags(e.subject_id, e.tenant_id, given_tags, e.seq);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_link_added(lifestream.events) IS 'Projection of link.added';
