//! What every agent has to keep, whichever it is and in whatever language it is written: one table of agents × cases.
//!
//! A new agent plugs in with an [`agent::AgentCase`] in [`AGENTS`]; a new case with a line in [`cases::CASES`]. The matrix
//! is printed, and a cell that is missing fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod agent;
mod cases;
mod enricher;
mod fetcher;
mod publisher;
mod python;
mod site;

use std::collections::BTreeMap;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use agent::{AgentCase, Bench};
use cases::CASES;

const AGENTS: &[&dyn AgentCase] = &[&fetcher::Fetcher, &enricher::Enricher, &publisher::Publisher, &python::TextKeeper];

/// What came of a case: how long it took, or why it failed.
type Cell = Result<f64, String>;

/// Every case of one agent, one after the other in one group, as an agent lives through them.
fn run(agent: &'static dyn AgentCase) -> BTreeMap<&'static str, Cell> {
    let mut cells = BTreeMap::new();
    let bench = match caught(|| Bench::new(agent)) {
        Ok(bench) => bench,
        Err(error) => {
            eprintln!("{}: {error}", agent.name());
            return cells;
        }
    };
    for (name, case) in CASES {
        let start = Instant::now();
        let cell = caught(|| case(&bench)).map(|()| start.elapsed().as_secs_f64());
        cells.insert(*name, cell);
    }
    cells
}

fn caught<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(what)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
    })
}

#[test]
fn every_agent_keeps_the_contract() {
    let runs: Vec<_> = AGENTS.iter().map(|agent| (agent.name(), std::thread::spawn(|| run(*agent)))).collect();
    let rows: Vec<_> = runs.into_iter().map(|(name, run)| (name, run.join().unwrap_or_default())).collect();
    let mut matrix = format!("\n{:<12}", "agent");
    for (case, _) in CASES {
        matrix += &format!(" | {case}");
    }
    let mut failed = Vec::new();
    for (agent, cells) in &rows {
        matrix += &format!("\n{agent:<12}");
        for (case, _) in CASES {
            let cell = match cells.get(case) {
                Some(Ok(seconds)) => format!("ok {seconds:.1} s"),
                Some(Err(error)) => {
                    failed.push(format!("{agent}, {case}: {error}"));
                    "FAILED".to_owned()
                }
                None => {
                    failed.push(format!("{agent}, {case}: was not run"));
                    "MISSING".to_owned()
                }
            };
            matrix += &format!(" | {cell:<width$}", width = case.len());
        }
    }
    // Past the test runner, which shows only what a failed test prints.
    writeln!(std::io::stdout().lock(), "{matrix}\n").unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
