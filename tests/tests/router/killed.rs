//! A router that is killed at each of its steps, and started again: the same work, each piece under one id.

use std::collections::{BTreeMap, BTreeSet};

use lifestream_envelope::ids;
use lifestream_tests::eventually;
use serde_json::{Value, json};

use crate::bench::{Bench, SOON, link, work_message};

const STEPS: [&str; 6] =
    ["router.read", "router.produced", "router.stored", "router.committed", "retry.produced", "retry.deleted"];

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_it_makes_the_same_work_once_for_an_agent() {
    for step in STEPS {
        let bench = Bench::new(&format!("router_{}", step.replace('.', "_"))).await;
        let (mut expected, mut letters) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..60 {
            let subject = format!("link:{number}");
            let trigger = bench.emit("link.added", &subject, &link(number));
            expected.insert(ids::work_id(trigger, "fetch_link", 1).to_string());
            match number % 3 {
                0 => {
                    let request = json!({ "work_message": work_message(trigger, "fetch_link", &subject, 3) });
                    bench.emit("work.retry_requested", &subject, &request);
                    expected.insert(ids::work_id(trigger, "fetch_link", 4).to_string());
                }
                1 => {
                    let work = work_message(trigger, "fetch_link", &subject, 3);
                    letters.insert(ids::dead_letter_id("fetcher", ids::work_id(trigger, "fetch_link", 3)).to_string());
                    bench.fail(&work, &json!({}));
                }
                _ => {}
            }
        }
        bench.publish().await;

        let mut environment = bench.pipeline.environment();
        environment.push(("LIFESTREAM_FAILPOINT".to_owned(), step.to_owned()));
        let mut doomed = lifestream_tests::Program::spawn(&["router"], &environment);
        eventually(SOON, &format!("it ends at {step}"), || !doomed.is_running());
        assert!(doomed.log().contains(&format!("ending at {step}")), "{}", doomed.log());
        bench.route().await;
        // What it emitted comes by as well.
        bench.publish().await;
        bench.route().await;

        let mut messages: BTreeMap<String, Value> = BTreeMap::new();
        let work = bench.work("fetch_link");
        let repeats = work.len() - expected.len();
        for mut work in work {
            // The only member that tells when it was made.
            work["created_at"] = Value::Null;
            let id = work["id"].as_str().unwrap().to_owned();
            let first = messages.entry(id).or_insert_with(|| work.clone());
            assert_eq!(*first, work, "{step}: one id, two messages");
        }
        assert_eq!(messages.into_keys().collect::<BTreeSet<_>>(), expected, "{step}");
        let emitted = bench.psql("SELECT id FROM lifestream.events WHERE event_type = 'work.dead_lettered'");
        assert_eq!(emitted.lines().map(str::to_owned).collect::<BTreeSet<_>>(), letters, "{step}");
        let given_up: BTreeSet<String> =
            bench.records("dead_letter").iter().map(|record| record.header("event_id").unwrap().to_owned()).collect();
        assert_eq!(given_up, letters, "{step}");
        assert_eq!(bench.count("lifestream.pending_retries"), 0, "{step}");
        assert!(step != "retry.produced" || repeats > 0, "{step}: it ended before it had sent anything");
        println!("killed at {step}: {} pieces of work, {repeats} of them sent twice under their id", expected.len());
    }
}
