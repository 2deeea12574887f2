//! Projections that people add.

use lifestream_tests::eventually;

use crate::bench::{Bench, SOON, event, link};

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_in_a_schema_of_its_own_is_taken_up_while_running() {
    let bench = Bench::new("mat_projection").await;
    let member = bench.start();
    bench.produce(&[event(1, "note.created", "note:1", "{}"), link(2, "link:a")]);
    eventually(SOON, "the first two are taken in", || bench.count("lifestream.event_ingest_dedupe") == 2);

    bench.psql(
        r#"CREATE SCHEMA "My app";
        CREATE TABLE "My app".words (event_id uuid PRIMARY KEY, words int, links bigint);
        -- Tables unqualified: its own schema's, then lifestream's.
        CREATE FUNCTION "My app".count_words(e lifestream.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO words VALUES (e.id, cardinality(string_to_array(e.payload ->> 'text', ' ')), (SELECT count(*) FROM links))
            ON CONFLICT DO NOTHING;
        END $$;
        CREATE FUNCTION "My app".second(e lifestream.events) RETURNS void LANGUAGE sql AS
            $$ UPDATE "My app".words SET words = words * 10 WHERE event_id = e.id $$;
        SELECT lifestream.add_projection('note.created', '"My app".count_words', '{"\"My app\".words"}');"#,
    );
    bench.produce(&[event(3, "note.created", "note:1", r#"{"text":"four words in here"}"#)]);
    eventually(SOON, "the new projection is called", || {
        bench.psql(r#"SELECT words, links FROM "My app".words"#) == "4|1"
    });

    // Two for one type, and a type with a built-in projection gets one more.
    bench.psql(r#"SELECT lifestream.add_projection('note.created', '"My app".second'), lifestream.add_projection('link.added', '"My app".count_words')"#);
    bench.produce(&[event(4, "note.created", "note:1", r#"{"text":"a b"}"#), link(5, "link:b")]);
    eventually(SOON, "both are called", || bench.count("\"My app\".words") == 3);
    assert_eq!(bench.psql(r#"SELECT string_agg(words::text, ',' ORDER BY event_id) FROM "My app".words"#), "4,20");
    assert_eq!(bench.count("lifestream.links"), 2);

    bench.psql(r#"SELECT lifestream.drop_projection('note.created', '"My app".count_words')"#);
    bench.produce(&[event(6, "note.created", "note:1", r#"{"text":"gone"}"#)]);
    eventually(SOON, "it is taken in", || bench.count("lifestream.event_ingest_dedupe") == 6);
    assert_eq!(bench.count("\"My app\".words"), 3);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_whose_function_is_gone_parks_its_own_events_only() {
    let bench = Bench::new("mat_gone").await;
    bench.psql(
        "CREATE FUNCTION public.passing(e lifestream.events) RETURNS void LANGUAGE sql AS '';
         SELECT lifestream.add_projection('note.created', 'public.passing'); DROP FUNCTION public.passing(lifestream.events)",
    );
    bench.produce(&[event(1, "note.created", "note:1", "{}"), link(2, "link:a")]);
    bench.settle().await;
    assert_eq!(bench.count("lifestream.links"), 1);
    let error = bench.psql("SELECT error FROM lifestream.parked");
    assert!(error.contains("public.passing does not exist"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_constraint_parks_the_event_that_breaks_it() {
    let bench = Bench::new("mat_deferred").await;
    bench.psql(
        "CREATE TABLE public.people (id text PRIMARY KEY);
         CREATE TABLE public.pets (id uuid PRIMARY KEY, owner text REFERENCES people DEFERRABLE INITIALLY DEFERRED);
         CREATE FUNCTION public.pet(e lifestream.events) RETURNS void LANGUAGE sql AS
            $$ INSERT INTO pets VALUES (e.id, e.payload ->> 'owner') ON CONFLICT DO NOTHING $$;
         SELECT lifestream.add_projection('pet.adopted', 'public.pet', '{public.pets}'); INSERT INTO people VALUES ('ann')",
    );
    let records: Vec<_> = (1..=9)
        .map(|seq| {
            let owner = if seq == 5 { "nobody" } else { "ann" };
            event(seq, "pet.adopted", &format!("pet:{seq}"), &format!(r#"{{"owner":"{owner}"}}"#))
        })
        .collect();
    bench.produce(&records);
    bench.settle().await;
    assert_eq!((bench.count("public.pets"), bench.psql("SELECT seq FROM lifestream.parked")), (8, "5".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_becomes_something_else_parks_its_own_events_only() {
    let bench = Bench::new("mat_changed").await;
    bench.psql(
        "CREATE FUNCTION keep(a lifestream.events, b lifestream.events) RETURNS lifestream.events LANGUAGE sql AS 'SELECT b';
         CREATE FUNCTION steady(e lifestream.events) RETURNS void LANGUAGE sql AS '';
         SELECT lifestream.add_projection('other.type', 'public.steady')",
    );
    let changes = [
        "",
        "CREATE FUNCTION changing(e lifestream.events) RETURNS SETOF void LANGUAGE sql AS ''",
        "CREATE AGGREGATE changing(lifestream.events) (SFUNC = keep, STYPE = lifestream.events)",
        "CREATE PROCEDURE changing(e lifestream.events) LANGUAGE sql AS ''",
    ];
    for (change, first) in changes.iter().zip((1..).step_by(7)) {
        let at = |seq: i64| {
            let event_type = if seq % 7 == 3 || seq % 7 == 6 { "note.created" } else { "other.type" };
            event(seq, event_type, &format!("subject:{seq}"), "{}")
        };
        let done = |upto| {
            let what = format!("{upto} are applied or parked after: {change}");
            eventually(SOON, &what, || {
                bench.count("lifestream.event_ingest_dedupe") + bench.count("lifestream.parked") == upto
            });
        };
        bench.psql(
            "CREATE FUNCTION changing(e lifestream.events) RETURNS void LANGUAGE sql AS '';
             SELECT lifestream.add_projection('note.created', 'public.changing')",
        );
        let member = bench.start();
        bench.produce(&[at(first)]);
        done(first);
        // While a member runs, and before one starts.
        bench.psql(&format!("DROP ROUTINE changing; {change}"));
        bench.produce(&[at(first + 1), at(first + 2), at(first + 3)]);
        done(first + 3);
        member.stop().await;
        bench.produce(&[at(first + 4), at(first + 5), at(first + 6)]);
        let member = bench.start();
        done(first + 6);
        member.stop().await;
        bench.psql("DROP ROUTINE IF EXISTS changing(lifestream.events)");
    }
    assert_eq!(bench.psql("SELECT event_type, count(*) FROM lifestream.parked GROUP BY 1"), "note.created|8");
}
