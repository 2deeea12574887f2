//! Why Kafka does not do what is asked, in words that name the setting to look at.

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};

use super::ports;
use super::watch::Trouble;
use crate::settings::{Auth, KafkaSettings};

/// Trouble with Kafka.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// librdkafka cannot work with the settings.
    #[error("Kafka client settings: {0} (KAFKA_SSL_CA, KAFKA_SSL_CERT, KAFKA_SSL_KEY, KAFKA_PROPERTY_…)")]
    Settings(String),
    /// `aws-iam`.
    #[error("KAFKA_AUTH_METHOD=aws-iam: this build has no MSK IAM sign-in; use scram-sha-512 or mtls")]
    NoAwsIam,
    /// Nobody answers.
    #[error("Kafka at {brokers} cannot be reached: {reason} (KAFKA_BROKERS says where it is)")]
    Unreachable {
        /// `KAFKA_BROKERS`.
        brokers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// One end speaks TLS and the other does not.
    #[error("Kafka at {brokers} {trouble}: set KAFKA_SSL={wanted}")]
    Tls {
        /// `KAFKA_BROKERS`.
        brokers: String,
        /// What was seen.
        trouble: &'static str,
        /// The value that would fit.
        wanted: bool,
        /// Whether it is certain, or may also be a broker that was just starting or stopping.
        certain: bool,
    },
    /// The broker's certificate is not to be trusted, or it does not trust ours.
    #[error("Kafka at {brokers}: TLS: {reason} (KAFKA_SSL, KAFKA_SSL_CA, KAFKA_SSL_CERT)")]
    Certificate {
        /// `KAFKA_BROKERS`.
        brokers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// It does not let us in.
    #[error(
        "Kafka at {brokers} refuses to let us in: {reason} (KAFKA_AUTH_METHOD, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD)"
    )]
    SignIn {
        /// `KAFKA_BROKERS`.
        brokers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// It answered, with an error.
    #[error("Kafka: {what}: {error}")]
    Request {
        /// What was asked.
        what: String,
        /// The answer.
        #[source]
        error: ClientError,
    },
}

impl KafkaError {
    /// Whether trying again cannot help.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Settings(_) | Self::NoAwsIam | Self::Certificate { .. } | Self::SignIn { .. } => true,
            Self::Tls { certain, .. } => *certain,
            Self::Unreachable { .. } => false,
            // What is said of one topic may be mended while a part waits; see `is_refusal`.
            Self::Request { error, .. } => refuses(error.rdkafka_error_code()),
        }
    }

    /// Whether Kafka will not have or make the topic that it was asked about: trying again helps only when somebody has
    /// changed an ACL, a policy or another topic's name.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Request { error, .. } if refuses(code(error)))
    }

    /// Whether somebody has to change a setting.
    pub fn is_setting(&self) -> bool {
        self.is_permanent() && !matches!(self, Self::Request { .. })
    }
}

/// What Kafka answered. (`rdkafka_error_code` does not know of answers to questions about topics.)
pub fn code(error: &ClientError) -> Option<Code> {
    match error {
        ClientError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    }
}

fn refuses(code: Option<Code>) -> bool {
    matches!(
        code,
        Some(
            Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::InvalidTopic
                | Code::InvalidConfig
                | Code::PolicyViolation
                | Code::InvalidReplicationFactor
        )
    )
}

/// What leaves no doubt, although time is left; `None` while waiting may help.
pub(super) fn definite(settings: &KafkaSettings, troubles: &[Trouble]) -> Option<KafkaError> {
    let brokers = || settings.brokers.clone();
    for trouble in troubles {
        let reason = trouble.words();
        if trouble.code == Some(Code::Authentication) {
            return Some(KafkaError::SignIn { brokers: brokers(), reason });
        }
        let tls = trouble.code == Some(Code::SSL) || reason.contains("SSL handshake failed");
        if tls
            && settings.ssl
            && (reason.contains("wrong version number") || reason.contains("PLAINTEXT broker listener"))
        {
            let certain = ports::speaks_tls(&settings.brokers) == Some(false);
            return Some(KafkaError::Tls { brokers: brokers(), trouble: "does not speak TLS", wanted: false, certain });
        }
        if tls {
            return Some(KafkaError::Certificate { brokers: brokers(), reason });
        }
        // What a broker that expects TLS makes of our first bytes; one that is just stopping looks alike.
        if !settings.ssl && trouble.while_greeting() && ports::speaks_tls(&settings.brokers) == Some(true) {
            return Some(KafkaError::Tls { brokers: brokers(), trouble: "speaks TLS", wanted: true, certain: true });
        }
    }
    None
}

/// Every connection was refused: nothing will change within these seconds, and whoever asked can wait better.
pub(super) fn hopeless(settings: &KafkaSettings, troubles: &[Trouble]) -> Option<KafkaError> {
    let refused = troubles.iter().find(|t| t.reason.contains("Connection refused") || t.code == Some(Code::Resolve))?;
    let down = troubles.iter().any(|t| t.code == Some(Code::AllBrokersDown));
    down.then(|| KafkaError::Unreachable { brokers: settings.brokers.clone(), reason: refused.words() })
}

/// What to say when time is up.
pub(super) fn timed_out(settings: &KafkaSettings, troubles: &[Trouble]) -> KafkaError {
    let brokers = settings.brokers.clone();
    let Some(trouble) = troubles.iter().find(|t| t.code != Some(Code::AllBrokersDown)) else {
        return KafkaError::Unreachable { brokers, reason: "no answer within 10 s".into() };
    };
    let reason = trouble.words();
    // Connected, then thrown out at the first request that needs a name.
    if settings.auth == Auth::None && reason.contains("require SASL") {
        return KafkaError::SignIn { brokers, reason };
    }
    if trouble.while_greeting() && !settings.ssl {
        return KafkaError::Unreachable { brokers, reason: format!("{reason}; if it speaks TLS, set KAFKA_SSL=true") };
    }
    KafkaError::Unreachable { brokers, reason }
}
