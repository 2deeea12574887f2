//! What a rebuild puts right, and what it leaves alone.

use crate::house::{House, KEEP_NOTE, NOTES};

#[test]
fn what_differs_is_told_and_then_put_right_and_no_other_row_is_touched() {
    let house = House::new("rb_repair");
    for n in 1..=5 {
        house.emit("link.added", &format!("link:{n}"), &format!(r#"{{"url":"https://example.org/{n}","tags":["t"]}}"#));
    }
    house.pipeline.settle();
    house.same();
    house.psql(
        "UPDATE lifestream.links SET url = 'wrong' WHERE subject_id = 'link:2'; \
         DELETE FROM lifestream.tags WHERE subject_id = 'link:3'; \
         INSERT INTO lifestream.tags VALUES ('link:4', 'never', 'user', '', 1, 1); \
         CREATE VIEW urls AS SELECT url FROM lifestream.links; \
         GRANT SELECT ON lifestream.links TO PUBLIC",
    );
    let state = "SELECT (SELECT string_agg(l::text || l.xmin, ' ' ORDER BY subject_id) FROM lifestream.links l) \
                 || (SELECT string_agg(t::text || t.xmin, ' ' ORDER BY t) FROM lifestream.tags t)";
    let (before, untouched) = (
        house.psql(state),
        "SELECT string_agg(l.xmin::text, ' ' ORDER BY subject_id) FROM lifestream.links l WHERE url <> 'wrong' AND subject_id <> 'link:2'",
    );
    let rows = house.psql(untouched);

    let told = house.try_rebuild(&["all", "--dry-run"]);
    assert_eq!(told.status.code(), Some(3), "{}{}", told.stdout, told.stderr);
    assert_eq!((House::row(&told, "lifestream.links"), House::row(&told, "lifestream.tags")), ((0, 1, 0), (1, 0, 1)));
    assert!(told.stdout.contains("lifestream.links: changed: link:2"), "{}", told.stdout);
    assert!(told.stdout.contains("lifestream.tags: removed: link:4, never, user"), "{}", told.stdout);
    assert_eq!(house.psql(state), before, "a dry run changes nothing");

    let done = house.rebuild("link.added");
    assert_eq!((House::row(&done, "lifestream.links"), House::row(&done, "lifestream.tags")), ((0, 1, 0), (1, 0, 1)));
    house.same();
    assert_eq!(house.psql(untouched), rows, "rows that do not differ stay as they are");
    assert_eq!(house.psql("SELECT count(*) FROM urls WHERE url LIKE 'https://example.org/%'"), "5");
    assert_eq!(house.psql("SELECT has_table_privilege('public', 'lifestream.links', 'SELECT')"), "t");
    // Nothing is left of it.
    assert_eq!(
        house.psql("SELECT count(*) FROM pg_class WHERE relname LIKE 'lifestream\\_%' AND relpersistence = 't'"),
        "0"
    );
}

#[test]
fn a_projection_that_is_added_late_gets_the_past_archived_events_too() {
    let house = House::new("rb_late");
    house.note("a", "first");
    house.note("b", "first");
    house.note("a", "second");
    house.pipeline.settle();
    house.archive(2);
    house.psql(KEEP_NOTE);
    house.note("c", "new");
    house.pipeline.settle();
    assert_eq!(house.psql(NOTES), "c=new");
    for name in ["keep_note", "public.keep_note", "note.created"] {
        house.psql("DELETE FROM notes WHERE id <> 'c'");
        let done = house.rebuild(name);
        assert_eq!(House::row(&done, "public.notes"), (2, 0, 0));
        assert_eq!(house.psql(NOTES), "a=second b=first c=new");
    }
    // What was not materialized yet is in the state, and changes nothing when it is.
    house.note("a", "third");
    house.note("d", "new");
    house.rebuild("keep_note");
    assert_eq!(house.psql(NOTES), "a=third b=first c=new d=new");
    house.pipeline.settle();
    assert_eq!(house.psql(NOTES), "a=third b=first c=new d=new");
    house.same();
}
