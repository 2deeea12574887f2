//! Each event has its effect once, whatever is delivered twice and whoever believes to own a partition.

use lifestream_agents::materializer::Options;
use lifestream_tests::eventually;

use crate::bench::{Bench, SOON, event, link};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_in_the_topic_and_a_second_group_change_nothing() {
    let bench = Bench::new("mat_repeat").await;
    let state = "SELECT jsonb_build_array((SELECT jsonb_agg(to_jsonb(l) ORDER BY subject_id) FROM lifestream.links l),
        (SELECT jsonb_agg(to_jsonb(s) ORDER BY subject_id) FROM lifestream.subjects s),
        (SELECT jsonb_agg(to_jsonb(r) ORDER BY event_id) FROM lifestream.temperature_readings r),
        (SELECT jsonb_agg(to_jsonb(t) ORDER BY subject_id) FROM lifestream.temperature_latest t))";
    let records: Vec<_> = (1..=300)
        .map(|seq| match seq % 3 {
            0 => link(seq, &format!("link:{}", seq % 30)),
            1 => event(seq, "temp.reading_recorded", "temp:kitchen", &format!(r#"{{"celsius":{seq}.5}}"#)),
            _ => event(seq, "note.created", &format!("note:{seq}"), "{}"),
        })
        .collect();
    bench.produce(&records);
    bench.settle().await;
    let before = bench.psql(state);
    assert_eq!((bench.count("lifestream.event_ingest_dedupe"), bench.count("lifestream.links")), (300, 10));
    assert_eq!(bench.psql("SELECT value, unit FROM lifestream.temperature_latest"), "298.5|celsius");

    // All of it again in the topic, as a bridge without memory would: within batches and across them.
    bench.produce(&records);
    bench.produce(&records[..150]);
    bench.settle().await;
    assert_eq!(bench.psql(state), before);
    assert_eq!(bench.count("lifestream.event_ingest_dedupe"), 300);

    // Another group applies all of it to the same tables.
    bench.settle_as(Options { group: "materializer-v2".to_owned(), batch_records: 7, ..Options::default() }).await;
    assert_eq!(bench.psql(state), before);
    assert_eq!(bench.count("lifestream.event_ingest_dedupe"), 600);
    assert_eq!(bench.count("lifestream.parked"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_resumes_at_the_offset_that_is_stored_in_postgres() {
    let bench = Bench::new("mat_resume").await;
    bench.produce(&[link(1, "link:a"), link(2, "link:b")]);
    bench.settle().await;
    // Were it Kafka's committed offset that counts, the first records would not come again.
    bench.psql("DELETE FROM lifestream.kafka_offsets; DELETE FROM lifestream.event_ingest_dedupe; DELETE FROM lifestream.links");
    bench.settle().await;
    assert_eq!(bench.count("lifestream.links"), 2);
    bench.produce(&[link(3, "link:c")]);
    // Were the stored offset not what counts, the first two would be applied again here.
    bench.psql("DELETE FROM lifestream.event_ingest_dedupe; DELETE FROM lifestream.links");
    bench.settle().await;
    assert_eq!(bench.psql("SELECT subject_id FROM lifestream.links"), "link:c");
}

/// Counts every call, so that it shows what an idempotent projection hides.
const COUNTING: &str = "
    CREATE TABLE public.calls (event_id uuid, subject_id text, seq bigint, call bigserial);
    CREATE FUNCTION public.count_call(e lifestream.events) RETURNS void LANGUAGE sql AS
        'INSERT INTO calls (event_id, subject_id, seq) VALUES (e.id, e.subject_id, e.seq)';
    SELECT lifestream.add_projection('note.created', 'public.count_call', '{public.calls}')";

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_every_event_is_applied_once_in_order() {
    let bench = Bench::new("mat_rebalance").await;
    bench.psql(COUNTING);
    let notes = |from: i64, to: i64| -> Vec<_> {
        (from..to).map(|seq| event(seq, "note.created", &format!("note:{}", seq % 40), "{}")).collect()
    };
    let mut members = vec![bench.start()];
    for round in 0..6 {
        bench.produce(&notes(round * 1000 + 1, round * 1000 + 1001));
        if round % 2 == 0 {
            members.push(bench.start());
        } else {
            members.remove(0).stop().await;
        }
        eventually(SOON, "some of it is applied", || bench.count("public.calls") > round * 500);
    }
    eventually(SOON, "all is applied", || bench.count("lifestream.event_ingest_dedupe") == 6000);
    for member in members {
        member.stop().await;
    }
    assert_eq!(bench.psql("SELECT count(*), count(DISTINCT event_id) FROM public.calls"), "6000|6000");
    let disorder = "SELECT count(*) FROM (SELECT seq - lag(seq) OVER (PARTITION BY subject_id ORDER BY call) AS step FROM public.calls) s WHERE step < 0";
    assert_eq!(bench.psql(disorder), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_partition_another_has_moved_on_changes_nothing() {
    let bench = Bench::new("mat_zombie").await;
    bench.psql(COUNTING);
    let member = bench.start();
    bench.produce(&[event(1, "note.created", "note:a", "{}")]);
    eventually(SOON, "the first is applied", || bench.count("public.calls") == 1);

    // Another one that believes it owns the partition takes the next record, and is not done yet …
    let mut other = bench.database().connect().await;
    let theirs = other.transaction().await.unwrap();
    let moved = theirs
        .execute("UPDATE lifestream.kafka_offsets SET \"offset\" = \"offset\" + 1 WHERE \"offset\" = 1", &[])
        .await
        .unwrap();
    assert_eq!(moved, 1);
    theirs
        .execute(
            "INSERT INTO public.calls (event_id, subject_id, seq) VALUES ($1, 'note:a', 2)",
            &[&crate::bench::id(2)],
        )
        .await
        .unwrap();
    bench.produce(&[event(2, "note.created", "note:a", "{}")]);
    let waiting = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   OR NOT granted AND locktype = 'transactionid'";
    eventually(SOON, "the member waits for the row", || bench.psql(waiting) == "t");
    // … until now. Its compare-and-set finds an offset that it did not expect.
    theirs.commit().await.unwrap();
    bench.produce(&[event(3, "note.created", "note:a", "{}")]);
    eventually(SOON, "it goes on behind the other", || bench.psql("SELECT max(seq) FROM public.calls") == "3");
    member.stop().await;
    assert_eq!(bench.psql("SELECT string_agg(seq::text, ',' ORDER BY call) FROM public.calls"), "1,2,3");
    assert_eq!(bench.psql("SELECT max(\"offset\") FROM lifestream.kafka_offsets"), "3");
}
