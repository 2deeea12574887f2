//! What an error of PostgreSQL means to the caller: the one place that decides it.

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::pool;
use crate::problem::{Kind, Problem};

/// Whether the connection, or the server behind it, is of no more use. What was asked may be asked again elsewhere: every
/// event has its id.
pub fn is_lost(error: &Error) -> bool {
    match error.as_db_error() {
        // 25006: a server that became a standby; another connection may find the new primary.
        Some(answer) => {
            let code = answer.code().code();
            code.starts_with("08") || code.starts_with("57P") || code == "25006"
        }
        None => true,
    }
}

/// The answer to a request that PostgreSQL did not carry out. `many`: the body was an array.
pub fn problem(error: &Error, many: bool) -> Problem {
    let Some(answer) = error.as_db_error() else { return pool::away() };
    let code = answer.code().code();
    let kind = match code {
        "54000" => Kind::TooLarge,
        "40001" | "23505" => Kind::Conflict,
        // Bad values, limits, constraints, and what the user's own triggers raise.
        _ if ["22", "23", "54", "P0"].contains(&&code[..2]) => Kind::Invalid,
        "57014" | "55P03" | "40P01" => {
            return Problem::new(Kind::Busy, "the database took too long").sqlstate(code).retry_after(5);
        }
        _ if is_lost(error) || ["53", "58"].contains(&&code[..2]) => return pool::away().sqlstate(code),
        "42501" | "42883" | "42P01" | "3F000" => {
            tracing::error!("gateway: {} (SQLSTATE {code}): {ADVICE}", answer.message());
            return pool::away().sqlstate(code);
        }
        _ => {
            tracing::error!("gateway: {} (SQLSTATE {code})", answer.message());
            return Problem::new(Kind::Internal, "the database refused for a reason of its own; the log names it")
                .sqlstate(code);
        }
    };
    let mut problem = Problem::new(kind, words(answer)).sqlstate(code);
    if let Some(hint) = answer.hint() {
        problem = problem.hint(hint);
    }
    if let Some(number) = element(answer).filter(|_| many) {
        problem = problem.pointer(format!("#/{}", number - 1));
    }
    problem
}

/// What the log and `/readyz` say of a database that lacks what the gateway needs.
pub const ADVICE: &str =
    "it needs the extension pg_lifestream in this database and membership in the role lifestream_emitter";

/// Before what else the detail says of an array's element.
const ELEMENT: &str = "Event ";

/// The server's words, less its count of the array's elements.
fn words(answer: &DbError) -> String {
    let detail = answer.detail().unwrap_or_default();
    let detail = match element(answer) {
        Some(_) => detail.split_once(". ").map_or("", |(_, rest)| rest),
        None => detail,
    };
    if detail.is_empty() { answer.message().to_owned() } else { format!("{}: {detail}", answer.message()) }
}

/// Which element of `emit_events`' array is meant, from 1.
fn element(answer: &DbError) -> Option<usize> {
    let rest = answer.detail()?.strip_prefix(ELEMENT)?;
    let (number, rest) = rest.split_at(rest.find(' ')?);
    rest.starts_with(" of the array.").then(|| number.parse().ok().filter(|number| *number > 0)).flatten()
}
