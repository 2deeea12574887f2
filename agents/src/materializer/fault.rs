//! The one place that decides what an error of PostgreSQL means for a batch.

use tokio_postgres::error::SqlState;

use super::error::MaterializerError;

/// What to do about an error that ended a batch's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It will pass (connection, restart, deadlock, full disk): the whole batch again, for as long as it takes.
    Passing,
    /// It may pass or be the event's own (a statement timeout, an internal error): again, and after some tries park.
    Doubtful,
    /// An event's own: halve the batch until it is alone, then park it.
    Event,
    /// What was read before is no longer so: read again, then go on.
    Overtaken,
}

/// How often a lone event with a doubtful error is tried before it parks.
pub const DOUBTFUL_TRIES: u32 = 3;

/// Decides.
pub fn of(error: &MaterializerError) -> Fault {
    match error {
        MaterializerError::Projection(e) => of_statement(e.code()),
        MaterializerError::Overtaken => Fault::Overtaken,
        MaterializerError::Statement(e) if e.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) => Fault::Overtaken,
        _ => Fault::Passing,
    }
}

/// By SQLSTATE (PostgreSQL's appendix A), class by class; an error without one is the connection's.
pub fn of_statement(code: Option<&SqlState>) -> Fault {
    let Some(code) = code else { return Fault::Passing };
    if *code == SqlState::QUERY_CANCELED {
        return Fault::Doubtful;
    }
    match &code.code()[..2] {
        // Connection; transaction rollback (serialization, deadlock); resources (disk, memory); object not in the
        // right state (a lock that was not available); operator intervention; system error.
        "08" | "40" | "53" | "55" | "57" | "58" => Fault::Passing,
        // A standby that answers where the primary should: read only.
        "25" => Fault::Passing,
        // Two members, or a projection that met another writer.
        "23" if *code == SqlState::UNIQUE_VIOLATION || *code == SqlState::EXCLUSION_VIOLATION => Fault::Doubtful,
        "XX" => Fault::Doubtful,
        _ => Fault::Event,
    }
}

/// Whether a value that was given is to blame (its form, a constraint, a limit, a trigger that raises), and not a privilege, a missing table or the
/// server: without that value the statement works.
pub fn is_of_data(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| ["22", "23", "54", "P0"].contains(&&code.code()[..2]))
}

/// The server's own words with their SQLSTATE: tokio-postgres by itself says only "db error".
pub fn describe(error: &tokio_postgres::Error) -> String {
    let Some(server) = error.as_db_error() else { return error.to_string() };
    let mut text = format!("{} ({})", server.message(), server.code().code());
    if let Some(detail) = server.detail() {
        text.push_str("; ");
        text.push_str(detail);
    }
    if let Some(context) = server.where_().and_then(|context| context.lines().next()) {
        text.push_str("; ");
        text.push_str(context);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_pass_is_told_from_what_is_the_events_own() {
        for (code, expected) in [
            (SqlState::T_R_DEADLOCK_DETECTED, Fault::Passing),
            (SqlState::T_R_SERIALIZATION_FAILURE, Fault::Passing),
            (SqlState::DISK_FULL, Fault::Passing),
            (SqlState::ADMIN_SHUTDOWN, Fault::Passing),
            (SqlState::CONNECTION_FAILURE, Fault::Passing),
            (SqlState::LOCK_NOT_AVAILABLE, Fault::Passing),
            (SqlState::READ_ONLY_SQL_TRANSACTION, Fault::Passing),
            (SqlState::QUERY_CANCELED, Fault::Doubtful),
            (SqlState::UNIQUE_VIOLATION, Fault::Doubtful),
            (SqlState::INTERNAL_ERROR, Fault::Doubtful),
            (SqlState::INVALID_PARAMETER_VALUE, Fault::Event),
            (SqlState::NOT_NULL_VIOLATION, Fault::Event),
            (SqlState::CHECK_VIOLATION, Fault::Event),
            (SqlState::UNTRANSLATABLE_CHARACTER, Fault::Event),
            (SqlState::NUMERIC_VALUE_OUT_OF_RANGE, Fault::Event),
            (SqlState::INSUFFICIENT_PRIVILEGE, Fault::Event),
            (SqlState::UNDEFINED_TABLE, Fault::Event),
            (SqlState::PROGRAM_LIMIT_EXCEEDED, Fault::Event),
            (SqlState::RAISE_EXCEPTION, Fault::Event),
        ] {
            assert_eq!(of_statement(Some(&code)), expected, "{}", code.code());
        }
        assert_eq!(of_statement(None), Fault::Passing);
        assert_eq!(of(&MaterializerError::Overtaken), Fault::Overtaken);
        assert_eq!(of(&MaterializerError::TopicMissing("t".to_owned())), Fault::Passing);
    }
}
