//! One event in a thousand is poison: it parks with its error and can be tried again, the others flow as if nothing were.

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Postgres, eventually};

use crate::parts::{BRIDGE, MATERIALIZER, Parts};
use crate::stage::{SOON, Stage, kafka};

#[tokio::test(flavor = "multi_thread")]
async fn one_in_a_thousand_parks_with_its_error_and_the_others_flow() {
    let stage = Stage::new("poison", Postgres::shared(), kafka());
    let parts = Parts::start(&stage, [BRIDGE, MATERIALIZER].map(|role| (role, Vec::new())));
    let load = stage.load(LoadOptions { writers: 1, pace: Duration::from_millis(20), rare: 0 });
    eventually(SOON, "it flows", || stage.count("public.applied") > 0);
    let bulk = "SELECT count(lifestream.emit_event(CASE WHEN i % 1000 = 500 THEN 'load.poison' ELSE 'load.done' END, 'bulk', \
        CASE WHEN i % 1000 IN (500, 700) THEN 'poisoned-' || i / 1000 ELSE 'bulk-' || i % 50 END, '{}')) FROM generate_series(1, 5000) i";
    stage.psql(bulk);
    eventually(SOON, "all but the poisoned subjects have had their effect", || stage.behind() == 10);
    let parked =
        "SELECT count(*) FILTER (WHERE behind IS NULL), count(*) FROM lifestream.parked WHERE stage = 'materializer'";
    assert_eq!(stage.psql(parked), "5|10");
    let told = "SELECT count(*) FROM lifestream.parked WHERE behind IS NULL AND error LIKE '%poison: poisoned-%'";
    assert_eq!(stage.psql(told), "5");

    // Poison again, a little at a time, while single events pass: how long do they take?
    stage.psql("UPDATE public.applied SET late = NULL");
    for _ in 0..10 {
        stage.psql("SELECT lifestream.emit_event('load.poison', 'bulk', 'poisoned-' || gen_random_uuid(), '{}')");
        load.more(20).await;
    }
    let half = "SELECT extract(epoch FROM percentile_disc(0.5) WITHIN GROUP (ORDER BY late)) * 1000 FROM public.applied WHERE late IS NOT NULL";
    let milliseconds: f64 = stage.psql(half).parse().unwrap();
    println!("half of the others took no more than {milliseconds} ms");
    assert!(milliseconds < 2_000.0, "{milliseconds} ms, on however busy a machine");

    // Mended, all of it comes after all, in order.
    stage.assert_nothing_wrong(load).await;
    parts.stop();
}
