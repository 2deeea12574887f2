//! `/livez` and `/readyz`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio_postgres::error::SqlState;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::pool::Pool;
use crate::problem::{Kind, Problem};
use crate::refusal::ADVICE;

/// How long an answer of the database is good for: health checks come often, and anybody may send them.
const FRESH: Duration = Duration::from_secs(1);
/// How long the database may take.
const WITHIN: Duration = Duration::from_secs(3);

/// All is well.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `alive` or `ready`.
    status: &'static str,
    /// With `?verbose`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Check {
    /// What.
    name: &'static str,
    /// Whether it is as it should be.
    ok: bool,
    /// For people.
    detail: String,
}

/// The database's last answer.
pub type LastLook = tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>;

/// How much to tell.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the parameter; its presence is what counts")]
pub struct Verbose {
    /// Tells each check.
    #[param(required = false, nullable = false)]
    verbose: Option<String>,
}

/// Whether the process runs. Looks at neither database nor anything else.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, description = "It runs.", body = Health)))]
pub async fn livez() -> Json<Health> {
    Json(Health { status: "alive", checks: Vec::new() })
}

/// Whether events would be recorded now. False from the moment on at which the gateway is told to end.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    params(Verbose),
    responses(
        (status = 200, description = "Events would be recorded.", body = Health),
        (status = 503, description = "They would not.", body = crate::problem::Details, content_type = "application/problem+json"),
    ),
)]
pub async fn readyz(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let draining = app.draining.load(Ordering::SeqCst);
    let loaded = app.loaded.borrow().clone();
    let postgres = database(&app).await;
    let check = |name, ok, detail: String| Check { name, ok, detail };
    let checks = vec![
        check("serving", !draining, if draining { "shutting down" } else { "taking requests" }.to_owned()),
        check("postgres", postgres.is_ok(), postgres.err().unwrap_or_else(|| "events can be emitted".to_owned())),
        check(
            "tokens",
            true,
            match &loaded.trouble {
                None => format!("{} in force", loaded.tokens.len()),
                Some(_) => {
                    "the file makes no sense any more (the log says why); those that it held before are in force"
                        .to_owned()
                }
            },
        ),
    ];
    let ready = checks.iter().all(|check| check.ok);
    let failed: Vec<&str> = checks.iter().filter(|check| !check.ok).map(|check| check.detail.as_str()).collect();
    let failed = failed.join("; ");
    let told = if verbose(query.as_deref()) { checks } else { Vec::new() };
    if ready {
        return Json(Health { status: "ready", checks: told }).into_response();
    }
    Problem::new(Kind::NotReady, failed).checks(told).retry_after(5).into_response()
}

fn verbose(query: Option<&str>) -> bool {
    let mut parameters = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    parameters.any(|(name, value)| name == "verbose" && !matches!(value.as_ref(), "false" | "0"))
}

/// One look at a time, and none more often than needed.
async fn database(app: &App) -> Result<(), String> {
    let mut last = app.last_look.lock().await;
    if let Some((at, answer)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
        tracing::trace!(?at, "the last look is fresh");
        return answer.clone();
    }
    let answer = look(&app.pool).await;
    *last = Some((Instant::now(), answer.clone()));
    answer
}

async fn look(pool: &Pool) -> Result<(), String> {
    const SQL: &str = "SELECT pg_catalog.has_function_privilege('lifestream.emit_events(jsonb)', 'EXECUTE') \
        AND pg_catalog.has_function_privilege('lifestream.idempotency_fingerprint(uuid)', 'EXECUTE'), pg_catalog.pg_is_in_recovery()";
    let away = || "PostgreSQL does not answer".to_owned();
    let lease = pool.lease().await.map_err(|_| "PostgreSQL cannot be reached".to_owned())?;
    let row = match tokio::time::timeout(WITHIN, lease.client.query_one(SQL, &[])).await {
        Ok(Ok(row)) => row,
        Ok(Err(error)) => {
            let missing =
                [&SqlState::UNDEFINED_FUNCTION, &SqlState::INVALID_SCHEMA_NAME, &SqlState::INSUFFICIENT_PRIVILEGE];
            return Err(match error.code() {
                Some(code) if missing.contains(&code) => format!("PostgreSQL is not set up: {ADVICE}"),
                _ => away(),
            });
        }
        Err(_) => return Err(away()),
    };
    let (may, standby) = (row.try_get(0).unwrap_or(false), row.try_get(1).unwrap_or(false));
    lease.give_back();
    match (may, standby) {
        (_, true) => Err("PostgreSQL is a standby, which records nothing".to_owned()),
        (false, _) => Err(format!("PostgreSQL is not set up: {ADVICE}")),
        (true, false) => Ok(()),
    }
}
