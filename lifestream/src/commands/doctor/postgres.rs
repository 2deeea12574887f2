//! What `doctor` looks at in PostgreSQL.

use std::time::Duration;

use lifestream_agents::router;
use lifestream_envelope::postgres::{self, Session};
use lifestream_envelope::settings::Settings;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{Check, work};
use crate::database::describe;
use crate::table::age;

/// The program's version, which the extension's should be.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A transaction open for longer than this keeps vacuum from its work.
const OLD_SECONDS: f64 = 300.0;

/// What a check found.
pub type Found = Result<Vec<Check>, tokio_postgres::Error>;

/// Reachable, the extension in order, the bridge alive, nothing in the way. Gives the work types that routes name.
pub async fn check(settings: &Settings, checks: &mut Vec<Check>) -> Vec<String> {
    let session = match postgres::sign_in(&settings.postgres, "doctor").await {
        Ok(session) => session,
        Err(error) => {
            checks.push(Check::wrong(
                "PostgreSQL",
                error.to_string(),
                "set DATABASE_URL, and try it with `psql \"$DATABASE_URL\"`",
            ));
            return Vec::new();
        }
    };
    let client = &session.client;
    match extension(client).await {
        Ok(found) => {
            let there = found.iter().all(|check| check.verdict != super::Verdict::Wrong);
            checks.extend(found);
            if !there {
                return Vec::new();
            }
        }
        Err(error) => {
            checks.push(Check::wrong("PostgreSQL", describe(&error), "see the server's log"));
            return Vec::new();
        }
    }
    for (name, found) in [
        ("privileges", privileges(client).await),
        ("sequence", sequence(client).await),
        ("wake-up", wake_up(client).await),
        ("bridge", bridge(client).await),
        ("findings", findings(client).await),
        ("open transactions", transactions(client).await),
        ("circuits", work::circuits(client).await),
        ("retries", work::retries(client).await),
        ("dead letters", work::dead_letters(client).await),
        ("parked", work::parked(client).await),
    ] {
        match found {
            Ok(found) => checks.extend(found),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                checks.push(Check::note(
                    name,
                    format!("this user may not look: {}", describe(&error)),
                    "run doctor as a member of lifestream_admin",
                ));
            }
            Err(error) => checks.push(Check::wrong(name, describe(&error), "see the server's log")),
        }
    }
    let routes = match router::registered(client).await {
        Ok(routes) => {
            checks.extend(work::routes(&routes));
            routes.into_iter().map(|route| route.work_type).collect()
        }
        Err(error) => {
            checks.push(Check::wrong("routes", error.to_string(), "run doctor as a member of lifestream_admin"));
            Vec::new()
        }
    };
    checks.push(notifications(settings, session).await);
    routes
}

async fn extension(client: &Client) -> Found {
    let row = client
        .query_one(
            "SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(), \
                 (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_lifestream'), \
                 EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'pg_lifestream'), \
                 pg_catalog.current_database()::text",
            &[],
        )
        .await?;
    let (server, standby): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
    let (version, available, database): (Option<String>, bool, String) =
        (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
    let mut checks = vec![if standby {
        Check::wrong(
            "PostgreSQL",
            format!("{server}, a standby: it takes no writes"),
            "let DATABASE_URL lead to the primary",
        )
    } else {
        Check::ok("PostgreSQL", format!("{server} answers, database {database}"))
    }];
    checks.push(match version {
        Some(version) if version == VERSION => Check::ok("extension", format!("pg_lifestream {version}")),
        Some(version) if postgres::is_outdated(&version) => Check::wrong(
            "extension",
            format!("pg_lifestream {version}, the program is {VERSION}: no part begins to work"),
            "ALTER EXTENSION pg_lifestream UPDATE",
        ),
        Some(version) => Check::note(
            "extension",
            format!("pg_lifestream {version}, the program is {VERSION}"),
            "install the same version of both, then ALTER EXTENSION pg_lifestream UPDATE",
        ),
        None if available => {
            Check::wrong("extension", "not created in this database", "CREATE EXTENSION pg_lifestream")
        }
        None => Check::wrong(
            "extension",
            "not installed on this server",
            "make install on the server, then CREATE EXTENSION pg_lifestream",
        ),
    });
    Ok(checks)
}

async fn privileges(client: &Client) -> Found {
    let missing = client
        .query(
            "SELECT role FROM pg_catalog.unnest(ARRAY['lifestream_emitter', 'lifestream_reader', 'lifestream_bridge', 'lifestream_agent', 'lifestream_admin']) AS role \
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role)",
            &[],
        )
        .await?;
    if let Some(row) = missing.first() {
        let role: String = row.try_get(0)?;
        return Ok(vec![Check::wrong(
            "privileges",
            format!("role {role} is missing"),
            "CREATE ROLE … NOLOGIN, or create the extension anew",
        )]);
    }
    let row = client
        .query_one(
            "SELECT current_user::text, \
                 pg_catalog.has_column_privilege('lifestream.events', 'published_to_kafka', 'UPDATE') AND pg_catalog.has_table_privilege('lifestream.bridge_progress', 'INSERT, UPDATE'), \
                 pg_catalog.has_table_privilege('lifestream.kafka_offsets', 'INSERT, UPDATE') AND pg_catalog.has_table_privilege('lifestream.links', 'INSERT, UPDATE')",
            &[],
        )
        .await?;
    let (user, bridge, agent): (String, bool, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let lacks: Vec<&str> = [(bridge, "the bridge (lifestream_bridge)"), (agent, "the materializer (lifestream_agent)")]
        .into_iter()
        .filter_map(|(has, part)| (!has).then_some(part))
        .collect();
    Ok(vec![if lacks.is_empty() {
        Check::ok("privileges", format!("{user} may run every part"))
    } else {
        Check::note(
            "privileges",
            format!("{user} may not run {}", lacks.join(", nor ")),
            format!("GRANT the role in brackets TO {user}, if it should"),
        )
    }])
}

async fn sequence(client: &Client) -> Found {
    let row = client
        .query_one(
            "SELECT s.seqcache, s.seqincrement, s.seqcycle, \
                 coalesce(pg_catalog.pg_sequence_last_value(s.seqrelid), 0) >= coalesce((SELECT max(seq) FROM lifestream.all_events), 0) \
             FROM pg_catalog.pg_sequence s WHERE s.seqrelid = pg_catalog.pg_get_serial_sequence('lifestream.events', 'seq')::regclass",
            &[],
        )
        .await?;
    let (cache, increment, cycle, ahead): (i64, i64, bool, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let name = "sequence";
    let mut checks = Vec::new();
    if cache != 1 || increment != 1 || cycle {
        checks.push(Check::wrong(
            name,
            format!(
                "CACHE {cache}, INCREMENT {increment}{}: an event could be passed over",
                if cycle { ", CYCLE" } else { "" }
            ),
            "ALTER TABLE lifestream.events ALTER COLUMN seq SET CACHE 1 SET INCREMENT 1 SET NO CYCLE",
        ));
    }
    if !ahead {
        checks.push(Check::wrong(
            name,
            "behind the largest seq of lifestream.all_events: the next emit would fail",
            "SELECT setval(pg_get_serial_sequence('lifestream.events', 'seq'), (SELECT max(seq) FROM lifestream.all_events))",
        ));
    }
    if checks.is_empty() {
        checks.push(Check::ok(name, "lifestream.events.seq counts as it should"));
    }
    Ok(checks)
}

async fn wake_up(client: &Client) -> Found {
    let row = client
        .query_one(
            "SELECT CASE WHEN pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') \
                 THEN pg_catalog.current_setting('shared_preload_libraries') LIKE '%pg_lifestream%' END",
            &[],
        )
        .await?;
    let preloaded: Option<bool> = row.try_get(0)?;
    let library = match preloaded {
        Some(true) => "; the library is preloaded",
        Some(false) => "; the library is loaded by each session that emits",
        None => "",
    };
    Ok(vec![Check::ok("wake-up", format!("by one NOTIFY for each emitting transaction{library}"))])
}

async fn bridge(client: &Client) -> Found {
    let name = "bridge";
    let row = client
        .query_opt(
            "SELECT holder, closed, extract(epoch FROM lease_until - pg_catalog.clock_timestamp())::double precision, \
                 database_identity = lifestream.database_identity() \
             FROM lifestream.bridge_progress",
            &[],
        )
        .await?;
    let start = "lifestream bridge, or lifestream up";
    let Some(row) = row else { return Ok(vec![Check::note(name, "has never run on this database", start)]) };
    let (holder, closed, lease, same): (String, bool, f64, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let mut checks = vec![match (closed, lease > 0.0) {
        (false, true) => Check::ok(name, format!("{holder} publishes")),
        (true, _) => Check::note(name, format!("not running; {holder} ended in good order"), start),
        (false, false) => Check::wrong(name, format!("not running: {holder} gave no sign for {}", age(-lease)), start),
    }];
    if !same {
        checks.push(Check::wrong(
            name,
            "its progress is that of another database: this one was restored or copied, and nothing is published or consumed for it yet",
            "start the bridge: with a Kafka of its own it publishes everything anew, else it says what to decide",
        ));
    }
    let row = client
        .query_one("SELECT count(*), extract(epoch FROM now() - min(received_at))::double precision FROM (SELECT received_at FROM lifestream.unpublished_events LIMIT 100000) waiting", &[])
        .await?;
    let (waiting, oldest): (i64, Option<f64>) = (row.try_get(0)?, row.try_get(1)?);
    if waiting > 0 && oldest.is_some_and(|seconds| seconds > 60.0) {
        checks.push(Check::note(
            name,
            format!("{waiting} events wait to be published, the oldest for {}", age(oldest.unwrap_or_default())),
            "lifestream status shows its last error, and its log says more",
        ));
    }
    Ok(checks)
}

/// What is not as it was left, by name: of the bridge, and of consumers that miss records.
async fn findings(client: &Client) -> Found {
    let name = "findings";
    let rows = client
        .query(
            "SELECT 'bridge', f.name || ': ' || f.found, f.remedy FROM lifestream.findings f WHERE f.accepted_at IS NULL \
             UNION ALL SELECT c.consumer_group, c.error, 'as it says; `lifestream status` shows it until then' \
             FROM (SELECT consumer_group, error FROM lifestream.kafka_offsets \
                   UNION SELECT consumer_group, error FROM lifestream.consumer_progress) c WHERE c.error IS NOT NULL \
             ORDER BY 1, 2",
            &[],
        )
        .await?;
    let mut checks = Vec::new();
    for row in &rows {
        let (who, found, remedy): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        checks.push(Check::wrong(name, format!("{who}: {found}"), remedy));
    }
    if checks.is_empty() {
        checks.push(Check::ok(name, "databases, topics and records are as they were left"));
    }
    Ok(checks)
}

async fn transactions(client: &Client) -> Found {
    let name = "open transactions";
    let row = client
        .query_opt(
            "SELECT pid, coalesce(application_name, ''), extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)::double precision, coalesce(state, '') \
             FROM pg_catalog.pg_stat_activity \
             WHERE datname = pg_catalog.current_database() AND xact_start IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend' \
             ORDER BY xact_start LIMIT 1",
            &[],
        )
        .await?;
    let Some(row) = row else { return Ok(vec![Check::ok(name, "none")]) };
    let (pid, application, seconds, state): (i32, String, f64, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let found = format!("the oldest is open for {} (process {pid}, {application:?}, {state})", age(seconds));
    Ok(vec![if seconds < OLD_SECONDS {
        Check::ok(name, found)
    } else {
        Check::note(
            name,
            format!("{found}: vacuum cannot clean up behind it"),
            format!("end it: SELECT pg_terminate_backend({pid})"),
        )
    }])
}

/// LISTEN is lost behind a pooler that hands each transaction another server connection (pgbouncer's `transaction` mode).
async fn notifications(settings: &Settings, mut session: Session) -> Check {
    const NAME: &str = "notifications";
    let heard = async {
        session.client.batch_execute("LISTEN lifestream_doctor").await?;
        let other = postgres::connect(&settings.postgres, "doctor").await.ok();
        let notifier = other.as_ref().map_or(&session.client, |other| &other.client);
        notifier.batch_execute("NOTIFY lifestream_doctor").await?;
        let heard = tokio::time::timeout(Duration::from_secs(2), session.notifications.recv()).await;
        Ok::<bool, tokio_postgres::Error>(matches!(heard, Ok(Some(_))))
    };
    match heard.await {
        Ok(true) => Check::ok(NAME, "arrive"),
        Ok(false) => Check::wrong(
            NAME,
            "do not arrive: the connection leads through a pooler in transaction mode, so the bridge only looks every LIFESTREAM_POLL_INTERVAL",
            "let DATABASE_URL of the parts lead to PostgreSQL itself, or to a pooler in session mode",
        ),
        Err(error) => Check::wrong(
            NAME,
            describe(&error),
            "let DATABASE_URL of the parts lead to PostgreSQL itself, or to a pooler in session mode",
        ),
    }
}
