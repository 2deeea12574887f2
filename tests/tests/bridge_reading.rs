//! The reader, step by step: each interleaving of transactions that could make it lose an event or invert an order.
//!
//! A test drives looks by hand between the steps of other sessions, so that nothing depends on timing; what is waited
//! for is waited for by looking again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use lifestream_bridge::reader::Reader;
use lifestream_bridge::row;
use lifestream_bridge::tracker::Tracker;
use lifestream_envelope::postgres;
use lifestream_envelope::settings::Settings;
use lifestream_tests::{Database, Postgres, PostgresOptions};
use roaring::RoaringTreemap;
use tokio_postgres::Client;

/// What a bridge without a Kafka would see of one database.
struct Bridge {
    reader: Reader,
    tracker: Arc<Tracker>,
}

impl Bridge {
    async fn start(database: &Database<'_>) -> Self {
        Self::start_at(database, 0, RoaringTreemap::new()).await
    }

    async fn start_at(database: &Database<'_>, watermark: i64, known: RoaringTreemap) -> Self {
        let settings = Settings::load(&[("DATABASE_URL".to_owned(), database.url())].into()).unwrap();
        let session = postgres::connect(&settings.postgres, "test").await.unwrap();
        let own = session.client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let tracker = Arc::new(Tracker::new(watermark, vec![0]));
        let reader = Reader::new(session, vec![own], watermark, known, 5_000, Arc::clone(&tracker)).await.unwrap();
        Self { reader, tracker }
    }

    /// One look: the numbers found, in the order in which they would be published; each is then as good as flipped.
    async fn look(&mut self) -> Vec<i64> {
        let look = self.reader.look().await.unwrap();
        let found: Vec<i64> = look.rows.iter().map(|row| row::event(row).unwrap().seq).collect();
        self.tracker.settle(&found.iter().map(|seq| seq.cast_unsigned()).collect());
        found
    }

    /// Looks until something is found.
    async fn found(&mut self) -> Vec<i64> {
        tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let found = self.look().await;
                if !found.is_empty() {
                    return found;
                }
                self.reader.wait(Duration::from_millis(20)).await.unwrap();
            }
        })
        .await
        .expect("a look finds it within 10 s")
    }

    fn watermark(&self) -> i64 {
        self.tracker.take().watermark
    }

    /// Looks `times` times, with as many looks at the locks as fall due in between; nothing may be found.
    async fn idle(&mut self, times: usize) {
        for _ in 0..times {
            assert_eq!(self.look().await, Vec::<i64>::new());
            self.reader.wait(Duration::from_millis(60)).await.unwrap();
        }
    }

    /// Looks until the watermark is there: every gap below was given up.
    async fn settles(&mut self, watermark: i64) {
        tokio::time::timeout(Duration::from_secs(10), async {
            while self.watermark() != watermark {
                assert_eq!(self.look().await, Vec::<i64>::new());
                self.reader.wait(Duration::from_millis(20)).await.unwrap();
            }
        })
        .await
        .unwrap_or_else(|_| panic!("the watermark stays at {}, not {watermark}", self.watermark()));
    }
}

/// `count` events of one subject, in the session's transaction or one of its own.
async fn emit(client: &Client, subject_id: &str, count: i32) -> Vec<i64> {
    client
        .execute(
            "SELECT lifestream.emit_event('test.done', 'test', $1, '{}') FROM generate_series(1, $2)",
            &[&subject_id, &count],
        )
        .await
        .unwrap();
    let last: i64 = client.query_one("SELECT lastval()", &[]).await.unwrap().get(0);
    (last - i64::from(count) + 1..=last).collect()
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn a_lower_number_that_commits_late_is_found_and_nobody_waits_for_it() {
    let database = Postgres::shared().database("late_lower");
    let (late, other) = (database.connect().await, database.connect().await);
    let mut bridge = Bridge::start(&database).await;
    run(&late, "BEGIN").await;
    let low = emit(&late, "late", 1).await;
    let high = emit(&other, "other", 1).await;
    assert_eq!(bridge.look().await, high);
    bridge.idle(4).await;
    assert_eq!(bridge.watermark(), low[0] - 1, "the gap holds the watermark");
    run(&late, "COMMIT").await;
    assert_eq!(bridge.look().await, low);
    assert_eq!(bridge.watermark(), high[0]);
}

#[tokio::test]
async fn a_rolled_back_number_is_given_up_while_unrelated_transactions_stay_open() {
    let database = Postgres::shared().database("rolled_back");
    let (aborted, unrelated, other) = (database.connect().await, database.connect().await, database.connect().await);
    run(&other, "CREATE TABLE unrelated (n int)").await;
    run(&unrelated, "BEGIN; INSERT INTO unrelated VALUES (1); SELECT count(*) FROM lifestream.events").await;
    let mut bridge = Bridge::start(&database).await;
    run(&aborted, "BEGIN").await;
    emit(&aborted, "aborted", 3).await;
    let high = emit(&other, "other", 1).await;
    assert_eq!(bridge.look().await, high);
    run(&aborted, "ROLLBACK").await;
    bridge.settles(high[0]).await;
}

#[tokio::test]
async fn an_owner_that_has_not_written_yet_keeps_its_gaps_open() {
    // It holds the lock, and a number that it drew in a savepoint it rolled back to; more may come.
    let database = Postgres::shared().database("savepoint");
    let (owner, other) = (database.connect().await, database.connect().await);
    let mut bridge = Bridge::start(&database).await;
    run(&owner, "BEGIN; LOCK TABLE lifestream.events IN ROW EXCLUSIVE MODE; SAVEPOINT s").await;
    emit(&owner, "owner", 1).await;
    run(&owner, "ROLLBACK TO s").await;
    let high = emit(&other, "other", 1).await;
    assert_eq!(bridge.look().await, high);
    bridge.idle(5).await;
    assert_eq!(bridge.watermark(), 0);
    let next = emit(&owner, "owner", 1).await;
    run(&owner, "COMMIT").await;
    assert_eq!(bridge.found().await, next);
    bridge.settles(next[0]).await;
}

#[tokio::test]
async fn one_owner_leaving_is_noticed_while_another_of_the_same_gaps_stays() {
    let database = Postgres::shared().database("two_owners");
    let (first, second, other) = (database.connect().await, database.connect().await, database.connect().await);
    let mut bridge = Bridge::start(&database).await;
    run(&first, "BEGIN").await;
    run(&second, "BEGIN").await;
    let one = emit(&first, "first", 1).await;
    let two = emit(&second, "second", 1).await;
    let high = emit(&other, "other", 1).await;
    assert_eq!(bridge.look().await, high);
    bridge.idle(3).await;
    run(&first, "COMMIT").await;
    assert_eq!(bridge.look().await, one, "in the very next look, whatever the gates say");
    bridge.idle(3).await;
    run(&second, "COMMIT").await;
    assert_eq!(bridge.look().await, two);
}

#[tokio::test]
async fn what_fills_a_gap_goes_out_before_what_waited_for_it() {
    let database = Postgres::shared().database("order");
    let (first, second, other) = (database.connect().await, database.connect().await, database.connect().await);
    run(&other, "CREATE TABLE account (id int PRIMARY KEY, n int); INSERT INTO account VALUES (1, 0)").await;
    let mut bridge = Bridge::start(&database).await;
    run(&first, "BEGIN; UPDATE account SET n = n + 1").await;
    let before = emit(&first, "account", 1).await;
    let high = emit(&other, "other", 1).await;
    assert_eq!(bridge.look().await, high);
    bridge.idle(3).await;
    run(&first, "COMMIT").await;
    run(&second, "BEGIN; UPDATE account SET n = n + 1").await;
    let after = emit(&second, "account", 1).await;
    run(&second, "COMMIT").await;
    assert_eq!(bridge.look().await, [before, after].concat());
}

#[tokio::test]
async fn a_large_transaction_that_fills_gaps_goes_out_whole_and_first() {
    let database = Postgres::shared().database("backfill");
    let (large, other) = (database.connect().await, database.connect().await);
    let mut bridge = Bridge::start(&database).await;
    run(&large, "BEGIN").await;
    let mut expected = emit(&large, "large", 12_000).await;
    let high = emit(&other, "other", 1).await;
    assert_eq!(bridge.look().await, high);
    bridge.idle(3).await;
    run(&large, "COMMIT").await;
    expected.extend(emit(&large, "large", 2_000).await);
    let mut found = Vec::new();
    while found.len() < expected.len() {
        found.extend(bridge.found().await);
    }
    assert_eq!(found, expected);
    assert_eq!(bridge.watermark(), *expected.last().unwrap());
}

#[tokio::test]
async fn a_prepared_transaction_keeps_its_gap_open_over_a_restart() {
    let postgres = Postgres::start_with(&PostgresOptions { settings: vec!["fsync=on".into()], ..Default::default() });
    let database = postgres.database("prepared");
    let (prepared, other) = (database.connect().await, database.connect().await);
    let mut bridge = Bridge::start(&database).await;
    run(&prepared, "SET lifestream.notify = off; BEGIN").await;
    let low = emit(&prepared, "prepared", 1).await;
    let high = emit(&other, "other", 1).await;
    assert_eq!(bridge.look().await, high);
    bridge.idle(3).await;
    run(&prepared, "PREPARE TRANSACTION 'two_phase'").await;
    bridge.idle(4).await;
    assert_eq!(bridge.watermark(), 0);

    // It comes back under another name; a bridge that reconnects starts from scratch, as every epoch does.
    postgres.stop_immediate();
    postgres.start_again();
    let mut bridge = Bridge::start_at(&database, 0, high.iter().map(|seq| seq.cast_unsigned()).collect()).await;
    bridge.idle(5).await;
    assert_eq!(bridge.watermark(), 0);
    let other = database.connect().await;
    run(&other, "COMMIT PREPARED 'two_phase'").await;
    assert_eq!(bridge.found().await, low);
    bridge.settles(high[0]).await;
}

#[tokio::test]
async fn known_numbers_are_neither_gaps_nor_found() {
    let database = Postgres::shared().database("known");
    let client = database.connect().await;
    let seqs = emit(&client, "known", 10).await;
    run(&client, "UPDATE lifestream.events SET published_to_kafka = true WHERE seq IN (2, 3, 5, 10)").await;
    // 7 is parked: it has no flag, and is not to be found all the same.
    let known: RoaringTreemap = [2, 3, 5, 7, 10].into_iter().collect();
    let mut bridge = Bridge::start_at(&database, 0, known).await;
    assert_eq!(bridge.look().await, vec![1, 4, 6, 8, 9]);
    assert_eq!(bridge.look().await, Vec::<i64>::new());
    assert_eq!(bridge.watermark(), *seqs.last().unwrap());
}

#[tokio::test]
async fn large_events_are_read_a_few_at_a_time() {
    let database = Postgres::shared().database("large_events");
    let client = database.connect().await;
    client
        .execute(
            "SELECT lifestream.emit_event('test.done', 'test', 'large', jsonb_build_object('text', repeat(md5(i::text), 25000))) \
             FROM generate_series(1, 20) i",
            &[],
        )
        .await
        .unwrap();
    let mut bridge = Bridge::start(&database).await;
    let mut found = Vec::new();
    while found.len() < 20 {
        let look = bridge.found().await;
        assert!(look.len() <= 6, "{} events of 800 kB in one look", look.len());
        found.extend(look);
    }
    assert_eq!(found, (1..=20).collect::<Vec<i64>>());
}

#[tokio::test]
async fn an_emit_is_on_disk_when_it_commits_whatever_synchronous_commit_says() {
    let postgres = Postgres::start_with(&PostgresOptions {
        settings: vec!["wal_writer_delay=10s".into(), "autovacuum=off".into()],
        ..Default::default()
    });
    let database = postgres.database("flushed");
    let client = database.connect().await;
    run(&client, "CREATE TABLE plain (n int); SET synchronous_commit = off").await;
    let behind = async |insert: &str| {
        run(&client, "BEGIN").await;
        run(&client, insert).await;
        let row = client.query_one("SELECT pg_current_wal_insert_lsn()::text", &[]).await.unwrap();
        run(&client, "COMMIT").await;
        let sql = "SELECT pg_current_wal_flush_lsn() < $1::text::pg_lsn";
        client.query_one(sql, &[&row.get::<_, String>(0)]).await.unwrap().get::<_, bool>(0)
    };
    assert!(behind("INSERT INTO plain VALUES (1)").await, "without the guard a commit is visible before it is durable");
    for _ in 0..5 {
        assert!(!behind("SELECT lifestream.emit_event('test.done', 'test', 'flushed', '{}')").await);
        assert!(
            !behind("INSERT INTO lifestream.events (occurred_at, source, subject, subject_id, event_type, payload) VALUES (now(), 's', 'test', 'flushed', 'test.done', '{}')").await
        );
    }
}

/// Everything at once: many sessions, transactions of many lengths, half of them rolled back, each locking its
/// subject before it emits. Nothing is lost, nothing rolled back is seen, no subject is out of order, every gap closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_at_once_lose_nothing_and_invert_nothing() {
    const WRITERS: usize = 12;
    const TRANSACTIONS: usize = 250;
    let database = Postgres::shared().database("storm");
    let setup = database.connect().await;
    run(&setup, "CREATE TABLE storm (subject text PRIMARY KEY, n int NOT NULL); INSERT INTO storm SELECT 's' || i, 0 FROM generate_series(0, 4) i").await;
    let mut bridge = Bridge::start(&database).await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let client = database.connect().await;
        writers.push(tokio::spawn(async move {
            for i in 0..TRANSACTIONS {
                let subject = format!("s{}", (writer * 7 + i * 3) % 5);
                run(&client, "BEGIN").await;
                client.execute("UPDATE storm SET n = n + 1 WHERE subject = $1", &[&subject]).await.unwrap();
                emit(&client, &subject, i32::try_from(1 + i % 3).unwrap()).await;
                run(&client, if (writer + i) % 2 == 0 { "COMMIT" } else { "ROLLBACK" }).await;
            }
        }));
    }
    let mut found: Vec<(String, i64)> = Vec::new();
    loop {
        let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let look = bridge.reader.look().await.unwrap();
        for row in &look.rows {
            let event = row::event(row).unwrap();
            found.push((event.subject_id.to_owned(), event.seq));
            bridge.tracker.settle(&std::iter::once(event.seq.cast_unsigned()).collect());
        }
        if done && look.rows.is_empty() && !look.more {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let committed: Vec<i64> = setup
        .query("SELECT seq FROM lifestream.events ORDER BY seq", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let mut seqs: Vec<i64> = found.iter().map(|(_, seq)| *seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, committed);
    for subject in ["s0", "s1", "s2", "s3", "s4"] {
        let order: Vec<i64> = found.iter().filter(|(s, _)| s == subject).map(|(_, seq)| *seq).collect();
        assert!(order.is_sorted(), "subject {subject} is out of order");
    }
    bridge.settles(*committed.last().unwrap()).await;
}
