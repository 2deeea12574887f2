//! What is found that is not as it was left: by name, with the command that resolves it, in `lifestream.findings`.

use std::fmt;

use lifestream_envelope::postgres;
use lifestream_envelope::settings::PostgresSettings;
use tokio_postgres::Client;

use crate::error::BridgeError;

/// This database was restored or copied from another, and the topic is the one that the other publishes to.
pub const DATABASE_RESTORED: &str = "database_restored";
/// The topic holds another database's events before this one has published anything there.
pub const TOPIC_IN_USE: &str = "topic_in_use";
/// Another topic than the one that was published to goes by its name.
pub const TOPIC_RECREATED: &str = "topic_recreated";
/// The topic ends before what was published.
pub const TOPIC_SHORTENED: &str = "topic_shortened";
/// There is no topic.
pub const TOPIC_MISSING: &str = "topic_missing";
/// Keys have moved to other partitions before everybody had read what lay in the old ones.
pub const PARTITIONS_ADDED: &str = "partitions_added";
/// Commits that were published are not here: of an old primary, or of the database that this one was copied from.
pub const LOST_EVENTS: &str = "lost_events";
/// Somebody else publishes to the topic.
pub const FOREIGN_EVENTS: &str = "foreign_events";

/// What a bridge that publishes has found to be over.
const ASKED: [&str; 5] = [DATABASE_RESTORED, TOPIC_IN_USE, TOPIC_RECREATED, TOPIC_SHORTENED, TOPIC_MISSING];

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// One of the names above.
    pub name: &'static str,
    /// Which database and topic: what a person accepts counts for these only.
    pub about: String,
    /// What it is.
    pub found: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.name, self.found, self.remedy)
    }
}

/// Notes what only a person can decide; whether it was accepted already.
pub async fn ask(client: &Client, finding: &Finding) -> Result<bool, BridgeError> {
    const ASK: &str = "INSERT INTO lifestream.findings AS f (name, about, found, remedy) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name) DO UPDATE SET about = excluded.about, found = excluded.found, remedy = excluded.remedy, \
             accepted_at = CASE WHEN f.about = excluded.about THEN f.accepted_at END \
         RETURNING f.accepted_at IS NOT NULL";
    let Finding { name, about, found, remedy } = finding;
    Ok(client.query_one(ASK, &[name, about, found, remedy]).await?.try_get(0)?)
}

/// Notes what a person should know; publishing goes on. Said anew, even if it was accepted before: there is more of it.
pub async fn report(client: &Client, finding: &Finding) -> Result<(), BridgeError> {
    const REPORT: &str = "INSERT INTO lifestream.findings (name, about, found, remedy) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name) DO UPDATE SET about = excluded.about, found = excluded.found, remedy = excluded.remedy, \
             found_at = now(), accepted_at = NULL";
    tracing::error!("{finding}");
    let Finding { name, about, found, remedy } = finding;
    client.execute(REPORT, &[name, about, found, remedy]).await?;
    Ok(())
}

/// Notes why the bridge cannot begin, over a connection of its own and as far as that can be done: the log has it too. Not while another
/// one publishes, whose topic is there.
pub async fn report_outside(settings: &PostgresSettings, finding: &Finding) {
    const HELD: &str =
        "SELECT FROM lifestream.bridge_progress WHERE lease_until > pg_catalog.clock_timestamp() AND NOT closed";
    let noted = async {
        let client = postgres::connect(settings, "bridge").await?.client;
        if client.query_opt(HELD, &[]).await?.is_none() {
            ask(&client, finding).await?;
        }
        Ok::<_, BridgeError>(())
    };
    if let Err(error) = noted.await {
        tracing::debug!(%error, "noting why the bridge cannot begin");
    }
}

/// What kept this bridge from publishing is over; `everything`: what else was found was found in another place.
pub async fn over(client: &Client, everything: bool) -> Result<(), BridgeError> {
    let names: &[&str] = &ASKED;
    client.execute("DELETE FROM lifestream.findings WHERE name = ANY ($1) OR $2", &[&names, &everything]).await?;
    Ok(())
}
