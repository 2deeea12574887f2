//! Of what the bridge finds that is not as it was left: how the tests ask for it, and answer.

use lifestream_tests::{Database, Finished, Pipeline, Program};

pub fn note(database: &Database<'_>, subject: &str) -> String {
    database.psql(&format!("SELECT lifestream.emit_event('note.created', 'note', '{subject}', '{{}}')"))
}

/// Ends with an error that says this.
#[track_caller]
pub fn refused(pipeline: &Pipeline<'_>, arguments: &[&str], words: &[&str]) {
    let Finished { status, stderr, .. } = Program::run_with(arguments, &pipeline.environment(), b"");
    assert!(!status.success(), "{arguments:?} went on: {stderr}");
    assert!(words.iter().all(|words| stderr.contains(words)), "{arguments:?}: {words:?} in {stderr}");
}

pub fn last_error(pipeline: &Pipeline<'_>, stage: &str) -> String {
    let sql = format!("SELECT last_error FROM lifestream.pipeline_status WHERE stage = '{stage}'");
    pipeline.database.psql(&sql)
}

/// It stands in the status, and doctor names it with what to do.
#[track_caller]
pub fn stands(pipeline: &Pipeline<'_>, stage: &str, name: &str, remedy: &str) {
    let status = last_error(pipeline, stage);
    assert!(status.contains(&format!("{name}: ")) && status.contains(remedy), "{status}");
    let doctor = Program::run_with(&["doctor"], &pipeline.environment(), b"");
    assert!(!doctor.status.success(), "{}", doctor.stdout);
    assert!(doctor.stdout.contains(&format!("{name}: ")) && doctor.stdout.contains(remedy), "{}", doctor.stdout);
}

pub fn accept(pipeline: &Pipeline<'_>, name: &str) {
    pipeline.database.psql(&format!("SELECT lifestream.accept_finding('{name}')"));
}
