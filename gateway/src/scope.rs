//! What a token may tell, and of whom.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::emission::{LinkId, Members, pointer, raw};
use crate::problem::{Kind, Problem, shown};
use crate::tokens::Holder;

/// What the agents found out: a tenant's token may not tell it.
const FINDINGS: [&str; 4] = ["content.fetched", "enrichment.completed", "publish.completed", "publish.retracted"];
/// Before the types that are orders to the router, and decisions: nobody's over HTTP.
const WORK: &str = "work.";
/// Before a link's `subject_id`.
const LINK: &str = "link:";

/// Which event of a body: whether it is one of an array, and its number.
type Which = (bool, usize);

/// Puts in what the token says of every event: where it comes from, and whose it is.
///
/// # Errors
/// The event is another tenant's, or not for this token to tell.
pub fn complete(event: &mut Members, holder: &Holder, (many, number): Which) -> Result<(), Problem> {
    let missing = |name: &str, event: &Members| event.get(name).is_none_or(|value| value.get() == "null");
    if missing("source", event) {
        event.insert("source".to_owned(), raw(&format!("gateway/{}", holder.name)));
    }
    if let Some(event_type) = text(event, "event_type") {
        let reserved = |hint: &str| {
            Err(Problem::new(Kind::ReservedEventType, format!("this token may not tell of {}", shown(&event_type)))
                .hint(hint)
                .pointer(pointer(many, number, "event_type")))
        };
        if event_type.starts_with(WORK) {
            return reserved("Events of work are the router's and the agents' own; an agent emits them in SQL.");
        }
        if holder.tenant.is_some() && FINDINGS.contains(&event_type.as_str()) {
            return reserved("The agents tell it. A token that is bound to no tenant may do so as well.");
        }
    }
    let Some(own) = &holder.tenant else { return Ok(()) };
    if missing("tenant_id", event) {
        event.insert("tenant_id".to_owned(), raw(own));
        return Ok(());
    }
    text(event, "tenant_id").map_or(Ok(()), |given| same_tenant(own, &given, pointer(many, number, "tenant_id")))
}

/// # Errors
/// They differ.
pub fn same_tenant(own: &str, given: &str, at: String) -> Result<(), Problem> {
    if own == given {
        return Ok(());
    }
    Err(Problem::new(Kind::OtherTenant, format!("this token may not write for the tenant {}", shown(given)))
        .hint("Leave it out: the token's own tenant is written then.")
        .pointer(at))
}

/// The link that an event of a tenant's token names: its id must be the one that its URL and this tenant make. Whoever comes
/// first with a `subject_id` owns it, so nobody may come first with another tenant's link.
///
/// # Errors
/// The payload says nothing of its URL.
pub fn link(event: &Members, holder: &Holder, (many, number): Which) -> Result<Option<LinkId>, Problem> {
    let Some(tenant) = &holder.tenant else { return Ok(None) };
    let Some(given) = text(event, "subject_id").filter(|given| given.starts_with(LINK)) else { return Ok(None) };
    let payload: Option<BTreeMap<String, Box<RawValue>>> =
        event.get("payload").and_then(|payload| serde_json::from_str(payload.get()).ok());
    match payload.and_then(|payload| text(&payload, "url")) {
        Some(url) => Ok(Some(LinkId { number, url, tenant: tenant.clone(), given: Some(given) })),
        None => Err(other_link(&given, pointer(many, number, "subject_id"))),
    }
}

/// What a tenant's token is told of a link that is not shown to be its own.
pub fn other_link(given: &str, at: String) -> Problem {
    Problem::new(Kind::OtherTenant, format!("{} is not the id of this tenant's link", shown(given)))
        .hint("Give the link's URL in the payload, as url: lifestream.link_subject_id makes the id of it and the tenant. POST /links does so by itself.")
        .pointer(at)
}

/// A member that is a string. What is none where it should be, the database refuses by its type.
fn text(members: &Members, name: &str) -> Option<String> {
    members.get(name).and_then(|value| String::deserialize(value.as_ref()).ok())
}
