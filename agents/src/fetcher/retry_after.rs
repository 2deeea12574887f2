//! The header `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// Whoever asks for more is tried again after a day.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// When to try again; none for what cannot be read, or is over.
pub fn read(text: &str, now: Timestamp) -> Option<Timestamp> {
    let at = match text.parse::<u64>() {
        Ok(seconds) => {
            let wait = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)).min(LONGEST);
            now.checked_add(wait).ok()?
        }
        Err(_) => DateTimeParser::new().parse_timestamp(text).ok()?,
    };
    let latest = now.checked_add(LONGEST).ok()?;
    (at > now).then_some(at.min(latest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nobody_makes_us_wait_for_ever() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("120", Some("2026-11-21T10:02:00Z")),
            ("0", None),
            ("Sat, 21 Nov 2026 11:30:00 GMT", Some("2026-11-21T11:30:00Z")),
            ("Sat, 21 Nov 2026 09:59:59 GMT", None),
            ("Fri, 21 Nov 2036 10:00:00 GMT", Some("2026-11-22T10:00:00Z")),
            ("999999999", Some("2026-11-22T10:00:00Z")),
            ("18446744073709551615", Some("2026-11-22T10:00:00Z")),
            ("99999999999999999999999", None),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            let expected = expected.map(|at| at.parse().unwrap());
            assert_eq!(read(text, now), expected, "{text}");
        }
    }
}
