//! `link_subject_id`: one link is one subject, however often and by whatever campaign's URL it is saved.

use pgrx::pg_sys;
use sha2::{Digest, Sha256};
use url::Url;

use crate::entry::{Answer, arguments, sql_function};
use crate::error::Refusal;
use crate::text;

sql_function!(link_subject_id_wrapper, pg_finfo_link_subject_id_wrapper, link_subject_id);

/// Query parameters that tell who sent a visitor and nothing about the page. A trailing `*` stands for any ending.
/// The ids of all links depend on this list: to change it is a new version of the ids.
const TRACKING: [&str; 29] = [
    "utm_*",
    "fbclid",
    "gclid",
    "gclsrc",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "twclid",
    "ttclid",
    "li_fat_id",
    "igshid",
    "igsh",
    "yclid",
    "ysclid",
    "_openstat",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "_hsenc",
    "_hsmi",
    "hsctatracking",
    "oly_anon_id",
    "oly_enc_id",
    "vero_id",
    "vero_conv",
    "wickedid",
    "s_cid",
    "srsltid",
];

/// See `sql/events/link_subject_id.sql`.
unsafe fn link_subject_id(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    // SAFETY: the function is strict and takes two texts.
    let [url, tenant] = unsafe {
        let arguments = arguments(fcinfo);
        [arguments[0].value, arguments[1].value].map(|datum| text::utf8(text::octets(datum)))
    };
    let link = normalize(&url)?;
    let mut hash = Sha256::new();
    hash.update(&tenant);
    hash.update([0]);
    hash.update(link.as_str());
    let mut subject_id = String::from("link:");
    for octet in hash.finalize() {
        subject_id.push_str(&format!("{octet:02x}"));
    }
    Ok(Some(text::datum(subject_id.as_bytes())))
}

/// The URL as the WHATWG standard serialises it, less its fragment and tracking parameters; the rest of the query keeps
/// its order and its octets.
fn normalize(given: &[u8]) -> Result<Url, Refusal> {
    /// Eight times what browsers and servers take; parsing cannot be interrupted.
    const MOST_OCTETS: usize = 64 * 1024;
    let refused = |problem: String| Refusal::Url { value: given.to_vec(), problem };
    if given.len() > MOST_OCTETS {
        return Err(refused(format!("it has {} octets, more than {MOST_OCTETS}", given.len())));
    }
    let text = std::str::from_utf8(given).map_err(|error| refused(error.to_string()))?;
    let mut url = Url::parse(text).map_err(|error| refused(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused(format!("its scheme is {}", url.scheme())));
    }
    url.set_fragment(None);
    let Some(query) = url.query() else { return Ok(url) };
    let kept: Vec<&str> = query.split('&').filter(|parameter| !is_tracking(parameter)).collect();
    if kept.len() < query.split('&').count() {
        let kept = kept.join("&");
        url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
    }
    Ok(url)
}

fn is_tracking(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default().to_ascii_lowercase();
    TRACKING.iter().any(|tracking| match tracking.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *tracking,
    })
}
