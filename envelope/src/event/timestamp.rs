//! RFC 3339 in UTC with six decimals, without an allocation.

/// A formatted timestamp, such as `2026-11-21T09:55:00.123456Z`.
#[derive(Debug, Clone, Copy)]
pub struct Rfc3339 {
    text: [u8; 27],
}

impl Rfc3339 {
    /// The text.
    pub fn as_str(&self) -> &str {
        // Digits and separators only, so this never falls back.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Formats microseconds since the Unix epoch.
///
/// Years 0 to 9999 come out exactly; RFC 3339 has no other, and the extension admits none.
pub fn rfc3339(micros: i64) -> Rfc3339 {
    let (days, of_day) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
    let (year, month, day) = civil(days);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    put(&mut text[0..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], seconds / 3600);
    put(&mut text[14..16], seconds / 60 % 60);
    put(&mut text[17..19], seconds % 60);
    put(&mut text[20..26], fraction);
    Rfc3339 { text }
}

/// Writes the last digits of a number that is not negative.
fn put(digits: &mut [u8], mut number: i64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number.rem_euclid(10)).unwrap_or_default();
        number = number.div_euclid(10);
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the proleptic Gregorian calendar.
///
/// Counts in eras of 400 years that begin on 1 March, so that the leap day is the last of its year
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_based = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_based + 2) / 5 + 1;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants() {
        assert_eq!(rfc3339(0).as_str(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(rfc3339(-1).as_str(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(rfc3339(951_782_400_000_000).as_str(), "2000-02-29T00:00:00.000000Z");
        assert_eq!(rfc3339(253_402_300_799_999_999).as_str(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(rfc3339(-62_135_596_800_000_000).as_str(), "0001-01-01T00:00:00.000000Z");
        let _ = (rfc3339(i64::MAX), rfc3339(i64::MIN));
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(micros in -62_135_596_800_000_000_i64..253_402_207_200_000_000) {
            let theirs = format!("{:.6}", jiff::Timestamp::from_microsecond(micros).unwrap());
            let ours = rfc3339(micros).as_str().to_owned();
            prop_assert_eq!(&ours, &theirs);
            let back: jiff::Timestamp = ours.parse().unwrap();
            prop_assert_eq!(back.as_microsecond(), micros);
        }
    }
}
