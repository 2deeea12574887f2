//! Emits drafts in batches; a batch that fails is halved until the bad one is alone.

use std::collections::HashSet;

use lifestream_envelope::event::rfc3339;
use lifestream_envelope::ids;
use lifestream_envelope::postgres::Session;
use lifestream_envelope::settings::Settings;
use serde_json::json;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::progress::Progress;
use super::{Counts, Draft, Drafted};
use crate::database;

/// A connection, and how to import over it.
pub struct Emitter<'a> {
    settings: &'a Settings,
    session: Session,
    tenant: String,
    /// `Some` with what would have been emitted so far, if nothing is to be kept.
    rehearsal: Option<HashSet<Uuid>>,
}

impl<'a> Emitter<'a> {
    /// Connects.
    pub async fn connect(settings: &'a Settings, tenant: String, dry_run: bool) -> anyhow::Result<Self> {
        let session = database::connect(settings, "import").await?;
        Ok(Self { settings, session, tenant, rehearsal: dry_run.then(HashSet::new) })
    }

    /// Emits them in one transaction, or in several smaller ones if one of them is bad; those that are bad are reported.
    ///
    /// # Errors
    /// What concerns no single line: privileges, a server that stays away.
    pub async fn emit(&mut self, drafts: &[Draft], counts: &mut Counts, progress: &Progress) -> anyhow::Result<()> {
        // Stretches that are still to be done, the first on top.
        let mut stretches = vec![drafts];
        while let Some(stretch) = stretches.pop() {
            if stretch.is_empty() {
                continue;
            }
            match self.attempt(stretch).await {
                Ok(emitted) => {
                    counts.emitted += emitted;
                    counts.existing += count(stretch.len()) - emitted;
                    progress.settled(counts.emitted + counts.existing);
                }
                // Emitting again is harmless: each event has its id.
                Err(error) if error.is_closed() || gone(&error) => {
                    tracing::warn!("the connection to PostgreSQL is lost, connecting again");
                    self.session = database::connect(self.settings, "import").await?;
                    stretches.push(stretch);
                }
                Err(error) if !concerns_a_line(&error) => return Err(error.into()),
                Err(error) => match stretch {
                    [draft] => {
                        counts.bad += 1;
                        // The server counts within our array, which is one event long by now.
                        let words = database::describe(&error)
                            .replace("Event 1 of the array. ", "")
                            .replace("\n  detail: Event 1 of the array.", "");
                        progress.say(&format!("line {}: {words}", draft.line));
                    }
                    _ => {
                        let (first, second) = stretch.split_at(stretch.len() / 2);
                        stretches.extend([second, first]);
                    }
                },
            }
        }
        Ok(())
    }

    /// One transaction; how many were new.
    async fn attempt(&mut self, drafts: &[Draft]) -> Result<u64, tokio_postgres::Error> {
        let transaction = self.session.client.transaction().await?;
        let (ids, array) = events(&transaction, drafts, &self.tenant).await?;
        let known: HashSet<Uuid> = transaction
            .query("SELECT id FROM lifestream.all_events WHERE id = ANY ($1)", &[&ids])
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?;
        transaction.execute("SELECT count(*) FROM lifestream.emit_events($1::text::jsonb)", &[&array]).await?;
        let new: HashSet<Uuid> = match &mut self.rehearsal {
            Some(before) => {
                transaction.rollback().await?;
                let new: HashSet<Uuid> =
                    ids.into_iter().filter(|id| !known.contains(id) && !before.contains(id)).collect();
                before.extend(&new);
                new
            }
            None => {
                transaction.commit().await?;
                ids.into_iter().filter(|id| !known.contains(id)).collect()
            }
        };
        Ok(count(new.len()))
    }
}

/// The ids and the array for `emit_events`, in order.
async fn events(
    transaction: &Transaction<'_>,
    drafts: &[Draft],
    tenant: &str,
) -> Result<(Vec<Uuid>, String), tokio_postgres::Error> {
    let urls: Vec<&str> = drafts
        .iter()
        .filter_map(|draft| match &draft.event {
            Drafted::Link(link) => Some(link.url.as_str()),
            Drafted::Event { .. } => None,
        })
        .collect();
    let mut subjects = Vec::new().into_iter();
    if !urls.is_empty() {
        let rows = transaction
            .query("SELECT lifestream.link_subject_id(url, $2) FROM unnest($1::text[]) WITH ORDINALITY AS given (url, place) ORDER BY place", &[&urls, &tenant])
            .await?;
        subjects = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?.into_iter();
    }
    let mut ids = Vec::with_capacity(drafts.len());
    let mut array = String::from("[");
    for draft in drafts {
        if !ids.is_empty() {
            array.push(',');
        }
        match &draft.event {
            Drafted::Event { id, object } => {
                ids.push(*id);
                array.push_str(object);
            }
            Drafted::Link(link) => {
                let subject_id = subjects.next().unwrap_or_default();
                let mut payload = json!({ "url": link.url, "title": link.title, "tags": link.tags });
                if let Some(note) = &link.note {
                    payload["note"] = note.as_str().into();
                }
                // One link in two folders is added twice, and gets the tags of both.
                let id = ids::import_id(&format!("{subject_id}|{payload}"));
                ids.push(id);
                let mut event = json!({
                    "event_type": "link.added", "subject": "link", "subject_id": subject_id, "id": id, "source": "import",
                    "payload": payload,
                });
                if let Some(micros) = link.added_at {
                    event["occurred_at"] = rfc3339(micros).as_str().into();
                }
                if !tenant.is_empty() {
                    event["tenant_id"] = tenant.into();
                }
                array.push_str(&event.to_string());
            }
        }
    }
    array.push(']');
    Ok((ids, array))
}

/// The server ended this session, by command or because it stops.
fn gone(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| state.code().starts_with("57P") || state.code().starts_with("08"))
}

/// Whether the data may be at fault: bad values, broken constraints, limits. Not privileges, missing objects or resources.
fn concerns_a_line(error: &tokio_postgres::Error) -> bool {
    // Class 54 is "program limit exceeded", such as an event that is too large; P0 what a trigger raises; 40 a version.
    let class =
        |state: &tokio_postgres::error::SqlState| state.code().get(..2).map(ToOwned::to_owned).unwrap_or_default();
    match error.code() {
        Some(state) => ["21", "22", "23", "40", "54", "P0"].contains(&class(state).as_str()),
        // A value that cannot be sent at all, such as a text with a zero byte.
        None => !error.is_closed(),
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
