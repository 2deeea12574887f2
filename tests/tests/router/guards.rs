//! Whatever a guard raises is the trouble of the work that it was asked about, and of no other.

use std::time::Duration;

use lifestream_tests::eventually;
use serde_json::json;

use crate::bench::{Bench, SOON, all, due, work_message};

/// A connection, a wrong state, a lock, memory, a limit, an operator, a disk: what a server in trouble says, and a guard
/// may say as well.
const CODES: [&str; 12] =
    ["08006", "25006", "40001", "40P01", "53200", "53400", "55000", "55P03", "57014", "57P01", "58030", "XX000"];

#[tokio::test(flavor = "multi_thread")]
async fn what_sounds_like_the_servers_own_trouble_stops_neither_router_nor_dispatcher() {
    let bench = Bench::new("router_server_like").await;
    bench.psql(
        "CREATE FUNCTION public.sounds(e lifestream.events) RETURNS boolean LANGUAGE plpgsql AS $$
         BEGIN
            IF e.payload ? 'code' THEN RAISE EXCEPTION 'no %', e.subject_id USING ERRCODE = e.payload ->> 'code'; END IF;
            RETURN true;
         END $$;
         CREATE MATERIALIZED VIEW public.nothing_yet AS SELECT 'x' AS subject_id WITH NO DATA;
         GRANT SELECT ON public.nothing_yet TO PUBLIC;
         CREATE FUNCTION public.reads(e lifestream.events) RETURNS boolean LANGUAGE sql AS
            $$ SELECT NOT EXISTS (SELECT FROM public.nothing_yet n WHERE n.subject_id = e.subject_id) $$;
         SELECT lifestream.add_route('doc.added', 'check_doc', 'public.sounds');
         SELECT lifestream.add_route('page.added', 'read_page', 'public.reads')",
    );
    for (number, code) in CODES.into_iter().enumerate() {
        bench.emit("doc.added", &format!("doc:{code}"), &json!({ "code": code }));
        bench.emit("doc.added", &format!("doc:{number}"), &json!({}));
        bench.emit("page.added", &format!("page:{number}"), &json!({}));
    }
    bench.publish().await;
    tokio::time::timeout(SOON, bench.route()).await.expect("the router goes on");
    let healthy = bench.work("check_doc");
    assert_eq!(healthy.len(), CODES.len());
    assert!(all(&healthy, "subject_id").iter().all(|subject| subject.len() <= 6), "{healthy:?}");
    let letters = |work_type: &str| {
        bench.psql(&format!(
            "SELECT subject_id || ' ' || (payload ->> 'error') FROM lifestream.events
             WHERE event_type = 'work.dead_lettered' AND payload -> 'work_message' ->> 'work_type' = '{work_type}' ORDER BY 1"
        ))
    };
    let told = letters("check_doc");
    assert_eq!(told.lines().count(), CODES.len(), "{told}");
    for (line, code) in told.lines().zip(CODES) {
        assert!(line.starts_with(&format!("doc:{code} no doc:{code} ({code})")), "{line}");
    }
    let told = letters("read_page");
    assert_eq!(told.lines().count(), CODES.len(), "{told}");
    assert!(told.lines().all(|line| line.contains("has not been populated (55000)")), "{told}");

    // The dispatcher asks as well.
    let trigger =
        bench.psql("SELECT id FROM lifestream.events WHERE subject_id = 'doc:55000' AND event_type = 'doc.added'");
    due(&bench, &work_message(trigger.parse().unwrap(), "check_doc", "doc:55000", 2), "doc:55000");
    let good = bench.psql("SELECT id FROM lifestream.events WHERE subject_id = 'doc:1'");
    due(&bench, &work_message(good.parse().unwrap(), "check_doc", "doc:1", 2), "doc:1");
    tokio::time::timeout(SOON, bench.route()).await.expect("the dispatcher goes on");
    assert_eq!(bench.work("check_doc").len(), CODES.len() + 1);
    assert_eq!(letters("check_doc").lines().filter(|line| line.starts_with("doc:55000 ")).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_looks_for_the_guilty_one_stops_when_it_is_told_to() {
    let bench = Bench::new("router_told_to_stop").await;
    // Asking all of them one by one takes minutes.
    bench.psql(
        "CREATE FUNCTION public.slow(e lifestream.events) RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep(0.5); RAISE 'no'; END $$;
         SELECT lifestream.add_route('doc.added', 'check_doc', 'public.slow');
         SELECT count(lifestream.emit_event('doc.added', 'doc', 'doc:' || n, '{}')) FROM generate_series(1, 1000) n",
    );
    bench.publish().await;
    let router = bench.start();
    let asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    eventually(SOON, "the guard is asked", || bench.psql(asked) == "1");
    tokio::time::timeout(Duration::from_secs(10), router.stop()).await.expect("it stops");
    assert_eq!(bench.psql("SELECT count(*) FROM lifestream.events WHERE event_type = 'work.dead_lettered'"), "0");
}

/// As one that waits for a lock, or reads a table without an index. The limit of a statement is the role's own, so that the test
/// is short; a route may take six times that.
#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_hangs_holds_up_its_own_route_for_a_while_and_no_other() {
    let bench = Bench::new("router_hangs").await;
    bench.psql(
        "ALTER DATABASE router_hangs SET statement_timeout = '1s';
         CREATE FUNCTION public.hangs(e lifestream.events) RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep(60); RETURN true; END $$;
         CREATE FUNCTION public.may_hang(e lifestream.events) RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN IF e.payload ? 'hangs' THEN PERFORM pg_sleep(60); END IF; RETURN true; END $$;
         SELECT lifestream.add_route('doc.added', 'check_doc', 'public.hangs');
         SELECT lifestream.add_route('page.added', 'read_page', 'public.may_hang');
         SELECT lifestream.add_route('note.created', 'read_note');
         SELECT count(lifestream.emit_event('doc.added', 'doc', 'doc:' || n, '{}')),
                count(lifestream.emit_event('page.added', 'page', 'page:' || n, CASE WHEN n % 100 = 50 THEN '{\"hangs\": 1}'::jsonb ELSE '{}' END)),
                count(lifestream.emit_event('note.created', 'note', 'note:' || n, '{}')) FROM generate_series(1, 400) n",
    );
    bench.publish().await;
    let begun = std::time::Instant::now();
    tokio::time::timeout(SOON, bench.route()).await.expect("the router goes on");
    // Asked one after the other they would take 400 s and more.
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    // Those of the same route that answer are done; what was given up unasked waits for a person.
    assert_eq!(
        (bench.work("read_note").len(), bench.work("read_page").len(), bench.work("check_doc").len()),
        (400, 396, 0)
    );
    let letters = |like: &str| {
        bench.psql(&format!(
            "SELECT count(*) FROM lifestream.events WHERE event_type = 'work.dead_lettered' AND payload ->> 'error' LIKE '{like}'"
        ))
    };
    assert_eq!(letters("%").as_str(), "404");
    assert!(letters("not asked: %").parse::<u32>().unwrap() > 300, "{}", letters("not asked: %"));
    let timeouts = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lifestream router'";
    assert_eq!(bench.psql(timeouts), "0");
}
