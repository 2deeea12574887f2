//! A pipeline of one's own, events in it, and rebuilds of it.

use std::time::Duration;

use lifestream_tests::{Finished, Kafka, Pipeline, Postgres, Program};

pub const SOON: Duration = Duration::from_secs(60);

/// The projection of the README.
pub const KEEP_NOTE: &str = "\
CREATE TABLE notes (id text PRIMARY KEY, text text, seq bigint); \
CREATE FUNCTION keep_note(e lifestream.events) RETURNS void LANGUAGE sql AS $$ \
  INSERT INTO notes AS n VALUES (e.subject_id, e.payload ->> 'text', e.seq) \
  ON CONFLICT (id) DO UPDATE SET text = excluded.text, seq = excluded.seq WHERE n.seq < excluded.seq $$; \
SELECT lifestream.add_projection('note.created', 'keep_note', '{notes}')";

/// Notes by id, as `id=text`.
pub const NOTES: &str = "SELECT coalesce(string_agg(id || '=' || text, ' ' ORDER BY id), '') FROM notes";

pub struct House {
    pub pipeline: Pipeline<'static>,
}

impl House {
    pub fn new(test: &str) -> Self {
        let pipeline = Pipeline::new(test, Postgres::shared(), Kafka::shared());
        pipeline.run(&["init"]);
        Self { pipeline }
    }

    pub fn psql(&self, sql: &str) -> String {
        self.pipeline.database.psql(sql)
    }

    pub fn count(&self, table: &str) -> i64 {
        self.psql(&format!("SELECT count(*) FROM {table}")).parse().unwrap()
    }

    /// Emits one event; gives its id.
    pub fn emit(&self, event_type: &str, subject_id: &str, payload: &str) -> String {
        let subject = event_type.split('.').next().unwrap();
        self.psql(&format!("SELECT lifestream.emit_event('{event_type}', '{subject}', '{subject_id}', '{payload}')"))
    }

    pub fn note(&self, id: &str, text: &str) -> String {
        self.emit("note.created", id, &format!(r#"{{"text":"{text}"}}"#))
    }

    /// To its end, however that is.
    pub fn try_rebuild(&self, arguments: &[&str]) -> Finished {
        let arguments: Vec<_> = ["rebuild"].into_iter().chain(arguments.iter().copied()).collect();
        Program::run_with(&arguments, &self.pipeline.environment(), b"")
    }

    /// Prints what changed.
    #[track_caller]
    pub fn rebuild(&self, what: &str) -> Finished {
        let finished = self.try_rebuild(&[what]);
        assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);
        finished
    }

    #[track_caller]
    pub fn same(&self) {
        let finished = self.try_rebuild(&["all", "--dry-run"]);
        assert_eq!(
            (finished.stdout.as_str(), finished.status.code()),
            ("no difference\n", Some(0)),
            "{}",
            finished.stderr
        );
    }

    /// A rebuild that is under way.
    pub fn start(&self, what: &str) -> Program {
        self.pipeline.spawn(&["rebuild", what])
    }

    /// Moves what is published, up to a number, into the archive, by hand.
    pub fn archive(&self, to: i64) {
        let triggers = |how: &str| {
            ["a_guard_event", "a_refuse_change", "a_refuse_delete"]
                .map(|name| format!("ALTER TABLE lifestream.events {how} TRIGGER {name}; "))
                .concat()
        };
        self.psql(&format!(
            "{} WITH gone AS (DELETE FROM lifestream.events WHERE seq <= {to} AND published_to_kafka RETURNING *) \
             INSERT INTO lifestream.events_archive SELECT * FROM gone; {}",
            triggers("DISABLE"),
            triggers("ENABLE ALWAYS")
        ));
    }

    /// The row of a difference in what a rebuild printed: added, changed, removed.
    pub fn row(finished: &Finished, table: &str) -> (u64, u64, u64) {
        let line = finished.stdout.lines().find(|line| line.split_whitespace().next() == Some(table));
        let line = line.unwrap_or_else(|| panic!("no {table} in\n{}{}", finished.stdout, finished.stderr));
        let numbers: Vec<u64> = line.split_whitespace().skip(1).map(|number| number.parse().unwrap()).collect();
        (numbers[0], numbers[1], numbers[2])
    }
}
