//! Times of the state as dates: microseconds since 1970, in UTC.

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};

const DAY: i64 = 86_400_000_000;
const EPOCH: Date = date(1970, 1, 1);

/// The day that it falls on.
pub fn of(micros: i64) -> Date {
    EPOCH.checked_add(SignedDuration::from_hours(micros.div_euclid(DAY) * 24)).unwrap_or(EPOCH)
}

/// When a day begins.
pub fn start(day: Date) -> i64 {
    day.duration_since(EPOCH).as_hours() / 24 * DAY
}

/// Such as `21 November 2026`.
pub fn long(day: Date) -> String {
    day.strftime("%-d %B %Y").to_string()
}

/// Such as `Saturday, 21 November 2026`.
pub fn with_weekday(day: Date) -> String {
    day.strftime("%A, %-d %B %Y").to_string()
}

/// Such as `November 2026`.
pub fn month(day: Date) -> String {
    day.strftime("%B %Y").to_string()
}

/// RFC 3339, to the second.
pub fn rfc3339(micros: i64) -> String {
    timestamp(micros).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The state's times are bounded where they are read.
fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}
