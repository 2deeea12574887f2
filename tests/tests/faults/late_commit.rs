//! A lower `seq` commits seconds after a higher one, and transaction ids and numbers come in another order. (Step by step, without
//! time: `bridge_reading.rs`.)

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::oracle::Outcome;
use lifestream_tests::{Postgres, eventually};
use uuid::Uuid;

use crate::stage::{SOON, Stage, kafka};

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_number_that_commits_late_is_never_skipped() {
    let stage = Stage::new("late_commit", Postgres::shared(), kafka());
    let bridge = stage.spawn(&["bridge"], &[]);
    let load = stage.load(LoadOptions { writers: 2, pace: Duration::from_millis(5), rare: 4 });
    let emit = async |client: &tokio_postgres::Client, subject: &str| {
        let id = Uuid::now_v7();
        let sql = "SELECT lifestream.emit_event('load.done', 'late', $1, '{}', id => $2)";
        client.execute(sql, &[&subject, &id]).await.unwrap();
        id
    };
    let is_published =
        |id: Uuid| stage.count(&format!("lifestream.events WHERE id = '{id}' AND published_to_kafka")) == 1;
    for round in 0..3 {
        let clients = [(); 3].map(|()| stage.pipeline.database.connect());
        let [early, late, gone] = futures_util::future::join_all(clients).await.try_into().unwrap_or_else(|_| panic!());
        for client in [&early, &late, &gone] {
            client.batch_execute("BEGIN").await.unwrap();
        }
        // The lower transaction id draws the higher number.
        early.batch_execute("SELECT pg_current_xact_id()").await.unwrap();
        let low = emit(&late, "late").await;
        let rolled_back = emit(&gone, "gone").await;
        let high = emit(&early, "early").await;
        early.batch_execute("COMMIT").await.unwrap();
        load.oracle.note(vec![high], Outcome::Ok);
        eventually(SOON, "the higher one goes out", || is_published(high));
        gone.batch_execute("ROLLBACK").await.unwrap();
        load.oracle.note(vec![rolled_back], Outcome::Failed);
        // Seconds, while others flow.
        load.more(300 * (round + 1)).await;
        assert!(!is_published(low));
        late.batch_execute("COMMIT").await.unwrap();
        load.oracle.note(vec![low], Outcome::Ok);
        eventually(SOON, "the lower one goes out", || is_published(low));
    }
    stage.assert_published_once(load).await;
    assert_eq!(bridge.terminate().code(), Some(0));
}
