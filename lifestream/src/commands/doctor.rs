//! `lifestream doctor`: each check with its fix.

mod files;
mod kafka;
mod postgres;
mod work;

use lifestream_envelope::settings::Settings;
use serde::Serialize;

use crate::exit::Outcome;
use crate::output;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but could be better.
    Note,
    /// It does not work, or will not.
    Wrong,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    name: &'static str,
    /// How it came out.
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, found: found.into(), fix: None }
    }

    /// Could be better.
    pub fn note(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Note, found: found.into(), fix: Some(fix.into()) }
    }

    /// Does not work.
    pub fn wrong(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Wrong, found: found.into(), fix: Some(fix.into()) }
    }
}

/// Runs every check that can be run, and prints them. Settings that cannot be read have ended the program before.
pub async fn run(settings: &Settings, as_json: bool) -> anyhow::Result<Outcome> {
    let mut checks = Vec::new();
    let described = settings.describe();
    let given: Vec<String> = described
        .iter()
        .filter(|s| s.origin != "default")
        .map(|s| format!("{}={} ({})", s.name, s.value, s.origin))
        .collect();
    checks.push(Check::ok(
        "settings",
        if given.is_empty() { "all at their defaults".to_owned() } else { given.join(", ") },
    ));
    checks.push(files::feed(settings.agents.feed_dir.as_deref()));
    checks.push(files::tokens(settings.gateway.tokens_file.as_deref()).await);
    let work_types = postgres::check(settings, &mut checks).await;
    kafka::check(settings, &work_types, &mut checks).await;
    if as_json {
        output::line(serde_json::to_string_pretty(&checks)?)?;
    } else {
        for check in &checks {
            let mark = match check.verdict {
                Verdict::Ok => "ok   ",
                Verdict::Note => "note ",
                Verdict::Wrong => "WRONG",
            };
            output::line(format!("{mark}  {}: {}", check.name, check.found))?;
            if let Some(fix) = &check.fix {
                output::line(format!("       → {fix}"))?;
            }
        }
    }
    let wrong = checks.iter().any(|check| check.verdict == Verdict::Wrong);
    Ok(if wrong { Outcome::Look } else { Outcome::Done })
}
