//! Transactions that stay open while everything flows: nobody waits for them, tables do not swell, and people can see them.

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::oracle::Outcome;
use lifestream_tests::{Postgres, Program, eventually};
use uuid::Uuid;

use crate::stage::{SOON, Stage, kafka};

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_stay_open_hold_nobody_up() {
    let stage = Stage::new("long_transaction", Postgres::shared(), kafka());
    let parts = [&["bridge"], &["materializer"]].map(|part| stage.spawn(part, &[]));
    let (emits, snapshot) = (stage.pipeline.database.connect().await, stage.pipeline.database.connect().await);
    let id = Uuid::now_v7();
    let sql = format!("BEGIN; SELECT lifestream.emit_event('load.done', 'long', 'long', '{{}}', id => '{id}')");
    emits.batch_execute(&sql).await.unwrap();
    snapshot.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();

    let load = stage.load(LoadOptions { writers: 4, pace: Duration::ZERO, rare: 0 });
    eventually(SOON, "it flows", || stage.count("public.applied") > 0);
    load.more(6_000).await;
    let emitted = load.oracle.committed();
    eventually(SOON, "what is emitted meanwhile has its effect", || {
        stage.count("public.applied") >= u64::try_from(emitted).unwrap()
    });
    // Rows that are updated all the time have a new version each time, which nobody may clean up; they are few and small.
    for table in ["bridge_progress", "kafka_offsets"] {
        let size: u64 = stage.psql(&format!("SELECT pg_total_relation_size('lifestream.{table}')")).parse().unwrap();
        println!("{table}: {size} bytes after {emitted} events");
        assert!(size < 4 << 20, "{table} has swollen to {size} bytes");
    }
    let doctor = Program::run_with(&["doctor"], &stage.pipeline.environment(), b"").stdout;
    assert!(doctor.contains("open transactions") && doctor.contains("the oldest is open for"), "{doctor}");

    snapshot.batch_execute("COMMIT").await.unwrap();
    emits.batch_execute("COMMIT").await.unwrap();
    load.oracle.note(vec![id], Outcome::Ok);
    let oracle = load.stop().await;
    eventually(SOON, "all has its effect", || stage.behind() == 0);
    assert_eq!(stage.verdict(&oracle).await, lifestream_tests::oracle::Verdict::default());
    for part in parts {
        assert_eq!(part.terminate().code(), Some(0));
    }
}
