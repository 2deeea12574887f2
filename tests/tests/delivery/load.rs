//! What must have come of the events of a [`Load`].

use lifestream_tests::Pipeline;
pub use lifestream_tests::load::Load;
use lifestream_tests::oracle::{Oracle, Verdict};

pub fn assert_nothing_wrong(oracle: &Oracle, pipeline: &Pipeline<'_>) {
    let verdict = oracle.judge(&pipeline.events(), None);
    assert_eq!(verdict, Verdict::default(), "{} events were committed", oracle.committed());
    assert!(oracle.committed() > 0);
}
