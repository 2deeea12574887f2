-- Says that what was found is known and dealt with: status shows it no more, and a bridge that it kept from publishing goes on. For
-- what consumers note about missing records (`records_deleted: ...`, of router and agents `work_records_deleted: ...`) as well.
CREATE FUNCTION lifestream.accept_finding(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    noted boolean;
BEGIN
    UPDATE lifestream.findings f SET accepted_at = now() WHERE f.name = accept_finding.name;
    noted := FOUND;
    -- A partition that was stopped stays so: that of a topic made again or cut off begins to grow unseen.
    UPDATE lifestream.kafka_offsets o SET error = NULL
    WHERE accept_finding.name = 'records_deleted' AND starts_with(o.error, 'records_deleted:');
    noted := noted OR FOUND;
    UPDATE lifestream.consumer_progress p SET error = NULL WHERE starts_with(p.error, accept_finding.name || ':');
    noted := noted OR FOUND;
    IF NOT noted THEN
        RAISE EXCEPTION 'nothing called "%" was found', accept_finding.name
            USING ERRCODE = 'no_data_found', HINT = 'lifestream doctor shows what was found, each by its name.';
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.accept_finding(text) IS 'Says that what was found is known and dealt with, so that it is shown no more and holds nothing up';
