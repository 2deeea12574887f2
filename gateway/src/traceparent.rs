//! W3C trace context of a request.

use axum::http::HeaderMap;

/// Its name, in requests as in events.
pub const HEADER: &str = "traceparent";

/// The request's, if it is sound; a bad one is passed over, as the standard asks.
pub fn of(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(HEADER).iter();
    let (value, None) = (given.next()?.to_str().ok()?, given.next()) else { return None };
    let fields: Vec<&str> = value.split('-').collect();
    let hex = |field: &str| field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let some = |field: &str| field.bytes().any(|b| b != b'0');
    match fields[..] {
        [version, trace, parent, flags] => ([version, trace, parent, flags].iter().all(|field| hex(field))
            && [version.len(), trace.len(), parent.len(), flags.len()] == [2, 32, 16, 2]
            && version != "ff"
            && some(trace)
            && some(parent))
        .then_some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn only_sound_ones_are_taken() {
        let sound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, value.parse().unwrap());
            super::of(&headers).map(str::to_owned)
        };
        assert_eq!(of(sound).as_deref(), Some(sound));
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
