//! Ids that are derived from what caused them (UUIDv5), so that a repeat makes the same id and the first one wins.

use uuid::Uuid;

/// The namespace of every derived id: a random UUID that never changes. Whoever derives the same names in it, in any
/// language, gets the same ids.
pub const NAMESPACE: Uuid = Uuid::from_u128(0x9991_fde0_8bbf_458d_8b47_7374_506b_9800);

/// The id of a work message: UUIDv5 of `work|<event id>|<work type>|<attempt>`.
pub fn work_id(event_id: Uuid, work_type: &str, attempt: u32) -> Uuid {
    derive(&format!("work|{event_id}|{work_type}|{attempt}"))
}

/// The id of the event that answers a work message: UUIDv5 of `result|<group>|<work id>`.
///
/// `group` is the consumer group without prefix: a new version of it gives new facts.
pub fn result_id(group: &str, work_id: Uuid) -> Uuid {
    derive(&format!("result|{group}|{work_id}"))
}

/// The id of the `work.dead_lettered` that ends a work message: UUIDv5 of `dead|<group>|<work id>`.
///
/// `group` is whoever gives it up: a consumer group without prefix, or `router`.
pub fn dead_letter_id(group: &str, work_id: Uuid) -> Uuid {
    derive(&format!("dead|{group}|{work_id}"))
}

/// The id of the `work.dead_lettered` for an event that should hold work and holds none that could be done (`work.failed`,
/// `work.retry_requested`, or a dead letter that was refused): UUIDv5 of `dead|<event id>`.
pub fn unreadable_id(event_id: Uuid) -> Uuid {
    derive(&format!("dead|{event_id}"))
}

/// The id of the `work.dead_lettered` for a record that is no work message: UUIDv5 of
/// `malformed|<group>|<topic>|<partition>|<offset>`.
pub fn malformed_id(group: &str, topic: &str, partition: i32, offset: i64) -> Uuid {
    derive(&format!("malformed|{group}|{topic}|{partition}|{offset}"))
}

/// The id of an imported event: UUIDv5 of `import|<what identifies it>`, so that importing again adds nothing.
///
/// A bookmark is identified by its subject id, a line of JSON by its text.
pub fn import_id(identity: &str) -> Uuid {
    derive(&format!("import|{identity}"))
}

/// The id of an event that a request to the gateway with an `Idempotency-Key` emits: UUIDv5 of
/// `gateway|<token's name>|<key>|<number>`, so that the request repeated emits nothing new.
///
/// `number` counts the request's events from 0. A token's name holds no `|`, so no two pairs of name and key make one name.
pub fn gateway_id(token_name: &str, key: &str, number: usize) -> Uuid {
    derive(&format!("gateway|{token_name}|{key}|{number}"))
}

fn derive(name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// Computed by Python's `uuid.uuid5` from the documented names.
    #[test]
    fn ids_are_those_that_any_language_derives() {
        let event = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        let work = work_id(event, "fetch_link", 1);
        assert_eq!(work.to_string(), "9fca171a-e83a-5f57-82d9-e188accc5673");
        assert_eq!(result_id("fetcher-agent-v2", work).to_string(), "7417dde9-3625-5c08-b99e-714161524482");
        assert_eq!(dead_letter_id("fetcher-agent-v2", work).to_string(), "e2adb3d5-1fc4-5cd1-b75c-c9c50e4196f1");
        assert_eq!(unreadable_id(event).to_string(), "66fbbedb-30b6-541c-a818-1aad91c09b7b");
        assert_eq!(import_id("link:ab").to_string(), "7c4503dd-18f4-5dc1-a7ca-9d68f63b6930");
        assert_eq!(gateway_id("phone", "a|1", 0).to_string(), "05934d91-75e1-5327-b8ea-928c6e09eacb");
    }
}
