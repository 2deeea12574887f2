\echo Use "CREATE EXTENSION pg_lifestream" to load this file. \quit

-- sql/roles/roles.sql
-- Roles belong to the whole cluster: a second database finds them there already, and DROP EXTENSION leaves them.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['lifestream_emitter', 'lifestream_reader', 'lifestream_bridge', 'lifestream_agent', 'lifestream_admin'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', name);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another database of this cluster made it at this very moment
        END;
    END LOOP;
END
$$;

-- An administrator may do what every part may.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['lifestream_emitter', 'lifestream_reader', 'lifestream_bridge', 'lifestream_agent'] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_catalog.pg_auth_members
            WHERE roleid = name::pg_catalog.regrole AND member = 'lifestream_admin'::pg_catalog.regrole
        ) THEN
            BEGIN
                EXECUTE pg_catalog.format('GRANT %I TO lifestream_admin', name);
            EXCEPTION WHEN unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

-- sql/schema/schema.sql
-- CREATE EXTENSION has made the schema (the control file names it).
COMMENT ON SCHEMA lifestream IS 'pg_lifestream: an outbox of events, and the state that is derived from them';
GRANT USAGE ON SCHEMA lifestream TO lifestream_emitter, lifestream_reader, lifestream_bridge, lifestream_agent, lifestream_admin;

-- sql/events/events.sql
-- The source of truth: every event, append-only.
--
-- No index mentions published_to_kafka, and half of each page is left free, so that setting the flag is a HOT update.
-- Neither partitioned nor inherited from: an INSERT into a child would draw seq without a lock on this table,
-- by which the bridge tells who may still fill a gap. For the same reason the sequence caches nothing.
CREATE TABLE lifestream.events (
    id                 uuid        NOT NULL,
    seq                bigint      NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1),
    occurred_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    received_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    source             text        NOT NULL,
    subject            text        NOT NULL,
    subject_id         text        NOT NULL,
    event_type         text        NOT NULL,
    payload            jsonb       NOT NULL DEFAULT '{}',
    schema_version     integer     NOT NULL DEFAULT 1,
    correlation_id     uuid,
    causation_id       uuid,
    tenant_id          text        NOT NULL DEFAULT '',
    headers            jsonb       NOT NULL DEFAULT '{}',
    published_to_kafka boolean     NOT NULL DEFAULT false,
    CONSTRAINT events_pkey PRIMARY KEY (id),
    CONSTRAINT events_seq_key UNIQUE (seq)
) WITH (fillfactor = 48);

-- expected_version counts a subject's events; rebuilds read them in order.
CREATE INDEX events_subject_id_seq_idx ON lifestream.events (subject_id, seq);

COMMENT ON TABLE lifestream.events IS 'Every event, append-only: the source of truth';
COMMENT ON COLUMN lifestream.events.seq IS 'Emit order; gaps mean nothing';
COMMENT ON COLUMN lifestream.events.published_to_kafka IS 'Set by the bridge once Kafka has acknowledged the event';

-- sql/events/guard_event.sql
CREATE FUNCTION lifestream.guard_event() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'guard_event_wrapper';
COMMENT ON FUNCTION lifestream.guard_event() IS 'Fills and checks an event, however it comes in, and wakes the bridge';

-- sql/events/refuse_change.sql
CREATE FUNCTION lifestream.refuse_change() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'refuse_change_wrapper';
COMMENT ON FUNCTION lifestream.refuse_change() IS 'Refuses what would change or remove an event';

-- sql/events/event_triggers.sql
-- All of them ALWAYS: replication apply and session_replication_role = replica come in by the same door.

-- A row trigger, because an apply worker fires no statement triggers; the name sorts before those that users add.
CREATE TRIGGER a_guard_event BEFORE INSERT ON lifestream.events
    FOR EACH ROW EXECUTE FUNCTION lifestream.guard_event();
ALTER TABLE lifestream.events ENABLE ALWAYS TRIGGER a_guard_event;

-- Every column but the flag. A statement trigger: a BEFORE UPDATE row trigger, whatever its columns, would make each
-- flip of a flag fetch and lock its row first.
CREATE TRIGGER a_refuse_change BEFORE DELETE OR TRUNCATE OR UPDATE OF
        id, seq, occurred_at, received_at, source, subject, subject_id, event_type, payload, schema_version,
        correlation_id, causation_id, tenant_id, headers
    ON lifestream.events
    FOR EACH STATEMENT EXECUTE FUNCTION lifestream.refuse_change();
ALTER TABLE lifestream.events ENABLE ALWAYS TRIGGER a_refuse_change;

-- What an apply worker deletes fires row triggers only.
CREATE TRIGGER a_refuse_delete BEFORE DELETE ON lifestream.events
    FOR EACH ROW EXECUTE FUNCTION lifestream.refuse_change();
ALTER TABLE lifestream.events ENABLE ALWAYS TRIGGER a_refuse_delete;

-- sql/events/emit_event.sql
CREATE FUNCTION lifestream.emit_event(
    event_type       text,
    subject          text,
    subject_id       text,
    payload          jsonb,
    source           text        DEFAULT NULL,
    occurred_at      timestamptz DEFAULT NULL,
    id               uuid        DEFAULT NULL,
    correlation_id   uuid        DEFAULT NULL,
    causation_id     uuid        DEFAULT NULL,
    tenant_id        text        DEFAULT NULL,
    schema_version   integer     DEFAULT NULL,
    headers          jsonb       DEFAULT NULL,
    expected_version bigint      DEFAULT NULL
) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'emit_event_wrapper';
COMMENT ON FUNCTION lifestream.emit_event IS 'Emits an event in the caller''s transaction and returns its id';

-- sql/events/emit_events.sql
CREATE FUNCTION lifestream.emit_events(events jsonb) RETURNS SETOF uuid
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 1000 AS 'MODULE_PATHNAME', 'emit_events_wrapper';
COMMENT ON FUNCTION lifestream.emit_events IS 'Emits an array of events, objects with emit_event''s argument names; returns their ids in order';

-- sql/events/link_subject_id.sql
CREATE FUNCTION lifestream.link_subject_id(url text, tenant text DEFAULT '') RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'link_subject_id_wrapper';
COMMENT ON FUNCTION lifestream.link_subject_id IS 'The subject_id of a link: one link saved twice is one subject';

-- sql/events/derived_id.sql
CREATE FUNCTION lifestream.derived_id(name text) RETURNS uuid
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'derived_id_wrapper';
COMMENT ON FUNCTION lifestream.derived_id IS 'UUIDv5 of a name in the namespace of all derived ids: whoever derives the same name gets the same id';

-- sql/events/idempotency_fingerprint.sql
-- Lets whoever may only emit tell a repeated request from another one under the same key: what comes out is the digest that
-- the request left in its event's headers, nothing of the event itself. is_new: this very transaction has emitted it.
CREATE FUNCTION lifestream.idempotency_fingerprint(event_id uuid, OUT fingerprint text, OUT is_new boolean)
LANGUAGE sql STABLE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.headers ->> 'idempotency_fingerprint', e.xmin = pg_current_xact_id()::xid
    FROM lifestream.events AS e WHERE e.id = event_id
$$;
COMMENT ON FUNCTION lifestream.idempotency_fingerprint(uuid) IS 'Digest of the request that emitted this event, and whether this transaction did';

-- sql/events/public_emit_event.sql
-- `SELECT emit_event(...)` from any client, where a schema public exists: the same declaration and C symbol, no wrapper.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public') THEN
        EXECUTE pg_catalog.replace(
            pg_catalog.pg_get_functiondef('lifestream.emit_event'::pg_catalog.regproc),
            'CREATE OR REPLACE FUNCTION lifestream.emit_event(', 'CREATE FUNCTION public.emit_event(');
        COMMENT ON FUNCTION public.emit_event IS 'lifestream.emit_event, for callers with public in their search_path';
    END IF;
END
$$;

-- sql/bridge/database_identity.sql
-- Names this very table of events: another cluster, a restored database and a re-created extension all answer differently.
CREATE FUNCTION lifestream.database_identity() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT concat_ws('/',
        (SELECT system_identifier FROM pg_catalog.pg_control_system()),
        (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
        'lifestream.events'::pg_catalog.regclass::pg_catalog.oid);
END;
COMMENT ON FUNCTION lifestream.database_identity() IS 'System identifier, database and events table, as one text';

-- sql/bridge/bridge_progress.sql
-- How far the bridge has come. One row, or none before its first start.
--
-- The flags in lifestream.events are the record of what is published; this row only bounds where to look
-- again after a crash. It is written in the very statement that flips flags, guarded by `epoch`.
CREATE TABLE lifestream.bridge_progress (
    only_row          boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch             bigint      NOT NULL,  -- rises with every start procedure; an older one may change nothing
    holder            text        NOT NULL,  -- host and process of the bridge that holds the lease, for people
    holder_pid        integer     NOT NULL,  -- its backend, which a successor ends
    lease_until       timestamptz NOT NULL,  -- by this server's clock
    database_identity text        NOT NULL,  -- lifestream.database_identity() when the epoch began
    timeline          integer     NOT NULL,  -- WAL timeline when the epoch began
    watermark         bigint      NOT NULL,  -- every seq up to here is published, parked or was rolled back
    high              bigint      NOT NULL,  -- the largest seq that this or an earlier epoch saw
    topic             text        NOT NULL,  -- events.raw, with its prefix
    topic_id          text        NOT NULL,  -- Kafka's id of that topic: another id is another topic
    offsets           bigint[]    NOT NULL,  -- for partition i, element i+1: all its records from there on may lack their flag
    closed            boolean     NOT NULL,  -- left with nothing in flight: nothing of ours lies past the offsets
    saved_at          timestamptz NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE lifestream.bridge_progress IS 'How far the bridge has published; one row';

-- sql/state/subjects.sql
-- Who or what a person's own facts are about. One subject id belongs to one tenant: the first that names it.
-- The times and seqs are the outermost of the events seen, so that any order of them, and any repeat, ends the same.
CREATE TABLE lifestream.subjects (
    subject_id    text        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    kind          text        NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    first_seq     bigint      NOT NULL,
    last_seq      bigint      NOT NULL
) WITH (fillfactor = 85);
COMMENT ON TABLE lifestream.subjects IS 'Subjects of links, todos and annotations, each with the tenant that owns it';
COMMENT ON COLUMN lifestream.subjects.kind IS 'events.subject of the earliest event (by seq)';
COMMENT ON COLUMN lifestream.subjects.first_seen_at IS 'earliest occurred_at';
COMMENT ON COLUMN lifestream.subjects.last_seen_at IS 'latest occurred_at';

-- sql/state/links.sql
-- Saved links. `status` is derived (lifestream.link_status): the furthest stage reached, or `removed` while the last
-- removal is newer than the last addition.
-- No CHECK and no generated column: PostgreSQL parses each anew for every statement, a fifth of a projection's time.
CREATE TABLE lifestream.links (
    subject_id  text        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    url         text,
    title       text,
    note        text,
    stage       smallint    NOT NULL,
    status      text        NOT NULL,
    added_at    timestamptz,
    removed_at  timestamptz,
    first_seq   bigint,
    added_seq   bigint,
    removed_seq bigint
) WITH (fillfactor = 80);
COMMENT ON TABLE lifestream.links IS 'Saved links, with how far each has come';
COMMENT ON COLUMN lifestream.links.url IS 'as given when first added; null while only the removal is known';
COMMENT ON COLUMN lifestream.links.stage IS 'furthest stage reached, never lowered: 1 added, 2 unfetchable, 3 fetched, 4 enriched, 5 published';
COMMENT ON COLUMN lifestream.links.status IS 'added, unfetchable, fetched, enriched, published; or removed';
COMMENT ON COLUMN lifestream.links.added_at IS 'occurred_at of the first link.added';
COMMENT ON COLUMN lifestream.links.removed_at IS 'occurred_at of the last link.removed; kept when the link is added again';
COMMENT ON COLUMN lifestream.links.first_seq IS 'seq of the first link.added';
COMMENT ON COLUMN lifestream.links.added_seq IS 'seq of the last link.added';
COMMENT ON COLUMN lifestream.links.removed_seq IS 'seq of the last link.removed';

-- sql/state/tags.sql
-- Tags of subjects, after merging and dropping. A tag given by a person and found by enrichment as well is two rows: each origin owns its own.
-- No CHECK and no generated column: PostgreSQL parses each anew for every statement, a fifth of a projection's time.
CREATE TABLE lifestream.tags (
    subject_id text   NOT NULL,
    tag        text   NOT NULL,
    origin     text   NOT NULL,
    tenant_id  text   NOT NULL,
    seq        bigint NOT NULL,
    last_seq   bigint NOT NULL,
    PRIMARY KEY (subject_id, tag, origin)
);
CREATE INDEX tags_by_tag ON lifestream.tags (tag);
COMMENT ON TABLE lifestream.tags IS 'Tags of subjects; SELECT DISTINCT subject_id, tag where the origin does not matter';
COMMENT ON COLUMN lifestream.tags.origin IS 'user: given by a person, never removed by enrichment; enricher: replaced by each newer enrichment';
COMMENT ON COLUMN lifestream.tags.seq IS 'user: the first event that gave it; enricher: the enrichment that it comes from';
COMMENT ON COLUMN lifestream.tags.last_seq IS 'the last event that gave it: what was dropped before that is there again';

-- sql/state/link_content.sql
-- What fetching a link gave. A later failure is noted and keeps the text that an earlier fetch had read.
CREATE TABLE lifestream.link_content (
    subject_id   text        PRIMARY KEY,
    tenant_id    text        NOT NULL,
    text_content text,
    metadata     jsonb       NOT NULL,
    fetch_error  text,
    fetched_at   timestamptz,
    checked_at   timestamptz NOT NULL,
    text_seq     bigint,
    seq          bigint      NOT NULL
);
COMMENT ON TABLE lifestream.link_content IS 'Fetched content of links';
COMMENT ON COLUMN lifestream.link_content.text_content IS 'article text of the newest fetch that succeeded';
COMMENT ON COLUMN lifestream.link_content.metadata IS 'what came with that text: title, byline, language and the like';
COMMENT ON COLUMN lifestream.link_content.fetch_error IS 'why the newest fetch failed for good; null where it succeeded';
COMMENT ON COLUMN lifestream.link_content.fetched_at IS 'occurred_at of the newest fetch that succeeded';
COMMENT ON COLUMN lifestream.link_content.checked_at IS 'occurred_at of the newest fetch';
COMMENT ON COLUMN lifestream.link_content.text_seq IS 'seq of the newest fetch that succeeded';
COMMENT ON COLUMN lifestream.link_content.seq IS 'seq of the newest fetch';

-- sql/state/link_metadata.sql
-- What enrichment made of a link: the newest answer.
CREATE TABLE lifestream.link_metadata (
    subject_id  text        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    summary     text,
    topic       text,
    model       text,
    text_digest text,
    enriched_at timestamptz NOT NULL,
    seq         bigint      NOT NULL
) WITH (fillfactor = 90);
COMMENT ON TABLE lifestream.link_metadata IS 'Summary and topic of links, from the newest enrichment; its tags are in tags (origin enricher)';
COMMENT ON COLUMN lifestream.link_metadata.model IS 'what made it: the name of a language model, or of the local method';
COMMENT ON COLUMN lifestream.link_metadata.text_digest IS 'sha256 (hex) of the text that it was made of: the same text need not be enriched again';
COMMENT ON COLUMN lifestream.link_metadata.enriched_at IS 'occurred_at of the newest enrichment';

-- sql/state/publish_state.sql
-- What is ready to be published, and what has been. `enriched_seq > published_seq` says that newer metadata waits.
CREATE TABLE lifestream.publish_state (
    subject_id    text        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    status        text        NOT NULL,
    url           text,
    ready_at      timestamptz,
    published_at  timestamptz,
    retracted_at  timestamptz,
    enriched_seq  bigint,
    published_seq bigint,
    retracted_seq bigint
) WITH (fillfactor = 80);
COMMENT ON TABLE lifestream.publish_state IS 'Publication of links';
COMMENT ON COLUMN lifestream.publish_state.status IS 'ready (enriched, not yet published), published, or retracted (published no more)';
COMMENT ON COLUMN lifestream.publish_state.url IS 'where the newest publication put it; null once it is retracted';
COMMENT ON COLUMN lifestream.publish_state.ready_at IS 'occurred_at of the newest enrichment';
COMMENT ON COLUMN lifestream.publish_state.published_at IS 'occurred_at of the newest publication';
COMMENT ON COLUMN lifestream.publish_state.retracted_at IS 'occurred_at of the newest retraction';

-- sql/state/work_attempts.sql
-- Attempts at work that failed, one row for each work message (an attempt has a message of its own).
CREATE TABLE lifestream.work_attempts (
    work_id      uuid        NOT NULL,
    attempt      integer     NOT NULL,
    tenant_id    text        NOT NULL,
    subject_id   text        NOT NULL,
    work_type    text        NOT NULL,
    agent        text,
    error        text        NOT NULL,
    permanent    boolean     NOT NULL,
    failed_at    timestamptz NOT NULL,
    event_id     uuid        NOT NULL,
    seq          bigint      NOT NULL,
    work_message jsonb       NOT NULL,
    PRIMARY KEY (work_id, attempt)
);
CREATE INDEX work_attempts_by_subject ON lifestream.work_attempts (subject_id);
COMMENT ON TABLE lifestream.work_attempts IS 'Failed attempts at work, from work.failed';
COMMENT ON COLUMN lifestream.work_attempts.work_id IS 'id of the work message';
COMMENT ON COLUMN lifestream.work_attempts.permanent IS 'trying again cannot help';
COMMENT ON COLUMN lifestream.work_attempts.event_id IS 'the work.failed that says so: the newest, should one attempt fail twice';

-- sql/state/temperature_readings.sql
-- Every reading, one row an event.
CREATE TABLE lifestream.temperature_readings (
    event_id    uuid        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    subject_id  text        NOT NULL,
    value       numeric     NOT NULL,
    unit        text,
    recorded_at timestamptz NOT NULL,
    seq         bigint      NOT NULL
);
CREATE INDEX temperature_readings_by_subject ON lifestream.temperature_readings (subject_id, recorded_at);
COMMENT ON TABLE lifestream.temperature_readings IS 'Temperature readings; the subject is the sensor or the place';
COMMENT ON COLUMN lifestream.temperature_readings.value IS 'as given, exact';
COMMENT ON COLUMN lifestream.temperature_readings.recorded_at IS 'occurred_at of the event';

-- sql/state/temperature_latest.sql
-- The newest reading of each subject: by the time of the reading, then by seq.
CREATE TABLE lifestream.temperature_latest (
    subject_id  text        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    value       numeric     NOT NULL,
    unit        text,
    recorded_at timestamptz NOT NULL,
    event_id    uuid        NOT NULL,
    seq         bigint      NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE lifestream.temperature_latest IS 'The newest temperature of each subject';
COMMENT ON COLUMN lifestream.temperature_latest.event_id IS 'the row of temperature_readings that this is';

-- sql/state/todos.sql
-- Things to do. What is done stays done: a late or repeated todo.created does not open it again.
CREATE TABLE lifestream.todos (
    subject_id    text        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    title         text,
    status        text        NOT NULL,
    payload       jsonb       NOT NULL DEFAULT '{}',
    created_at    timestamptz,
    completed_at  timestamptz,
    created_seq   bigint,
    completed_seq bigint
) WITH (fillfactor = 80);
COMMENT ON TABLE lifestream.todos IS 'Todos, open and completed';
COMMENT ON COLUMN lifestream.todos.title IS 'of the newest todo.created; null while only the completion is known';
COMMENT ON COLUMN lifestream.todos.payload IS 'of the newest todo.created';
COMMENT ON COLUMN lifestream.todos.created_at IS 'earliest occurred_at of a todo.created';
COMMENT ON COLUMN lifestream.todos.completed_at IS 'earliest occurred_at of a todo.completed';
COMMENT ON COLUMN lifestream.todos.created_seq IS 'seq of the newest todo.created';
COMMENT ON COLUMN lifestream.todos.completed_seq IS 'seq of the newest todo.completed';

-- sql/state/annotations.sql
-- Notes put to any subject, one row an event.
CREATE TABLE lifestream.annotations (
    event_id     uuid        PRIMARY KEY,
    tenant_id    text        NOT NULL,
    subject_id   text        NOT NULL,
    text         text,
    payload      jsonb       NOT NULL,
    annotated_at timestamptz NOT NULL,
    seq          bigint      NOT NULL
);
CREATE INDEX annotations_by_subject ON lifestream.annotations (subject_id);
COMMENT ON TABLE lifestream.annotations IS 'Annotations of subjects';
COMMENT ON COLUMN lifestream.annotations.text IS 'member text of the payload, where it has one';
COMMENT ON COLUMN lifestream.annotations.payload IS 'the whole payload; numbers exact';
COMMENT ON COLUMN lifestream.annotations.annotated_at IS 'occurred_at of the event';

-- sql/state/tag_uses.sql
-- Tags as facts gave them, before merging and dropping: what lifestream.tags is settled from, whenever a rule comes. Only of
-- tenants that have rules; for all others lifestream.tags is the very same.
CREATE TABLE lifestream.tag_uses (
    subject_id text   NOT NULL,
    tag        text   NOT NULL,
    origin     text   NOT NULL,
    tenant_id  text   NOT NULL,
    seq        bigint NOT NULL,
    last_seq   bigint NOT NULL,
    PRIMARY KEY (subject_id, tag, origin)
);
CREATE INDEX tag_uses_by_tag ON lifestream.tag_uses (tag);
COMMENT ON TABLE lifestream.tag_uses IS 'Tags as given, of tenants that merged or dropped any; lifestream.tags is what came of them. Columns as there';

-- sql/state/tag_rules.sql
-- What people said about tags: merged into another (an alias from then on, for uses of before and after), or dropped.
-- Every such fact is kept, so that any order of facts ends the same.
CREATE TABLE lifestream.tag_rules (
    tenant_id text   NOT NULL,
    tag       text   NOT NULL,
    into_tag  text,
    seq       bigint NOT NULL,
    PRIMARY KEY (tenant_id, tag, seq)
);
COMMENT ON TABLE lifestream.tag_rules IS 'Tags that were merged or dropped, from tag.merged and tag.dropped';
COMMENT ON COLUMN lifestream.tag_rules.into_tag IS 'the tag that it is an alias of; null: dropped, with all its uses before seq';

-- sql/state/dead_letters.sql
-- Work that nobody will try again by itself, with its whole story and what a person decided about it.
CREATE TABLE lifestream.dead_letters (
    id                    uuid        PRIMARY KEY,
    tenant_id             text        NOT NULL,
    subject_id            text        NOT NULL,
    work_type             text,
    status                text        NOT NULL,
    attempt               integer,
    agent                 text,
    error                 text,
    failed_at             timestamptz,
    attempts              jsonb       NOT NULL DEFAULT '[]',
    decided_at            timestamptz,
    reason                text,
    work_id               uuid,
    triggered_by_event_id uuid,
    correlation_id        uuid,
    work_message          jsonb,
    seq                   bigint,
    decided_seq           bigint
) WITH (fillfactor = 80);
CREATE INDEX dead_letters_by_subject ON lifestream.dead_letters (subject_id);
CREATE INDEX dead_letters_open ON lifestream.dead_letters (failed_at) WHERE status = 'open';
COMMENT ON TABLE lifestream.dead_letters IS 'Dead letters: SELECT lifestream.retry_dead_letter(id), or discard_dead_letter(id), FROM lifestream.dead_letters WHERE ...';
COMMENT ON COLUMN lifestream.dead_letters.id IS 'of the work.dead_lettered that says so';
COMMENT ON COLUMN lifestream.dead_letters.work_type IS 'null where the message does not tell, as most others: a record that was no work message is a dead letter too';
COMMENT ON COLUMN lifestream.dead_letters.status IS 'open, retried or discarded; of two decisions the first counts';
COMMENT ON COLUMN lifestream.dead_letters.attempt IS 'the last attempt';
COMMENT ON COLUMN lifestream.dead_letters.agent IS 'who gave it up';
COMMENT ON COLUMN lifestream.dead_letters.error IS 'the last error';
COMMENT ON COLUMN lifestream.dead_letters.attempts IS 'every failed attempt: array of {attempt, failed_at, agent, permanent, error}; as rows in lifestream.dead_letter_story';
COMMENT ON COLUMN lifestream.dead_letters.work_message IS 'the work message; or {raw, topic, partition, offset} of a record that was none';
COMMENT ON COLUMN lifestream.dead_letters.decided_at IS 'occurred_at of the work.retry_requested or work.discarded';
COMMENT ON COLUMN lifestream.dead_letters.reason IS 'given with work.discarded';

-- sql/bookkeeping/event_ingest_dedupe.sql
-- One row for each event that a consumer group has taken in, written in the transaction of its effect.
CREATE TABLE lifestream.event_ingest_dedupe (
    consumer_group text        NOT NULL,
    event_id       uuid        NOT NULL,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    "offset"       bigint      NOT NULL,
    ingested_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, event_id)
);
COMMENT ON TABLE lifestream.event_ingest_dedupe IS 'Events taken in, by consumer group: a repeat is known by its id and changes nothing';
COMMENT ON COLUMN lifestream.event_ingest_dedupe."offset" IS 'of the record that was applied, not of its repeats';

-- sql/bookkeeping/kafka_offsets.sql
-- How far each consumer group has come, in the very transaction of what it did. A writer compares and sets: it
-- changes a row only where the offset still is the one that it started from, so that of two members which both
-- believe they own a partition one changes nothing.
CREATE TABLE lifestream.kafka_offsets (
    consumer_group   text        NOT NULL,
    topic            text        NOT NULL,
    partition        integer     NOT NULL,
    "offset"         bigint      NOT NULL CHECK ("offset" >= 0),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    topic_id         text,
    last_received_at timestamptz,
    rate             real        NOT NULL DEFAULT 0,
    rate_offset      bigint      NOT NULL DEFAULT 0,
    rate_since       timestamptz NOT NULL DEFAULT now(),
    error            text,
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 10);
COMMENT ON TABLE lifestream.kafka_offsets IS 'Next offset to apply, by consumer group, topic and partition';
COMMENT ON COLUMN lifestream.kafka_offsets."offset" IS 'of the next record to apply';
COMMENT ON COLUMN lifestream.kafka_offsets.topic_id IS 'Kafka''s id of the topic that the offset belongs to: another id is another topic';
COMMENT ON COLUMN lifestream.kafka_offsets.last_received_at IS 'received_at of the newest event taken in';
COMMENT ON COLUMN lifestream.kafka_offsets.rate IS 'records a second, over the last 5 s or more of work';
COMMENT ON COLUMN lifestream.kafka_offsets.rate_offset IS 'where the measurement of the rate began';
COMMENT ON COLUMN lifestream.kafka_offsets.rate_since IS 'when the measurement of the rate began';
COMMENT ON COLUMN lifestream.kafka_offsets.error IS 'what holds this partition up, or what it had to pass over; lifestream reset clears it';

-- sql/bookkeeping/consumer_progress.sql
-- How far the consumers have come whose offsets Kafka keeps: the router and the agents tell it about once a second while
-- they work. Only for people to look at: the offsets that count are those in Kafka.
CREATE TABLE lifestream.consumer_progress (
    consumer_group text        NOT NULL,
    stage          text        NOT NULL,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    committed      bigint      NOT NULL,
    high           bigint      NOT NULL,
    oldest_at      timestamptz,
    rate           real        NOT NULL DEFAULT 0,
    error          text,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 10);
COMMENT ON TABLE lifestream.consumer_progress IS 'How far router and agents have come, by consumer group, topic and partition';
COMMENT ON COLUMN lifestream.consumer_progress.stage IS 'the part: router, fetcher, ...';
COMMENT ON COLUMN lifestream.consumer_progress.committed IS 'offset of the next record that is not done';
COMMENT ON COLUMN lifestream.consumer_progress.high IS 'offset of the next record that will be written, when last asked';
COMMENT ON COLUMN lifestream.consumer_progress.oldest_at IS 'when the record at committed was written; null where none waits or it is not known';
COMMENT ON COLUMN lifestream.consumer_progress.rate IS 'records a second, over the last seconds of work';
COMMENT ON COLUMN lifestream.consumer_progress.error IS 'what holds this partition up';

-- sql/projections/projections.sql
-- Which function derives state from which event type. Written by add_projection and drop_projection.
CREATE TABLE lifestream.projections (
    event_type text        NOT NULL CHECK (event_type <> ''),
    function   text        NOT NULL,
    tables     regclass[]  NOT NULL DEFAULT '{}',
    builtin    boolean     NOT NULL DEFAULT false,
    added_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_type, function)
);
COMMENT ON TABLE lifestream.projections IS 'Projections: the materializer calls the functions of an event''s type in its transaction';
COMMENT ON COLUMN lifestream.projections.function IS 'schema-qualified and quoted name of a function f(lifestream.events) returns void';
COMMENT ON COLUMN lifestream.projections.tables IS 'the tables that it writes, named unqualified in its body; what shares a table is rebuilt together';

-- sql/projections/refuse_member.sql
-- Says what is wrong with a member of a payload: missing, null or blank where it is needed 23502, no string 22023.
CREATE FUNCTION lifestream.refuse_member(payload jsonb, member text, event_id uuid) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    found jsonb := payload -> member;
BEGIN
    IF jsonb_typeof(found) NOT IN ('null', 'string') THEN
        RAISE EXCEPTION '"%" of event % is no string: %', member, event_id, left(found::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RAISE EXCEPTION 'payload of event % lacks "%"', event_id, member
        USING ERRCODE = 'not_null_violation', DETAIL = format('Payload: %s', left(payload::text, 500));
END $$;
COMMENT ON FUNCTION lifestream.refuse_member(jsonb, text, uuid) IS 'For projections: the error that parks an event for a member of its payload';

-- sql/projections/payload_text.sql
-- A text member of a payload. Needed and missing, null or blank: 23502. Not a string: 22023. Both name the event.
-- One expression, which PostgreSQL inlines into the projection that calls it.
CREATE FUNCTION lifestream.payload_text(payload jsonb, member text, needed boolean, event_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN jsonb_typeof(payload -> member) = 'string' AND NOT (needed AND btrim(payload ->> member) = '') THEN payload ->> member
        WHEN NOT needed AND payload ->> member IS NULL THEN NULL
        ELSE lifestream.refuse_member(payload, member, event_id) END
$$;
COMMENT ON FUNCTION lifestream.payload_text(jsonb, text, boolean, uuid) IS 'For projections: a text member of a payload, or an error that parks the event';

-- sql/projections/payload_tags.sql
-- The tags of a payload: trimmed, without blanks and repeats. Missing or null is none; anything but an array of strings is 22023.
CREATE FUNCTION lifestream.payload_tags(payload jsonb, event_id uuid) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    given jsonb := payload -> 'tags';
BEGIN
    IF given IS NULL OR jsonb_typeof(given) = 'null' THEN
        RETURN '{}';
    END IF;
    IF jsonb_typeof(given) <> 'array' OR jsonb_path_exists(given, 'strict $[*] ? (@.type() != "string")') THEN
        RAISE EXCEPTION '"tags" of event % is no array of strings: %', event_id, left(given::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN ARRAY(SELECT DISTINCT btrim(tag) FROM jsonb_array_elements_text(given) AS tag WHERE btrim(tag) <> '' ORDER BY 1);
END $$;
COMMENT ON FUNCTION lifestream.payload_tags(jsonb, uuid) IS 'For projections: the tags of a payload, or an error that parks the event';

-- sql/projections/refuse_tenant.sql
-- Refuses an event whose subject belongs to another tenant (42501).
CREATE FUNCTION lifestream.refuse_tenant(owner text, tenant_id text, subject_id text, event_id uuid) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RAISE EXCEPTION 'subject "%" of event % belongs to tenant "%", not to "%"', subject_id, event_id, owner, tenant_id
        USING ERRCODE = 'insufficient_privilege', HINT = 'Subject ids are unique over all tenants.';
END $$;
COMMENT ON FUNCTION lifestream.refuse_tenant(text, text, text, uuid) IS 'For projections: the error that parks the event of another tenant';

-- sql/projections/check_tenant.sql
-- Refuses the event of another tenant than the one that has claimed its subject (42501). A subject that nobody has
-- claimed belongs to whoever's facts come first: each table guards its own row as well. Gives the owner, or null.
CREATE FUNCTION lifestream.check_tenant(of_subject text, of_tenant text, event_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    owner text;
BEGIN
    SELECT s.tenant_id INTO owner FROM subjects s WHERE s.subject_id = of_subject;
    IF owner <> of_tenant THEN
        PERFORM lifestream.refuse_tenant(owner, of_tenant, of_subject, event_id);
    END IF;
    RETURN owner;
END $$;
COMMENT ON FUNCTION lifestream.check_tenant(text, text, uuid) IS 'For projections: refuses the event of another tenant than the subject''s';

-- sql/projections/claim_subject.sql
-- Records an event's subject, for the tenant that names it first; refuses the event of another (42501). Gives the tenant.
CREATE FUNCTION lifestream.claim_subject(of_subject text, of_tenant text, of_kind text, at timestamptz, of_seq bigint, event_id uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
BEGIN
    INSERT INTO subjects AS s (subject_id, tenant_id, kind, first_seen_at, last_seen_at, first_seq, last_seq)
    VALUES (of_subject, of_tenant, of_kind, at, at, of_seq, of_seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        kind = CASE WHEN excluded.first_seq < s.first_seq THEN excluded.kind ELSE s.kind END,
        first_seen_at = least(s.first_seen_at, excluded.first_seen_at),
        last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
        first_seq = least(s.first_seq, excluded.first_seq),
        last_seq = greatest(s.last_seq, excluded.last_seq)
    RETURNING s.tenant_id INTO owner;
    IF owner <> of_tenant THEN
        PERFORM lifestream.refuse_tenant(owner, of_tenant, of_subject, event_id);
    END IF;
    RETURN owner;
END $$;
COMMENT ON FUNCTION lifestream.claim_subject(text, text, text, timestamptz, bigint, uuid) IS 'For projections: records the subject, and refuses the event of another tenant';

-- sql/projections/link_status.sql
-- A link's status: the furthest stage reached, or removed while the last removal is newer than the last addition.
CREATE FUNCTION lifestream.link_status(stage integer, added_seq bigint, removed_seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN removed_seq > coalesce(added_seq, 0) THEN 'removed'
                ELSE (ARRAY['added', 'unfetchable', 'fetched', 'enriched', 'published'])[stage] END
$$;
COMMENT ON FUNCTION lifestream.link_status(integer, bigint, bigint) IS 'For projections: the status of a link, from its stage and its last addition and removal';

-- sql/projections/known_link_stage.sql
-- The stage that a link starts at: facts about it may have come before the link itself.
CREATE FUNCTION lifestream.known_link_stage(of_subject text) RETURNS integer
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce(
        (SELECT 5 FROM publish_state WHERE subject_id = of_subject AND published_seq IS NOT NULL),
        (SELECT 4 FROM link_metadata WHERE subject_id = of_subject),
        (SELECT CASE WHEN text_seq IS NULL THEN 2 ELSE 3 END FROM link_content WHERE subject_id = of_subject),
        1);
END $$;
COMMENT ON FUNCTION lifestream.known_link_stage(text) IS 'For projections: the stage that a link starts at';

-- sql/projections/raise_link_stage.sql
-- Raises a link's stage; never lowers it. A link that is not known yet gets its stage when it comes.
CREATE FUNCTION lifestream.raise_link_stage(of_subject text, reached integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE links SET stage = reached, status = lifestream.link_status(reached, added_seq, removed_seq)
    WHERE subject_id = of_subject AND stage < reached;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION lifestream.raise_link_stage(text, integer) IS 'For projections: raises links.stage, never lowers it';

-- sql/projections/publish_status.sql
-- The status of a publication, from the newest that was published and the newest that was taken back.
CREATE FUNCTION lifestream.publish_status(published_seq bigint, retracted_seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN retracted_seq > coalesce(published_seq, 0) THEN 'retracted'
                WHEN published_seq IS NOT NULL THEN 'published' ELSE 'ready' END
$$;
COMMENT ON FUNCTION lifestream.publish_status(bigint, bigint) IS 'For projections: the status of a publication';

-- sql/projections/payload_uuid.sql
-- A member of an object as a uuid; null where it is none. Dead letters take what they are given.
CREATE FUNCTION lifestream.payload_uuid(payload jsonb, member text) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN payload ->> member ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN (payload ->> member)::uuid END
$$;
COMMENT ON FUNCTION lifestream.payload_uuid(jsonb, text) IS 'For projections: a member of an object as a uuid, or null';

-- sql/projections/failed_attempts.sql
-- The failed attempts at one piece of work up to a number, as dead_letters.attempts shows them.
CREATE FUNCTION lifestream.failed_attempts(of_subject text, of_work_type text, of_trigger uuid, up_to integer) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((
        SELECT jsonb_agg(jsonb_build_object('attempt', w.attempt, 'failed_at', to_char(w.failed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'agent', w.agent,
                                            'permanent', w.permanent, 'error', w.error) ORDER BY w.attempt, w.seq)
        FROM work_attempts w
        WHERE w.subject_id = of_subject AND w.work_type = of_work_type AND w.attempt <= up_to
            AND lifestream.payload_uuid(w.work_message, 'triggered_by_event_id') = of_trigger), '[]');
END $$;
COMMENT ON FUNCTION lifestream.failed_attempts(text, text, uuid, integer) IS 'For projections: the story of a dead letter';

-- sql/projections/decide_work.sql
-- Records a decision about a dead letter; of two the first (by seq) counts. Decided before it is known, it is a row without a story.
CREATE FUNCTION lifestream.decide_work(e lifestream.events, decision text, given_reason text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    letter uuid := lifestream.payload_uuid(e.payload, 'dead_letter_id');
    owner text;
BEGIN
    IF letter IS NULL THEN
        RAISE EXCEPTION '"dead_letter_id" of event % is no uuid: %', e.id, left((e.payload -> 'dead_letter_id')::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO dead_letters AS d (id, tenant_id, subject_id, status, decided_at, reason, decided_seq)
    VALUES (letter, e.tenant_id, e.subject_id, decision, e.occurred_at, given_reason, e.seq)
    ON CONFLICT (id) DO UPDATE SET
        status = excluded.status, decided_at = excluded.decided_at, reason = excluded.reason, decided_seq = excluded.decided_seq
    WHERE d.tenant_id = excluded.tenant_id AND (d.decided_seq IS NULL OR excluded.decided_seq < d.decided_seq);
    IF NOT FOUND THEN
        SELECT d.tenant_id INTO owner FROM dead_letters d WHERE d.id = letter;
        IF owner <> e.tenant_id THEN
            PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.decide_work(lifestream.events, text, text) IS 'For projections: records a decision about a dead letter';

-- sql/projections/resolve_tag.sql
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

-- sql/projections/tag_fate.sql
-- What becomes of a tag as given: the one that it stands for, and the seq below which its uses were dropped (0: none were).
-- A drop takes what stands for the dropped tag at that time.
CREATE FUNCTION lifestream.tag_fate(of_tenant text, given text, OUT becomes text, OUT dropped_below bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    becomes := lifestream.resolve_tag(of_tenant, given, NULL);
    dropped_below := coalesce((
        SELECT max(r.seq) FROM tag_rules r
        WHERE r.tenant_id = of_tenant AND r.into_tag IS NULL AND lifestream.resolve_tag(of_tenant, given, r.seq) = r.tag), 0);
END $$;
COMMENT ON FUNCTION lifestream.tag_fate(text, text) IS 'For projections: what merging and dropping make of a tag';

-- sql/projections/settle_tags.sql
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

-- sql/projections/add_tag_rule.sql
-- Keeps a rule and settles every subject of the tenant that has used one of the tags which it reaches. A tenant's first rule
-- makes its uses a table of their own.
-- Whoever adds a use holds the same lock in share mode: of a use and a rule at the same time, the later one sees the earlier.
CREATE FUNCTION lifestream.add_tag_rule(of_tenant text, of_tag text, of_into text, of_seq bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    concerned text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('lifestream.tag_rules', 0));
    IF NOT EXISTS (SELECT FROM tag_rules r WHERE r.tenant_id = of_tenant) THEN
        INSERT INTO tag_uses (subject_id, tag, origin, tenant_id, seq, last_seq)
        SELECT t.subject_id, t.tag, t.origin, t.tenant_id, t.seq, t.last_seq FROM tags t WHERE t.tenant_id = of_tenant;
    END IF;
    INSERT INTO tag_rules (tenant_id, tag, into_tag, seq) VALUES (of_tenant, of_tag, of_into, of_seq)
    ON CONFLICT (tenant_id, tag, seq) DO NOTHING;
    WITH RECURSIVE reached (tag) AS (
        VALUES (of_tag)
        UNION
        SELECT CASE WHEN r.tag = reached.tag THEN r.into_tag ELSE r.tag END
        FROM reached JOIN tag_rules r ON r.tenant_id = of_tenant AND r.into_tag IS NOT NULL AND reached.tag IN (r.tag, r.into_tag)
    )
    SELECT array_agg(DISTINCT u.subject_id) INTO concerned
    FROM tag_uses u WHERE u.tenant_id = of_tenant AND u.tag IN (SELECT reached.tag FROM reached);
    IF concerned IS NOT NULL THEN
        PERFORM lifestream.settle_tags(of_tenant, concerned);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.add_tag_rule(text, text, text, bigint) IS 'For projections: keeps a rule about tags and applies it';

-- sql/projections/use_tags.sql
-- Adds what a person gave to the tags of a subject, or to its uses where the tenant has rules about tags.
CREATE FUNCTION lifestream.use_tags(of_subject text, of_tenant text, given text[], of_seq bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held text;
BEGIN
    -- Of its own, before the statement that looks: that one then sees what was committed while this one waited.
    held := pg_advisory_xact_lock_shared(hashtextextended('lifestream.tag_rules', 0));
    IF NOT EXISTS (SELECT FROM tag_rules r WHERE r.tenant_id = of_tenant) THEN
        INSERT INTO tags AS t (subject_id, tag, origin, tenant_id, seq, last_seq)
        SELECT of_subject, g, 'user', of_tenant, of_seq, of_seq FROM unnest(given) AS g
        ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = least(t.seq, of_seq), last_seq = greatest(t.last_seq, of_seq)
        WHERE of_seq < t.seq OR of_seq > t.last_seq;
        RETURN;
    END IF;
    INSERT INTO tag_uses AS u (subject_id, tag, origin, tenant_id, seq, last_seq)
    SELECT of_subject, g, 'user', of_tenant, of_seq, of_seq FROM unnest(given) AS g
    ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = least(u.seq, of_seq), last_seq = greatest(u.last_seq, of_seq)
    WHERE of_seq < u.seq OR of_seq > u.last_seq;
    PERFORM lifestream.settle_tags(of_tenant, ARRAY[of_subject]);
END $$;
COMMENT ON FUNCTION lifestream.use_tags(text, text, text[], bigint) IS 'For projections: adds tags that a person gave';

-- sql/projections/replace_tags.sql
-- Makes the enricher's tags of a subject those of its newest enrichment; as uses where the tenant has rules about tags.
CREATE FUNCTION lifestream.replace_tags(of_subject text, of_tenant text, given text[], of_seq bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held text;
BEGIN
    -- Of its own, before the statement that looks: that one then sees what was committed while this one waited.
    held := pg_advisory_xact_lock_shared(hashtextextended('lifestream.tag_rules', 0));
    IF NOT EXISTS (SELECT FROM tag_rules r WHERE r.tenant_id = of_tenant) THEN
        DELETE FROM tags WHERE subject_id = of_subject AND origin = 'enricher' AND tag <> ALL (given);
        INSERT INTO tags AS t (subject_id, tag, origin, tenant_id, seq, last_seq)
        SELECT of_subject, g, 'enricher', of_tenant, of_seq, of_seq FROM unnest(given) AS g
        ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = of_seq, last_seq = of_seq WHERE of_seq > t.seq;
        RETURN;
    END IF;
    DELETE FROM tag_uses WHERE subject_id = of_subject AND origin = 'enricher' AND tag <> ALL (given);
    INSERT INTO tag_uses AS u (subject_id, tag, origin, tenant_id, seq, last_seq)
    SELECT of_subject, g, 'enricher', of_tenant, of_seq, of_seq FROM unnest(given) AS g
    ON CONFLICT (subject_id, tag, origin) DO UPDATE SET seq = of_seq, last_seq = of_seq WHERE of_seq > u.seq;
    PERFORM lifestream.settle_tags(of_tenant, ARRAY[of_subject]);
END $$;
COMMENT ON FUNCTION lifestream.replace_tags(text, text, text[], bigint) IS 'For projections: replaces the tags of an older enrichment';

-- sql/projections/project_link_added.sql
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

-- sql/projections/project_link_removed.sql
-- link.removed: the link leaves until a link.added of a higher seq. Removed before it is known, it is a row without a URL.
CREATE FUNCTION lifestream.project_link_removed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
    known_stage integer := lifestream.known_link_stage(e.subject_id);
BEGIN
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO links AS l (subject_id, tenant_id, stage, status, removed_at, removed_seq)
    VALUES (e.subject_id, e.tenant_id, known_stage, 'removed', e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        status = lifestream.link_status(l.stage, l.added_seq, greatest(l.removed_seq, e.seq)),
        removed_at = CASE WHEN e.seq >= coalesce(l.removed_seq, 0) THEN e.occurred_at ELSE l.removed_at END,
        removed_seq = greatest(l.removed_seq, e.seq)
    RETURNING l.tenant_id INTO owner;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_link_removed(lifestream.events) IS 'Projection of link.removed';

-- sql/projections/project_content_fetched.sql
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

-- sql/projections/project_enrichment_completed.sql
-- enrichment.completed {tags, summary, topic, model, text_digest}: the newest counts; its tags replace those of an older enrichment
-- and touch none that a person gave.
CREATE FUNCTION lifestream.project_enrichment_completed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_tags text[] := lifestream.payload_tags(e.payload, e.id);
    given_summary text := lifestream.payload_text(e.payload, 'summary', false, e.id);
    given_topic text := lifestream.payload_text(e.payload, 'topic', false, e.id);
    given_model text := lifestream.payload_text(e.payload, 'model', false, e.id);
    given_digest text := lifestream.payload_text(e.payload, 'text_digest', false, e.id);
    done text;
    owner text;
    raised boolean;
BEGIN
    IF NOT e.payload ?| ARRAY['tags', 'summary', 'topic'] THEN
        RAISE EXCEPTION 'payload of event % has neither "tags" nor "summary" nor "topic"', e.id
            USING ERRCODE = 'not_null_violation', DETAIL = format('Payload: %s', left(e.payload::text, 500));
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO link_metadata AS m (subject_id, tenant_id, summary, topic, model, text_digest, enriched_at, seq)
    VALUES (e.subject_id, e.tenant_id, given_summary, given_topic, given_model, given_digest, e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        summary = excluded.summary, topic = excluded.topic, model = excluded.model, text_digest = excluded.text_digest,
        enriched_at = excluded.enriched_at, seq = excluded.seq
    WHERE excluded.seq >= m.seq;
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

-- sql/projections/project_publish_completed.sql
-- publish.completed {url}: where the link was published; the newest counts.
CREATE FUNCTION lifestream.project_publish_completed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_url text := lifestream.payload_text(e.payload, 'url', true, e.id);
    owner text;
    raised boolean;
BEGIN
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO publish_state AS p (subject_id, tenant_id, status, url, published_at, published_seq)
    VALUES (e.subject_id, e.tenant_id, 'published', given_url, e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        status = lifestream.publish_status(greatest(p.published_seq, excluded.published_seq), p.retracted_seq),
        url = CASE WHEN excluded.published_seq < coalesce(p.published_seq, 0) THEN p.url
                   WHEN excluded.published_seq > coalesce(p.retracted_seq, 0) THEN excluded.url END,
        published_at = CASE WHEN excluded.published_seq >= coalesce(p.published_seq, 0) THEN excluded.published_at ELSE p.published_at END,
        published_seq = greatest(p.published_seq, excluded.published_seq)
    RETURNING p.tenant_id INTO owner;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
    raised := lifestream.raise_link_stage(e.subject_id, 5);
END $$;
COMMENT ON FUNCTION lifestream.project_publish_completed(lifestream.events) IS 'Projection of publish.completed';

-- sql/projections/project_publish_retracted.sql
-- publish.retracted {url: null}: the link has left what is published, until a publication of a higher seq.
CREATE FUNCTION lifestream.project_publish_retracted(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
BEGIN
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO publish_state AS p (subject_id, tenant_id, status, retracted_at, retracted_seq)
    VALUES (e.subject_id, e.tenant_id, 'retracted', e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        status = lifestream.publish_status(p.published_seq, greatest(p.retracted_seq, excluded.retracted_seq)),
        url = CASE WHEN p.published_seq > excluded.retracted_seq THEN p.url END,
        retracted_at = CASE WHEN excluded.retracted_seq >= coalesce(p.retracted_seq, 0) THEN excluded.retracted_at ELSE p.retracted_at END,
        retracted_seq = greatest(p.retracted_seq, excluded.retracted_seq)
    RETURNING p.tenant_id INTO owner;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_publish_retracted(lifestream.events) IS 'Projection of publish.retracted';

-- sql/projections/project_tag_merged.sql
-- tag.merged {from, into}: from is another name for into, for good. Merged into itself, nothing changes.
CREATE FUNCTION lifestream.project_tag_merged(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    merged text := btrim(lifestream.payload_text(e.payload, 'from', true, e.id));
    into_tag text := btrim(lifestream.payload_text(e.payload, 'into', true, e.id));
BEGIN
    IF merged <> into_tag THEN
        PERFORM lifestream.add_tag_rule(e.tenant_id, merged, into_tag, e.seq);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_tag_merged(lifestream.events) IS 'Projection of tag.merged';

-- sql/projections/project_tag_dropped.sql
-- tag.dropped {tag}: every use of it so far goes. A later use brings the tag back.
CREATE FUNCTION lifestream.project_tag_dropped(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lifestream.add_tag_rule(e.tenant_id, btrim(lifestream.payload_text(e.payload, 'tag', true, e.id)), NULL, e.seq);
END $$;
COMMENT ON FUNCTION lifestream.project_tag_dropped(lifestream.events) IS 'Projection of tag.dropped';

-- sql/projections/project_work_failed.sql
-- work.failed {work_message, error, agent, permanent, not_before}: one failed attempt. Casts of the work message raise 22P02, which parks.
CREATE FUNCTION lifestream.project_work_failed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
    message jsonb := e.payload -> 'work_message';
    given_error text := lifestream.payload_text(e.payload, 'error', true, e.id);
    given_agent text := lifestream.payload_text(e.payload, 'agent', false, e.id);
    given_permanent jsonb := coalesce(nullif(e.payload -> 'permanent', 'null'), 'false');
    given_attempt jsonb := message -> 'attempt';
BEGIN
    IF jsonb_typeof(message) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION '"work_message" of event % is no object: %', e.id, left(message::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(given_permanent) <> 'boolean' THEN
        RAISE EXCEPTION '"permanent" of event % is no boolean: %', e.id, left(given_permanent::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(given_attempt) IS DISTINCT FROM 'number' THEN
        RAISE EXCEPTION '"attempt" in the work message of event % is no number: %', e.id, left(given_attempt::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO work_attempts AS w (work_id, attempt, tenant_id, subject_id, work_type, agent, error, permanent, failed_at, event_id, seq, work_message)
    VALUES (lifestream.payload_text(message, 'id', true, e.id)::uuid, given_attempt::integer, e.tenant_id, e.subject_id,
            lifestream.payload_text(message, 'work_type', true, e.id), given_agent, given_error, given_permanent::boolean,
            e.occurred_at, e.id, e.seq, message)
    ON CONFLICT (work_id, attempt) DO UPDATE SET
        tenant_id = excluded.tenant_id, subject_id = excluded.subject_id, work_type = excluded.work_type, agent = excluded.agent,
        error = excluded.error, permanent = excluded.permanent, failed_at = excluded.failed_at, event_id = excluded.event_id,
        seq = excluded.seq, work_message = excluded.work_message
    WHERE excluded.seq >= w.seq;
    -- It may be known already that the work was given up.
    UPDATE dead_letters d SET attempts = lifestream.failed_attempts(d.subject_id, d.work_type, d.triggered_by_event_id, d.attempt)
    WHERE d.subject_id = e.subject_id AND d.work_type = message ->> 'work_type' AND d.attempt >= given_attempt::integer
        AND d.triggered_by_event_id = lifestream.payload_uuid(message, 'triggered_by_event_id');
END $$;
COMMENT ON FUNCTION lifestream.project_work_failed(lifestream.events) IS 'Projection of work.failed';

-- sql/projections/project_work_dead_lettered.sql
-- work.dead_lettered {work_message, error, agent, failed_at}: what is known of the message is taken, and nothing else of it
-- needed, so that what was given up is never lost to a second mistake.
CREATE FUNCTION lifestream.project_work_dead_lettered(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    message jsonb := e.payload -> 'work_message';
    given_error text := lifestream.payload_text(e.payload, 'error', true, e.id);
    given_agent text := lifestream.payload_text(e.payload, 'agent', false, e.id);
    given_type text := CASE WHEN jsonb_typeof(message -> 'work_type') = 'string' THEN message ->> 'work_type'
                            ELSE substring(message ->> 'topic' FROM 'work\.([a-z0-9._-]+)$') END;
    given_trigger uuid := lifestream.payload_uuid(message, 'triggered_by_event_id');
    given_attempt integer;
    given_time timestamptz := e.occurred_at;
    owner text;
BEGIN
    IF jsonb_typeof(message) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION '"work_message" of event % is no object: %', e.id, left(message::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(message -> 'attempt') = 'number' AND (message ->> 'attempt')::numeric BETWEEN 1 AND 2147483647 THEN
        given_attempt := (message ->> 'attempt')::numeric;
    END IF;
    IF jsonb_typeof(e.payload -> 'failed_at') = 'string' THEN
        BEGIN
            given_time := (e.payload ->> 'failed_at')::timestamptz;
        EXCEPTION WHEN data_exception THEN
            NULL;  -- when it was told will do
        END;
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO dead_letters AS d (id, tenant_id, subject_id, work_type, status, attempt, agent, error, failed_at, attempts,
                                   work_id, triggered_by_event_id, correlation_id, work_message, seq)
    VALUES (e.id, e.tenant_id, e.subject_id, given_type, 'open', given_attempt, given_agent, given_error, given_time,
            lifestream.failed_attempts(e.subject_id, given_type, given_trigger, given_attempt),
            lifestream.payload_uuid(message, 'id'), given_trigger, e.correlation_id, message, e.seq)
    ON CONFLICT (id) DO UPDATE SET
        work_type = excluded.work_type, attempt = excluded.attempt, agent = excluded.agent, error = excluded.error,
        failed_at = excluded.failed_at, attempts = excluded.attempts, work_id = excluded.work_id,
        triggered_by_event_id = excluded.triggered_by_event_id, correlation_id = excluded.correlation_id,
        work_message = excluded.work_message, seq = excluded.seq
    -- Attempts may have been pruned since.
    WHERE d.tenant_id = excluded.tenant_id AND d.seq IS NULL
    RETURNING d.tenant_id INTO owner;
    IF NOT FOUND THEN
        SELECT d.tenant_id INTO owner FROM dead_letters d WHERE d.id = e.id;
    END IF;
    IF owner <> e.tenant_id THEN
        PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_work_dead_lettered(lifestream.events) IS 'Projection of work.dead_lettered';

-- sql/projections/project_work_retry_requested.sql
-- work.retry_requested {dead_letter_id, work_message}: somebody wants it done after all. Without a dead letter, as other
-- tools may ask for a retry, no state changes.
CREATE FUNCTION lifestream.project_work_retry_requested(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF e.payload ->> 'dead_letter_id' IS NOT NULL THEN
        PERFORM lifestream.decide_work(e, 'retried', NULL);
    END IF;
END $$;
COMMENT ON FUNCTION lifestream.project_work_retry_requested(lifestream.events) IS 'Projection of work.retry_requested';

-- sql/projections/project_work_discarded.sql
-- work.discarded {dead_letter_id, reason}: nobody wants it done any more.
CREATE FUNCTION lifestream.project_work_discarded(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lifestream.decide_work(e, 'discarded', lifestream.payload_text(e.payload, 'reason', false, e.id));
END $$;
COMMENT ON FUNCTION lifestream.project_work_discarded(lifestream.events) IS 'Projection of work.discarded';

-- sql/projections/project_temp_reading_recorded.sql
-- temp.reading_recorded {value, unit}, or {celsius}, {fahrenheit}, {kelvin}, {temperature, unit}; failing those, the
-- payload's only number is the reading. Without one: 23502. A named member that is no number: 22023.
CREATE FUNCTION lifestream.project_temp_reading_recorded(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_unit text := lifestream.payload_text(e.payload, 'unit', false, e.id);
    member text := CASE WHEN e.payload ? 'value' THEN 'value'
                        WHEN e.payload ? 'celsius' THEN 'celsius'
                        WHEN e.payload ? 'temperature' THEN 'temperature'
                        WHEN e.payload ? 'fahrenheit' THEN 'fahrenheit'
                        WHEN e.payload ? 'kelvin' THEN 'kelvin' END;
    reading jsonb;
    owner text;
BEGIN
    IF member IS NULL THEN
        SELECT min(key) INTO member FROM jsonb_each(e.payload) WHERE jsonb_typeof(value) = 'number' HAVING count(*) = 1;
        IF member IS NULL THEN
            RAISE EXCEPTION 'payload of event % lacks "value"', e.id
                USING ERRCODE = 'not_null_violation', DETAIL = format('Payload: %s', left(e.payload::text, 500));
        END IF;
    END IF;
    reading := e.payload -> member;
    IF jsonb_typeof(reading) <> 'number' THEN
        RAISE EXCEPTION '"%" of event % is no number: %', member, e.id, left(reading::text, 200)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF given_unit IS NULL AND member IN ('celsius', 'fahrenheit', 'kelvin') THEN
        given_unit := member;
    END IF;
    owner := lifestream.check_tenant(e.subject_id, e.tenant_id, e.id);
    INSERT INTO temperature_latest AS l (subject_id, tenant_id, value, unit, recorded_at, event_id, seq)
    VALUES (e.subject_id, e.tenant_id, reading::numeric, given_unit, e.occurred_at, e.id, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        value = excluded.value, unit = excluded.unit, recorded_at = excluded.recorded_at,
        event_id = excluded.event_id, seq = excluded.seq
    WHERE l.tenant_id = excluded.tenant_id AND (excluded.recorded_at, excluded.seq) > (l.recorded_at, l.seq);
    IF NOT FOUND THEN
        -- An older reading, or another tenant's.
        SELECT l.tenant_id INTO owner FROM temperature_latest l WHERE l.subject_id = e.subject_id;
        IF owner <> e.tenant_id THEN
            PERFORM lifestream.refuse_tenant(owner, e.tenant_id, e.subject_id, e.id);
        END IF;
    END IF;
    INSERT INTO temperature_readings (event_id, tenant_id, subject_id, value, unit, recorded_at, seq)
    VALUES (e.id, e.tenant_id, e.subject_id, reading::numeric, given_unit, e.occurred_at, e.seq)
    ON CONFLICT (event_id) DO NOTHING;
END $$;
COMMENT ON FUNCTION lifestream.project_temp_reading_recorded(lifestream.events) IS 'Projection of temp.reading_recorded';

-- sql/projections/project_todo_created.sql
-- todo.created {title, ...}: the newest counts; the whole payload is kept.
CREATE FUNCTION lifestream.project_todo_created(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_title text := lifestream.payload_text(e.payload, 'title', true, e.id);
    owner text;
BEGIN
    owner := lifestream.claim_subject(e.subject_id, e.tenant_id, e.subject, e.occurred_at, e.seq, e.id);
    INSERT INTO todos AS t (subject_id, tenant_id, title, status, payload, created_at, created_seq)
    VALUES (e.subject_id, e.tenant_id, given_title, 'open', e.payload, e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        title = CASE WHEN e.seq >= coalesce(t.created_seq, 0) THEN given_title ELSE t.title END,
        payload = CASE WHEN e.seq >= coalesce(t.created_seq, 0) THEN e.payload ELSE t.payload END,
        created_at = least(t.created_at, e.occurred_at),
        created_seq = greatest(t.created_seq, e.seq);
END $$;
COMMENT ON FUNCTION lifestream.project_todo_created(lifestream.events) IS 'Projection of todo.created';

-- sql/projections/project_todo_completed.sql
-- todo.completed: needs nothing of its payload. Completed before it is known, a todo is a row without a title.
CREATE FUNCTION lifestream.project_todo_completed(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
BEGIN
    owner := lifestream.claim_subject(e.subject_id, e.tenant_id, e.subject, e.occurred_at, e.seq, e.id);
    INSERT INTO todos AS t (subject_id, tenant_id, status, completed_at, completed_seq)
    VALUES (e.subject_id, e.tenant_id, 'completed', e.occurred_at, e.seq)
    ON CONFLICT (subject_id) DO UPDATE SET
        status = 'completed',
        completed_at = least(t.completed_at, e.occurred_at),
        completed_seq = greatest(t.completed_seq, e.seq);
END $$;
COMMENT ON FUNCTION lifestream.project_todo_completed(lifestream.events) IS 'Projection of todo.completed';

-- sql/projections/project_annotation_added.sql
-- annotation.added {text, ...}: put to any subject; needs nothing of its payload, which is kept whole.
CREATE FUNCTION lifestream.project_annotation_added(e lifestream.events) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    given_text text := lifestream.payload_text(e.payload, 'text', false, e.id);
    owner text;
BEGIN
    owner := lifestream.claim_subject(e.subject_id, e.tenant_id, e.subject, e.occurred_at, e.seq, e.id);
    INSERT INTO annotations (event_id, tenant_id, subject_id, text, payload, annotated_at, seq)
    VALUES (e.id, e.tenant_id, e.subject_id, given_text, e.payload, e.occurred_at, e.seq)
    ON CONFLICT (event_id) DO NOTHING;
END $$;
COMMENT ON FUNCTION lifestream.project_annotation_added(lifestream.events) IS 'Projection of annotation.added';

-- sql/projections/builtin_projections.sql
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

-- sql/projections/add_projection.sql
-- Registers a projection. The name is kept as text, so that a dump restores before the function's schema does.
CREATE FUNCTION lifestream.add_projection(event_type text, function regproc, tables regclass[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    called record;
    written regclass;
BEGIN
    IF event_type IS NULL OR btrim(event_type) = '' OR octet_length(event_type) > 255 THEN
        RAISE EXCEPTION 'event_type must have 1 to 255 octets, not %', coalesce(octet_length(event_type)::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT format('%I.%I', n.nspname, p.proname) AS name, p.prokind, pg_get_function_result(p.oid) AS returns,
           pg_get_function_identity_arguments(p.oid) AS arguments, p.pronargs, p.proargtypes
    INTO called
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = function;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no function %', function USING ERRCODE = 'undefined_function';
    END IF;
    IF called.prokind <> 'f' OR called.returns IS DISTINCT FROM 'void' OR called.pronargs <> 1 OR called.proargtypes[0] <> 'lifestream.events'::regtype THEN
        RAISE EXCEPTION '%(%) returning % is no projection', called.name, called.arguments, called.returns
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('A projection is a function %s(lifestream.events) returning void.', called.name);
    END IF;
    FOREACH written IN ARRAY coalesce(tables, '{}') LOOP
        IF NOT EXISTS (SELECT FROM pg_class WHERE oid = written AND relkind IN ('r', 'p')) THEN
            RAISE EXCEPTION '% is no table', coalesce(written::text, 'NULL') USING ERRCODE = 'wrong_object_type';
        END IF;
        IF NOT has_table_privilege('lifestream_agent', written, 'INSERT') THEN
            RAISE WARNING 'role lifestream_agent may not write %', written
                USING HINT = format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO lifestream_agent;', written);
        END IF;
    END LOOP;
    IF NOT has_function_privilege('lifestream_agent', function, 'EXECUTE') THEN
        RAISE WARNING 'role lifestream_agent may not call %', called.name
            USING HINT = format('GRANT EXECUTE ON FUNCTION %s(lifestream.events) TO lifestream_agent;', called.name);
    END IF;
    INSERT INTO lifestream.projections AS p (event_type, function, tables)
    VALUES (add_projection.event_type, called.name, coalesce(add_projection.tables, '{}'))
    ON CONFLICT ON CONSTRAINT projections_pkey DO UPDATE SET tables = excluded.tables;
    PERFORM pg_notify('lifestream_projections', '');
    RAISE NOTICE '% sees every "%" that is materialized from now on', called.name, event_type
        USING HINT = 'lifestream reset applies all events anew, the past ones too.';
END $$;
COMMENT ON FUNCTION lifestream.add_projection(text, regproc, regclass[]) IS
    'Registers f(lifestream.events) returns void for an event type; tables: those that it writes, named unqualified in its body';

-- sql/projections/drop_projection.sql
-- Unregisters a projection. By name, so that one whose function is gone can be dropped too. Its tables stay as they are.
CREATE FUNCTION lifestream.drop_projection(event_type text, function text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    name text := coalesce(
        (SELECT pg_catalog.format('%I.%I', n.nspname, p.proname)
         FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
         WHERE p.oid = pg_catalog.to_regproc(function)),
        function);
BEGIN
    DELETE FROM lifestream.projections p WHERE p.event_type = drop_projection.event_type AND p.function IN (name, drop_projection.function);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no projection % for "%"', function, event_type
            USING ERRCODE = 'undefined_object', HINT = 'SELECT event_type, function FROM lifestream.projections;';
    END IF;
    PERFORM pg_catalog.pg_notify('lifestream_projections', '');
END $$;
COMMENT ON FUNCTION lifestream.drop_projection(text, text) IS 'Unregisters a projection; its tables stay as they are';

-- sql/work/parked.sql
-- What Kafka or a projection will not take, with its error, and the later events of the same subject (and tenant) behind it.
-- The foreign key is also the guard of a release: whoever releases a subject locks the first row, so that nothing can
-- join the queue behind it unseen; a consumer that comes too late meets 23503 and looks again.
CREATE TABLE lifestream.parked (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage          text        NOT NULL CHECK (stage IN ('bridge', 'materializer')),
    consumer_group text,
    event_id       uuid,
    seq            bigint,
    subject_id     text,
    tenant_id      text,
    event_type     text,
    topic          text,
    partition      integer,
    "offset"       bigint,
    record_key     bytea,
    record_value   bytea,
    record_headers jsonb,
    error          text        NOT NULL,
    behind         bigint      CONSTRAINT parked_behind_fkey REFERENCES lifestream.parked (id),
    attempts       integer     NOT NULL DEFAULT 1,
    decision       text        CHECK (decision IN ('retry', 'discard')) CHECK (decision IS NULL OR behind IS NULL),
    parked_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX parked_by_subject ON lifestream.parked (subject_id, id);
CREATE INDEX parked_behind ON lifestream.parked (behind) WHERE behind IS NOT NULL;
CREATE INDEX parked_decided ON lifestream.parked (id) WHERE decision IS NOT NULL;
-- An event parks once, whatever is delivered again; a record that is no event (no seq) has only its offset.
CREATE UNIQUE INDEX parked_once ON lifestream.parked (stage, coalesce(consumer_group, ''), event_id) WHERE seq IS NOT NULL;
COMMENT ON TABLE lifestream.parked IS 'Events and records set aside with their error; later events of the same subject wait behind them';
COMMENT ON COLUMN lifestream.parked.stage IS 'who set it aside: bridge (Kafka refuses it) or materializer (a projection refuses it, or it is no event)';
COMMENT ON COLUMN lifestream.parked.subject_id IS 'the subject that is held back; null where a record names none';
COMMENT ON COLUMN lifestream.parked.tenant_id IS 'materializer: whose events of that subject are held back; null where a record cannot be read: everybody''s';
COMMENT ON COLUMN lifestream.parked.record_headers IS 'array of [name, value] pairs, as the record had them; a value that is not UTF-8 is given as {"base64": ...}, a missing one as null';
COMMENT ON COLUMN lifestream.parked.behind IS 'the row whose release this one waits for: the first of its subject; null for that one itself';
COMMENT ON COLUMN lifestream.parked.attempts IS 'how often it was tried';
COMMENT ON COLUMN lifestream.parked.decision IS 'what a person decided, until the stage has done it; null while it waits for that';

-- sql/work/discarded.sql
-- What a person decided shall never be published or applied, as it was parked. The stages skip it for as long as it
-- stands here; it is also the answer to why an event has no effect.
CREATE TABLE lifestream.discarded (
    id             bigint      PRIMARY KEY,
    stage          text        NOT NULL,
    consumer_group text,
    event_id       uuid,
    seq            bigint,
    subject_id     text,
    tenant_id      text,
    event_type     text,
    topic          text,
    partition      integer,
    "offset"       bigint,
    record_key     bytea,
    record_value   bytea,
    record_headers jsonb,
    error          text        NOT NULL,
    attempts       integer     NOT NULL,
    parked_at      timestamptz NOT NULL,
    discarded_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX discarded_by_event ON lifestream.discarded (event_id);
COMMENT ON TABLE lifestream.discarded IS 'Events and records that were parked and that a person has put away for good; columns as in lifestream.parked';
COMMENT ON COLUMN lifestream.discarded.id IS 'the number that it had in lifestream.parked';
COMMENT ON COLUMN lifestream.discarded.discarded_at IS 'when its stage did so';

-- sql/work/decide_parked.sql
-- Notes what was decided about the first of a subject, and wakes its stage, which does it. Gives how many events that
-- lets go: itself and those behind it.
CREATE FUNCTION lifestream.decide_parked(id bigint, decision text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head lifestream.parked;
BEGIN
    IF id IS NULL THEN
        RAISE EXCEPTION 'the id of something parked is needed, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT p.* INTO head FROM lifestream.parked p WHERE p.id = decide_parked.id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing is parked under %', id
            USING ERRCODE = 'no_data_found', HINT = 'SELECT id, subject_id, error FROM lifestream.parked WHERE behind IS NULL;';
    END IF;
    IF head.behind IS NOT NULL THEN
        RAISE EXCEPTION '% waits behind %, the first parked of subject "%"', id, head.behind, head.subject_id
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('Decide about %s: it lets this one go as well.', head.behind);
    END IF;
    IF head.decision <> decide_parked.decision THEN
        RAISE EXCEPTION 'about % it was decided already: %', id, head.decision
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('The %s does it as soon as it runs; if it is refused again, it can be decided anew.', head.stage);
    END IF;
    UPDATE lifestream.parked p SET decision = decide_parked.decision WHERE p.id = decide_parked.id;
    PERFORM pg_notify('lifestream_parked', '');
    RETURN 1 + (SELECT count(*) FROM lifestream.parked p WHERE p.behind = decide_parked.id);
END $$;
COMMENT ON FUNCTION lifestream.decide_parked(bigint, text) IS 'For retry_parked and discard_parked: notes the decision';

-- sql/work/retry_parked.sql
-- Has the first parked of a subject, and then what waits behind it, tried again in order. Gives how many those are; asked again
-- before it is done, the same.
CREATE FUNCTION lifestream.retry_parked(id bigint) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN lifestream.decide_parked(id, 'retry');
COMMENT ON FUNCTION lifestream.retry_parked(bigint) IS 'Has something parked, and what waits behind it, tried again in order; gives how many those are';

-- sql/work/discard_parked.sql
-- Puts the first parked of a subject away for good (lifestream.discarded), and lets what waits behind it go on in order. Gives how
-- many those are, itself included; asked again before it is done, the same.
CREATE FUNCTION lifestream.discard_parked(id bigint) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN lifestream.decide_parked(id, 'discard');
COMMENT ON FUNCTION lifestream.discard_parked(bigint) IS 'Puts something parked away for good, and lets what waits behind it go on; gives how many those are';

-- sql/work/settle_parked.sql
-- For the stages, once they have carried out what was decided about the first of a subject. Refused is what was refused
-- again, if anything was: the first itself, which waits for another decision then, or one behind it, which becomes the first of
-- those that are left. What was discarded stays in lifestream.discarded, taken in without effect.
CREATE FUNCTION lifestream.settle_parked(head bigint, refused bigint DEFAULT NULL, error text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone lifestream.parked;
BEGIN
    -- Another member of the group may have been quicker.
    PERFORM FROM lifestream.parked p WHERE p.id = settle_parked.head AND p.decision IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE lifestream.parked p SET behind = nullif(settle_parked.refused, p.id)
    WHERE p.behind = settle_parked.head AND settle_parked.refused <> settle_parked.head;
    UPDATE lifestream.parked p SET error = settle_parked.error, attempts = p.attempts + 1, decision = NULL
    WHERE p.id = settle_parked.refused;
    IF settle_parked.refused IS DISTINCT FROM settle_parked.head THEN
        DELETE FROM lifestream.parked p WHERE p.id = settle_parked.head RETURNING p.* INTO gone;
        IF gone.decision = 'discard' THEN
            INSERT INTO lifestream.discarded (id, stage, consumer_group, event_id, seq, subject_id, tenant_id, event_type, topic, partition, "offset",
                                              record_key, record_value, record_headers, error, attempts, parked_at)
            VALUES (gone.id, gone.stage, gone.consumer_group, gone.event_id, gone.seq, gone.subject_id, gone.tenant_id, gone.event_type, gone.topic,
                    gone.partition, gone."offset", gone.record_key, gone.record_value, gone.record_headers, gone.error, gone.attempts,
                    gone.parked_at);
            IF gone.stage = 'materializer' AND gone.seq IS NOT NULL THEN
                INSERT INTO lifestream.event_ingest_dedupe (consumer_group, event_id, topic, partition, "offset")
                VALUES (gone.consumer_group, gone.event_id, gone.topic, gone.partition, gone."offset") ON CONFLICT DO NOTHING;
            END IF;
        END IF;
    END IF;
    PERFORM pg_notify('lifestream_parked', '');
END $$;
COMMENT ON FUNCTION lifestream.settle_parked(bigint, bigint, text) IS 'For the bridge and the materializer: takes the first of a subject out once what was decided is done';

-- sql/work/routes.sql
-- Which events become work for whom. Written by add_route and drop_route; the router follows.
CREATE TABLE lifestream.routes (
    event_type   text        NOT NULL CHECK (event_type NOT IN ('', 'work.failed', 'work.retry_requested')),
    work_type    text        NOT NULL CHECK (work_type ~ '^[a-z0-9._-]{1,200}$' AND work_type <> 'dead_letter'),
    guard        text,
    payload_map  text,
    max_attempts integer     NOT NULL DEFAULT 3 CHECK (max_attempts BETWEEN 1 AND 1000),
    backoff      interval    CHECK (backoff > interval '0'),
    builtin      boolean     NOT NULL DEFAULT false,
    added_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_type, work_type)
);
COMMENT ON TABLE lifestream.routes IS 'Routes: the router makes work of an event''s type for the agents of a work type';
COMMENT ON COLUMN lifestream.routes.work_type IS 'names the topic as well: work.<work_type>';
COMMENT ON COLUMN lifestream.routes.guard IS 'schema-qualified and quoted name of a function f(lifestream.events) returns boolean: does the work still need doing? null: always';
COMMENT ON COLUMN lifestream.routes.payload_map IS 'name of a function f(lifestream.events) returns jsonb, which gives the work''s payload; null: the event''s own';
COMMENT ON COLUMN lifestream.routes.max_attempts IS 'after so many failed attempts the work is a dead letter';
COMMENT ON COLUMN lifestream.routes.backoff IS 'wait before the second attempt; null: LIFESTREAM_RETRY_BASE';

-- sql/work/dropped_routes.sql
-- Routes that somebody dropped: CREATE EXTENSION makes the built-in ones anew, and a restore must not bring them back.
CREATE TABLE lifestream.dropped_routes (
    event_type text NOT NULL,
    work_type  text NOT NULL,
    PRIMARY KEY (event_type, work_type)
);
COMMENT ON TABLE lifestream.dropped_routes IS 'Routes that are not wanted any more, built-in ones for their life; add_route brings one back';

-- sql/work/replace_builtin_route.sql
-- A row that is not built in takes the place of the built-in route of its name, whether add_route, drop_route or a
-- restore writes it.
CREATE FUNCTION lifestream.replace_builtin_route() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM lifestream.routes r WHERE r.event_type = NEW.event_type AND r.work_type = NEW.work_type AND r.builtin;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION lifestream.replace_builtin_route() IS 'Takes away the built-in route that a row replaces';
CREATE TRIGGER replace_builtin BEFORE INSERT ON lifestream.routes
    FOR EACH ROW WHEN (NOT NEW.builtin) EXECUTE FUNCTION lifestream.replace_builtin_route();
CREATE TRIGGER replace_builtin BEFORE INSERT ON lifestream.dropped_routes
    FOR EACH ROW EXECUTE FUNCTION lifestream.replace_builtin_route();

-- sql/work/needs_fetch.sql
-- No, once a fetch has succeeded, or one has failed for good since; nor when the link was removed later. A link that could
-- not be fetched and is added again is tried again.
CREATE FUNCTION lifestream.needs_fetch(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM lifestream.link_content c
                       WHERE c.subject_id = e.subject_id AND (c.text_seq IS NOT NULL OR c.seq > e.seq))
       AND NOT EXISTS (SELECT FROM lifestream.links l WHERE l.subject_id = e.subject_id AND l.removed_seq > e.seq);
END $$;
COMMENT ON FUNCTION lifestream.needs_fetch(lifestream.events) IS 'Guard of link.added -> fetch_link';

-- sql/work/needs_enrichment.sql
-- Only where there is text, of the newest fetch that gave any, and not this very text enriched already. Also for a link that
-- is removed: nothing would enrich it when it is added again.
CREATE FUNCTION lifestream.needs_enrichment(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN e.payload ->> 'fetch_error' IS NULL
       AND coalesce(e.payload ->> 'text_content' ~ '\S', false)
       AND NOT EXISTS (SELECT FROM lifestream.link_content c
                       WHERE c.subject_id = e.subject_id AND c.text_seq > e.seq AND c.text_content ~ '\S')
       AND NOT EXISTS (SELECT FROM lifestream.link_metadata m
                       WHERE m.subject_id = e.subject_id
                         AND m.text_digest = encode(sha256(convert_to(e.payload ->> 'text_content', 'UTF8')), 'hex'));
END $$;
COMMENT ON FUNCTION lifestream.needs_enrichment(lifestream.events) IS 'Guard of content.fetched -> enrich_link';

-- sql/work/needs_publish.sql
-- No, where it was published after this event, or the link is removed: by a later fact, or by an earlier one as far as the
-- state has come to this event. A state that lags may not know yet that the link was added again.
CREATE FUNCTION lifestream.needs_publish(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM lifestream.publish_state p WHERE p.subject_id = e.subject_id AND p.published_seq > e.seq)
       AND NOT EXISTS (SELECT FROM lifestream.links l
                       WHERE l.subject_id = e.subject_id AND l.status = 'removed'
                         AND (l.removed_seq > e.seq
                              OR EXISTS (SELECT FROM lifestream.link_metadata m WHERE m.subject_id = e.subject_id AND m.seq >= e.seq)));
END $$;
COMMENT ON FUNCTION lifestream.needs_publish(lifestream.events) IS 'Guard of enrichment.completed -> publish_link';

-- sql/work/needs_republish.sql
-- A link added again that had been enriched before: what it has now goes out anew, or comes back. An enrichment after this
-- event brings its own work, so that no link is published twice for one reason.
CREATE FUNCTION lifestream.needs_republish(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM lifestream.link_metadata m WHERE m.subject_id = e.subject_id AND m.seq < e.seq)
       AND NOT EXISTS (SELECT FROM lifestream.publish_state p WHERE p.subject_id = e.subject_id AND p.published_seq > e.seq)
       AND NOT EXISTS (SELECT FROM lifestream.links l WHERE l.subject_id = e.subject_id AND l.removed_seq > e.seq);
END $$;
COMMENT ON FUNCTION lifestream.needs_republish(lifestream.events) IS 'Guard of link.added -> publish_link';

-- sql/work/wants_webhook.sql
-- Only where the publisher that published it has a webhook: it then says in its fact what is to be told.
CREATE FUNCTION lifestream.wants_webhook(e lifestream.events) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN jsonb_typeof(e.payload -> 'webhook') IS NOT DISTINCT FROM 'object';
END $$;
COMMENT ON FUNCTION lifestream.wants_webhook(lifestream.events) IS 'Guard of publish.completed and publish.retracted -> publish_link';

-- sql/work/publish_payload.sql
-- What the publisher is asked for: a link, the pages that tags stand on, or to tell the webhook of a publication. Nothing of
-- a link's own payload: whoever saves one must not be able to ask for the others.
CREATE FUNCTION lifestream.publish_payload(e lifestream.events) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE
        WHEN e.event_type IN ('tag.merged', 'tag.dropped') THEN jsonb_build_object('what', 'tags')
        WHEN e.event_type IN ('publish.completed', 'publish.retracted')
            THEN jsonb_build_object('what', 'webhook', 'type', e.event_type, 'data', e.payload -> 'webhook')
        ELSE jsonb_build_object('what', 'link')
    END;
END $$;
COMMENT ON FUNCTION lifestream.publish_payload(lifestream.events) IS 'Payload map of all built-in routes to publish_link';

-- sql/work/builtin_routes.sql
-- A saved link's way: fetched, enriched, published; out of the feed when it is removed, and in again when it comes back.
-- What was published is told to the webhook, for most of a day; what became of tags is shown on the pages that they stand on.
INSERT INTO lifestream.routes (event_type, work_type, guard, payload_map, max_attempts, builtin) VALUES
    ('link.added', 'fetch_link', 'lifestream.needs_fetch', NULL, 3, true),
    ('content.fetched', 'enrich_link', 'lifestream.needs_enrichment', NULL, 3, true),
    ('enrichment.completed', 'publish_link', 'lifestream.needs_publish', 'lifestream.publish_payload', 3, true),
    ('link.added', 'publish_link', 'lifestream.needs_republish', 'lifestream.publish_payload', 3, true),
    ('link.removed', 'publish_link', NULL, 'lifestream.publish_payload', 3, true),
    ('publish.completed', 'publish_link', 'lifestream.wants_webhook', 'lifestream.publish_payload', 20, true),
    ('publish.retracted', 'publish_link', 'lifestream.wants_webhook', 'lifestream.publish_payload', 20, true),
    ('tag.merged', 'publish_link', NULL, 'lifestream.publish_payload', 3, true),
    ('tag.dropped', 'publish_link', NULL, 'lifestream.publish_payload', 3, true);

-- sql/work/route_function.sql
-- The name under which a route keeps a function f(lifestream.events), once it is one that gives what it should.
CREATE FUNCTION lifestream.route_function(function regproc, role text, wanted regtype) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    called record;
BEGIN
    IF function IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT format('%I.%I', n.nspname, p.proname) AS name, n.oid AS schema, n.nspname, p.prokind, p.proretset, p.prorettype,
           pg_get_function_result(p.oid) AS returns, pg_get_function_identity_arguments(p.oid) AS arguments, p.pronargs, p.proargtypes
    INTO called
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = function;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no function %', function USING ERRCODE = 'undefined_function';
    END IF;
    IF called.prokind <> 'f' OR called.proretset OR called.prorettype <> wanted
       OR called.pronargs <> 1 OR called.proargtypes[0] <> 'lifestream.events'::regtype THEN
        RAISE EXCEPTION '%(%) returning % is no %', called.name, called.arguments, coalesce(called.returns, 'nothing'), role
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('A %s is a function %s(lifestream.events) returning %s.', role, called.name, wanted);
    END IF;
    IF NOT has_schema_privilege('lifestream_agent', called.schema, 'USAGE') THEN
        RAISE WARNING 'role lifestream_agent may not use schema %', quote_ident(called.nspname)
            USING HINT = format('GRANT USAGE ON SCHEMA %I TO lifestream_agent;', called.nspname);
    END IF;
    IF NOT has_function_privilege('lifestream_agent', function, 'EXECUTE') THEN
        RAISE WARNING 'role lifestream_agent may not call %', called.name
            USING HINT = format('GRANT EXECUTE ON FUNCTION %s(lifestream.events) TO lifestream_agent;', called.name);
    END IF;
    RETURN called.name;
END $$;
COMMENT ON FUNCTION lifestream.route_function(regproc, text, regtype) IS 'For add_route: checks a guard or a map, and gives its full name';

-- sql/work/add_route.sql
-- Registers a route, or changes it. The names are kept as text, so that a dump restores before the functions' schema does.
CREATE FUNCTION lifestream.add_route(
    event_type   text,
    work_type    text,
    guard        regproc  DEFAULT NULL,
    payload_map  regproc  DEFAULT NULL,
    max_attempts integer  DEFAULT 3,
    backoff      interval DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text;
    guard_name text;
    map_name text;
BEGIN
    IF event_type IS NULL OR btrim(event_type) = '' OR octet_length(event_type) > 255 THEN
        RAISE EXCEPTION 'event_type must have 1 to 255 octets, not %', coalesce(octet_length(event_type)::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF event_type IN ('work.failed', 'work.retry_requested') THEN
        RAISE EXCEPTION 'no route can take "%"', event_type
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'What came of its work would be such an event again, without end. Take work.dead_lettered: what is given up for good.';
    END IF;
    IF work_type IS NULL OR work_type !~ '^[a-z0-9._-]{1,200}$' THEN
        RAISE EXCEPTION 'work_type must have 1 to 200 of the characters a-z, 0-9, dot, underscore and hyphen, not %',
                coalesce(quote_literal(left(work_type, 300)), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'It names a Kafka topic: work.<work_type>.';
    END IF;
    IF translate(work_type, '.', '_') = 'dead_letter' THEN
        RAISE EXCEPTION 'work_type cannot be "%"', work_type
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Topic work.dead_letter holds the work that was given up.';
    END IF;
    SELECT r.work_type INTO known FROM lifestream.routes r
    WHERE translate(r.work_type, '.', '_') = translate(add_route.work_type, '.', '_') AND r.work_type <> add_route.work_type;
    IF FOUND THEN
        RAISE EXCEPTION 'work_type "%" differs from "%" by . and _ only', work_type, known
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Kafka takes no two topics whose names differ so.';
    END IF;
    IF max_attempts IS NULL OR max_attempts NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'max_attempts must be between 1 and 1000, not %', coalesce(max_attempts::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF backoff <= interval '0' THEN
        RAISE EXCEPTION 'backoff must be longer than nothing, not %', backoff
            USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL takes LIFESTREAM_RETRY_BASE.';
    END IF;
    guard_name := lifestream.route_function(guard, 'guard', 'boolean');
    map_name := lifestream.route_function(payload_map, 'payload map', 'jsonb');
    DELETE FROM lifestream.dropped_routes d WHERE d.event_type = add_route.event_type AND d.work_type = add_route.work_type;
    INSERT INTO lifestream.routes AS r (event_type, work_type, guard, payload_map, max_attempts, backoff)
    VALUES (add_route.event_type, add_route.work_type, guard_name, map_name, add_route.max_attempts, add_route.backoff)
    ON CONFLICT ON CONSTRAINT routes_pkey DO UPDATE SET
        guard = excluded.guard, payload_map = excluded.payload_map, max_attempts = excluded.max_attempts, backoff = excluded.backoff;
END $$;
COMMENT ON FUNCTION lifestream.add_route(text, text, regproc, regproc, integer, interval) IS
    'Makes work of every event of a type that the router reads from now on; a route of that name is replaced';

-- sql/work/drop_route.sql
-- Unregisters a route. What has been made of it already is done all the same; what fails is tried again only while another
-- route makes such work, else it becomes a dead letter.
CREATE FUNCTION lifestream.drop_route(event_type text, work_type text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM lifestream.routes r WHERE r.event_type = drop_route.event_type AND r.work_type = drop_route.work_type;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no route from "%" to "%"', event_type, work_type
            USING ERRCODE = 'undefined_object', HINT = 'SELECT event_type, work_type FROM lifestream.routes;';
    END IF;
    INSERT INTO lifestream.dropped_routes VALUES (drop_route.event_type, drop_route.work_type) ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION lifestream.drop_route(text, text) IS 'Unregisters a route; a built-in one stays away over dump and restore';

-- sql/work/pending_retries.sql
-- Work that waits: an attempt that comes later, or work for a host that is not to be asked now. The router's own table,
-- so that a restart forgets none; it sends what is due.
CREATE TABLE lifestream.pending_retries (
    work_id        uuid        NOT NULL,
    consumer_group text        NOT NULL DEFAULT '',
    work_type      text        NOT NULL,
    tenant_id      text        NOT NULL,
    subject_id     text        NOT NULL,
    attempt        integer     NOT NULL CHECK (attempt > 0),
    not_before     timestamptz NOT NULL,
    reason         text        NOT NULL CHECK (reason IN ('retry', 'circuit', 'lane', 'state')),
    work_message   jsonb       NOT NULL CHECK (jsonb_typeof(work_message) = 'object'),
    queued_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (work_id, consumer_group)
);
CREATE INDEX pending_retries_due ON lifestream.pending_retries (not_before);
COMMENT ON TABLE lifestream.pending_retries IS 'Work that waits for its not_before; the router sends what is due';
COMMENT ON COLUMN lifestream.pending_retries.work_id IS 'id of the work message, which names its attempt';
COMMENT ON COLUMN lifestream.pending_retries.consumer_group IS 'the group that wants it, without prefix: it failed, or put it off; empty where nobody says';
COMMENT ON COLUMN lifestream.pending_retries.reason IS 'retry: the attempt before failed; circuit: its host or API is paused; lane: too much else waits for its host or API; state: the state does not yet include what it is about';
COMMENT ON COLUMN lifestream.pending_retries.work_message IS 'as it will be sent';

-- sql/work/circuits.sql
-- Hosts and APIs that an agent goes easy on after failures in a row; a row only while that lasts, and while somebody may
-- still know of it: whoever wrote it may be gone.
CREATE TABLE lifestream.circuits (
    consumer_group text        NOT NULL,
    lane           text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('slow', 'paused', 'probing')),
    failures       integer     NOT NULL,
    until          timestamptz,
    last_error     text,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    holds_until    timestamptz NOT NULL DEFAULT now() + interval '1 hour',
    PRIMARY KEY (consumer_group, lane)
);
COMMENT ON TABLE lifestream.circuits IS 'Circuit breakers that are not closed, by consumer group and lane (host or API)';
COMMENT ON COLUMN lifestream.circuits.state IS 'slow: one at a time, and seldom; paused: nothing until then; probing: one attempt decides';
COMMENT ON COLUMN lifestream.circuits.failures IS 'in a row';
COMMENT ON COLUMN lifestream.circuits.until IS 'paused: when it is tried again';
COMMENT ON COLUMN lifestream.circuits.holds_until IS 'after that it says nothing any more: an hour without news of the lane';

-- sql/work/undecided_dead_letter.sql
-- The dead letter, held so that no other session decides about it; an error where the other decision was taken already.
-- Asked of events rather than of dead_letters, which the materializer brings up to date only later.
CREATE FUNCTION lifestream.undecided_dead_letter(id uuid, decision text) RETURNS lifestream.dead_letters
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    letter lifestream.dead_letters;
    other text := CASE decision WHEN 'retried' THEN 'discarded' ELSE 'retried' END;
    other_type text := CASE decision WHEN 'retried' THEN 'work.discarded' ELSE 'work.retry_requested' END;
    decided timestamptz;
BEGIN
    IF id IS NULL THEN
        RAISE EXCEPTION 'the id of a dead letter is needed, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('lifestream.dead_letters ' || id, 0));
    SELECT d.* INTO letter FROM lifestream.dead_letters d WHERE d.id = undecided_dead_letter.id;
    IF NOT FOUND OR letter.seq IS NULL THEN
        RAISE EXCEPTION 'no dead letter %', id
            USING ERRCODE = 'no_data_found', HINT = 'SELECT id, subject_id, error FROM lifestream.dead_letters WHERE status = ''open'';';
    END IF;
    SELECT e.occurred_at INTO decided FROM lifestream.events e
    WHERE e.id = lifestream.derived_id('decision|' || undecided_dead_letter.id) AND e.event_type = other_type;
    IF FOUND OR letter.status = other THEN
        RAISE EXCEPTION 'dead letter % was % at %', id, other, coalesce(decided, letter.decided_at)
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN letter;
END $$;
COMMENT ON FUNCTION lifestream.undecided_dead_letter(uuid, text) IS 'For retry_dead_letter and discard_dead_letter: the letter, held until the transaction ends';

-- sql/work/decide_dead_letter.sql
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

-- sql/work/retry_dead_letter.sql
-- Asks for work that was given up to be done after all, for the group that gave it up: the same work, one attempt further. Gives
-- the id of the request; asked again, the same. A discarded one is an error, and so is what never was work.
CREATE FUNCTION lifestream.retry_dead_letter(id uuid) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    letter lifestream.dead_letters := lifestream.undecided_dead_letter(id, 'retried');
BEGIN
    IF letter.work_id IS NULL OR letter.work_type IS NULL OR letter.triggered_by_event_id IS NULL THEN
        RAISE EXCEPTION 'dead letter % holds no work message', letter.id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('Error: %s', left(letter.error, 500)),
                  HINT = 'SELECT lifestream.discard_dead_letter(id) puts it away.';
    END IF;
    RETURN lifestream.decide_dead_letter(letter, 'work.retry_requested',
        jsonb_build_object('dead_letter_id', letter.id, 'work_message', letter.work_message, 'agent', letter.agent));
END $$;
COMMENT ON FUNCTION lifestream.retry_dead_letter(uuid) IS 'Has the work of a dead letter done after all, one attempt further; gives the id of work.retry_requested';

-- sql/work/discard_dead_letter.sql
-- Puts a dead letter away for good. Gives the id of the fact that says so; asked again, the same. A retried one is an error.
CREATE FUNCTION lifestream.discard_dead_letter(id uuid, reason text DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    letter lifestream.dead_letters := lifestream.undecided_dead_letter(id, 'discarded');
BEGIN
    RETURN lifestream.decide_dead_letter(letter, 'work.discarded',
        jsonb_build_object('dead_letter_id', letter.id, 'reason', reason));
END $$;
COMMENT ON FUNCTION lifestream.discard_dead_letter(uuid, text) IS 'Puts a dead letter away for good; gives the id of work.discarded';

-- sql/status/unpublished_events.sql
-- Below the bridge's watermark nothing is unpublished; above it the flag tells. Never scans the table: an index on seq bounds it.
CREATE VIEW lifestream.unpublished_events AS
SELECT e.*
FROM lifestream.events e
WHERE e.seq > COALESCE((SELECT p.watermark FROM lifestream.bridge_progress p), 0)
  AND NOT e.published_to_kafka;
COMMENT ON VIEW lifestream.unpublished_events IS 'Events that Kafka has not acknowledged yet';

-- sql/status/dead_letter_story.sql
-- What happened to each dead letter's work, a row for each attempt.
CREATE VIEW lifestream.dead_letter_story AS
SELECT d.id, d.tenant_id, d.subject_id, d.work_type, d.status, a.attempt, a.failed_at, a.agent, a.permanent, a.error
FROM lifestream.dead_letters d
CROSS JOIN LATERAL (
    SELECT r.attempt, r.failed_at, r.agent, r.permanent, r.error
    FROM jsonb_to_recordset(d.attempts) AS r (attempt integer, failed_at timestamptz, agent text, permanent boolean, error text)
    UNION ALL
    -- Given up without an attempt that failed: a guard that raised, a record that was no work message.
    SELECT d.attempt, d.failed_at, d.agent, true, d.error
    WHERE d.seq IS NOT NULL AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(d.attempts) AS r (attempt integer) WHERE r.attempt = d.attempt)
) a;
COMMENT ON VIEW lifestream.dead_letter_story IS 'The attempts behind each dead letter: ... WHERE id = ... ORDER BY attempt, failed_at';
COMMENT ON COLUMN lifestream.dead_letter_story.id IS 'of the dead letter';

-- sql/status/tag_counts.sql
-- The tags that links have, for those who offer them: the catalog in Kafka holds the same.
CREATE VIEW lifestream.tag_counts AS
SELECT t.tenant_id, t.tag, t.tag AS label, count(DISTINCT t.subject_id) AS links, bool_or(t.origin = 'user') AS given
FROM lifestream.tags t JOIN lifestream.links l USING (subject_id)
WHERE l.status <> 'removed'
GROUP BY t.tenant_id, t.tag;
COMMENT ON VIEW lifestream.tag_counts IS 'Tags of links that are not removed';
COMMENT ON COLUMN lifestream.tag_counts.label IS 'the tag as it is to be shown';
COMMENT ON COLUMN lifestream.tag_counts.links IS 'how many links have it';
COMMENT ON COLUMN lifestream.tag_counts.given IS 'whether a person gave it to one of them';

-- sql/status/pipeline_status.sql
-- Where the pipeline stands, from what its parts record. Reads no published event.
CREATE VIEW lifestream.pipeline_status AS
WITH head AS MATERIALIZED (
    -- Counting is exact up to 10,000, then estimated from the sequence, so that a long backlog costs no more to look at.
    SELECT received_at FROM lifestream.unpublished_events ORDER BY seq LIMIT 10001
), unpublished AS (
    SELECT CASE WHEN count(*) <= 10000 THEN count(*)
                ELSE greatest(count(*), (SELECT last_value FROM lifestream.events_seq_seq)
                                        - (SELECT coalesce(max(watermark), 0) FROM lifestream.bridge_progress)) END AS backlog,
           min(received_at) AS oldest
    FROM head
), set_aside AS (
    SELECT stage, consumer_group, count(*) AS parked, max(parked_at) AS parked_at,
           (array_agg(error ORDER BY id DESC) FILTER (WHERE behind IS NULL))[1] AS error
    FROM lifestream.parked GROUP BY stage, consumer_group
), consumed AS (
    SELECT o.consumer_group,
           sum(CASE WHEN b.topic IS NOT NULL THEN greatest(b.offsets[o.partition + 1] - o."offset", 0) END) AS backlog,
           min(o.last_received_at) FILTER (WHERE b.offsets[o.partition + 1] > o."offset") AS oldest,
           sum(CASE WHEN o.updated_at > now() - interval '15 s' THEN o.rate ELSE 0 END) AS rate,
           max(o.updated_at) AS updated_at,
           string_agg(o.error, '; ' ORDER BY o.partition) AS error
    FROM lifestream.kafka_offsets o LEFT JOIN lifestream.bridge_progress b ON b.topic = o.topic
    GROUP BY o.consumer_group
), avoided AS (
    SELECT c.consumer_group, string_agg(format('%s is %s: %s', c.lane, c.state, coalesce(c.last_error, 'no error given')), '; '
                                        ORDER BY c.changed_at DESC, c.lane) AS error
    FROM lifestream.circuits c WHERE c.holds_until > now() GROUP BY c.consumer_group
), reported AS (
    SELECT p.stage, p.consumer_group, sum(greatest(p.high - p.committed, 0)) AS backlog,
           min(p.oldest_at) FILTER (WHERE p.high > p.committed) AS oldest,
           sum(CASE WHEN p.updated_at > now() - interval '15 s' THEN p.rate ELSE 0 END) AS rate,
           max(p.updated_at) AS updated_at,
           string_agg(DISTINCT p.error, '; ') AS error
    FROM lifestream.consumer_progress p GROUP BY p.stage, p.consumer_group
)
SELECT 'bridge' AS stage, NULL::text AS consumer_group, u.backlog, now() - u.oldest AS oldest_age,
       NULL::double precision AS rate, coalesce(s.parked, 0) AS parked, s.error AS last_error,
       (SELECT saved_at FROM lifestream.bridge_progress) AS updated_at
FROM unpublished u LEFT JOIN set_aside s ON s.stage = 'bridge'
UNION ALL
SELECT 'materializer', c.consumer_group, c.backlog::bigint, CASE WHEN c.backlog > 0 THEN now() - c.oldest END,
       c.rate::double precision, coalesce(s.parked, 0), coalesce(c.error, s.error), c.updated_at
FROM consumed c LEFT JOIN set_aside s ON s.stage = 'materializer' AND s.consumer_group = c.consumer_group
UNION ALL
SELECT r.stage, r.consumer_group, r.backlog::bigint, CASE WHEN r.backlog > 0 THEN now() - r.oldest END,
       r.rate::double precision, 0, coalesce(p.error, r.error), r.updated_at
FROM reported r LEFT JOIN avoided p USING (consumer_group)
UNION ALL
SELECT 'retries', NULL, count(*), now() - min(q.queued_at), NULL, 0,
       (SELECT w.work_message ->> 'last_error' FROM lifestream.pending_retries w ORDER BY w.not_before LIMIT 1), max(q.queued_at)
FROM lifestream.pending_retries q
UNION ALL
SELECT 'dead_letters', NULL, count(*), now() - min(d.failed_at), NULL, 0,
       (SELECT l.error FROM lifestream.dead_letters l WHERE l.status = 'open' ORDER BY l.failed_at DESC LIMIT 1), max(d.failed_at)
FROM lifestream.dead_letters d WHERE d.status = 'open';
COMMENT ON VIEW lifestream.pipeline_status IS 'Where the pipeline stands: one row for each stage (and consumer group)';
COMMENT ON COLUMN lifestream.pipeline_status.backlog IS 'bridge: unpublished events (estimated beyond 10,000); materializer: records that are in Kafka, as far as the bridge has recorded, and not applied; router and agents: records of their topic that are not done; retries: work that waits for its time; dead_letters: those that are open';
COMMENT ON COLUMN lifestream.pipeline_status.oldest_age IS 'bridge: of the oldest unpublished event; materializer: of the last event applied in the partition that is furthest behind, so at least as old as the oldest that waits; router and agents: of the oldest record not done; retries, dead_letters: since the oldest of them failed; null with no backlog';
COMMENT ON COLUMN lifestream.pipeline_status.rate IS 'records a second over the last seconds of work, 0 when idle; null where it is not measured';
COMMENT ON COLUMN lifestream.pipeline_status.parked IS 'rows in lifestream.parked';
COMMENT ON COLUMN lifestream.pipeline_status.last_error IS 'what holds the stage up, such as a host or API that is slowed down or paused, else the error of the event parked last';
COMMENT ON COLUMN lifestream.pipeline_status.updated_at IS 'when the stage last recorded progress';

-- sql/roles/revoke_public.sql
-- PUBLIC gets nothing: EXECUTE is what PostgreSQL gives away by itself.
REVOKE ALL ON SCHEMA lifestream FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA lifestream FROM PUBLIC;
REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA lifestream FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public') THEN
        REVOKE EXECUTE ON FUNCTION public.emit_event FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION public.emit_event TO lifestream_emitter, lifestream_agent, lifestream_admin;
    END IF;
END
$$;

-- sql/roles/grants_events.sql
-- An emitter may emit, by function or by INSERT, and nothing else: it cannot read what others emitted.
GRANT EXECUTE ON FUNCTION lifestream.emit_event, lifestream.emit_events, lifestream.link_subject_id, lifestream.idempotency_fingerprint
    TO lifestream_emitter, lifestream_agent, lifestream_admin;
GRANT INSERT (id, occurred_at, received_at, source, subject, subject_id, event_type, payload, schema_version,
              correlation_id, causation_id, tenant_id, headers)
    ON lifestream.events TO lifestream_emitter, lifestream_agent, lifestream_admin;

-- A link's subject_id is how a reader finds its state.
GRANT EXECUTE ON FUNCTION lifestream.link_subject_id TO lifestream_reader;

-- Router, materializer and runners read events (a rebuild, a guard's argument).
GRANT SELECT ON lifestream.events, lifestream.unpublished_events TO lifestream_agent, lifestream_admin;

-- sql/roles/grants_bridge.sql
-- The bridge reads events, sets the flag (no other column) and keeps its progress.
GRANT SELECT, UPDATE (published_to_kafka) ON lifestream.events TO lifestream_bridge;
GRANT SELECT ON SEQUENCE lifestream.events_seq_seq TO lifestream_bridge;
GRANT SELECT ON lifestream.unpublished_events TO lifestream_bridge;
GRANT SELECT, INSERT, UPDATE, DELETE ON lifestream.bridge_progress TO lifestream_bridge;
GRANT EXECUTE ON FUNCTION lifestream.database_identity() TO lifestream_bridge, lifestream_agent, lifestream_admin;

-- sql/roles/grants_state.sql
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

-- sql/roles/grants_work.sql
-- The router and the agents read routes and ask guards; what waits, how far they have come and whom they go easy on is theirs to write.
GRANT SELECT ON lifestream.routes, lifestream.dropped_routes, lifestream.pending_retries, lifestream.circuits, lifestream.consumer_progress
    TO lifestream_reader, lifestream_agent, lifestream_admin;
GRANT INSERT, UPDATE, DELETE ON lifestream.pending_retries, lifestream.circuits, lifestream.consumer_progress
    TO lifestream_agent, lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.needs_fetch, lifestream.needs_enrichment, lifestream.needs_publish, lifestream.needs_republish,
    lifestream.wants_webhook, lifestream.publish_payload
    TO lifestream_agent, lifestream_admin;

-- Who reads tags may know which names they go by.
GRANT EXECUTE ON FUNCTION lifestream.resolve_tag TO lifestream_reader;

-- A derived id tells nothing: whoever emits, or looks for what was emitted, may compute it.
GRANT EXECUTE ON FUNCTION lifestream.derived_id TO lifestream_emitter, lifestream_reader, lifestream_agent, lifestream_admin;

-- Routes are an administrator's to change: the router runs their guards.
GRANT INSERT, UPDATE, DELETE ON lifestream.routes, lifestream.dropped_routes TO lifestream_admin;
GRANT EXECUTE ON FUNCTION lifestream.route_function, lifestream.add_route, lifestream.drop_route TO lifestream_admin;

-- Deciding about a dead letter is emitting an event, with what the letter says: for whoever may do both.
GRANT EXECUTE ON FUNCTION lifestream.undecided_dead_letter, lifestream.decide_dead_letter, lifestream.retry_dead_letter,
    lifestream.discard_dead_letter TO lifestream_agent, lifestream_admin;

-- sql/roles/config_dump_state.sql
-- A dump carries the projections and routes that people added; CREATE EXTENSION itself brings the built-in ones.
SELECT pg_catalog.pg_extension_config_dump('lifestream.projections', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('lifestream.routes', 'WHERE NOT builtin');

-- sql/roles/config_dump.sql
-- pg_dump carries the rows of every table of the extension, and where each identity sequence stands; views hold nothing.
-- A table whose rows CREATE EXTENSION itself makes in part registers itself with a filter, and is left alone here.
DO $$
DECLARE
    relation pg_catalog.regclass;
BEGIN
    FOR relation IN
        SELECT c.oid
        FROM pg_catalog.pg_extension x
        JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = x.oid
        JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
        WHERE x.extname = 'pg_lifestream'
          AND d.deptype = 'e'
          AND c.relkind IN ('r', 'S')
          AND c.oid <> ALL (COALESCE(x.extconfig, '{}'))
        ORDER BY c.oid
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(relation, '');
    END LOOP;
END
$$;
