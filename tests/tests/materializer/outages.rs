//! Postgres or Kafka away, at the start too: it heals by itself.

use std::sync::OnceLock;

use lifestream_tests::{Kafka, Postgres, eventually};

use crate::bench::{Bench, SOON, link};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_under_load_loses_and_doubles_nothing() {
    static POSTGRES: OnceLock<Postgres> = OnceLock::new();
    let postgres = POSTGRES.get_or_init(Postgres::start);
    let bench = Bench::on("mat_crash", postgres, Kafka::shared()).await;
    bench.psql(
        "CREATE TABLE public.calls (event_id uuid);
         CREATE FUNCTION public.count_call(e lifestream.events) RETURNS void LANGUAGE sql AS 'INSERT INTO calls VALUES (e.id)';
         SELECT lifestream.add_projection('link.added', 'public.count_call', '{public.calls}')",
    );
    let member = bench.start();
    for round in 0..3 {
        bench.produce(&(1..=4000).map(|n| link(round * 4000 + n, &format!("link:{}", n % 100))).collect::<Vec<_>>());
        eventually(SOON, "it is at work", || bench.count("public.calls") > round * 4000);
        if round == 1 {
            postgres.restart()
        } else {
            postgres.stop_immediate()
        }
        if round != 1 {
            bench.produce(&[link(100_000 + round, "link:meanwhile")]);
            postgres.start_again();
        }
        postgres.terminate_backends();
    }
    eventually(SOON, "all is applied", || bench.count("lifestream.event_ingest_dedupe") == 12_002);
    member.stop().await;
    assert_eq!(bench.psql("SELECT count(*), count(DISTINCT event_id) FROM public.calls"), "12002|12002");
    assert_eq!(bench.count("lifestream.parked"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_that_comes_late_or_goes_away_is_waited_for() {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    let kafka = KAFKA.get_or_init(Kafka::start);
    let bench = Bench::on("mat_kafka", Postgres::shared(), kafka).await;
    bench.produce(&[link(1, "link:a")]);
    kafka.stop();
    let member = bench.start();
    kafka.start_again();
    eventually(SOON, "it starts once Kafka is there", || bench.count("lifestream.links") == 1);
    kafka.kill9();
    kafka.start_again();
    bench.produce(&[link(2, "link:b")]);
    eventually(SOON, "it goes on", || bench.count("lifestream.links") == 2);
    member.stop().await;
}
