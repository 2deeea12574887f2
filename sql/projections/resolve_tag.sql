-- The tag that one stands for, by merges of a lower seq than `before`; null takes all. Of two merges of one tag the newer
-- counts. Tags merged in a circle stand for the one that was merged into last.
CREATE FUNCTION lifestream.resolve_tag(of_tenant text, given text, before bigint) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    path text[] := ARRAY[given];
    seqs bigint[] := '{}';
    next_tag text;
    next_seq bigint;
    start integer;
BEGIN
    LOOP
        SELECT r.into_tag, r.seq INTO next_tag, next_seq FROM tag_rules r
        WHERE r.tenant_id = of_tenant AND r.tag = path[cardinality(path)] AND r.into_tag IS NOT NULL AND (before IS NULL OR r.seq < before)
        ORDER BY r.seq DESC LIMIT 1;
        IF NOT FOUND THEN
            RETURN path[cardinality(path)];
        END IF;
        seqs := seqs || next_seq;
        start := array_position(path, next_tag);
        path := path || next_tag;
        IF start IS NOT NULL THEN
            RETURN (SELECT path[step + 1] FROM generate_series(start, cardinality(seqs)) AS step ORDER BY seqs[step] DESC LIMIT 1);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION lifestream.resolve_tag(text, text, bigint) IS 'For projections: the tag that one was merged into, if it was';
