//! What librdkafka says beside its answers.

use std::sync::Mutex;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// A client's context that logs at debug level only, and remembers what went wrong of late.
#[derive(Debug, Default)]
pub struct Watch {
    troubles: Mutex<Vec<Trouble>>,
}

/// An error that librdkafka reported on its own.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Its kind.
    pub code: Option<RDKafkaErrorCode>,
    /// Its words.
    pub reason: String,
}

/// More than these say nothing new.
const MOST: usize = 16;

impl Watch {
    /// What was reported since [`Watch::forget`], oldest first, each once.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.lock().clone()
    }

    /// Starts anew.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Trouble>> {
        self.troubles.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        let mut troubles = self.lock();
        if troubles.len() < MOST && !troubles.iter().any(|known| known.reason == reason) {
            troubles.push(Trouble { code: error.rdkafka_error_code(), reason: reason.to_owned() });
        }
    }
}

impl ConsumerContext for Watch {}

impl ProducerContext for Watch {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
