//! A database whose state follows its events at once, a folder, and publishers in this process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lifestream_agents::Database as Shared;
use lifestream_agents::publisher::Publisher;
use lifestream_agents::runner::{Agent, Context, Fact, Failure, Others};
use lifestream_envelope::kafka::Kafka;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::work::Work;
use lifestream_tests::{Database, Postgres};
use serde_json::{Value, json};
use uuid::Uuid;

pub const SOON: Duration = Duration::from_secs(60);
pub const URL: &str = "https://links.example.org/stream";

/// What the materializer does, without Kafka: applies each event that is not applied yet, and says so.
const MATERIALIZE: &str = "
SET search_path = lifestream, pg_catalog;
DO $$
DECLARE e lifestream.events; p record;
BEGIN
    INSERT INTO kafka_offsets (consumer_group, topic, partition, \"offset\") VALUES ('materializer-v1', 'events.raw', 0, 0)
    ON CONFLICT DO NOTHING;
    FOR e IN SELECT * FROM events v WHERE NOT EXISTS (SELECT FROM event_ingest_dedupe d WHERE d.event_id = v.id) ORDER BY seq LOOP
        FOR p IN SELECT function FROM projections WHERE event_type = e.event_type LOOP
            EXECUTE format('SELECT %s($1)', p.function) USING e;
        END LOOP;
        INSERT INTO event_ingest_dedupe (consumer_group, event_id, topic, partition, \"offset\") VALUES ('materializer-v1', e.id, 'events.raw', 0, e.seq);
    END LOOP;
END $$";

pub struct Bench {
    pub database: Database<'static>,
    pub shared: Shared,
    pub folder: tempfile::TempDir,
    settings: BTreeMap<String, String>,
    kafka: Kafka,
}

impl Bench {
    pub fn new(test: &str) -> Self {
        let database = Postgres::shared().database(test);
        let folder = tempfile::tempdir().unwrap();
        let settings: BTreeMap<String, String> = [
            ("DATABASE_URL", database.url()),
            ("LIFESTREAM_FEED_DIR", folder.path().to_str().unwrap().to_owned()),
            ("LIFESTREAM_FEED_URL", URL.to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let loaded = load(&settings);
        let (shared, kafka) = (Shared::new(&loaded.postgres, "agent publisher"), Kafka::new(&loaded.kafka).unwrap());
        Self { database, shared, folder, settings, kafka }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.settings.remove(name);
        self
    }

    pub fn settings(&self) -> Settings {
        load(&self.settings)
    }

    /// A publisher of this bench's folder.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(&self.settings()).unwrap()
    }

    /// One of another folder, with the same settings otherwise.
    pub fn publisher_of(&self, folder: &Path) -> Publisher {
        let mut settings = self.settings.clone();
        settings.insert("LIFESTREAM_FEED_DIR".to_owned(), folder.to_str().unwrap().to_owned());
        Publisher::new(&load(&settings)).unwrap()
    }

    /// What a publisher without a past writes, in a folder of its own.
    pub async fn fresh(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        self.publisher_of(folder.path()).refresh(&self.shared).await.unwrap();
        folder
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn psql(&self, sql: &str) -> String {
        self.database.psql(sql)
    }

    pub fn materialize(&self) {
        self.psql(MATERIALIZE);
    }

    /// Emits, and has it in the state. Gives subject and event.
    pub async fn fact(&self, event_type: &str, subject_id: &str, tenant: &str, payload: Value) -> Uuid {
        let id = self.emit(event_type, subject_id, tenant, payload).await;
        self.materialize();
        id
    }

    pub async fn emit(&self, event_type: &str, subject_id: &str, tenant: &str, payload: Value) -> Uuid {
        let client = self.shared.client().await.unwrap();
        let sql = "SELECT lifestream.emit_event($1, 'link', $2, ($3::text)::jsonb, tenant_id => $4)";
        client.query_one(sql, &[&event_type, &subject_id, &payload.to_string(), &tenant]).await.unwrap().get(0)
    }

    /// A saved and enriched link, and the event that asks for its publication.
    pub async fn link(&self, link: &Link<'_>) -> (String, Uuid) {
        let subject = format!("link:{}{}", link.tenant, link.url);
        let mut added = json!({"url": link.url, "tags": link.tags});
        if let Some(title) = link.title {
            added["title"] = title.into();
        }
        self.emit("link.added", &subject, link.tenant, added).await;
        let fetched = json!({"text_content": "Text.", "fetch_error": null, "metadata": link.metadata});
        self.emit("content.fetched", &subject, link.tenant, fetched).await;
        let enriched = json!({"tags": link.found, "summary": link.summary, "topic": "things", "model": "local"});
        let event = self.fact("enrichment.completed", &subject, link.tenant, enriched).await;
        (subject, event)
    }

    /// Does the work that an event asks for.
    pub async fn publish(&self, publisher: &Publisher, subject: &str, event: Uuid) -> Result<Fact, Failure> {
        self.handle(publisher, &self.work(subject, event, json!({"what": "link"}))).await
    }

    /// Does a work.
    pub async fn handle(&self, publisher: &Publisher, work: &Work) -> Result<Fact, Failure> {
        let context = Context {
            database: &self.shared,
            kafka: &self.kafka,
            group: publisher.group(),
            others: &Others::default(),
        };
        publisher.handle(work, &context).await
    }

    /// The work that an event asks for.
    pub fn work(&self, subject: &str, event: Uuid, payload: Value) -> Work {
        let message = json!({
            "id": Uuid::now_v7(), "subject": "link", "subject_id": subject, "work_type": "publish_link", "correlation_id": null,
            "triggered_by_event_id": event, "attempt": 1, "max_attempts": 3, "created_at": "2026-11-21T10:00:00Z",
            "not_before": null, "last_error": null, "payload": payload
        });
        Work::parse(message.to_string().as_bytes()).unwrap()
    }
}

fn load(settings: &BTreeMap<String, String>) -> Settings {
    Settings::load_from(&BTreeMap::new(), settings.clone(), Path::new("/nonexistent")).unwrap()
}

/// A link as a test wants it.
#[derive(Clone)]
pub struct Link<'a> {
    pub url: &'a str,
    pub title: Option<&'a str>,
    pub tags: Vec<&'a str>,
    pub found: Vec<&'a str>,
    pub summary: &'a str,
    pub metadata: Value,
    pub tenant: &'a str,
}

impl<'a> Link<'a> {
    pub fn new(url: &'a str, title: &'a str) -> Self {
        let (tags, found) = (vec!["reading"], vec!["rust"]);
        Self { url, title: Some(title), tags, found, summary: "A summary.", metadata: json!({}), tenant: "" }
    }
}
