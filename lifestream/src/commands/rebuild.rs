//! `lifestream rebuild`: state made anew from the events.

use std::time::Instant;

use lifestream_agents::materializer::rebuild::{self, Difference, Report, Step};
use lifestream_envelope::settings::Settings;
use serde_json::json;

use crate::cli::RebuildOptions;
use crate::database;
use crate::exit::Outcome;
use crate::output;
use crate::progress::EventProgress;
use crate::table::table;

/// Rebuilds, or says what would differ.
pub async fn run(settings: &Settings, options: &RebuildOptions) -> anyhow::Result<Outcome> {
    let session = database::connect(settings, "rebuild").await?;
    let started = Instant::now();
    let mut progress = EventProgress::new("read", 0, 0);
    let mut tell = |step| match step {
        Step::Begun { last } => progress.until(last),
        Step::Read { events, seq } => progress.reached(events, seq),
        Step::Comparing => progress.say("comparing"),
    };
    let report = rebuild::run(&session.client, &options.what, options.dry_run, &mut tell).await?;
    progress.end();
    let seconds = started.elapsed().as_secs_f64();
    if options.json {
        output::line(serde_json::to_string_pretty(&as_json(&report, options.dry_run, seconds))?)?;
    } else {
        print(&report, options.dry_run, seconds)?;
    }
    let differs = report.differences.iter().any(|difference| !difference.is_none());
    Ok(if options.dry_run && differs { Outcome::Look } else { Outcome::Done })
}

fn print(report: &Report, dry_run: bool, seconds: f64) -> anyhow::Result<()> {
    eprintln!("projections: {}", report.projections.join(", "));
    let differing: Vec<_> = report.differences.iter().filter(|difference| !difference.is_none()).collect();
    if dry_run && differing.is_empty() {
        output::line("no difference")?;
    } else {
        let rows = report.differences.iter().filter(|difference| !dry_run || !difference.is_none()).map(|difference| {
            let Difference { table, added, changed, removed, .. } = difference;
            vec![table.clone(), added.to_string(), changed.to_string(), removed.to_string()]
        });
        let headings = match dry_run {
            true => ["TABLE", "WOULD ADD", "WOULD CHANGE", "WOULD REMOVE"],
            false => ["TABLE", "ADDED", "CHANGED", "REMOVED"],
        };
        output::line(table(&headings, &[1, 2, 3], rows))?;
    }
    if dry_run {
        for Difference { table, examples, added, changed, removed, .. } in differing {
            for (what, row) in examples {
                output::line(format!("{table}: {what}: {row}"))?;
            }
            if added + changed + removed > examples.len() as u64 {
                output::line(format!("{table}: ..."))?;
            }
        }
        if report.ahead > 0 {
            eprintln!(
                "{} events are not materialized yet: what they will change is among the differences",
                report.ahead
            );
        }
    }
    eprintln!("{} events in {seconds:.1} s", report.events);
    let notes = [
        (report.left_out, "events left out: parked, discarded, or waiting behind one that is parked"),
        (
            report.recovered,
            "events that were lost on their way to the materializer are in the state now, and count as taken in",
        ),
    ];
    for (count, words) in notes.into_iter().filter(|(count, _)| *count > 0) {
        eprintln!("{count} {words}");
    }
    if report.refused > 0 {
        eprintln!(
            "{} events were refused by a projection and left out: they park when the materializer comes to them",
            report.refused
        );
        for refusal in &report.refusals {
            eprintln!("  {refusal}");
        }
    }
    for function in &report.without_tables {
        eprintln!("not rebuilt: {function}, which names no tables that it writes");
    }
    for Difference { table, passed_over, .. } in report.differences.iter().filter(|d| !d.passed_over.is_empty()) {
        eprintln!("not compared: {} of {table}: the default tells something else each time", passed_over.join(", "));
    }
    Ok(())
}

fn as_json(report: &Report, dry_run: bool, seconds: f64) -> serde_json::Value {
    let tables: Vec<_> = report
        .differences
        .iter()
        .map(|difference| {
            let examples: Vec<_> = difference.examples.iter().map(|(what, row)| json!({"what": what, "row": row})).collect();
            json!({
                "table": difference.table, "added": difference.added, "changed": difference.changed, "removed": difference.removed,
                "examples": examples, "not_compared": difference.passed_over,
            })
        })
        .collect();
    json!({
        "dry_run": dry_run, "projections": report.projections, "not_rebuilt": report.without_tables, "events": report.events,
        "left_out": report.left_out, "refused": report.refused, "refusals": report.refusals, "recovered": report.recovered,
        "ahead": report.ahead, "seconds": seconds, "tables": tables,
    })
}
