//! Getting ready reads the catalog whole, whoever holds its partition in the group, and it is followed from then on.

use std::time::Duration;

use lifestream_agents::Database;
use lifestream_agents::enricher::Enricher;
use lifestream_agents::runner::{Agent, Context, Failure, Others};
use lifestream_envelope::groups;
use lifestream_envelope::kafka::Kafka as Client;
use lifestream_envelope::settings::Settings;
use lifestream_envelope::topics::TOPICS;
use lifestream_tests::checkout::unique;
use lifestream_tests::{Kafka, eventually, eventually_async};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::api::Api;
use super::{SOON, Writer, all, names, offered, work};

fn settings(prefix: &str, api: &Api, key: &str) -> Settings {
    let environment = [
        ("KAFKA_BROKERS", Kafka::shared().brokers().as_str()),
        ("KAFKA_TOPIC_PREFIX", prefix),
        ("OPENAI_API_KEY", key),
        ("OPENAI_BASE_URL", &api.base),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let folder = tempfile::tempdir().unwrap();
    Settings::load_from(&Default::default(), environment.into(), folder.path()).unwrap()
}

/// Joins the enrichers' group on the catalog itself, as an agent would that read it by its group.
fn subscriber(prefix: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", Kafka::shared().brokers())
        .set("group.id", format!("{prefix}{}", groups::ENRICHER))
        .create()
        .unwrap();
    consumer.subscribe(&[&format!("{prefix}tags.catalog")]).unwrap();
    consumer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_the_partition_holds_the_whole_catalog_and_follows_it() {
    let prefix = format!("{}.", unique("enricher_catalog"));
    let api = Api::start().await;
    let kafka = Client::new(&settings(&prefix, &api, "unused-key").kafka).unwrap();
    let catalog = TOPICS.iter().find(|topic| topic.name == "tags.catalog").unwrap();
    kafka.create_topic(catalog).await.unwrap();
    let writer = Writer::new(Kafka::shared(), &prefix);
    let (known, dropped) = (names(100), "dropped-before");
    writer.tag(dropped, 9).await;
    for name in &known {
        writer.tag(name, 2).await;
    }
    writer.tag("of-another-tenant", 1).await;
    writer.tombstone("of-another-tenant").await;
    let other = br#"{"tag":"secret-of-acme","label":"","links":99}"#;
    writer.send("tags.catalog", "acme/secret-of-acme", Some(other)).await;
    writer.send("tags.catalog", "broken", Some(b"{")).await;
    writer.tombstone(dropped).await;

    // By the group, one of two has the partition and the other has nothing to read the catalog from.
    let (one, two) = (subscriber(&prefix), subscriber(&prefix));
    let partitions = |consumer: &BaseConsumer| {
        consumer.poll(Duration::from_millis(10));
        consumer.assignment().unwrap().count()
    };
    eventually(SOON, "one of two members has the partition", || partitions(&one) + partitions(&two) == 1);

    let database = Database::new(&settings(&prefix, &api, "unused-key").postgres, "enricher");
    let context = Context { database: &database, kafka: &kafka, group: groups::ENRICHER, others: &Others::default() };
    for (number, key) in ["key-of-the-first", "key-of-the-second"].into_iter().enumerate() {
        let enricher = Enricher::new(&settings(&prefix, &api, key)).unwrap();
        let task = work("link:1", "Bread is baked from flour and water.");
        let unready = enricher.handle(&task, &context).await.unwrap_err();
        assert!(matches!(&unready, Failure::Passing { error, .. } if error.contains("catalog")), "{unready:?}");
        enricher.prepare(&context).await.unwrap();
        let fact = enricher.handle(&task, &context).await.unwrap();
        assert_eq!(fact.payload["tags"], serde_json::json!(["bread"]));
        let asked = api.asked(key);
        let [first] = &asked[..] else { panic!("{asked:?}") };
        assert!(all(&offered(&first.told, &known)), "{:?}", offered(&first.told, &known));
        for absent in [dropped, "of-another-tenant", "secret-of-acme"] {
            assert!(!first.told.contains(absent), "{absent}");
        }

        // What comes and goes later is followed, by the one as by the other.
        let (new, gone) = (format!("new-{number}"), format!("gone-{number}"));
        writer.tag(&gone, 5).await;
        writer.tag(&new, 5).await;
        let (enricher, context, api, new, gone) = (&enricher, &context, &api, &new, &gone);
        let told = async || {
            enricher.handle(&work("link:2", "More bread."), context).await.unwrap();
            api.asked(key).pop().unwrap().told
        };
        eventually_async(SOON, "new tags are offered", || async {
            let told = told().await;
            told.contains(new) && told.contains(gone)
        })
        .await;
        writer.tombstone(gone).await;
        eventually_async(SOON, "a tag that is gone is offered no more", || async {
            let told = told().await;
            told.contains(new) && !told.contains(gone)
        })
        .await;
        // Prepared again, as after a failure, it is still the same and does not read it all anew.
        enricher.prepare(context).await.unwrap();
    }
    drop((one, two));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_topic_no_task_is_begun() {
    let prefix = format!("{}.", unique("enricher_no_catalog"));
    let api = Api::start().await;
    let settings = settings(&prefix, &api, "unused-key");
    let kafka = Client::new(&settings.kafka).unwrap();
    let database = Database::new(&settings.postgres, "enricher");
    let context = Context { database: &database, kafka: &kafka, group: groups::ENRICHER, others: &Others::default() };
    let enricher = Enricher::new(&settings).unwrap();
    let error = enricher.prepare(&context).await.unwrap_err();
    assert!(error.to_string().contains(&format!("{prefix}tags.catalog")) && !error.is_permanent(), "{error}");
    let task = work("link:1", "Bread is baked.");
    assert!(matches!(enricher.handle(&task, &context).await, Err(Failure::Passing { .. })));
    assert!(api.asked("unused-key").is_empty());
}
