-- Makes the tags of some subjects what their uses and the rules say.
CREATE FUNCTION lifestream.settle_tags(of_tenant text, of_subjects text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH used AS MATERIALIZED (
        SELECT u.subject_id, u.tag, u.origin, u.seq, u.last_seq FROM tag_uses u WHERE u.subject_id = ANY (of_subjects)
    ), fate AS MATERIALIZED (
        SELECT given.tag, f.becomes, f.dropped_below
        FROM (SELECT DISTINCT used.tag FROM used) given, LATERAL lifestream.tag_fate(of_tenant, given.tag) f
    ), wanted AS MATERIALIZED (
        SELECT u.subject_id, f.becomes AS tag, u.origin, min(u.seq) AS seq, max(u.last_seq) AS last_seq
        FROM used u JOIN fate f USING (tag) WHERE u.last_seq > f.dropped_below GROUP BY 1, 2, 3
    ), gone AS (
        DELETE FROM tags t WHERE t.subject_id = ANY (of_subjects)
            AND NOT EXISTS (SELECT FROM wanted w WHERE (w.subject_id, w.tag, w.origin) = (t.subject_id, t.tag, t.origin))
    )
    INSERT INTO tags AS t (subject_id, tag, origin, tenant_id, seq, last_seq)
    SELECT w.subject_id, w.tag, w.origin, of_tenant, w.seq, w.last_seq FROM wanted w
    ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = excluded.seq, last_seq = excluded.last_seq
    WHERE (t.seq, t.last_seq) <> (excluded.seq, excluded.last_seq);
END $$;
COMMENT ON FUNCTION lifestream.settle_tags(text, text[]) IS 'For projections: derives the tags of subjects from their uses and the rules';
