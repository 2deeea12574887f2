//! What an earlier fetch of the same link gave.

use serde_json::Value;

use super::reading::READER;
use super::trouble::Trouble;
use super::web::Validators;
use crate::Database;
use crate::materializer::describe;

/// A text, and how to ask whether it is still so.
#[derive(Debug, Clone)]
pub struct Stored {
    /// As it was emitted.
    pub text: String,
    /// As it was emitted, an object.
    pub metadata: Value,
    /// What answered then.
    pub final_url: String,
    /// What it said of itself.
    pub validators: Validators,
}

impl Stored {
    /// None where nothing is stored, by another reader, or without a way to ask.
    pub fn new(text: String, metadata: Value) -> Option<Self> {
        let get = |name: &str| metadata.get(name).and_then(Value::as_str).map(str::to_owned);
        let validators = Validators { etag: get("etag"), last_modified: get("last_modified") };
        let same_reader = metadata.get("reader").and_then(Value::as_u64) == Some(READER.into());
        let final_url = get("final_url").filter(|_| same_reader && validators != Validators::default())?;
        Some(Self { text, final_url, validators, metadata })
    }

    /// Looks it up.
    ///
    /// # Errors
    /// The database does not answer: that passes.
    pub async fn find(database: &Database, subject_id: &str) -> Result<Option<Self>, Trouble> {
        let client = database.client().await.map_err(|error| Trouble::passing(error.to_string()))?;
        let row = client
            .query_opt(
                "SELECT text_content, metadata::text FROM lifestream.link_content \
                 WHERE subject_id = $1 AND text_content IS NOT NULL",
                &[&subject_id],
            )
            .await
            .map_err(|error| Trouble::passing(format!("PostgreSQL: {}", describe(&error))))?;
        let Some(row) = row else { return Ok(None) };
        let (text, metadata): (String, String) = (row.get(0), row.get(1));
        Ok(serde_json::from_str(&metadata).ok().and_then(|metadata| Self::new(text, metadata)))
    }
}
