//! Events without effect: a rebuild gives them none.

use crate::gate::Gate;
use crate::house::{House, NOTES, SOON};

/// Refuses notes with the text `bad`, as long as there is no table `lenient`; a rebuild's own as `lenient_rebuild` says.
const PICKY: &str = "\
CREATE TABLE notes (id text PRIMARY KEY, text text, seq bigint); \
CREATE FUNCTION keep_note(e lifestream.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
  IF e.payload ->> 'text' = 'bad' AND to_regclass('public.lenient') IS NULL \
     AND (to_regclass('public.lenient_rebuild') IS NULL OR current_setting('application_name') <> 'lifestream rebuild') \
  THEN RAISE 'bad note'; END IF; \
  INSERT INTO notes AS n VALUES (e.subject_id, e.payload ->> 'text', e.seq) \
  ON CONFLICT (id) DO UPDATE SET text = excluded.text, seq = excluded.seq WHERE n.seq < excluded.seq; END $$; \
SELECT lifestream.add_projection('note.created', 'keep_note', '{notes}')";

#[test]
fn what_is_parked_or_discarded_and_what_waits_is_left_out_until_it_is_let_go() {
    let house = House::new("rb_parked");
    house.psql(PICKY);
    for (id, text) in [("a", "one"), ("a", "bad"), ("a", "two"), ("b", "bad"), ("c", "three")] {
        house.note(id, text);
    }
    house.pipeline.settle();
    house.psql("SELECT lifestream.discard_parked(id) FROM lifestream.parked WHERE subject_id = 'b'");
    house.pipeline.settle();
    assert_eq!(house.psql(NOTES), "a=one c=three");
    // Behind it, and not even published yet.
    house.note("a", "four");
    house.note("c", "five");
    house.psql("CREATE TABLE lenient ()");
    let done = house.rebuild("all");
    assert_eq!(house.psql(NOTES), "a=one c=five");
    assert!(done.stderr.contains("4 events left out"), "{}", done.stderr);
    house.psql("SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL");
    house.pipeline.settle();
    assert_eq!(house.psql(NOTES), "a=four c=five");
    house.same();
}

#[test]
fn what_is_refused_before_it_is_materialized_waits_with_what_follows_and_parks_later() {
    let house = House::new("rb_refused_early");
    house.psql(PICKY);
    house.note("a", "one");
    house.pipeline.settle();
    for (id, text) in [("a", "bad"), ("a", "two"), ("b", "three"), ("b", "bad"), ("c", "four")] {
        house.note(id, text);
    }
    let done = house.rebuild("keep_note");
    assert!(done.stderr.contains("2 events were refused") && done.stderr.contains("bad note"), "{}", done.stderr);
    assert!(done.stderr.contains("3 events left out"), "{}", done.stderr);
    assert_eq!(house.psql(NOTES), "a=one b=three c=four");
    house.pipeline.settle();
    assert_eq!((house.psql(NOTES).as_str(), house.count("lifestream.parked")), ("a=one b=three c=four", 3));
    house.same();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_parks_after_the_shadows_had_it_is_taken_out_of_them() {
    let house = House::new("rb_parks_late");
    house.psql(PICKY);
    house.note("a", "one");
    house.pipeline.settle();
    house.note("a", "bad");
    // In another batch than the gate.
    house.psql("SELECT count(lifestream.emit_event('some.thing', 'thing', 'x', '{}')) FROM generate_series(1, 2500)");
    let gate = Gate::shut(&house).await;
    house.psql("CREATE TABLE lenient_rebuild ()");
    let rebuild = gate.reached(&house, "keep_note");
    house.pipeline.settle();
    assert_eq!(house.count("lifestream.parked"), 1);
    gate.open().await;
    let log = rebuild.shared_log();
    assert!(rebuild.wait(SOON).success(), "{}", log());
    assert_eq!(house.psql(NOTES), "a=one", "{}", log());
    house.same();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_let_go_meanwhile_is_in_it() {
    let house = House::new("rb_let_go");
    house.psql(PICKY);
    house.note("a", "bad");
    house.note("a", "two");
    house.note("b", "one");
    house.pipeline.settle();
    house.psql("SELECT count(lifestream.emit_event('some.thing', 'thing', 'x', '{}')) FROM generate_series(1, 2500)");
    let gate = Gate::shut(&house).await;
    house.psql("UPDATE notes SET text = 'wrong'; CREATE TABLE lenient ()");
    let rebuild = gate.reached(&house, "keep_note");
    house.psql("SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL");
    house.pipeline.settle();
    assert_eq!(house.psql(NOTES), "a=two b=wrong");
    gate.open().await;
    assert!(rebuild.wait(SOON).success());
    assert_eq!(house.psql(NOTES), "a=two b=one");
    house.same();
}

#[test]
fn another_group_that_has_applied_it_counts() {
    let house = House::new("rb_groups");
    house.psql(PICKY);
    house.note("a", "bad");
    house.pipeline.settle();
    assert_eq!(house.count("lifestream.parked"), 1);
    house.psql("CREATE TABLE lenient ()");
    house.pipeline.run(&["materializer", "--group", "materializer-v2", "--until-idle"]);
    assert_eq!(house.psql(NOTES), "a=bad");
    house.same();
}
