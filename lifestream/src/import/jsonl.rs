//! JSON Lines: one object a line, with the argument names of `emit_event`.

use std::collections::BTreeMap;
use std::io::BufRead;

use lifestream_envelope::ids;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::lines::{self, Line, MOST_BYTES};
use super::{Draft, Drafted, Item};

/// Reads to the end, or until nobody takes items any more. Empty lines are passed over.
pub fn read(mut input: impl BufRead, take: &mut impl FnMut(Item) -> bool) -> anyhow::Result<()> {
    let mut number = 0;
    while let Some(line) = lines::next(&mut input)? {
        number += 1;
        let item = match line {
            Line::TooLong => Item::Bad { line: number, reason: format!("longer than {} MiB", MOST_BYTES >> 20) },
            Line::Text(bytes) => {
                let bytes = if number == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes) } else { &bytes };
                if bytes.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                match draft(bytes) {
                    Ok(event) => Item::Draft(Draft { line: number, event }),
                    Err(reason) => Item::Bad { line: number, reason },
                }
            }
        };
        if !take(item) {
            break;
        }
    }
    Ok(())
}

/// Values stay the text that they are, so that numbers keep every digit. An object without an id gets one that is
/// derived from the line, so that importing it again adds nothing.
fn draft(bytes: &[u8]) -> Result<Drafted, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8 (at byte {})", error.valid_up_to() + 1))?.trim();
    let mut object: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).map_err(|error| reason(&error))?;
    let given = object.get("id").map(|raw| raw.get()).filter(|raw| *raw != "null");
    let id = match given {
        Some(raw) => serde_json::from_str::<Uuid>(raw).map_err(|_| format!("id: {raw} is no UUID"))?,
        None => ids::import_id(text),
    };
    object.insert("id".to_owned(), to_raw_value(&id).map_err(|error| error.to_string())?);
    let object = serde_json::to_string(&object).map_err(|error| error.to_string())?;
    Ok(Drafted::Event { id, object })
}

/// serde_json says "at line 1 column 5": the line is ours to tell.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let words = text.split(" at line ").next().unwrap_or_default();
    format!("not a JSON object: {words} (at byte {})", error.column())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn items(input: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        read(input, &mut |item| {
            items.push(item);
            true
        })
        .unwrap();
        items
    }

    #[test]
    fn objects_become_events_and_bad_lines_are_told() {
        let input = b"\xef\xbb\xbf{\"event_type\":\"a\",\"payload\":{\"n\":1.00000000000000000001}}\r\n\r\n[1]\n{\"a\":\n{\"id\":\"x\"}\n\xff\n{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\"}";
        let items = items(input);
        let lines: Vec<_> = items
            .iter()
            .map(|item| match item {
                Item::Draft(draft) => (draft.line, None),
                Item::Bad { line, reason } | Item::Skipped { line, reason } => (*line, Some(reason.as_str())),
            })
            .collect();
        assert_eq!(lines.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7]);
        for (i, expected) in [(1, "invalid type: sequence"), (2, "EOF"), (3, "no UUID"), (4, "not UTF-8 (at byte 1)")] {
            assert!(lines[i].1.unwrap().contains(expected), "{:?}", lines[i]);
        }
        let Item::Draft(Draft { event: Drafted::Event { id, object }, .. }) = &items[0] else { panic!("{items:?}") };
        assert!(object.contains(r#""payload":{"n":1.00000000000000000001}"#), "{object}");
        assert_eq!(*id, ids::import_id(r#"{"event_type":"a","payload":{"n":1.00000000000000000001}}"#));
        let Item::Draft(Draft { event: Drafted::Event { id, .. }, .. }) = &items[5] else { panic!("{items:?}") };
        assert_eq!(id.to_string(), "01890a5d-ac96-774b-bcce-b302099a8057");
    }
}
