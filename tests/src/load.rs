//! Sessions that emit all the while, and projections that count what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_postgres::Client;

use crate::eventually_async;
use crate::oracle::{Draft, Oracle};

/// What is emitted.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Sessions at a time.
    pub writers: usize,
    /// Wait between two transactions of a session.
    pub pace: Duration,
    /// Every so many transactions of a session something rare comes, in turn: an event that its projection refuses, one that
    /// is too large for a topic with a lower limit, a late commit, one that wakes nobody. 0: nothing rare.
    pub rare: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { writers: 2, pace: Duration::ZERO, rare: 0 }
    }
}

/// Makes the state that counts how often each event of the load is applied (`public.applied`), and refuses `load.poison` as
/// long as `public.mended` is empty.
pub const PROJECTIONS: &str = "
    CREATE TABLE public.applied (call bigserial, event_id uuid, subject_id text, seq bigint,
        late interval);
    CREATE INDEX ON public.applied (event_id);
    CREATE TABLE public.mended (only_row boolean);
    CREATE FUNCTION public.apply_load(e lifestream.events) RETURNS void LANGUAGE sql AS
        'INSERT INTO applied (event_id, subject_id, seq, late) VALUES (e.id, e.subject_id, e.seq, clock_timestamp() - e.received_at)';
    CREATE FUNCTION public.apply_poison(e lifestream.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        IF NOT EXISTS (SELECT FROM public.mended) THEN RAISE EXCEPTION 'poison: %', e.subject_id; END IF;
        INSERT INTO applied (event_id, subject_id, seq) VALUES (e.id, e.subject_id, e.seq); END $$;
    SELECT lifestream.add_projection('load.done', 'public.apply_load', '{public.applied}'),
           lifestream.add_projection('load.large', 'public.apply_load', '{public.applied}'),
           lifestream.add_projection('load.poison', 'public.apply_poison', '{public.applied}')";

/// More than a topic takes whose limit was lowered to [`LOW_LIMIT`], however well it compresses.
const LARGE: usize = 400_000;
/// See [`LARGE`].
pub const LOW_LIMIT: usize = 100_000;

/// Writers that emit until they are told to stop, each for subjects of its own and for one that all share, reconnecting when
/// they must.
pub struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<tokio::task::JoinHandle<()>>,
    /// What they know.
    pub oracle: Arc<Oracle>,
}

impl Load {
    /// Starts so many that emit as fast as they can.
    pub fn start(url: &str, writers: usize) -> Self {
        Self::start_with(url, LoadOptions { writers, ..LoadOptions::default() })
    }

    /// Starts what was asked for.
    pub fn start_with(url: &str, options: LoadOptions) -> Self {
        let (stop, oracle) = (Arc::new(AtomicBool::new(false)), Arc::new(Oracle::default()));
        let writers = (0..options.writers)
            .map(|number| {
                let (stop, oracle) = (Arc::clone(&stop), Arc::clone(&oracle));
                let writer = Writer { url: url.to_owned(), number, options, stop, oracle };
                tokio::spawn(writer.run())
            })
            .collect();
        Self { stop, writers, oracle }
    }

    /// Waits until so many more events are committed.
    pub async fn more(&self, events: usize) {
        let target = self.oracle.committed() + events;
        eventually_async(Duration::from_secs(60), "the writers go on", || async { self.oracle.committed() >= target })
            .await;
    }

    /// Stops the writers, and gives what they know.
    ///
    /// # Panics
    /// If one of them did.
    pub async fn stop(self) -> Arc<Oracle> {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.expect("a writer does not panic");
        }
        self.oracle
    }
}

struct Writer {
    url: String,
    number: usize,
    options: LoadOptions,
    stop: Arc<AtomicBool>,
    oracle: Arc<Oracle>,
}

impl Writer {
    async fn run(self) {
        let mut n = 0;
        while !self.is_told_to_stop() {
            let Ok((mut client, connection)) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            tokio::spawn(async move { drop(connection.await) });
            while !self.is_told_to_stop() && !client.is_closed() {
                n += 1;
                match self.options.rare {
                    0 => self.ordinary(&mut client, n).await,
                    rare if n.is_multiple_of(rare) => self.rare(&mut client, n / rare).await,
                    _ if n.is_multiple_of(7) => self.shared(&mut client).await,
                    _ => self.ordinary(&mut client, n).await,
                }
                if !self.options.pace.is_zero() {
                    tokio::time::sleep(self.options.pace).await;
                }
            }
        }
    }

    fn is_told_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    async fn ordinary(&self, client: &mut Client, n: usize) {
        let (one, other) = (format!("writer-{}-a", self.number), format!("writer-{}-b", self.number));
        let events = [one.as_str(), other.as_str(), one.as_str()];
        self.oracle.emit(client, "load.done", &events[..1 + n % 3], !n.is_multiple_of(5)).await;
    }

    /// All writers emit for one subject, behind a lock of theirs: its order is theirs.
    async fn shared(&self, client: &mut Client) {
        let draft = Draft { before: "SELECT pg_advisory_xact_lock(7)", ..draft("load.done", &["shared", "shared"]) };
        self.oracle.emit_as(client, &draft).await;
    }

    async fn rare(&self, client: &mut Client, n: usize) {
        let subject = format!("writer-{}-{}-{}", self.number, ["poison", "large", "late", "quiet"][n % 4], n / 4 % 8);
        let subject = [subject.as_str()];
        match n % 4 {
            0 => drop(self.oracle.emit(client, "load.poison", &subject, true).await),
            1 => {
                let text: String =
                    std::iter::repeat_with(|| uuid::Uuid::new_v4().simple().to_string()).take(LARGE / 32).collect();
                let payload = format!(r#"{{"text":"{text}"}}"#);
                let draft = Draft { payload: &payload, ..draft("load.large", &subject) };
                self.oracle.emit_as(client, &draft).await;
            }
            2 => {
                let draft = Draft { hold: Duration::from_millis(1_500), ..draft("load.done", &subject) };
                self.oracle.emit_as(client, &draft).await;
            }
            _ => {
                let draft = Draft { before: "SET LOCAL lifestream.notify = off", ..draft("load.done", &subject) };
                self.oracle.emit_as(client, &draft).await;
            }
        }
        // What comes behind it in its subject.
        self.oracle.emit(client, "load.done", &subject, true).await;
    }
}

fn draft<'a>(event_type: &'a str, subject_ids: &'a [&'a str]) -> Draft<'a> {
    Draft { event_type, subject_ids, payload: "{}", before: "", hold: Duration::ZERO, commit: true }
}
