//! A topic that is not what it was: never a silent skip.

use lifestream_agents::materializer::{self, MaterializerError, Options};
use lifestream_envelope::Until;
use lifestream_tests::eventually_async;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, SOON, link};

fn admin(bench: &Bench) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", bench.pipeline.kafka.brokers()).create().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_made_again_stops_until_a_reset() {
    let bench = Bench::new("mat_recreated").await;
    bench.produce(&[link(1, "link:a"), link(2, "link:b")]);
    bench.settle().await;
    let before = bench.client.describe_topic(&bench.topic()).await.unwrap();
    admin(&bench).delete_topics(&[&bench.topic()], &AdminOptions::new()).await.unwrap();
    eventually_async(SOON, "the topic is gone", || async {
        bench.client.describe_topic(&bench.topic()).await.unwrap().is_none()
    })
    .await;
    bench.create_topic().await;
    eventually_async(SOON, "another topic is there", || async {
        let now = bench.client.describe_topic(&bench.topic()).await.unwrap();
        now.is_some() && now != before
    })
    .await;
    // More records than before: by offsets alone nothing would be noticed.
    bench.produce(&(3..40).map(|seq| link(seq, &format!("link:{seq}"))).collect::<Vec<_>>());
    let ended = materializer::run(&bench.settings, Options::default(), CancellationToken::new(), Until::Idle).await;
    let Err(MaterializerError::Stopped(note)) = ended else { panic!("{ended:?}") };
    assert!(note.contains(&bench.topic()) && note.contains("lifestream reset"), "{note}");
    assert_eq!(bench.count("lifestream.links"), 2);
    let status = bench.psql("SELECT last_error FROM lifestream.pipeline_status WHERE stage = 'materializer'");
    assert!(status.contains("lifestream reset"), "{status}");
    // What reset clears.
    bench.psql("DELETE FROM lifestream.kafka_offsets; DELETE FROM lifestream.event_ingest_dedupe");
    bench.settle().await;
    assert_eq!(bench.count("lifestream.links"), 39);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_deleted_before_they_were_applied_are_passed_over_with_a_note() {
    let bench = Bench::new("mat_deleted").await;
    bench.produce(&[link(1, "link:a")]);
    bench.settle().await;
    bench.produce(&(2..30).map(|seq| link(seq, "link:a")).collect::<Vec<_>>());
    let partition: i32 =
        bench.psql("SELECT partition FROM lifestream.kafka_offsets WHERE \"offset\" = 1").parse().unwrap();
    let mut upto = TopicPartitionList::new();
    upto.add_partition_offset(&bench.topic(), partition, Offset::Offset(20)).unwrap();
    admin(&bench).delete_records(&upto, &AdminOptions::new()).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.psql("SELECT added_seq FROM lifestream.links"), "29");
    assert_eq!(bench.count("lifestream.event_ingest_dedupe"), 1 + 9);
    let note = bench.psql("SELECT error FROM lifestream.kafka_offsets WHERE error IS NOT NULL");
    assert!(
        note.contains(&format!("records_deleted: records 1 to 19 of partition {partition}"))
            && note.contains("lifestream rebuild all"),
        "{note}"
    );
}
