-- link.added {url, title, note, tags}: the first addition's values stay, later ones fill what is empty, tags are joined.
-- What is known already of a link that comes late (its content, say) decides the stage that it starts at.
CREATE FUNCTION lifestream.project_link_added(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_url text := lifestream.payload_text(e.payload, 'url', true, e.id);
    given_title text := lifestream.payload_text(e.payload, 'title', false, e.id);
    given_note text := lifestream.payload_text(e.payload, 'note', false, e.id);
    given_tags text[] := CASE WHEN e.payload ? 'tags' THEN lifestream.payload_tags(e.payload, e.id) END;
BEGIN
    UPDATE links SET
        url = CASE WHEN e.seq < first_seq THEN given_url ELSE coalesce(url, given_url) END,
        title = CASE WHEN e.seq < first_seq THEN coalesce(nullif(given_title, ''), title) ELSE coalesce(nullif(title, ''), given_title) END,
        note = CASE WHEN e.seq < first_seq THEN coalesce(nullif(given_note, ''), note) ELSE coalesce(nullif(note, ''), given_note) END,
        added_at = CASE WHEN e.seq < first_seq THEN e.occurred_at ELSE coalesce(added_at, e.occurred_at) END,
        first_seq = least(first_seq, e.seq),
        added_seq = greatest(added_seq, e.seq)
    WHERE subject_id = e.subject_id AND tenant_id = e.tenant_id;
    IF NOT FOUND THEN
        PERFORM lifestream.check_tenant(lifestream.subject_owner(e.subject_id), e);
        INSERT INTO links (subject_id, tenant_id, url, title, note, stage, added_at, first_seq, added_seq)
        VALUES (e.subject_id, e.tenant_id, given_url, given_title, given_note, lifestream.known_link_stage(e.subject_id), e.occurred_at, e.seq, e.seq);
    END IF;
    PERFORM lifestream.claim_subject(e);
    IF given_tags <> '{}' THEN
        INSERT INTO tags AS t (subject_id, tag, origin, tenant_id, seq)
        SELECT e.subject_id, given, 'user', e.tenant_id, e.seq FROM unnest(given_tags) AS given
        ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = excluded.seq WHERE excluded.seq < t.seq;
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_link_added(lifestream.events) IS 'Projection of link.added';
