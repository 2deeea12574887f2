//! What every agent has to bear.

use lifestream_envelope::ids;
use lifestream_envelope::work::Work;
use lifestream_tests::{Program, eventually};

use crate::agent::{Bench, MAX_POLL, SOON};

/// A case: panics where the agent does not bear it.
pub type Case = fn(&Bench);

/// Every case, in the order in which they are run.
pub const CASES: &[(&str, Case)] = &[
    ("duplicate delivery", duplicate_delivery),
    ("malformed message", malformed_message),
    ("shutdown in the middle of work", shutdown),
    ("kill and restart at each step", kill_at_each_step),
    ("poison message", poison_message),
    ("outlives max.poll.interval.ms", long_task),
];

/// Every link that the cases are about.
pub const NAMES: &[&str] = &[
    "twice",
    "behind-malformed",
    "slow-shutdown",
    "after-shutdown",
    "kill-received",
    "kill-handled",
    "kill-emitted",
    "kill-committed",
    "poison",
    "behind-poison-1",
    "behind-poison-2",
    "slow-long",
    "behind-long",
];

/// The steps of an agent, after each of which it is killed.
const STEPS: &[&str] = &["received", "handled", "emitted", "committed"];

/// Asks it to end, which it does well.
#[track_caller]
fn stop(agent: Program) {
    let log = agent.shared_log();
    let status = agent.terminate();
    assert!(status.success(), "{status}\n{}", log());
}

/// Another attempt at the same, with the same key: when it is answered, what came before it has been seen.
fn again(work: &Work) -> Work {
    let id = ids::work_id(work.triggered_by_event_id, &work.work_type, 2);
    Work { id, attempt: 2, ..work.clone() }
}

/// The same message again, in one batch and later: one fact, and the world outside sees it once.
fn duplicate_delivery(bench: &Bench) {
    let work = bench.work("twice");
    bench.topic.put([&work, &work, &work]);
    let first = bench.start();
    bench.await_fact(&work);
    stop(first);
    let second = bench.start();
    let last = again(&work);
    bench.topic.put([&work, &work, &last]);
    bench.await_answer(&last);
    stop(second);
    let fact = format!("{}|", bench.agent.fact());
    assert_eq!(bench.answers(&work), [fact.clone(), fact], "one for each attempt");
    assert_eq!(bench.site.visits("twice"), 2, "one for each attempt");
}

/// What is no work message is told as a dead letter, once, and holds nothing up.
fn malformed_message(bench: &Bench) {
    let work = bench.work("behind-malformed");
    let whole = String::from_utf8(work.value().unwrap()).unwrap();
    let type_of = format!("\"work_type\":\"{}\"", work.work_type);
    let malformed: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        whole.replace(&type_of, "\"work_type\":\"another\"").into_bytes(),
        whole.replace(&format!("\"id\":\"{}\"", work.id), "\"id\":7").into_bytes(),
        whole.replace(&type_of, "\"later\":true").into_bytes(),
    ];
    for (value, n) in malformed.iter().zip(0..) {
        bench.topic.put_value(&format!("malformed-{n}"), value);
    }
    bench.topic.put([&work]);
    let agent = bench.start();
    bench.await_fact(&work);
    let topic = format!("work.{}", bench.agent.work_type());
    let records = bench.pipeline.records(&topic);
    let mut found = 0;
    for record in records.iter().filter(|record| record.key().starts_with("malformed-")) {
        let id = ids::malformed_id(bench.agent.group(), &topic, record.partition, record.offset);
        let told = format!(
            "SELECT count(*) FROM lifestream.events WHERE id = '{id}' AND event_type = 'work.dead_lettered' \
             AND subject = 'work' AND payload->>'error' <> '' AND payload->'work_message' ? 'raw'"
        );
        eventually(SOON, "it is told", || bench.pipeline.database.psql(&told) == "1");
        found += 1;
    }
    assert_eq!(found, malformed.len());
    stop(agent);
}

/// A task that runs when the agent is asked to end comes to its end, and is not done again.
fn shutdown(bench: &Bench) {
    let (work, after) = (bench.work("slow-shutdown"), bench.work("after-shutdown"));
    bench.site.close();
    bench.topic.put([&work]);
    let agent = bench.start();
    eventually(SOON, "it is in the middle of its work", || bench.site.visits("slow-shutdown") == 1);
    agent.signal("TERM");
    bench.site.open();
    let status = agent.wait(SOON);
    assert!(status.success(), "{status}");
    assert_eq!(bench.answers(&work), [format!("{}|", bench.agent.fact())]);
    bench.topic.put([&after]);
    let agent = bench.start();
    bench.await_fact(&after);
    stop(agent);
    bench.await_fact(&work);
    assert_eq!(bench.site.visits("slow-shutdown"), 1);
}

/// Wherever a crash comes, the work is answered once.
fn kill_at_each_step(bench: &Bench) {
    for step in STEPS {
        let name = format!("kill-{step}");
        let work = bench.work(&name);
        bench.topic.put([&work]);
        let status = bench.start_mortal(step).wait(SOON);
        assert!(!status.success(), "it dies at {step}: {status}");
        let agent = bench.start();
        let last = again(&work);
        bench.topic.put([&last]);
        bench.await_answer(&last);
        stop(agent);
        assert_eq!(bench.answers(&work).len(), 2, "one for each attempt, killed at {step}");
        bench.await_answer(&work);
        // Done once more only where nobody could know that it was done.
        let visits = if *step == "handled" { 3 } else { 2 };
        assert_eq!(bench.site.visits(&name), visits, "killed at {step}");
    }
}

/// Work that fails each time is told as failed, and holds nothing up.
fn poison_message(bench: &Bench) {
    let (poison, behind) = (bench.work("poison"), ["behind-poison-1", "behind-poison-2"].map(|name| bench.work(name)));
    bench.topic.put([&poison]);
    bench.topic.put(&behind);
    let mut agent = bench.start();
    bench.await_answer(&poison);
    behind.iter().for_each(|work| bench.await_fact(work));
    let answers = bench.answers(&poison);
    assert!(matches!(&answers[..], [only] if only.starts_with("work.failed|") && only.len() > 12), "{answers:?}");
    assert!(agent.is_running());
    stop(agent);
}

/// A task may take longer than the group waits for a poll: the agent stays a member, and the task is not given to another.
fn long_task(bench: &Bench) {
    let (work, behind) = (bench.work("slow-long"), bench.work("behind-long"));
    bench.site.close();
    bench.topic.put([&work]);
    let agent = bench.start();
    eventually(SOON, "it is in the middle of its work", || bench.site.visits("slow-long") == 1);
    // This is how long the task takes.
    std::thread::sleep(MAX_POLL * 2);
    bench.site.open();
    bench.topic.put([&behind]);
    bench.await_fact(&work);
    bench.await_fact(&behind);
    assert_eq!(bench.site.visits("slow-long"), 1, "nobody was given it once more");
    assert!(!agent.log().contains("max.poll.interval.ms"), "{}", agent.log());
    stop(agent);
}
