-- What the extension itself derives from events. Every other event type is recorded as taken in and changes no state.
INSERT INTO lifestream.projections (event_type, function, tables, builtin) VALUES
    ('link.added', 'lifestream.project_link_added', '{lifestream.subjects,lifestream.links,lifestream.tags,lifestream.tag_uses}', true),
    ('link.removed', 'lifestream.project_link_removed', '{lifestream.links}', true),
    ('content.fetched', 'lifestream.project_content_fetched', '{lifestream.link_content,lifestream.links}', true),
    ('enrichment.completed', 'lifestream.project_enrichment_completed',
        '{lifestream.link_metadata,lifestream.tags,lifestream.tag_uses,lifestream.links,lifestream.publish_state}', true),
    ('publish.completed', 'lifestream.project_publish_completed', '{lifestream.publish_state,lifestream.links}', true),
    ('publish.retracted', 'lifestream.project_publish_retracted', '{lifestream.publish_state}', true),
    ('tag.merged', 'lifestream.project_tag_merged', '{lifestream.tag_rules,lifestream.tags}', true),
    ('tag.dropped', 'lifestream.project_tag_dropped', '{lifestream.tag_rules,lifestream.tags}', true),
    ('work.failed', 'lifestream.project_work_failed', '{lifestream.work_attempts,lifestream.dead_letters}', true),
    ('work.dead_lettered', 'lifestream.project_work_dead_lettered', '{lifestream.dead_letters}', true),
    ('work.retry_requested', 'lifestream.project_work_retry_requested', '{lifestream.dead_letters}', true),
    ('work.discarded', 'lifestream.project_work_discarded', '{lifestream.dead_letters}', true),
    ('temp.reading_recorded', 'lifestream.project_temp_reading_recorded', '{lifestream.temperature_readings,lifestream.temperature_latest}', true),
    ('todo.created', 'lifestream.project_todo_created', '{lifestream.subjects,lifestream.todos}', true),
    ('todo.completed', 'lifestream.project_todo_completed', '{lifestream.subjects,lifestream.todos}', true),
    ('annotation.added', 'lifestream.project_annotation_added', '{lifestream.subjects,lifestream.annotations}', true);
