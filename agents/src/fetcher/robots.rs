//! robots.txt (RFC 9309): asked once a day for each origin, through the same guards as pages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use texting_robots::Robot;
use tokio::time::Instant;

use super::pace::Pace;
use super::request::{follow, judge};
use super::target::Target;
use super::trouble::Trouble;
use super::web::Web;

mod rules;

/// The name by which robots.txt calls us.
const PRODUCT: &str = "pg_lifestream";
/// How long an answer counts, and how long a refusal to answer.
const FRESH: Duration = Duration::from_secs(24 * 3600);
const FAILED: Duration = Duration::from_secs(30);
/// A longer Crawl-delay is cut to this, and no task waits for longer; it leaves a task time for the page itself.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// RFC 9309 asks for five hops at least.
const REDIRECTS: usize = 5;
/// What the rules of all origins may weigh; beyond it those asked longest ago are forgotten.
const MOST_BYTES: usize = 64 << 20;

/// What is known of each origin.
#[derive(Default)]
pub struct Robots {
    /// The inner lock is held while asking, so that many tasks for a new host ask once.
    known: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Known>>>>>,
    /// For the lanes, which cannot wait.
    summaries: Mutex<HashMap<String, Summary>>,
    /// Visits of hosts that ask for a Crawl-delay.
    visits: Pace,
}

struct Summary {
    asked: Instant,
    weight: usize,
    delay: Option<Duration>,
}

#[derive(Clone)]
struct Known {
    until: Instant,
    /// None: everything is allowed.
    verdict: Result<Option<Arc<Robot>>, Trouble>,
}

impl Robots {
    /// Whether the page may be fetched. Boxed, and said to be so: asking follows redirects, and whoever follows them asks
    /// for robots.txt.
    ///
    /// # Errors
    /// Final where it is disallowed, passing while robots.txt cannot be had.
    pub fn check<'a>(&'a self, web: &'a Web, target: &'a Target) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let rules = self.rules(web, target).await.map_err(|trouble| match trouble {
                Trouble::Passing { error, not_before, host } => {
                    Trouble::Passing { error: format!("robots.txt: {error}"), not_before, host }
                }
                refused => refused,
            })?;
            match rules.is_none_or(|rules| rules.allowed(target.url().as_str())) {
                true => Ok(()),
                false => {
                    Err(Trouble::last(format!("robots.txt of {} disallows {}", target.origin(), target.url().path())))
                }
            }
        })
    }

    /// The Crawl-delay that an origin is known to ask for.
    pub fn delay(&self, target: &Target) -> Option<Duration> {
        self.summaries.lock().unwrap_or_else(PoisonError::into_inner).get(&target.origin())?.delay
    }

    /// Waits until the host may be visited again, where it asks for a Crawl-delay: it counts for whoever comes, by the link
    /// itself or by a redirect from elsewhere.
    ///
    /// # Errors
    /// Its turn is further away than a task can wait: the work comes again when it is there.
    pub async fn visit(&self, target: &Target) -> Result<(), Trouble> {
        let Some(delay) = self.delay(target) else { return Ok(()) };
        self.visits.wait(&target.name(), delay, LONGEST_DELAY).await.map_err(|wait| {
            let reason =
                format!("{} asks for {delay:?} between two visits (Crawl-delay), and others come first", target.name());
            Trouble::NotYet { reason, wait }
        })
    }

    async fn rules(&self, web: &Web, target: &Target) -> Result<Option<Arc<Robot>>, Trouble> {
        let origin = target.origin();
        let slot = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(origin.clone()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref().filter(|known| known.until > Instant::now()) {
            return known.verdict.clone();
        }
        let (verdict, weight) = match ask(web, target).await {
            Ok(None) => (Ok(None), 0),
            Ok(Some((rules, weight))) => (Ok(Some(Arc::new(rules))), weight),
            Err(error) => (Err(error), 0),
        };
        let until = Instant::now() + if verdict.is_ok() { FRESH } else { FAILED };
        *slot = Some(Known { until, verdict: verdict.clone() });
        let delay = verdict.as_ref().ok().and_then(|rules| delay(rules.as_ref()?));
        self.note(origin, Summary { asked: Instant::now(), weight: weight + 1024, delay });
        verdict
    }

    /// Keeps the whole within bounds.
    fn note(&self, origin: String, summary: Summary) {
        let mut summaries = self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
        summaries.insert(origin, summary);
        let mut weight: usize = summaries.values().map(|summary| summary.weight).sum();
        while weight > MOST_BYTES && summaries.len() > 1 {
            let Some(oldest) = summaries.iter().min_by_key(|(_, summary)| summary.asked).map(|(name, _)| name.clone())
            else {
                break;
            };
            weight -= summaries.remove(&oldest).map_or(0, |summary| summary.weight);
            self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&oldest);
        }
    }
}

fn delay(rules: &Robot) -> Option<Duration> {
    let seconds = rules.delay.filter(|seconds| *seconds > 0.0)?;
    Some(Duration::try_from_secs_f32(seconds).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY))
}

/// None where there are no rules.
async fn ask(web: &Web, target: &Target) -> Result<Option<(Robot, usize)>, Trouble> {
    let own = target.join("/robots.txt", &web.allow).map_err(Trouble::Final)?;
    let answer = match follow(web, own, None, None, REDIRECTS).await {
        Ok(answer) => answer,
        // Where it leads is too far or forbidden: "unavailable", which RFC 9309 (2.3.1.3) takes as no rules. The page's
        // own address has been checked before, and its connection is checked again.
        Err(Trouble::Final(_)) => return Ok(None),
        Err(passing) => return Err(passing),
    };
    match judge(&answer.response, &answer.target, Timestamp::now()) {
        Ok(()) => {}
        Err(Trouble::Final(_)) => return Ok(None),
        Err(passing) => return Err(passing),
    }
    match web
        .body(&answer.target, answer.response, web.limits.robots)
        .await
        .map_err(|trouble| trouble.at(&answer.target))
    {
        Ok((text, _)) => Ok(rules::read(PRODUCT, &text)),
        Err(Trouble::Final(_)) => Ok(None),
        Err(passing) => Err(passing),
    }
}
