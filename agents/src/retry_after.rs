//! The header `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Whoever asks for more is tried again after a day.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// When an answer wants to be asked again; none if it does not say, or what it says cannot be read or is over.
pub fn of(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    read(headers.get(RETRY_AFTER)?.to_str().ok()?.trim(), now)
}

fn read(text: &str, now: Timestamp) -> Option<Timestamp> {
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
    use jiff::fmt::rfc2822::DateTimePrinter;

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

    #[test]
    fn the_header_is_read_in_both_forms_and_bounded() {
        let wait = |value: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            of(&headers, Timestamp::now()).map(|at| at.duration_since(Timestamp::now()).as_secs_f64().round())
        };
        assert_eq!(wait("30"), Some(30.0));
        assert_eq!(wait("4294967295"), Some(86_400.0));
        let date = DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&Timestamp::now().saturating_add(SignedDuration::from_secs(100)).unwrap());
        assert!(matches!(wait(&date.unwrap()), Some(98.0..=100.0)));
        for none in ["0", "-5", "soon", "", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(wait(none), None, "{none}");
        }
        assert_eq!(of(&HeaderMap::new(), Timestamp::now()), None);
    }
}
