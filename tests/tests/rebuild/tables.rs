//! Tables of every kind.

use crate::house::House;

#[test]
fn tables_without_a_key_with_made_values_and_with_keys_to_each_other_become_what_they_should() {
    let house = House::new("rb_tables");
    house.psql(
        r#"CREATE SCHEMA "My Things";
           CREATE TABLE "My Things".child (id text PRIMARY KEY, parent text NOT NULL, twice int GENERATED ALWAYS AS (length(id) * 2) STORED);
           CREATE TABLE "My Things".parent (id text PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, "Upper Case" json, noted timestamptz DEFAULT now());
           ALTER TABLE "My Things".child ADD FOREIGN KEY (parent) REFERENCES "My Things".parent;
           CREATE TABLE "My Things".log (place serial, what text DEFAULT 'CURRENT_USER now()', at timestamptz DEFAULT clock_timestamp());
           CREATE TABLE "My Things".parts (id text, day date, n numeric, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
           CREATE TABLE "My Things".parts_1 PARTITION OF "My Things".parts FOR VALUES FROM ('2000-01-01') TO ('2100-01-01');
           CREATE TABLE "My Things".touched (what text);
           CREATE FUNCTION "My Things".touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO "My Things".touched VALUES (TG_OP || coalesce(NEW.id, OLD.id)); RETURN NULL; END $$;
           CREATE FUNCTION "My Things"."Keep It"(e lifestream.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO parent (id, "Upper Case") VALUES (e.subject_id, (e.payload::json)) ON CONFLICT DO NOTHING;
             INSERT INTO child (id, parent) VALUES (e.id::text, e.subject_id) ON CONFLICT DO NOTHING;
             IF NOT EXISTS (SELECT FROM log WHERE what = e.id::text) THEN
               INSERT INTO log (what) VALUES (e.id), ('line') ; END IF;
             INSERT INTO parts VALUES (e.subject_id, '2026-01-01', 1.50) ON CONFLICT DO NOTHING; END $$;
           SELECT lifestream.add_projection('test.things', '"My Things"."Keep It"', ARRAY['"My Things".child', '"My Things".parent', '"My Things".log', '"My Things".parts']::regclass[])"#,
    );
    for n in 1..=4 {
        house.emit("test.things", &format!("s{n}"), r#"{"n":1.50}"#);
    }
    house.pipeline.settle();
    house.same();
    house.psql(
        r#"CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE ON "My Things".parent FOR EACH ROW EXECUTE FUNCTION "My Things".touch();
           DELETE FROM "My Things".child WHERE parent = 's1'; DELETE FROM "My Things".parent WHERE id = 's1';
           INSERT INTO "My Things".parent (id) VALUES ('s9'); INSERT INTO "My Things".child (id, parent) VALUES ('c9', 's9');
           UPDATE "My Things".parent SET "Upper Case" = '{}', noted = now() - interval '1 day' WHERE id = 's2';
           UPDATE "My Things".parent SET noted = NULL WHERE id = 's3';
           DELETE FROM "My Things".log WHERE place IN (SELECT max(place) FROM "My Things".log WHERE what = 'line');
           INSERT INTO "My Things".log (what) VALUES ('never');
           UPDATE "My Things".parts SET n = 1.5 WHERE id = 's4';
           TRUNCATE "My Things".touched"#,
    );
    let told = house.try_rebuild(&["test.things", "--dry-run", "--json"]);
    assert_eq!(told.status.code(), Some(3), "{}", told.stderr);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let counts = |table: &str| {
        let tables = told["tables"].as_array().unwrap();
        let found = tables.iter().find(|found| found["table"] == format!("\"My Things\".{table}")).unwrap();
        (found["added"].as_u64(), found["changed"].as_u64(), found["removed"].as_u64())
    };
    assert_eq!(counts("parent"), (Some(1), Some(1), Some(1)));
    assert_eq!(counts("child"), (Some(1), Some(0), Some(1)));
    assert_eq!(counts("log"), (Some(1), Some(0), Some(1)));
    assert_eq!(counts("parts"), (Some(0), Some(1), Some(0)));

    house.rebuild("\"Keep It\"");
    house.same();
    assert_eq!(
        house.psql(r#"SELECT string_agg(id || ' ' || "Upper Case", ' ' ORDER BY id) FROM "My Things".parent"#),
        r#"s1 {"n": 1.50} s2 {"n": 1.50} s3 {"n": 1.50} s4 {"n": 1.50}"#
    );
    assert_eq!(house.psql(r#"SELECT count(*), count(DISTINCT place) FROM "My Things".log"#), "8|8");
    assert_eq!(house.psql(r#"SELECT count(*) FROM "My Things".child WHERE twice = length(id) * 2"#), "4");
    assert_eq!(house.psql(r#"SELECT n FROM "My Things".parts WHERE id = 's4'"#), "1.50");
    // Triggers of the user's fire for what differed, and for nothing else.
    assert_eq!(
        house.psql(r#"SELECT string_agg(what, ' ' ORDER BY what) FROM "My Things".touched"#),
        "DELETEs9 INSERTs1 UPDATEs2"
    );
    assert_eq!(house.psql(r#"SELECT noted IS NULL FROM "My Things".parent WHERE id = 's3'"#), "t");
}
