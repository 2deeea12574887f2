//! What cannot be rebuilt is refused, and nothing is changed.

use crate::house::{House, KEEP_NOTE, NOTES};

/// Rebuilds, which fails with these words.
#[track_caller]
fn refused(house: &House, what: &str, words: &[&str]) {
    let finished = house.try_rebuild(&[what]);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stdout);
    for words in words {
        assert!(finished.stderr.contains(words), "not {words:?}: {}", finished.stderr);
    }
}

#[test]
fn an_event_that_the_state_has_and_its_projection_refuses_now_is_named() {
    let house = House::new("rb_refuses");
    house.psql(KEEP_NOTE);
    house.note("a", "one");
    let bad = house.note("b", "two");
    house.note("c", "three");
    house.pipeline.settle();
    house.psql(
        "CREATE OR REPLACE FUNCTION keep_note(e lifestream.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
         IF e.subject_id = 'b' THEN RAISE 'no more b'; END IF; INSERT INTO notes VALUES (e.subject_id, 'new', e.seq); END $$",
    );
    refused(&house, "keep_note", &[&bad, "no more b", "nothing was changed", "\"b\""]);
    assert_eq!(house.psql(NOTES), "a=one b=two c=three");
    // In the archive it was materialized as well, though nothing else says so any more.
    house.archive(3);
    house.psql("DELETE FROM lifestream.event_ingest_dedupe");
    refused(&house, "keep_note", &[&bad]);
}

#[test]
fn a_projection_that_does_not_write_to_shadows_changes_nothing() {
    let house = House::new("rb_stray");
    house.psql(KEEP_NOTE);
    house.psql(
        "CREATE TABLE other (id text PRIMARY KEY); \
         CREATE FUNCTION qualified(e lifestream.events) RETURNS void LANGUAGE sql AS $$ \
           INSERT INTO public.other VALUES (e.subject_id) ON CONFLICT DO NOTHING $$; \
         CREATE FUNCTION untold(e lifestream.events) RETURNS void LANGUAGE sql AS $$ SELECT $$; \
         CREATE TABLE pinned_table (id text); \
         CREATE FUNCTION pinned(e lifestream.events) RETURNS void LANGUAGE sql SET search_path = public AS $$ SELECT $$; \
         SELECT lifestream.add_projection('test.qualified', 'qualified', '{other}'); \
         SELECT lifestream.add_projection('test.pinned', 'pinned', '{pinned_table}')",
    );
    house.note("a", "one");
    house.emit("test.qualified", "x", "{}");
    house.pipeline.settle();
    house.psql("DELETE FROM other");
    refused(&house, "qualified", &["a projection wrote to public.other itself", "without a schema in its body"]);
    assert_eq!(house.count("other"), 0);
    refused(&house, "pinned", &["public.pinned sets its own search_path", "RESET search_path"]);
    // One that emits would emit again.
    house.psql(
        "CREATE OR REPLACE FUNCTION qualified(e lifestream.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
           PERFORM lifestream.emit_event('some.thing', 'thing', 'x', '{}'); END $$",
    );
    let events = house.count("lifestream.events");
    refused(&house, "qualified", &["a projection wrote to lifestream.events itself"]);
    assert_eq!(house.count("lifestream.events"), events);
    house.psql("SELECT lifestream.drop_projection('test.pinned', 'pinned'), lifestream.drop_projection('test.qualified', 'qualified')");
    // One without tables is left as it is.
    house.psql("SELECT lifestream.add_projection('test.untold', 'untold')");
    refused(&house, "untold", &["public.untold names no tables that it writes", "add_projection"]);
    assert!(house.rebuild("all").stderr.contains("not rebuilt: public.untold"));
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let house = House::new("rb_unknown");
    refused(&house, "nobody", &["no projection \"nobody\"", "lifestream.project_link_added"]);
    house.psql(KEEP_NOTE);
    house.psql(
        "CREATE SCHEMA s; CREATE TABLE s.notes (id text PRIMARY KEY); \
         CREATE FUNCTION s.f(e lifestream.events) RETURNS void LANGUAGE sql AS $$ SELECT $$; \
         SELECT lifestream.add_projection('test.f', 's.f', '{s.notes}')",
    );
    refused(&house, "all", &["have the same name", "one after the other"]);
    house.rebuild("s.f");
    house.psql("DROP TABLE s.notes");
    refused(&house, "s.f", &["a table of a projection is gone"]);
    house.psql("DROP FUNCTION s.f");
    refused(&house, "s.f", &["projection s.f does not exist"]);
    assert_eq!(house.psql(NOTES), "");
}
