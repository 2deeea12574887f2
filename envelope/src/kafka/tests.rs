#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::settings::Settings;

fn kafka(environment: &[(&str, &str)]) -> Result<Kafka, KafkaError> {
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let settings = Settings::load_from(&BTreeMap::new(), environment, Path::new("/nowhere")).unwrap();
    Kafka::new(&settings.kafka)
}

#[test]
fn the_prefix_is_put_before_topics_and_groups() {
    let kafka = kafka(&[("KAFKA_TOPIC_PREFIX", "blue.")]).unwrap();
    assert_eq!(kafka.topic("events.raw"), "blue.events.raw");
    assert_eq!(kafka.consumer_config("router-v1").get("group.id"), Some("blue.router-v1"));
}

#[test]
fn guarantees_are_set_and_properties_pass_through() {
    let kafka = kafka(&[("KAFKA_PROPERTY_LINGER_MS", "7")]).unwrap();
    let producer = kafka.producer_config();
    for (name, value) in [
        ("acks", "all"),
        ("enable.idempotence", "true"),
        ("partitioner", "murmur2_random"),
        ("compression.type", "lz4"),
        ("linger.ms", "7"),
    ] {
        assert_eq!(producer.get(name), Some(value));
    }
    let consumer = kafka.consumer_config("x");
    for (name, value) in [
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "earliest"),
        ("security.protocol", "plaintext"),
    ] {
        assert_eq!(consumer.get(name), Some(value));
    }
}

#[test]
fn security_follows_the_settings() {
    let sasl =
        [("KAFKA_AUTH_METHOD", "scram-sha-256"), ("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", "s3cret")];
    let plain = kafka(&sasl).unwrap();
    assert_eq!(plain.client_config().get("security.protocol"), Some("sasl_plaintext"));
    assert_eq!(plain.client_config().get("sasl.mechanism"), Some("SCRAM-SHA-256"));
    let over_tls = kafka(&[&sasl[..], &[("KAFKA_SSL", "true")]].concat()).unwrap();
    assert_eq!(over_tls.client_config().get("security.protocol"), Some("sasl_ssl"));
    assert_eq!(over_tls.client_config().get("enable.ssl.certificate.verification"), Some("true"));
    assert!(!format!("{over_tls:?} {:?}", over_tls.client_config()).contains("s3cret"));
    let text = kafka(&[("KAFKA_AUTH_METHOD", "aws-iam")]).unwrap_err().to_string();
    assert!(text.contains("KAFKA_AUTH_METHOD"), "{text}");
    let bad = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let error = kafka(&[("KAFKA_SSL", "true"), ("KAFKA_SSL_CA", bad)]).unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("KAFKA_SSL_CA"), "{error}");
}

#[tokio::test]
async fn nobody_at_the_address_names_the_setting() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let brokers = format!("127.0.0.1:{port}");
    let error = kafka(&[("KAFKA_BROKERS", &brokers)]).unwrap().ping().await.unwrap_err();
    assert!(!error.is_permanent());
    let text = error.to_string();
    assert!(text.contains("KAFKA_BROKERS") && text.contains(&brokers), "{text}");
}

#[tokio::test]
async fn a_kafka_that_speaks_tls_names_the_setting() {
    // Answers as TLS servers do: with an alert record, whatever comes, once it looks like TLS.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut first = [0; 64];
            if matches!(stream.read(&mut first), Ok(1..)) && first[0] == 22 {
                drop(stream.write_all(&[21, 3, 3, 0, 2, 2, 40]));
            }
        }
    });
    let error = kafka(&[("KAFKA_BROKERS", &brokers)]).unwrap().ping().await.unwrap_err();
    assert!(error.is_permanent(), "{error}");
    assert!(error.to_string().contains("speaks TLS") && error.to_string().contains("KAFKA_SSL=true"), "{error}");
}

#[tokio::test]
async fn a_kafka_that_does_not_speak_tls_names_the_setting() {
    // What a plaintext broker does with a ClientHello: it is no request of Kafka's, so the connection is closed.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let brokers = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::Read;
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 2048]);
        }
    });
    let error = kafka(&[("KAFKA_BROKERS", &brokers), ("KAFKA_SSL", "true")]).unwrap().ping().await.unwrap_err();
    assert!(error.to_string().contains("KAFKA_SSL"), "{error}");
}
