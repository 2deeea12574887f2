//! Events whose records Kafka deleted before they were materialized.

use lifestream_envelope::kafka::Kafka as Client;
use lifestream_tests::work;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use crate::house::{House, KEEP_NOTE, NOTES};

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_of_everything_gives_them_their_effect_and_they_count_as_taken_in() {
    let house = House::new("rb_lost");
    house.psql(KEEP_NOTE);
    house.note("a", "one");
    house.pipeline.settle();
    let lost = house.note("a", "two");
    house.note("a", "three");
    house.pipeline.run(&["bridge", "--until-idle"]);
    let records = house.pipeline.events();
    let record = records.iter().find(|record| record.event_id().to_string() == lost).unwrap();
    let client = Client::new(&work::settings(&house.pipeline).kafka).unwrap();
    let admin: AdminClient<DefaultClientContext> = client.client_config().create().unwrap();
    let mut upto = TopicPartitionList::new();
    upto.add_partition_offset(&client.topic("events.raw"), record.partition, Offset::Offset(record.offset + 1))
        .unwrap();
    admin.delete_records(&upto, &AdminOptions::new()).await.unwrap();
    house.pipeline.run(&["materializer", "--until-idle"]);
    house.psql("UPDATE notes SET text = 'wrong'");

    let note = house.psql("SELECT error FROM lifestream.kafka_offsets WHERE error IS NOT NULL");
    assert!(note.contains("lifestream rebuild all"), "{note}");
    let of_lost = format!("SELECT count(*) FROM lifestream.event_ingest_dedupe WHERE event_id = '{lost}'");
    // In part it may leave out projections that want them: that is not everything.
    house.rebuild("keep_note");
    assert_eq!((house.psql(NOTES).as_str(), house.psql(&of_lost).as_str()), ("a=three", "0"));
    house.psql("CREATE FUNCTION untold(e lifestream.events) RETURNS void LANGUAGE sql AS $$ SELECT $$; SELECT lifestream.add_projection('note.created', 'untold')");
    house.rebuild("all");
    assert_eq!(
        (house.psql(&of_lost).as_str(), house.count("lifestream.kafka_offsets WHERE error IS NOT NULL")),
        ("0", 1)
    );
    house.psql("SELECT lifestream.drop_projection('note.created', 'untold')");
    let done = house.rebuild("all");
    assert!(done.stderr.contains("1 events that were lost on their way"), "{}", done.stderr);
    assert_eq!(
        (house.psql(&of_lost).as_str(), house.count("lifestream.kafka_offsets WHERE error IS NOT NULL")),
        ("1", 0)
    );
    house.pipeline.settle();
    assert_eq!(house.psql(NOTES), "a=three");
}
