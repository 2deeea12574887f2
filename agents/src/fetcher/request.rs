//! Follows a link to its page: every hop is checked like the first.

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, LOCATION};
use reqwest::{Response, StatusCode};

use super::robots::Robots;
use super::target::Target;
use super::trouble::Trouble;
use super::web::{Validators, Web};
use crate::retry_after;
use crate::runner::Others;

/// An answer that is no redirect, with the place that gave it.
pub struct Answer {
    /// Who answered, after all redirects.
    pub target: Target,
    /// The answer; its body is still to be read.
    pub response: Response,
}

/// An earlier fetch of the same link.
pub struct Earlier<'a> {
    /// The URL that gave the text.
    pub final_url: &'a str,
    /// What it said of itself.
    pub validators: &'a Validators,
}

/// Who is asked on the way, beside the hosts themselves.
pub struct Guides<'a> {
    /// What hosts allow, and how often.
    pub robots: &'a Robots,
    /// Which hosts are left alone.
    pub others: &'a Others,
}

/// Follows redirects to an answer; of the guides robots.txt is asked for each hop, and its Crawl-delay kept at each host, unless it is itself
/// what is fetched.
///
/// # Errors
/// A hop is forbidden or does not answer, or there are too many.
pub async fn follow(
    web: &Web,
    start: Target,
    guides: Option<Guides<'_>>,
    earlier: Option<Earlier<'_>>,
    redirects: usize,
) -> Result<Answer, Trouble> {
    let mut target = start;
    let mut visited = None;
    for _ in 0..=redirects {
        if let Some(Guides { robots, others }) = &guides {
            // The first host's lane has let it through.
            let paused =
                visited.as_ref().filter(|host| **host != target.name()).and_then(|_| others.paused(&target.name()));
            if let Some(wait) = paused {
                let reason = format!("{}, where a redirect leads, is left alone for a while", target.name());
                return Err(Trouble::NotYet { reason, wait });
            }
            robots.check(web, &target).await.map_err(|trouble| trouble.at(&target))?;
            // Redirects within a host are one visit.
            if visited.replace(target.name()).is_none_or(|host| host != target.name()) {
                robots.visit(&target).await?;
            }
        }
        let earlier = earlier.as_ref().filter(|earlier| earlier.final_url == target.url().as_str());
        let asked = web.ask(&target, earlier.map(|earlier| earlier.validators)).await;
        let response = asked.map_err(|trouble| trouble.at(&target))?;
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(Answer { target, response });
        }
        let Some(location) = header(response.headers(), &LOCATION) else {
            return Err(Trouble::last(format!("{} without a Location", shown(response.status()))));
        };
        target = target.join(&location, &web.allow).map_err(Trouble::Final)?;
    }
    Err(Trouble::last(format!("more than {redirects} redirects, the last to {}", target.url())))
}

/// What a status means that is not the page.
pub fn judge(response: &Response, target: &Target, now: Timestamp) -> Result<(), Trouble> {
    let status = response.status();
    let error = format!("{} from {}", shown(status), target.name());
    match status.as_u16() {
        // No content, or a part of it that nobody asked for.
        204..=206 => Err(Trouble::Final(error)),
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => {
            let not_before = retry_after::of(response.headers(), now);
            Err(Trouble::Passing { error, not_before, host: Some(target.name()) })
        }
        _ => Err(Trouble::Final(error)),
    }
}

fn shown(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("HTTP {} {reason}", status.as_u16()),
        None => format!("HTTP {}", status.as_u16()),
    }
}

/// A header's value; most are ASCII, a `Location` may be UTF-8.
pub fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}
