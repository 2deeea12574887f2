//! Who may rebuild.

use lifestream_tests::{Finished, Program};

use crate::house::{House, KEEP_NOTE, NOTES};

/// Rebuilds as a role of its own, a member of these.
fn rebuild_as(house: &House, role: &str, memberships: &str) -> Finished {
    house.psql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'p' IN ROLE {memberships}"));
    let mut environment = house.pipeline.environment();
    for (name, value) in &mut environment {
        if name == "DATABASE_URL" {
            let (_, server) = value.split_once('@').unwrap();
            *value = format!("postgresql://{role}:p@{server}");
        }
    }
    Program::run_with(&["rebuild", "all"], &environment, b"")
}

#[test]
fn an_administrator_may_and_an_emitter_may_not() {
    let house = House::new("rb_roles");
    house.psql(KEEP_NOTE);
    house.psql("GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO lifestream_agent");
    house.note("a", "one");
    house.pipeline.settle();
    house.psql("UPDATE notes SET text = 'wrong'");
    for (role, memberships) in
        [("rb_emitter", "lifestream_emitter"), ("rb_reader", "lifestream_reader, lifestream_bridge")]
    {
        let finished = rebuild_as(&house, role, memberships);
        assert_eq!(finished.status.code(), Some(1));
        assert!(finished.stderr.contains("lifestream_admin"), "{}", finished.stderr);
    }
    assert_eq!(house.psql(NOTES), "a=wrong");
    let finished = rebuild_as(&house, "rb_admin", "lifestream_admin");
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!(house.psql(NOTES), "a=one");
    // A policy that hides rows would have them added again.
    house.psql(
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON notes USING (id = 'x'); \
         UPDATE notes SET text = 'wrong'",
    );
    let finished = rebuild_as(&house, "rb_admin_2", "lifestream_admin");
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.contains("query would be affected by row-level security policy"), "{}", finished.stderr);
    house.psql("DROP OWNED BY rb_emitter, rb_reader, rb_admin, rb_admin_2; DROP ROLE rb_emitter, rb_reader, rb_admin, rb_admin_2");
}
