//! What a setting's value may be.

use std::net::SocketAddr;
use std::time::Duration;

/// The form of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A connection string of PostgreSQL: a URL or `key=value` pairs.
    Dsn,
    /// `true` or `false`.
    Boolean,
    /// A whole number within these bounds.
    Integer(u32, u32),
    /// A number, at least 1.
    Factor,
    /// A time such as `500ms`, `5s`, `10m`, `1h`.
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A file or folder.
    Path,
    /// An address to listen on, `host:port`.
    Listen,
    /// An http(s) URL.
    Url,
    /// Comma-separated texts.
    List,
    /// Comma-separated `host:port`.
    Brokers,
    /// Letters, digits, `.`, `_` and `-`: what Kafka takes in a topic's name.
    TopicPrefix,
}

impl Kind {
    /// For people: what is expected.
    pub fn expects(self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Dsn => "postgres://user@host:5432/database, or key=value pairs as libpq takes them".into(),
            Self::Boolean => "true or false".into(),
            Self::Integer(low, high) => format!("a whole number from {low} to {high}"),
            Self::Factor => "a number, at least 1".into(),
            Self::Duration => "a time with its unit, such as 500ms, 5s, 10m or 1h".into(),
            Self::Choice(words) => words.join(", "),
            Self::Path => "a path".into(),
            Self::Listen => "an IP address and port, such as 127.0.0.1:8080".into(),
            Self::Url => "an http:// or https:// URL".into(),
            Self::List => "texts, separated by commas".into(),
            Self::Brokers => "host:port, separated by commas".into(),
            Self::TopicPrefix => "at most 100 letters, digits, '.', '_' or '-'".into(),
        }
    }

    /// Whether a value is of this form.
    pub fn accepts(self, value: &str) -> bool {
        match self {
            Self::Text | Self::Path | Self::List => true,
            Self::Dsn => crate::postgres::dsn::parse(value).is_ok(),
            Self::Boolean => boolean(value).is_some(),
            Self::Integer(low, high) => value.parse().is_ok_and(|n: u32| (low..=high).contains(&n)),
            Self::Factor => value.parse().is_ok_and(|n: f64| n.is_finite() && n >= 1.0),
            Self::Duration => duration(value).is_some(),
            Self::Choice(words) => words.contains(&value),
            Self::Listen => value.parse::<SocketAddr>().is_ok(),
            Self::Url => url::Url::parse(value).is_ok_and(|u| matches!(u.scheme(), "http" | "https")),
            Self::Brokers => !value.is_empty() && value.split(',').all(|broker| is_broker(broker.trim())),
            Self::TopicPrefix => {
                value.len() <= 100
                    && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            }
        }
    }
}

/// `true`, `false`, and what people write instead.
pub fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Some(true),
        "false" | "off" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Where nobody listens: port 0 of the loopback interface.
pub const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Texts separated by commas, without blanks and empty ones.
pub fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// A whole number and its unit; at least a millisecond, at most a year.
pub fn duration(value: &str) -> Option<Duration> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = value.get(..digits)?.parse().ok()?;
    let millis = match value.get(digits..)?.trim() {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let total = number.checked_mul(millis)?;
    (1..=365 * 86_400_000).contains(&total).then(|| Duration::from_millis(total))
}

/// `host`, `host:port`, `[::1]:port`, each with a protocol before it if need be, which librdkafka passes over.
fn is_broker(text: &str) -> bool {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    !host.is_empty()
        && !host.contains(|c: char| c.is_whitespace() || c == '/')
        && port.is_none_or(|port| port.parse().is_ok_and(|n: u16| n > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        for (text, millis) in
            [("5s", 5000), ("500ms", 500), ("10m", 600_000), ("1h", 3_600_000), ("2 s", 2000), ("1d", 86_400_000)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["5", "s", "", "-5s", "1.5s", "5 weeks", "0s", "99999999999999999999s", "400d", "ü"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn brokers_are_hosts_with_ports() {
        for text in ["localhost:9092", "a:1,b:2", "[::1]:9092", "SASL_SSL://a:9092", "kafka"] {
            assert!(Kind::Brokers.accepts(text), "{text}");
        }
        for text in ["", "a:1,", "a:x", "a:0", ":9092", "http://a/b", "a:99999"] {
            assert!(!Kind::Brokers.accepts(text), "{text}");
        }
    }
}
