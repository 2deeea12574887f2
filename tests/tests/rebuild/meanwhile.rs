//! What comes while a rebuild is under way.

use lifestream_tests::eventually;

use crate::gate::Gate;
use crate::house::{House, KEEP_NOTE, NOTES, SOON};

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_number_that_commits_late_is_in_it_and_so_is_what_comes_after() {
    let house = House::new("rb_late_seq");
    house.psql(KEEP_NOTE);
    // It has its number, and commits when the rebuild has read on.
    let mut late = house.pipeline.database.connect().await;
    let transaction = late.transaction().await.unwrap();
    transaction.execute("SELECT emit_event('note.created', 'note', 'late', '{\"text\":\"late\"}')", &[]).await.unwrap();
    house.note("a", "before");
    house.pipeline.settle();
    let gate = Gate::shut(&house).await;
    // Wrong in the state, so that there is something to write.
    house.psql("UPDATE notes SET text = 'wrong'");
    let rebuild = gate.reached(&house, "keep_note");
    transaction.commit().await.unwrap();
    house.note("b", "meanwhile");
    house.pipeline.settle();
    assert_eq!(house.psql(NOTES), "a=wrong b=meanwhile late=late");
    gate.open().await;
    let log = rebuild.shared_log();
    assert!(rebuild.wait(SOON).success(), "{}", log());
    assert_eq!(house.psql(NOTES), "a=before b=meanwhile late=late");
    house.same();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_a_batch_that_a_materializer_has_under_way() {
    let house = House::new("rb_batch");
    house.psql(KEEP_NOTE);
    house.note("a", "one");
    house.pipeline.settle();
    // A member's transaction, as far as it matters: offsets first, then state.
    let mut member = house.pipeline.database.connect().await;
    let batch = member.transaction().await.unwrap();
    batch.batch_execute("UPDATE lifestream.kafka_offsets SET updated_at = now()").await.unwrap();
    house.note("b", "two");
    batch.batch_execute("INSERT INTO notes VALUES ('b', 'two', 2)").await.unwrap();
    let rebuild = house.start("keep_note");
    eventually(SOON, "the rebuild asks for the offsets", || {
        house
            .psql("SELECT count(*) FROM pg_locks WHERE relation = 'lifestream.kafka_offsets'::regclass AND NOT granted")
            == "1"
    });
    batch.commit().await.unwrap();
    let log = rebuild.shared_log();
    assert!(rebuild.wait(SOON).success(), "{}", log());
    assert_eq!(house.psql(NOTES), "a=one b=two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_materializer_that_must_wait_longer_than_its_statements_may_last_parks_nothing_and_goes_on() {
    let mut house = House::new("rb_waits");
    house.psql(KEEP_NOTE);
    house.note("a", "one");
    house.pipeline.settle();
    // A swap that lasts as long as somebody wants it to.
    house.psql(
        "UPDATE notes SET text = 'wrong'; \
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF current_setting('application_name') = 'lifestream rebuild' THEN PERFORM pg_advisory_xact_lock_shared(4712); END IF; \
           RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let key = house.pipeline.database.connect().await;
    key.execute("SELECT pg_advisory_lock(4712)", &[]).await.unwrap();
    let rebuild = house.start("keep_note");
    let stands = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4712 AND NOT granted";
    eventually(SOON, "the rebuild is in its swap", || house.psql(stands) == "1");
    let url = format!("{}?options=-c%20statement_timeout%3D3s", house.pipeline.database.url());
    house.pipeline.settings.push(("DATABASE_URL".to_owned(), url));
    let member = house.pipeline.spawn(&["materializer"]);
    house.note("a", "two");
    house.note("b", "three");
    house.pipeline.run(&["bridge", "--until-idle"]);
    eventually(SOON, "the materializer's statement was cancelled", || member.log().contains("57014"));
    assert_eq!(house.psql(NOTES), "a=wrong", "readers see the state before");
    key.execute("SELECT pg_advisory_unlock(4712)", &[]).await.unwrap();
    assert!(rebuild.wait(SOON).success());
    eventually(SOON, "it goes on", || house.psql(NOTES) == "a=two b=three");
    assert_eq!(house.count("lifestream.parked"), 0);
    house.same();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_is_refused_by_name_and_a_dry_run_too() {
    let house = House::new("rb_two");
    house.psql(KEEP_NOTE);
    house.note("a", "one");
    house.pipeline.settle();
    let gate = Gate::shut(&house).await;
    let first = gate.reached(&house, "keep_note");
    for arguments in [&["all"][..], &["all", "--dry-run"]] {
        let second = house.try_rebuild(arguments);
        assert_eq!(second.status.code(), Some(1));
        assert!(
            second.stderr.contains("`lifestream rebuild` is running already (from 127.0.0.1, server process "),
            "{}",
            second.stderr
        );
    }
    gate.open().await;
    assert!(first.wait(SOON).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn projections_that_change_under_it_end_it() {
    let house = House::new("rb_changed");
    house.psql(KEEP_NOTE);
    house.note("a", "one");
    house.pipeline.settle();
    let gate = Gate::shut(&house).await;
    house.psql("DELETE FROM notes");
    let rebuild = gate.reached(&house, "keep_note");
    house.psql("CREATE OR REPLACE FUNCTION keep_note(e lifestream.events) RETURNS void LANGUAGE sql AS $$ SELECT $$");
    gate.open().await;
    let log = rebuild.shared_log();
    assert_eq!(rebuild.wait(SOON).code(), Some(1));
    assert!(log().contains("projections were added, dropped or changed"), "{}", log());
    assert_eq!(house.psql(NOTES), "");
}
