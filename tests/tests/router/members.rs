//! Several routers at once: they share partitions and what is due, and nothing is left out.

use std::collections::BTreeSet;

use lifestream_envelope::ids;
use lifestream_tests::eventually;
use uuid::Uuid;

use crate::bench::{Bench, SOON, work_message};

#[tokio::test(flavor = "multi_thread")]
async fn two_routers_send_each_due_retry_once() {
    let bench = Bench::new("router_two_due").await;
    let work = work_message(Uuid::nil(), "fetch_link", "link:x", 2).to_string();
    bench.psql(&format!(
        "INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
         SELECT i.id, 'fetch_link', '', 'link:' || n, 2, now(), 'retry',
                '{work}'::jsonb || jsonb_build_object('id', i.id, 'subject_id', 'link:' || n, 'triggered_by_event_id', gen_random_uuid())
         FROM generate_series(1, 5000) n, LATERAL (SELECT gen_random_uuid() AS id WHERE n > 0) i",
    ));
    let waiting: BTreeSet<String> =
        bench.psql("SELECT work_id FROM lifestream.pending_retries").lines().map(str::to_owned).collect();
    let routers = [bench.start(), bench.start()];
    eventually(SOON, "all are sent", || bench.count("lifestream.pending_retries") == 0);
    for router in routers {
        router.stop().await;
    }
    let sent: Vec<String> =
        bench.work("fetch_link").iter().map(|work| work["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sent.len(), 5000);
    assert_eq!(sent.into_iter().collect::<BTreeSet<_>>(), waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn routers_come_and_go_and_every_event_becomes_its_work() {
    let bench = Bench::new("router_rebalance").await;
    let mut routers = vec![bench.start()];
    for round in 0..6 {
        bench.psql(&format!(
            "SELECT count(lifestream.emit_event('link.added', 'link', 'link:{round}-' || n, jsonb_build_object('url', 'https://example.org/' || n)))
             FROM generate_series(1, 500) n"
        ));
        bench.publish().await;
        if round % 2 == 0 {
            routers.push(bench.start());
        } else {
            routers.remove(0).stop().await;
        }
    }
    let expected: BTreeSet<String> = bench
        .psql("SELECT id FROM lifestream.events WHERE event_type = 'link.added'")
        .lines()
        .map(|id| ids::work_id(id.parse().unwrap(), "fetch_link", 1).to_string())
        .collect();
    let sent = || -> BTreeSet<String> {
        bench.work("fetch_link").iter().map(|work| work["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(expected.len(), 3000);
    eventually(SOON, "all is routed", || sent().len() >= expected.len());
    for router in routers {
        router.stop().await;
    }
    assert_eq!(sent(), expected);
}
