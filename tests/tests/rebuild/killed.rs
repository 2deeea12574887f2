//! Killed in the midst of it.

use lifestream_tests::{Program, eventually};

use crate::house::{House, KEEP_NOTE, NOTES, SOON};

#[test]
fn killed_before_or_after_the_swap_it_has_changed_nothing_and_the_next_one_does_all() {
    let house = House::new("rb_killed");
    house.psql(KEEP_NOTE);
    house.note("a", "one");
    house.note("b", "two");
    house.pipeline.settle();
    house.psql("UPDATE notes SET text = 'wrong' WHERE id = 'a'; DELETE FROM notes WHERE id = 'b'");
    for place in ["rebuild.filled", "rebuild.swapped"] {
        let mut environment = house.pipeline.environment();
        environment.push(("LIFESTREAM_FAILPOINT".to_owned(), place.to_owned()));
        let finished = Program::run_with(&["rebuild", "all"], &environment, b"");
        assert!(finished.status.code().is_none() && finished.stderr.contains(place), "{}", finished.stderr);
        assert_eq!(house.psql(NOTES), "a=wrong", "{place}");
        eventually(SOON, "nothing is left of it", || {
            house.psql("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == "0"
        });
    }
    house.rebuild("all");
    assert_eq!(house.psql(NOTES), "a=one b=two");
}

#[test]
fn interrupted_it_has_changed_nothing() {
    let house = House::new("rb_interrupted");
    house.psql(KEEP_NOTE);
    house.note("a", "one");
    house.pipeline.settle();
    house.psql("UPDATE notes SET text = 'wrong'");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let gate = runtime.block_on(crate::gate::Gate::shut(&house));
    let rebuild = gate.reached(&house, "all");
    rebuild.signal("INT");
    assert_eq!(rebuild.wait(SOON).code(), Some(130));
    runtime.block_on(gate.open());
    assert_eq!(house.psql(NOTES), "a=wrong");
    house.rebuild("all");
    assert_eq!(house.psql(NOTES), "a=one");
}
