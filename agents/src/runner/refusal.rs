//! What an error of PostgreSQL means for a fact that was to be emitted.

use tokio_postgres::error::SqlState;

use crate::AgentError;

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The id stands for another fact, or a unique index of the user's own has the fact already: which of them, only the
    /// events tell.
    Unique,
    /// This fact will never be taken: too large, or with what jsonb cannot hold.
    Own,
    /// It will pass, or it concerns every fact (a right that is missing): the same again, for as long as it takes.
    Passing,
}

/// Decides.
pub fn of(error: &AgentError) -> Refusal {
    match error {
        AgentError::Statement(error) => of_code(error.code()),
        _ => Refusal::Passing,
    }
}

fn of_code(code: Option<&SqlState>) -> Refusal {
    let Some(code) = code else { return Refusal::Passing };
    if *code == SqlState::UNIQUE_VIOLATION {
        return Refusal::Unique;
    }
    match &code.code()[..2] {
        // Data; integrity; limits of the program; raised by a trigger.
        "22" | "23" | "54" | "P0" => Refusal::Own,
        _ => Refusal::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_facts_own_is_told_from_what_passes() {
        for (code, expected) in [
            (SqlState::UNIQUE_VIOLATION, Refusal::Unique),
            (SqlState::UNTRANSLATABLE_CHARACTER, Refusal::Own),
            (SqlState::INVALID_PARAMETER_VALUE, Refusal::Own),
            (SqlState::CHECK_VIOLATION, Refusal::Own),
            (SqlState::PROGRAM_LIMIT_EXCEEDED, Refusal::Own),
            (SqlState::RAISE_EXCEPTION, Refusal::Own),
            (SqlState::ADMIN_SHUTDOWN, Refusal::Passing),
            (SqlState::T_R_DEADLOCK_DETECTED, Refusal::Passing),
            (SqlState::DISK_FULL, Refusal::Passing),
            (SqlState::INSUFFICIENT_PRIVILEGE, Refusal::Passing),
            (SqlState::UNDEFINED_FUNCTION, Refusal::Passing),
        ] {
            assert_eq!(of_code(Some(&code)), expected, "{}", code.code());
        }
        assert_eq!(of_code(None), Refusal::Passing);
    }
}
