//! Why a rebuild ended without changing anything.

use tokio_postgres::error::SqlState;

/// What can go wrong in a rebuild; the state is as it was then.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The database answered with an error, or the connection broke: the source has its words.
    #[error("PostgreSQL{}", advice(.0))]
    Statement(#[from] tokio_postgres::Error),
    /// It cannot be done as things are: what is in the way, and what to do.
    #[error("{0}")]
    Unfit(String),
    /// A projection refuses an event whose effect the state has, or should have.
    #[error(
        "event {id} (seq {seq}, {event_type}, subject {subject_id:?}) was materialized, and its projection refuses it now: {error}; \
         nothing was changed. Let the function accept the event, or pass over it{hint}"
    )]
    Refused {
        /// The event.
        id: uuid::Uuid,
        /// Its number.
        seq: i64,
        /// Its type.
        event_type: String,
        /// Its subject.
        subject_id: String,
        /// PostgreSQL's words.
        error: String,
        /// What else may help.
        hint: &'static str,
    },
}

/// What to look at where PostgreSQL does not say.
fn advice(error: &tokio_postgres::Error) -> &'static str {
    match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            " (members of lifestream_admin may rebuild, if they may write the tables and call the functions that others added)"
        }
        _ => "",
    }
}
