//! PostgreSQL as it must be, and as it must not. (Away, restarted, crashed: the program `faults`.)

use lifestream_tests::{Kafka, Pipeline, Postgres, Program, eventually};

use crate::{SOON, pipeline, unpublished};

#[test]
fn a_bridge_needs_no_more_than_its_role() {
    let pipeline = pipeline("bridge_role");
    let database = &pipeline.database;
    database.psql(
        "DROP ROLE IF EXISTS a_bridge; CREATE ROLE a_bridge LOGIN PASSWORD 'b' IN ROLE lifestream_bridge; \
         SELECT lifestream.emit_event('note.created', 'note', 'n', '{}') FROM generate_series(1, 10)",
    );
    let url = format!("postgresql://a_bridge:b@127.0.0.1:{}/{}", database.postgres.port(), database.name);
    let mut environment = pipeline.environment();
    environment.push(("DATABASE_URL".to_owned(), url));
    for _ in 0..2 {
        Program::run(&["bridge", "--until-idle"], &environment);
        assert_eq!(unpublished(database), 0);
        database.psql("SELECT lifestream.emit_event('note.created', 'note', 'n', '{}')");
    }
}

#[test]
fn an_unfit_database_or_topic_is_refused_with_what_to_do() {
    let pipeline = Pipeline::new("unfit", Postgres::shared(), Kafka::shared());
    let bridge = pipeline.spawn(&["bridge"]);
    eventually(SOON, "it misses the topic", || bridge.log().contains("lifestream init"));
    pipeline.run(&["init"]);
    eventually(SOON, "it goes on once the topic is there", || bridge.log().contains("publishing"));
    assert_eq!(bridge.terminate().code(), Some(0));
    for (break_it, mend_it, words) in [
        (
            "ALTER SEQUENCE lifestream.events_seq_seq CACHE 20",
            "ALTER SEQUENCE lifestream.events_seq_seq CACHE 1",
            "CACHE 1 INCREMENT 1 NO CYCLE",
        ),
        (
            "ALTER TABLE lifestream.events ENABLE TRIGGER a_guard_event",
            "ALTER TABLE lifestream.events ENABLE ALWAYS TRIGGER a_guard_event",
            "ENABLE ALWAYS TRIGGER a_guard_event",
        ),
        ("CREATE TABLE child () INHERITS (lifestream.events)", "DROP TABLE child", "plain table"),
    ] {
        pipeline.database.psql(break_it);
        let refused = Program::run_with(&["bridge", "--until-idle"], &pipeline.environment(), b"");
        assert_ne!(refused.status.code(), Some(0));
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
        pipeline.database.psql(mend_it);
    }
    pipeline.run(&["bridge", "--until-idle"]);
}
