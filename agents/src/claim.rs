//! Whether this database may consume at all. A copy of another one shares topics and consumer groups with it: what the
//! copy takes, the other never gets, and what comes of it lands in the copy. So nothing is consumed for a copy until its
//! bridge has found out where it publishes.

use tokio_postgres::Client;

const HELD_BACK: &str = "SELECT f.name || ': ' || f.found || '; ' || f.remedy FROM lifestream.findings f \
         WHERE f.name IN ('database_restored', 'topic_in_use') AND f.accepted_at IS NULL \
     UNION ALL \
     SELECT 'database_restored: this database was restored or copied from another; nothing is consumed until its bridge has begun: run `lifestream bridge`' \
     FROM lifestream.bridge_progress p WHERE p.database_identity <> lifestream.database_identity() \
     LIMIT 1";

/// Why nothing may be consumed for this database, if so.
///
/// # Errors
/// As the database has it.
pub async fn held_back(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    client.query_opt(HELD_BACK, &[]).await?.map(|row| row.try_get(0)).transpose()
}
