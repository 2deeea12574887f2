//! `lifestream tags`: the tags of links, merged and dropped by facts.

use anyhow::bail;
use lifestream_envelope::settings::Settings;
use serde::Serialize;
use serde_json::json;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::cli::{TagsCommand, TagsDropOptions, TagsListOptions, TagsMergeOptions};
use crate::database;
use crate::exit::Outcome;
use crate::output;
use crate::table::table;

/// A tag that links have.
#[derive(Debug, Serialize)]
struct Tag {
    tenant_id: String,
    tag: String,
    links: i64,
    /// Tags that were merged into it.
    aliases: Vec<String>,
}

/// Lists, merges or drops.
pub async fn run(settings: &Settings, command: TagsCommand) -> anyhow::Result<Outcome> {
    let session = database::connect(settings, "tags").await?;
    let client = &session.client;
    // resolve_tag reads the rules where the search path points, as projections do.
    client.batch_execute("SET search_path TO lifestream, pg_temp").await?;
    match command {
        TagsCommand::List(options) => list(client, &options).await,
        TagsCommand::Merge(options) => merge(client, &options).await,
        TagsCommand::Drop(options) => drop_tag(client, &options).await,
    }
}

async fn list(client: &Client, options: &TagsListOptions) -> anyhow::Result<Outcome> {
    let rows = client
        .query(
            "WITH alias AS ( \
                 SELECT r.tenant_id, r.tag, resolve_tag(r.tenant_id, r.tag, NULL) AS stands_for \
                 FROM (SELECT DISTINCT tenant_id, tag FROM tag_rules WHERE into_tag IS NOT NULL) r) \
             SELECT c.tenant_id, c.tag, c.links, coalesce((SELECT array_agg(a.tag ORDER BY a.tag) FROM alias a \
                 WHERE a.tenant_id = c.tenant_id AND a.stands_for = c.tag AND a.tag <> c.tag), '{}') \
             FROM tag_counts c WHERE $1::text IS NULL OR c.tenant_id = $1 ORDER BY c.links DESC, c.tag, c.tenant_id",
            &[&options.tenant],
        )
        .await?;
    let mut tags = Vec::with_capacity(rows.len());
    for row in &rows {
        tags.push(Tag {
            tenant_id: row.try_get(0)?,
            tag: row.try_get(1)?,
            links: row.try_get(2)?,
            aliases: row.try_get(3)?,
        });
    }
    if options.json {
        output::line(serde_json::to_string_pretty(&tags)?)?;
        return Ok(Outcome::Done);
    }
    if tags.is_empty() {
        eprintln!("no link has a tag");
        return Ok(Outcome::Done);
    }
    let tenants = tags.iter().any(|tag| !tag.tenant_id.is_empty());
    let headings: &[&str] = if tenants { &["TAG", "LINKS", "TENANT", "ALSO"] } else { &["TAG", "LINKS", "ALSO"] };
    let rows = tags.into_iter().map(|tag| {
        let mut row = vec![tag.tag, tag.links.to_string()];
        if tenants {
            row.push(tag.tenant_id);
        }
        row.push(tag.aliases.join(", "));
        row
    });
    output::line(table(headings, &[1], rows))?;
    Ok(Outcome::Done)
}

async fn merge(client: &Client, options: &TagsMergeOptions) -> anyhow::Result<Outcome> {
    let (from, into) = (named(&options.from)?, named(&options.into)?);
    if from == into {
        bail!("\"{from}\" cannot be merged into itself");
    }
    let (of_from, of_into) =
        (resolve(client, &options.tenant, from).await?, resolve(client, &options.tenant, into).await?);
    if of_from == of_into && of_from != from {
        eprintln!("\"{from}\" is another name for \"{of_from}\" already: nothing was changed");
        return Ok(Outcome::Done);
    }
    if links(client, &options.tenant, &of_from).await? == 0 {
        eprintln!("no link has the tag \"{from}\"; those that get it will have \"{into}\" instead");
    }
    emit(client, "tag.merged", &options.tenant, &json!({"from": from, "into": into})).await
}

async fn drop_tag(client: &Client, options: &TagsDropOptions) -> anyhow::Result<Outcome> {
    let tag = named(&options.tag)?;
    let stands_for = resolve(client, &options.tenant, tag).await?;
    if stands_for != tag {
        bail!("\"{tag}\" is another name for \"{stands_for}\": `lifestream tags drop` takes that one");
    }
    let links = links(client, &options.tenant, tag).await?;
    if links == 0 {
        bail!("no link has the tag \"{tag}\": `lifestream tags list` shows those that there are");
    }
    emit(client, "tag.dropped", &options.tenant, &json!({"tag": tag})).await
}

fn named(tag: &str) -> anyhow::Result<&str> {
    let tag = tag.trim();
    if tag.is_empty() {
        bail!("a tag has at least one character that is no blank");
    }
    Ok(tag)
}

async fn resolve(client: &Client, tenant: &str, tag: &str) -> anyhow::Result<String> {
    Ok(client.query_one("SELECT resolve_tag($1, $2, NULL)", &[&tenant, &tag]).await?.try_get(0)?)
}

async fn links(client: &Client, tenant: &str, tag: &str) -> anyhow::Result<i64> {
    let row = client
        .query_one(
            "SELECT coalesce((SELECT links FROM tag_counts WHERE tenant_id = $1 AND tag = $2), 0)",
            &[&tenant, &tag],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// All facts about a tenant's tags have one subject, which keeps them in order among themselves.
async fn emit(client: &Client, event_type: &str, tenant: &str, payload: &serde_json::Value) -> anyhow::Result<Outcome> {
    let subject_id = if tenant.is_empty() { "tags".to_owned() } else { format!("tags:{tenant}") };
    let row = client
        .query_one(
            "SELECT emit_event($1, 'tag', $2, $3::text::jsonb, tenant_id => $4)",
            &[&event_type, &subject_id, &payload.to_string(), &tenant],
        )
        .await?;
    output::line(row.try_get::<_, Uuid>(0)?)?;
    Ok(Outcome::Done)
}
