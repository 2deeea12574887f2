//! Times of the state as dates: microseconds since 1970, in UTC.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The day that it falls on.
pub fn of(micros: i64) -> Date {
    timestamp(micros).to_zoned(TimeZone::UTC).date()
}

/// When a day begins.
pub fn start(day: Date) -> i64 {
    day.to_zoned(TimeZone::UTC).map_or(0, |start| start.timestamp().as_microsecond())
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
