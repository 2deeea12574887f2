-- State is everybody's to read who may read, and the materializer's alone to write.
GRANT SELECT ON lifestream.subjects, lifestream.links, lifestream.tags, lifestream.link_content, lifestream.link_metadata,
    lifestream.publish_state, lifestream.work_attempts, lifestream.temperature_readings, lifestream.temperature_latest,
    lifestream.todos, lifestream.annotations, lifestream.tag_uses, lifestream.tag_rules, lifestream.dead_letters,
    lifestream.projections, lifestream.pipeline_status, lifestream.dead_letter_story, lifestream.tag_counts
    TO lifestream_reader, lifestream_agent, lifestream_admin;
GRANT INSERT, UPDATE, DELETE ON lifestream.subjects, lifestream.links, lifestream.tags, lifestream.link_content, lifestream.link_metadata,
    lifestream.publish_state, lifestream.work_attempts, lifestream.temperature_readings, lifestream.temperature_latest,
    lifestream.todos, lifestream.annotations, lifestream.tag_uses, lifestream.tag_rules, lifestream.dead_letters
    TO lifestream_agent;
GRANT EXECUTE ON FUNCTION lifestream.refuse_member, lifestream.payload_text, lifestream.payload_tags, lifestream.refuse_tenant,
    lifestream.check_tenant, lifestream.claim_subject, lifestream.link_status, lifestream.known_link_stage, lifestream.raise_link_stage,
    lifestream.project_link_added, lifestream.project_link_removed, lifestream.project_content_fetched,
    lifestream.project_enrichment_completed, lifestream.project_publish_completed, lifestream.project_work_failed,
    lifestream.project_temp_reading_recorded, lifestream.project_todo_created, lifestream.project_todo_completed,
    lifestream.project_annotation_added,
    lifestream.publish_status, lifestream.payload_uuid, lifestream.failed_attempts, lifestream.decide_work, lifestream.resolve_tag,
    lifestream.tag_fate, lifestream.settle_tags, lifestream.add_tag_rule, lifestream.use_tags, lifestream.replace_tags,
    lifestream.project_publish_retracted, lifestream.project_tag_merged, lifestream.project_tag_dropped,
    lifestream.project_work_dead_lettered, lifestream.project_work_retry_requested, lifestream.project_work_discarded
    TO lifestream_agent, lifestream_admin;

-- What was taken in, how far, and what was set aside (record values are people's own data: not for every reader).
GRANT SELECT, INSERT, UPDATE, DELETE ON lifestream.event_ingest_dedupe, lifestream.kafka_offsets TO lifestream_agent, lifestream_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON lifestream.parked, lifestream.discarded TO lifestream_bridge, lifestream_agent, lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.settle_parked TO lifestream_bridge, lifestream_agent, lifestream_admin;
-- What becomes of it is an administrator's to decide.
GRANT EXECUTE ON FUNCTION lifestream.decide_parked, lifestream.retry_parked, lifestream.discard_parked TO lifestream_admin;

-- Projections are an administrator's to change: the materializer runs their code.
GRANT INSERT, UPDATE, DELETE ON lifestream.projections TO lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.add_projection, lifestream.drop_projection TO lifestream_admin;
