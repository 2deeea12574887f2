//! `KAFKA_PROPERTY_…`: librdkafka's own settings, passed through but for those that would undo a guarantee.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::error::SettingsError;

/// What a property that we set ourselves is for; `*` at the end stands for any rest.
const REFUSED: &[(&str, &str)] = &[
    ("acks", "every replica in sync acknowledges (acks=all), else an event can be lost"),
    ("request.required.acks", "every replica in sync acknowledges (acks=all), else an event can be lost"),
    ("enable.idempotence", "the idempotent producer keeps retries from doubling or reordering events"),
    ("enable.gapless.guarantee", "the bridge decides what happens behind a message that is refused"),
    ("max.in.flight*", "more requests in flight than the idempotent producer allows would reorder events"),
    ("queuing.strategy", "events of a subject keep their order"),
    ("delivery.report.only.error", "an event counts as published once its delivery is reported"),
    ("transaction*", "delivery does not rest on Kafka transactions"),
    ("partitioner", "murmur2_random, so that Java clients agree on the partition of a subject"),
    ("message.timeout.ms", "it must end before the bridge's lease does"),
    ("delivery.timeout.ms", "it must end before the bridge's lease does"),
    ("enable.auto.commit", "offsets are saved together with their effects"),
    ("auto.commit.enable", "offsets are saved together with their effects"),
    ("enable.auto.offset.store", "offsets are saved together with their effects"),
    ("offset.store.method", "offsets are saved together with their effects"),
    ("auto.offset.reset", "a new consumer starts at the earliest record"),
    ("isolation.level", "records of aborted transactions are never read"),
    ("enable.ssl.certificate.verification", "certificates are always verified; KAFKA_SSL_CA says whom to trust"),
    ("ssl.endpoint.identification.algorithm", "certificates are always verified; KAFKA_SSL_CA says whom to trust"),
    ("bootstrap.servers", "use KAFKA_BROKERS"),
    ("metadata.broker.list", "use KAFKA_BROKERS"),
    ("client.id", "use KAFKA_CLIENT_ID"),
    ("compression.codec", "use KAFKA_COMPRESSION"),
    ("compression.type", "use KAFKA_COMPRESSION"),
    ("group.id", "each part has its group; KAFKA_TOPIC_PREFIX tells systems apart"),
    ("security.protocol", "use KAFKA_SSL and KAFKA_AUTH_METHOD"),
    ("sasl.*", "use KAFKA_AUTH_METHOD, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"),
    ("enable.sasl*", "use KAFKA_AUTH_METHOD"),
];

/// The librdkafka property behind `<name>` of `KAFKA_PROPERTY_<name>`, with its value checked.
///
/// Underscores stand for dots; the few names that hold underscores themselves are found as well.
pub fn resolve(name: &str, origin: &str, value: &str) -> Result<String, SettingsError> {
    let written = format!("{}{name}", super::keys::PROPERTY_PREFIX);
    let lower = name.to_ascii_lowercase();
    let dotted = lower.replace('_', ".");
    for candidate in [&dotted, &lower] {
        if let Some(reason) = refusal(candidate) {
            return Err(SettingsError::Refused { name: written, reason: format!("{candidate}: {reason}") });
        }
        match check(candidate, value) {
            Ok(()) => return Ok(candidate.clone()),
            Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {}
            Err(KafkaError::ClientConfig(_, reason, ..)) => {
                return Err(SettingsError::Invalid { name: written, origin: origin.to_owned(), reason });
            }
            Err(other) => {
                return Err(SettingsError::Invalid {
                    name: written,
                    origin: origin.to_owned(),
                    reason: other.to_string(),
                });
            }
        }
    }
    Err(SettingsError::Invalid {
        name: written,
        origin: origin.to_owned(),
        reason: format!("librdkafka knows no property {dotted}"),
    })
}

/// Whether a property's value must not be printed, and may come from a file.
pub fn is_secret(property: &str) -> bool {
    ["password", "secret", "key.pem", "key_pem"].iter().any(|part| property.contains(part))
}

fn refusal(property: &str) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(pattern, _)| {
            pattern.strip_suffix('*').map_or(*pattern == property, |start| property.starts_with(start))
        })
        .map(|(_, reason)| *reason)
}

fn check(property: &str, value: &str) -> Result<(), KafkaError> {
    ClientConfig::new().set(property, value).create_native_config().map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn underscores_stand_for_dots() {
        for (name, property, value) in [
            ("QUEUE_BUFFERING_MAX_KBYTES", "queue.buffering.max.kbytes", "1024"),
            ("linger_ms", "linger.ms", "5"),
            ("linger.ms", "linger.ms", "5"),
            ("log_level", "log_level", "6"),
            ("SOCKET_KEEPALIVE_ENABLE", "socket.keepalive.enable", "true"),
            ("ssl_ca_location", "ssl.ca.location", "/x"),
        ] {
            assert_eq!(resolve(name, "environment", value).unwrap(), property);
        }
    }

    #[test]
    fn what_librdkafka_does_not_know_or_take_is_an_error_that_names_it() {
        let unknown = resolve("LINGER_MSS", "environment", "1").unwrap_err().to_string();
        assert_eq!(unknown, "KAFKA_PROPERTY_LINGER_MSS (environment): librdkafka knows no property linger.mss");
        let invalid = resolve("LINGER_MS", "environment", "soon").unwrap_err().to_string();
        assert_eq!(
            invalid,
            "KAFKA_PROPERTY_LINGER_MS (environment): Invalid value for configuration property \"queue.buffering.max.ms\""
        );
    }

    #[test]
    fn what_would_undo_a_guarantee_is_refused_by_name() {
        for (name, value) in [
            ("acks", "1"),
            ("REQUEST_REQUIRED_ACKS", "1"),
            ("enable_idempotence", "false"),
            ("enable_auto_commit", "true"),
            ("enable_auto_offset_store", "true"),
            ("auto_offset_reset", "latest"),
            ("enable_ssl_certificate_verification", "false"),
            ("ssl_endpoint_identification_algorithm", "none"),
            ("partitioner", "random"),
            ("message_timeout_ms", "1"),
            ("delivery_timeout_ms", "1"),
            ("max_in_flight", "1000"),
            ("max_in_flight_requests_per_connection", "1000"),
            ("transactional_id", "x"),
            ("isolation_level", "read_uncommitted"),
            ("bootstrap_servers", "x"),
            ("metadata_broker_list", "x"),
            ("group_id", "x"),
            ("security_protocol", "ssl"),
            ("sasl_mechanism", "PLAIN"),
            ("sasl_password", "x"),
            ("compression_type", "none"),
        ] {
            let error = resolve(name, "environment", value).unwrap_err().to_string();
            assert!(error.starts_with(&format!("KAFKA_PROPERTY_{name} is refused: ")), "{error}");
        }
    }
}
