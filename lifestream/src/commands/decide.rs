//! Deciding about many things at once, such as dead letters: show them, ask, decide one by one, tell what came of it.

use anyhow::bail;
use serde::Serialize;
use serde_json::Value;

use super::confirm;
use crate::database;
use crate::exit::Outcome;
use crate::output;

/// Something that a person decides about.
pub trait Item: Serialize {
    /// What the decision names it by, as JSON.
    fn id(&self) -> Value;
    /// What it is about, in as few words as tell it.
    fn about(&self) -> &str;
}

/// A decision, in words.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The command that asks, such as `dlq retry`.
    pub command: &'static str,
    /// One of what it is about, such as `dead letter`.
    pub noun: &'static str,
    /// What is done to it, such as `retry`.
    pub verb: &'static str,
    /// What it is then, such as `discarded`.
    pub done: &'static str,
    /// In JSON: the members that hold an item's id, and what the decision gave.
    pub keys: (&'static str, &'static str),
    /// Those that conditions choose from, such as `the open ones`.
    pub among: &'static str,
    /// Some of the conditions.
    pub conditions: &'static str,
}

/// Which they are.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'a, I> {
    /// Named one by one.
    Ids(&'a [I]),
    /// All that the conditions let through.
    Conditions,
}

/// How much is asked before anything is done, and how it is told.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// They were named one by one: nothing needs to be asked.
    pub named: bool,
    /// Only say which they are.
    pub dry_run: bool,
    /// Do not ask.
    pub yes: bool,
    /// As JSON.
    pub json: bool,
}

/// Decides about each of these, each in a transaction of its own: one that is refused holds up no other.
///
/// # Errors
/// A connection that breaks, and all of them being refused.
pub async fn each<T: Item>(
    items: &[T],
    words: Words,
    manner: Manner,
    listed: impl Fn(&[T]) -> String,
    decide: impl AsyncFn(&T) -> Result<Value, tokio_postgres::Error>,
) -> anyhow::Result<Outcome> {
    if items.is_empty() {
        if manner.json {
            output::line("[]")?;
        }
        eprintln!("no {} that this is about waits for a decision", words.noun);
        return Ok(Outcome::Done);
    }
    if manner.dry_run {
        output::line(if manner.json { serde_json::to_string_pretty(items)? } else { listed(items) })?;
        eprintln!("{}: nothing was changed", words.counted(items.len()));
        return Ok(Outcome::Done);
    }
    if !manner.named && !manner.yes {
        eprintln!("{}", listed(items));
        if !confirm::ask(words.command, &format!("{} {}", words.verb, words.counted(items.len())))? {
            output::line("nothing was changed")?;
            return Ok(Outcome::Done);
        }
    }
    let (mut told, mut refused) = (Vec::with_capacity(items.len()), 0);
    for item in items {
        let (given, error) = match decide(item).await {
            Ok(given) => (given, None),
            // Without an answer there is no session to go on with.
            Err(error) if error.as_db_error().is_none() => return Err(error.into()),
            Err(error) => (Value::Null, Some(database::describe(&error))),
        };
        refused += usize::from(error.is_some());
        let id = item.id();
        if manner.json {
            told.push(serde_json::json!({ words.keys.0: id, words.keys.1: given, "error": error }));
        } else {
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            match error {
                None => output::line(format!("{id} {}: {}", words.done, item.about()))?,
                Some(error) => eprintln!("{id}: {error}"),
            }
        }
    }
    if manner.json {
        output::line(serde_json::to_string_pretty(&told)?)?;
    }
    if refused == items.len() {
        bail!("none of {} could be {}", words.counted(refused), words.done);
    }
    Ok(if refused == 0 { Outcome::Done } else { Outcome::Look })
}

impl Words {
    /// Ids or conditions, of which `has_conditions` says whether any was given; all of them only where that was said.
    ///
    /// # Errors
    /// Both were given, or none.
    pub fn choice<'a, I>(&self, ids: &'a [I], has_conditions: bool, all: bool) -> anyhow::Result<Choice<'a, I>> {
        let Self { command, among, conditions, .. } = self;
        match (ids, has_conditions || all) {
            ([], false) => bail!("{command}: which ones? Give ids, conditions such as {conditions}, or --all"),
            ([], true) => Ok(Choice::Conditions),
            (ids, false) => Ok(Choice::Ids(ids)),
            (_, true) => bail!("{command} takes ids, or conditions that choose from {among}, not both"),
        }
    }

    fn counted(&self, count: usize) -> String {
        if count == 1 { format!("1 {}", self.noun) } else { format!("{count} {}s", self.noun) }
    }
}
