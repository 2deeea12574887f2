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
    /// Its kind, if it was an error and no log line.
    pub code: Option<RDKafkaErrorCode>,
    /// Its words.
    pub reason: String,
}

impl Trouble {
    /// For people: without librdkafka's timing of its own states.
    pub fn words(&self) -> String {
        self.reason.split(" (after ").next().unwrap_or_default().to_owned()
    }

    /// Whether the connection was lost at the very first request.
    pub fn while_greeting(&self) -> bool {
        self.reason.contains("APIVERSION") || self.reason.contains("ApiVersion")
    }
}

/// More than these say nothing new.
const MOST: usize = 16;

impl Watch {
    /// What was reported since [`Watch::forget`], oldest first, each once: librdkafka keeps still about a repeat.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.lock().clone()
    }

    /// Starts anew.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn note(&self, code: Option<RDKafkaErrorCode>, reason: &str) {
        let mut troubles = self.lock();
        if let Some(known) = troubles.iter_mut().find(|known| known.reason == reason) {
            known.code = known.code.or(code);
        } else if troubles.len() < MOST {
            troubles.push(Trouble { code, reason: reason.to_owned() });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Trouble>> {
        self.troubles.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
        if facility == "FAIL" {
            // `[thrd:…]: ` is of use to nobody but its authors.
            let words = message.split_once("]: ").map_or(message, |(_, words)| words);
            self.note(None, words);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        self.note(error.rdkafka_error_code(), reason);
    }
}

impl ConsumerContext for Watch {}

impl ProducerContext for Watch {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
