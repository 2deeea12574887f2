//! Lines of any input, bounded.

use std::io::BufRead;

/// Longer lines are reported, not kept.
pub const MOST_BYTES: usize = 16 << 20;

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Its bytes.
    Text(Vec<u8>),
    /// It is longer than [`MOST_BYTES`], and was passed over.
    TooLong,
}

/// Reads the next line; `None` at the end. `\n` and `\r\n` both end one.
pub fn next(input: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut text = Vec::new();
    let (mut any, mut long) = (false, false);
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            break;
        }
        any = true;
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        long |= text.len() + part.len() > MOST_BYTES;
        if long {
            text = Vec::new();
        } else {
            text.extend_from_slice(part);
        }
        let used = end.map_or(buffer.len(), |at| at + 1);
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    if !any {
        return Ok(None);
    }
    if text.last() == Some(&b'\r') {
        text.pop();
    }
    Ok(Some(if long { Line::TooLong } else { Line::Text(text) }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn lines_end_in_both_ways_and_are_bounded() {
        let long = vec![b'x'; MOST_BYTES + 1];
        let mut input = b"a\r\n\nb\n".to_vec();
        input.extend_from_slice(&long);
        input.extend_from_slice(b"\nlast");
        let mut input = std::io::BufReader::with_capacity(7, &input[..]);
        let text = |bytes: &[u8]| Some(Line::Text(bytes.to_vec()));
        let mut found = Vec::new();
        for _ in 0..6 {
            found.push(next(&mut input).unwrap());
        }
        assert_eq!(found, [text(b"a"), text(b""), text(b"b"), Some(Line::TooLong), text(b"last"), None]);
    }
}
