//! Takes the flag off every event: for a Kafka that has none of them.

use tokio_postgres::Client;

/// Flags put back in one transaction.
const BATCH: i64 = 20_000;

/// Takes the flag off every event, a bounded batch in each transaction; gives how many had it. Those that were archived are
/// brought back to `lifestream.events`, which only works while no bridge has worked on this very database.
///
/// # Errors
/// As the database has it; done again, it goes on.
pub async fn all(client: &Client) -> Result<u64, tokio_postgres::Error> {
    let (mut total, mut from) = (unarchive(client).await?, i64::MIN);
    loop {
        let row = client
            .query_one(
                "SELECT max(seq) FROM (SELECT seq FROM lifestream.events WHERE seq > $1 ORDER BY seq LIMIT $2) batch",
                &[&from, &BATCH],
            )
            .await?;
        let Some(to) = row.try_get::<_, Option<i64>>(0)? else { return Ok(total) };
        total += client
            .execute(
                "UPDATE lifestream.events SET published_to_kafka = false WHERE seq > $1 AND seq <= $2 AND published_to_kafka",
                &[&from, &to],
            )
            .await?;
        from = to;
    }
}

async fn unarchive(client: &Client) -> Result<u64, tokio_postgres::Error> {
    let (mut total, batch) = (0, i32::try_from(BATCH).unwrap_or(i32::MAX));
    loop {
        // Asked first: a server that has the library of 0.1.0 preloaded, until it is restarted, can archive nothing and bring nothing back.
        let any: bool =
            client.query_one("SELECT EXISTS (SELECT FROM lifestream.events_archive)", &[]).await?.try_get(0)?;
        if !any {
            return Ok(total);
        }
        let moved: i64 = client.query_one("SELECT lifestream.unarchive_batch($1)", &[&batch]).await?.try_get(0)?;
        total += moved.unsigned_abs();
    }
}
