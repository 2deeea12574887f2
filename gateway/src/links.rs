//! `POST /links`: what a phone's shortcut, a bookmarklet and curl send.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use url::form_urlencoded;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admission::{Admitted, admit};
use crate::app::App;
use crate::body::Media;
use crate::emission::{self, LinkId, Members, Order, put_header, raw};
use crate::events::{bad_json, created, text};
use crate::openapi::{NewLink, Refused};
use crate::problem::{Kind, Problem, shown};
use crate::scope::{complete, same_tenant};
use crate::traceparent;

/// A link that was saved.
#[derive(Debug, Serialize, ToSchema)]
pub struct Saved {
    /// The event's.
    pub id: Uuid,
    /// The link's: one link saved twice is one subject.
    pub subject_id: String,
    /// As it was given.
    pub url: String,
}

/// Saves a link. Saved again, it stays one link: empty fields are filled, tags are joined.
#[utoipa::path(
    post,
    path = "/links",
    tag = "intake",
    params(crate::openapi::KeyHeader),
    request_body(content(
        (NewLink = "application/json"),
        (NewLink = "application/x-www-form-urlencoded"),
    )),
    responses(
        (
            status = 201,
            description = "Saved. A repeated request is answered as the first one was.",
            body = Saved,
            headers(("Idempotency-Replayed" = bool, description = "`true` where this had been recorded before")),
        ),
        Refused,
    ),
    security(("token" = [])),
)]
pub async fn post_links(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let Admitted { holder, headers, media, body, key, room } =
        admit(&app, request, &[Media::Json, Media::Form]).await?;
    let link = match media {
        Media::Json => Link::from_json(text(&body)?)?,
        Media::Form => Link::from_form(&body)?,
    };
    let tenant = match (&holder.tenant, &link.tenant) {
        (Some(own), Some(given)) => {
            same_tenant(own, given, "#/tenant".to_owned())?;
            own.clone()
        }
        (own, given) => given.as_ref().or(own.as_ref()).cloned().unwrap_or_default(),
    };
    let mut event = link.event()?;
    event.insert("tenant_id".to_owned(), raw(&tenant));
    complete(&mut event, &holder, (false, 0))?;
    if let Some(traceparent) = traceparent::of(&headers) {
        put_header(&mut event, traceparent::HEADER, traceparent, false);
    }
    let id = LinkId { number: 0, url: link.url.clone(), tenant, given: None };
    let mut order = Order { events: vec![event], links: vec![id], many: false, key };
    order.identify()?;
    let recorded = emission::record_whatever_happens(Arc::clone(&app.pool), order, room).await?;
    let saved = Saved {
        id: recorded.ids.first().copied().unwrap_or_default(),
        subject_id: recorded.subject_id.clone().unwrap_or_default(),
        url: link.url,
    };
    Ok(created(&recorded, saved))
}

/// As it was sent; what is empty counts as not given.
#[derive(Debug, Default, PartialEq, Eq)]
struct Link {
    url: String,
    title: Option<String>,
    note: Option<String>,
    tags: Vec<String>,
    tenant: Option<String>,
}

impl Link {
    fn from_json(text: &str) -> Result<Self, Problem> {
        let members: BTreeMap<String, Value> =
            serde_json::from_str(text).map_err(|error| bad_json(&error, "a link, which is an object with a url,"))?;
        let mut link = Self::default();
        for (name, value) in &members {
            let wrong = |wanted: &str| {
                let problem = format!("{name} must be {wanted}, it is {}", shown(&value.to_string()));
                Problem::new(Kind::Invalid, problem).pointer(format!("#/{name}"))
            };
            match (name.as_str(), value) {
                (_, Value::Null) if is_known(name) => {}
                ("tags", Value::Array(tags)) => {
                    for tag in tags {
                        link.add_tag(tag.as_str().ok_or_else(|| wrong("an array of strings"))?);
                    }
                }
                (name, Value::String(text)) => link.set(name, text)?,
                ("tags", _) => return Err(wrong("an array of strings, or one string with commas")),
                (name, _) if is_known(name) => return Err(wrong("a string")),
                (name, _) => return Err(unknown(name)),
            }
        }
        link.checked()
    }

    fn from_form(body: &[u8]) -> Result<Self, Problem> {
        let mut link = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let seen: Option<&str> = match name.as_ref() {
                "url" => Some(&link.url),
                "title" => link.title.as_deref(),
                "note" => link.note.as_deref(),
                "tenant" => link.tenant.as_deref(),
                _ => None,
            };
            if seen.is_some_and(|seen| !seen.is_empty()) {
                return Err(Problem::new(Kind::Invalid, format!("{name} is given twice")).pointer(format!("#/{name}")));
            }
            link.set(&name, &value)?;
        }
        link.checked()
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), Problem> {
        let given = Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        match name {
            "url" => self.url = given.unwrap_or_default(),
            "title" => self.title = given,
            "note" => self.note = given,
            "tenant" => self.tenant = given,
            "tags" => text.split(',').for_each(|tag| self.add_tag(tag)),
            other => return Err(unknown(other)),
        }
        Ok(())
    }

    fn add_tag(&mut self, tag: &str) {
        let tag = tag.trim();
        // One more than there may be is enough to refuse them all.
        if !tag.is_empty() && self.tags.len() <= MOST_TAGS && !self.tags.iter().any(|known| known == tag) {
            self.tags.push(tag.to_owned());
        }
    }

    fn checked(self) -> Result<Self, Problem> {
        if self.url.is_empty() {
            return Err(Problem::new(Kind::Invalid, "url is missing")
                .hint("Give an absolute http or https URL, such as https://example.org/a.")
                .pointer("#/url"));
        }
        if self.tags.len() > MOST_TAGS {
            return Err(
                Problem::new(Kind::Invalid, format!("tags has more than {MOST_TAGS} entries")).pointer("#/tags")
            );
        }
        Ok(self)
    }

    /// All of a `link.added` but its `subject_id`.
    fn event(&self) -> Result<Members, Problem> {
        let mut payload = json!({ "url": self.url, "title": self.title.as_deref().unwrap_or_default() });
        if let Some(note) = &self.note {
            payload["note"] = note.as_str().into();
        }
        if !self.tags.is_empty() {
            payload["tags"] = self.tags.clone().into();
        }
        let payload = to_raw_value(&payload).map_err(|error| {
            tracing::error!("gateway: a link's payload has no JSON form: {error}");
            Problem::new(Kind::Internal, "the link could not be written as JSON")
        })?;
        Ok(Members::from([
            ("event_type".to_owned(), raw("link.added")),
            ("subject".to_owned(), raw("link")),
            ("payload".to_owned(), payload),
        ]))
    }
}

/// The members of a link.
/// The most tags that one link is given.
const MOST_TAGS: usize = 100;
const KNOWN: [&str; 5] = ["url", "title", "note", "tags", "tenant"];

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

fn unknown(name: &str) -> Problem {
    let name: Cow<'_, str> = if name.is_ascii() { name.into() } else { name.escape_debug().to_string().into() };
    Problem::new(Kind::Invalid, format!("a link has no {}", shown(&name))).hint(format!("It has {}.", KNOWN.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn json_and_form_say_the_same() {
        let json = r#"{"url":" https://example.org/?a=b&c=d ","title":"A & B","note":"ü","tags":["x"," y ","x",""],"tenant":"home"}"#;
        let form =
            "url=https%3A%2F%2Fexample.org%2F%3Fa%3Db%26c%3Dd&title=A+%26+B&note=%C3%BC&tags=x%2C+y&tags=x&tenant=home";
        let link = Link::from_json(json).unwrap();
        assert_eq!(link, Link::from_form(form.as_bytes()).unwrap());
        assert_eq!(link.url, "https://example.org/?a=b&c=d");
        assert_eq!(link.tags, ["x", "y"]);
        let bare = Link::from_form(b"url=https://example.org/&title=&note=&tags=&tenant=").unwrap();
        assert_eq!(bare, Link::from_json(r#"{"url":"https://example.org/","tags":null,"title":""}"#).unwrap());
        assert_eq!(Link::from_json(r#"{"url":"u","tags":"x, y,,"}"#).unwrap().tags, ["x", "y"]);
    }
}
