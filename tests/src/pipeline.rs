//! A database and a corner of Kafka for one test, and the settings that join them.

use crate::checkout::unique;
use crate::kafka::Kafka;
use crate::postgres::{Database, Postgres};
use crate::program::Program;
use crate::topic::{Record, read_topic};

/// One test's own pipeline on shared servers: its database and its topic prefix are nobody else's.
pub struct Pipeline<'a> {
    /// The database, with the extension.
    pub database: Database<'a>,
    /// The broker.
    pub kafka: &'a Kafka,
    /// `KAFKA_TOPIC_PREFIX` of everything in this test.
    pub prefix: String,
    /// Further settings for the programs of this pipeline.
    pub settings: Vec<(String, String)>,
}

impl<'a> Pipeline<'a> {
    /// A fresh database and prefix named for the test.
    pub fn new(test: &str, postgres: &'a Postgres, kafka: &'a Kafka) -> Self {
        Self { database: postgres.database(test), kafka, prefix: format!("{}.", unique(test)), settings: Vec::new() }
    }

    /// Adds a setting for the programs that are started from now on.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The environment of this pipeline's programs.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut environment = vec![
            ("DATABASE_URL".to_owned(), self.database.url()),
            ("KAFKA_BROKERS".to_owned(), self.kafka.brokers()),
            ("KAFKA_TOPIC_PREFIX".to_owned(), self.prefix.clone()),
        ];
        environment.extend(self.settings.iter().cloned());
        environment
    }

    /// Starts a part of the program, such as `&["bridge"]`.
    pub fn spawn(&self, arguments: &[&str]) -> Program {
        Program::spawn(arguments, &self.environment())
    }

    /// Runs a one-shot command and gives its standard output.
    ///
    /// # Panics
    /// With its words if it fails.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        Program::run(arguments, &self.environment())
    }

    /// Publishes and materializes everything that is there; nobody does the work that comes of it.
    ///
    /// # Panics
    /// If that fails.
    #[track_caller]
    pub fn settle(&self) {
        self.run(&["bridge", "--until-idle"]);
        self.run(&["materializer", "--until-idle"]);
    }

    /// Every record now on a topic of this pipeline (named without its prefix), the bridge's markers among them.
    pub fn records(&self, topic: &str) -> Vec<Record> {
        read_topic(&self.kafka.brokers(), &format!("{}{topic}", self.prefix))
    }

    /// Every event now on `events.raw`.
    pub fn events(&self) -> Vec<Record> {
        self.records("events.raw").into_iter().filter(|record| !record.is_marker()).collect()
    }
}
