//! Routes that cannot be asked, and those that could go on for ever.

use lifestream_tests::eventually;
use serde_json::json;

use crate::bench::{Bench, SOON, all};

const GIVEN_UP: &str = "lifestream.events WHERE event_type = 'work.dead_lettered'";

#[tokio::test(flavor = "multi_thread")]
async fn a_route_whose_function_comes_back_is_taken_up_by_the_running_router() {
    let bench = Bench::new("router_mended").await;
    let function = "CREATE FUNCTION public.wanted(e lifestream.events) RETURNS boolean LANGUAGE sql AS 'SELECT true';";
    bench.psql(&format!(
        "{function} SELECT lifestream.add_route('doc.added', 'guarded', 'public.wanted'); DROP FUNCTION public.wanted"
    ));
    let router = bench.start();
    bench.emit("doc.added", "doc:1", &json!({}));
    bench.publish().await;
    eventually(SOON, "its work is given up", || bench.count(GIVEN_UP) == 1);
    bench.psql(function);
    bench.emit("doc.added", "doc:2", &json!({}));
    bench.publish().await;
    eventually(SOON, "the next event is routed", || bench.work("guarded").len() == 1 || bench.count(GIVEN_UP) > 1);
    router.stop().await;
    assert_eq!((all(&bench.work("guarded"), "subject_id"), bench.count(GIVEN_UP)), (vec!["doc:2"], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_map_would_have_made_something_of_is_never_sent_as_it_is() {
    let bench = Bench::new("router_lost_map").await;
    let function = "CREATE FUNCTION public.short(e lifestream.events) RETURNS jsonb LANGUAGE sql AS
        $$ SELECT jsonb_build_object('size', e.payload -> 'size') $$;";
    bench.psql(&format!(
        "{function} SELECT lifestream.add_route('doc.added', 'mapped', NULL, 'public.short'); DROP FUNCTION public.short"
    ));
    bench.emit("doc.added", "doc:1", &json!({ "size": 7, "secret": "s" }));
    let round = async || {
        bench.publish().await;
        bench.route().await;
        bench.publish().await;
        bench.materialize().await;
    };
    let retry = || {
        bench.psql("SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters WHERE status = 'open'");
    };
    let open = "SELECT attempt, error, work_message -> 'payload' FROM lifestream.dead_letters WHERE status = 'open'";
    let omitted = "|{\"lifestream_payload_omitted\": true}";
    round().await;
    assert_eq!(bench.psql(open), format!("1|payload map public.short does not exist{omitted}"));
    // Retried while the map is still away, it is given up again.
    retry();
    round().await;
    assert_eq!(bench.psql(open), format!("2|payload map public.short does not exist{omitted}"));
    // And while another route makes work of that type, but none of such an event.
    bench.psql("SELECT lifestream.drop_route('doc.added', 'mapped'), lifestream.add_route('note.created', 'mapped')");
    retry();
    round().await;
    assert_eq!(
        bench.psql(open),
        format!("3|its payload was left out, and no route leads from its event to such work any more{omitted}")
    );
    assert_eq!(bench.work("mapped").len(), 0);

    bench.psql(&format!("{function} SELECT lifestream.add_route('doc.added', 'mapped', NULL, 'public.short')"));
    retry();
    round().await;
    let work = bench.work("mapped");
    assert_eq!(work.len(), 1, "{work:?}");
    assert_eq!((&work[0]["payload"], &work[0]["attempt"]), (&json!({ "size": 7 }), &json!(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_on_dead_letters_is_not_told_of_what_such_routes_have_made() {
    let bench = Bench::new("router_self_feeding").await;
    bench.psql(
        "CREATE FUNCTION public.broken(e lifestream.events) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
         SELECT lifestream.add_route('doc.added', 'index_doc', 'public.broken');
         SELECT lifestream.add_route('work.dead_lettered', 'notify', 'public.broken');
         SELECT lifestream.add_route('work.dead_lettered', 'page')",
    );
    let rounds = async || {
        for _ in 0..4 {
            bench.publish().await;
            bench.route().await;
        }
    };
    bench.emit("doc.added", "doc:1", &json!({}));
    rounds().await;
    let given_up =
        format!("SELECT string_agg(payload -> 'work_message' ->> 'work_type', ',' ORDER BY seq) FROM {GIVEN_UP}");
    assert_eq!(bench.psql(&given_up), "index_doc,notify");
    let pages = bench.work("page");
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(pages[0]["payload"]["work_message"]["work_type"], "index_doc");
    // An agent that gives such work up is no news for the other route either.
    bench.fail(&pages[0], &json!({ "permanent": true }));
    rounds().await;
    assert_eq!(bench.psql(&given_up), "index_doc,notify,page");
    assert_eq!(bench.work("page").len(), 1);
    // All of them are in the topic of the dead letters.
    assert_eq!(bench.records("dead_letter").len(), 3);
}
