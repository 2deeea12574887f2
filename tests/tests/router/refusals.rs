//! A topic that Kafka does not let the router make or write is its own route's trouble.

use lifestream_tests::{Kafka, KafkaOptions, Pipeline, Postgres, eventually};
use serde_json::json;

use crate::bench::{Bench, SOON, link, work_message};

/// Work type, number and one error of the dead letters.
const GIVEN_UP: &str = "SELECT payload -> 'work_message' ->> 'work_type', count(*), min(payload ->> 'error')
    FROM lifestream.events WHERE event_type = 'work.dead_lettered' GROUP BY 1 ORDER BY 1";

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_kafka_will_not_make_makes_dead_letters_of_its_routes_work_until_it_does() {
    let mut pipeline = Pipeline::new("router_refused", Postgres::shared(), Kafka::shared());
    // With it a work type may be too long for a topic's name.
    pipeline.prefix.push_str(&"x".repeat(50));
    let bench = Bench::over(pipeline).await;
    bench.client.create_work_topic("index.doc").await.unwrap();
    bench.psql(
        "SELECT lifestream.add_route('doc.added', 'index_doc'), lifestream.add_route('doc.added', repeat('y', 200)),
                lifestream.add_route('doc.added', 'copy_doc')",
    );
    for number in 0..3 {
        bench.emit("doc.added", &format!("doc:{number}"), &json!({}));
    }
    bench.emit("link.added", "link:a", &link(1));
    bench.publish().await;
    bench.route().await;
    assert_eq!((bench.work("copy_doc").len(), bench.work("fetch_link").len()), (3, 1));
    let lines: Vec<_> = bench.psql(GIVEN_UP).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("index_doc|3|Kafka refuses it: creating topic "), "{}", lines[0]);
    assert!(lines[0].contains("InvalidTopic") && lines[0].contains("by more than . and _"), "{}", lines[0]);
    assert!(
        lines[1].starts_with("yyy") && lines[1].contains("y|3|Kafka refuses it: ") && lines[1].contains("InvalidTopic")
    );

    // A router that is running takes it up as soon as Kafka does.
    bench.publish().await;
    bench.materialize().await;
    let router = bench.start();
    assert!(bench.client.delete_topic(&bench.client.topic("work.index.doc")).await.unwrap());
    bench.psql("SELECT lifestream.retry_dead_letter(id) FROM lifestream.dead_letters WHERE work_type = 'index_doc'");
    bench.emit("doc.added", "doc:3", &json!({}));
    bench.publish().await;
    eventually(SOON, "all of it is done after all", || bench.work("index_doc").len() == 4);
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_work_that_no_route_makes_is_a_dead_letter_and_makes_no_topic() {
    let bench = Bench::new("router_unknown_work").await;
    let trigger = bench.emit("link.added", "link:a", &link(1));
    for work_type in ["fetch.link", "nobodys", "fetch_link"] {
        let work = work_message(trigger, work_type, "link:a", 1);
        bench.emit("work.retry_requested", "link:a", &json!({ "work_message": work }));
        if work_type != "fetch_link" {
            bench.fail(&work_message(trigger, work_type, "link:a", 2), &json!({}));
        }
    }
    bench.publish().await;
    bench.route().await;
    bench.psql("UPDATE lifestream.pending_retries SET not_before = now()");
    bench.route().await;
    let attempts: Vec<_> = bench.work("fetch_link").iter().map(|work| work["attempt"].clone()).collect();
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert!(attempts.contains(&json!(1)) && attempts.contains(&json!(2)), "{attempts:?}");
    let given_up = bench.psql(GIVEN_UP);
    let lines: Vec<_> = given_up.lines().collect();
    assert_eq!(lines.len(), 2, "{given_up}");
    assert!(lines[0].starts_with("fetch.link|2|no route makes work \"fetch.link\""), "{given_up}");
    assert!(lines[1].starts_with("nobodys|2|no route makes work \"nobodys\""), "{given_up}");
    assert!(bench.client.describe_topic(&bench.client.topic("work.nobodys")).await.unwrap().is_none());
    assert_eq!(bench.count("lifestream.pending_retries"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_may_not_be_written_is_its_routes_trouble_until_the_acl_lets_it() {
    // Over TLS the router is known by its certificate, and ACLs count; the tools come in by the other listener as super user.
    let kafka: &Kafka = Box::leak(Box::new(Kafka::start_with(&KafkaOptions {
        tls: true,
        properties: [
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found=true",
            "super.users=User:ANONYMOUS",
            "ssl.client.auth=required",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..KafkaOptions::default()
    })));
    let file = |name: &str| kafka.authority().with_file_name(name).display().to_string();
    let pipeline = Pipeline::new("router_acl", Postgres::shared(), kafka)
        .with("KAFKA_BROKERS", &kafka.tls_brokers())
        .with("KAFKA_AUTH_METHOD", "mtls")
        .with("KAFKA_SSL_CA", &file("ca.pem"))
        .with("KAFKA_SSL_CERT", &file("server.pem"))
        .with("KAFKA_SSL_KEY", &file("server.key"));
    let bench = Bench::over(pipeline).await;
    for work_type in ["readable", "hidden"] {
        bench.psql(&format!("SELECT lifestream.add_route('doc.added', '{work_type}')"));
    }
    bench.psql("SELECT lifestream.add_route('doc.added', 'copy_doc')");
    bench.client.create_work_topic("readable").await.unwrap();
    let acl = |arguments: &[&str]| {
        let mut command = kafka.tool("org.apache.kafka.tools.AclCommand");
        let done = command.args(["--bootstrap-server", &kafka.brokers(), "--force"]).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let [readable, hidden] = ["readable", "hidden"].map(|work_type| bench.client.topic(&format!("work.{work_type}")));
    // What stands in an ACL of its own is refused to all who are not named.
    acl(&["--add", "--allow-principal", "User:CN=localhost", "--operation", "Describe", "--topic", &readable]);
    acl(&["--add", "--allow-principal", "User:somebody", "--operation", "All", "--topic", &hidden]);

    let router = bench.start();
    for number in 0..3 {
        bench.emit("doc.added", &format!("doc:{number}"), &json!({}));
    }
    bench.publish().await;
    eventually(SOON, "the other route's work is there", || bench.work("copy_doc").len() == 3);
    eventually(SOON, "theirs is given up", || bench.psql(GIVEN_UP).matches("|3|").count() == 2);
    for line in bench.psql(GIVEN_UP).lines() {
        assert!(line.contains("|3|Kafka refuses it: ") && line.contains("TopicAuthorizationFailed"), "{line}");
        assert!(line.contains("needs Describe, Create and Write"), "{line}");
    }
    acl(&["--remove", "--topic", &readable]);
    acl(&["--remove", "--topic", &hidden]);
    bench.emit("doc.added", "doc:3", &json!({}));
    bench.publish().await;
    eventually(SOON, "both are written", || bench.work("readable").len() == 1 && bench.work("hidden").len() == 1);
    router.stop().await;
    assert_eq!(bench.work("copy_doc").len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_has_of_a_batch_is_not_sent_again_while_the_rest_cannot_be() {
    let bench = Bench::new("router_lost_topic").await;
    bench.psql("SELECT lifestream.add_route('doc.added', 'lost'), lifestream.add_route('doc.added', 'copy_doc')");
    let trigger = bench.emit("link.added", "link:a", &link(1));
    // Ten events and one retry for each of two work types, in one batch and one look.
    let round = async |number: u32| {
        let rows = ["lost", "copy_doc"].map(|work_type| {
            let work = work_message(trigger, work_type, "link:late", number);
            format!(
                "('{}', '{work_type}', '', 'link:late', {number}, now(), 'retry', '{work}')",
                work["id"].as_str().unwrap()
            )
        });
        bench.psql(&format!(
            "INSERT INTO lifestream.pending_retries (work_id, work_type, tenant_id, subject_id, attempt, not_before, reason, work_message)
             VALUES {};
             SELECT count(lifestream.emit_event('doc.added', 'doc', 'doc:' || n, '{{}}')) FROM generate_series(1, 10) n",
            rows.join(", ")
        ));
        bench.publish().await;
    };
    let router = bench.start();
    round(2).await;
    eventually(SOON, "both topics are known", || bench.work("lost").len() == 11 && bench.work("copy_doc").len() == 11);
    // What is sent to it now fails, until it is made again.
    assert!(bench.client.delete_topic(&bench.client.topic("work.lost")).await.unwrap());
    round(3).await;
    eventually(SOON, "all of it is sent", || bench.work("lost").len() == 11);
    eventually(SOON, "nothing waits", || bench.count("lifestream.pending_retries") == 0);
    router.stop().await;
    let mut copied: Vec<String> = bench.work("copy_doc").iter().map(|work| work["id"].to_string()).collect();
    assert_eq!(copied.len(), 22);
    copied.sort_unstable();
    copied.dedup();
    assert_eq!(copied.len(), 22);
}
