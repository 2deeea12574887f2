//! A database and a topic of one's own, records produced by hand, and members of the group in this process.

use std::time::Duration;

use lifestream_agents::materializer::{self, Options};
use lifestream_envelope::event::EventRow;
use lifestream_envelope::kafka::Kafka as Client;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::{Until, topics};
use lifestream_tests::work;
use lifestream_tests::{Database, Kafka, Pipeline, Postgres, Running};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const SOON: Duration = Duration::from_secs(60);

/// A record to produce.
pub struct Made {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: OwnedHeaders,
}

pub struct Bench {
    pub pipeline: Pipeline<'static>,
    pub settings: Settings,
    pub client: Client,
    producer: BaseProducer,
}

impl Bench {
    pub async fn new(test: &str) -> Self {
        Self::on(test, Postgres::shared(), Kafka::shared()).await
    }

    pub async fn on(test: &str, postgres: &'static Postgres, kafka: &'static Kafka) -> Self {
        let pipeline = Pipeline::new(test, postgres, kafka);
        let settings = work::settings(&pipeline);
        let client = Client::new(&settings.kafka).unwrap();
        let producer = client.producer_config().create().unwrap();
        let this = Self { pipeline, settings, client, producer };
        this.create_topic().await;
        this
    }

    pub async fn create_topic(&self) {
        let spec = topics::TOPICS.iter().find(|spec| spec.name == topics::EVENTS_RAW).unwrap();
        self.client.create_topic(spec).await.unwrap();
    }

    pub fn topic(&self) -> String {
        self.client.topic(topics::EVENTS_RAW)
    }

    pub fn database(&self) -> &Database<'static> {
        &self.pipeline.database
    }

    pub fn psql(&self, sql: &str) -> String {
        self.database().psql(sql)
    }

    pub fn count(&self, table: &str) -> i64 {
        self.psql(&format!("SELECT count(*) FROM {table}")).parse().unwrap()
    }

    /// Produces in order and waits until Kafka has all of it.
    pub fn produce(&self, records: &[Made]) {
        let topic = self.topic();
        for made in records {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&topic).headers(made.headers.clone());
            record.key = made.key.as_deref();
            record.payload = made.value.as_deref();
            while let Err((_, unsent)) = self.producer.send(record) {
                self.producer.poll(Duration::from_millis(10));
                record = unsent;
            }
        }
        self.producer.flush(SOON).unwrap();
    }

    /// Applies all that is there, as one member of this group.
    pub async fn settle_as(&self, options: Options) {
        materializer::run(&self.settings, options, CancellationToken::new(), Until::Idle).await.unwrap();
    }

    pub async fn settle(&self) {
        self.settle_as(Options::default()).await;
    }

    pub fn start(&self) -> Running {
        let settings = self.settings.clone();
        Running::start(async move |told| materializer::run(&settings, Options::default(), told, Until::Shutdown).await)
    }
}

/// An event as the bridge writes it. Its id is derived from its number.
pub fn event(seq: i64, event_type: &str, subject_id: &str, payload: &str) -> Made {
    let row = EventRow {
        id: id(seq),
        seq,
        occurred_at_us: 1_700_000_000_000_000 + seq * 1_000_000,
        received_at_us: 1_700_000_000_000_000 + seq * 1_000_000,
        source: "tests",
        subject: event_type.split('.').next().unwrap(),
        subject_id,
        event_type,
        payload,
        schema_version: 1,
        correlation_id: Some(id(seq)),
        causation_id: None,
        tenant_id: "",
        headers: "{}",
    };
    let mut value = Vec::new();
    row.write_value(&mut value);
    Made { key: Some(subject_id.as_bytes().to_vec()), value: Some(value), headers: row.kafka_headers() }
}

pub fn id(seq: i64) -> Uuid {
    Uuid::from_u128(0x0189_0a5d_ac96_774b_8000_0000_0000_0000 | seq.cast_unsigned() as u128)
}

pub fn link(seq: i64, subject_id: &str) -> Made {
    event(seq, "link.added", subject_id, &format!(r#"{{"url":"https://example.org/{subject_id}","title":"T"}}"#))
}
