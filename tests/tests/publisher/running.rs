//! The publisher as it runs: work from the router, answers as events, kills in the middle.

use std::time::Duration;

use lifestream_agents::Database as Shared;
use lifestream_agents::publisher::Publisher;
use lifestream_envelope::settings::Settings;
use lifestream_tests::{Kafka, Pipeline, Postgres, eventually};

use crate::tree::{assert_same, mentions};

const SOON: Duration = Duration::from_secs(180);
const LINKS: usize = 300;

fn settings(pipeline: &Pipeline<'_>, folder: &std::path::Path) -> Settings {
    let mut flags: std::collections::BTreeMap<String, String> = pipeline.environment().into_iter().collect();
    flags.insert("LIFESTREAM_FEED_DIR".to_owned(), folder.to_str().unwrap().to_owned());
    Settings::load_from(&flags, std::collections::BTreeMap::new(), std::path::Path::new("/nonexistent")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_is_published_once_though_the_publisher_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::new("pub_running", Postgres::shared(), Kafka::shared())
        .with("LIFESTREAM_FEED_DIR", folder.path().to_str().unwrap())
        .with("LIFESTREAM_FEED_URL", crate::bench::URL);
    pipeline.run(&["init"]);
    let parts = [pipeline.spawn(&["bridge"]), pipeline.spawn(&["router"]), pipeline.spawn(&["materializer"])];
    let mut publisher = pipeline.spawn(&["agent", "publisher"]);
    pipeline.database.psql(&format!(
        "SELECT lifestream.emit_event('link.added', 'link', lifestream.link_subject_id('https://example.org/' || n),
             jsonb_build_object('url', 'https://example.org/' || n, 'title', 'Title ' || n, 'tags', jsonb_build_array('tag' || n % 7)))
         FROM generate_series(1, {LINKS}) AS n;
         SELECT lifestream.emit_event('enrichment.completed', 'link', lifestream.link_subject_id('https://example.org/' || n),
             jsonb_build_object('summary', 'Of number ' || n, 'tags', jsonb_build_array('all'), 'topic', null, 'model', 'test'))
         FROM generate_series(1, {LINKS}) AS n"
    ));
    let count = |sql: &str| -> usize { pipeline.database.psql(sql).parse().unwrap() };
    let published = || count("SELECT count(*) FROM lifestream.links WHERE status = 'published'");
    for some in [1, LINKS / 3] {
        eventually(SOON, "some links are published", || published() >= some);
        publisher.kill9();
        publisher = pipeline.spawn(&["agent", "publisher"]);
    }
    eventually(SOON, "every link is published", || published() == LINKS);
    let sql = "SELECT count(*) FROM lifestream.events WHERE event_type = 'publish.completed'";
    assert_eq!(count(sql), LINKS, "each once");
    assert!(mentions(folder.path(), &["Title 7<"]).len() >= 4);

    pipeline.database.psql(
        "SELECT lifestream.emit_event('link.removed', 'link', lifestream.link_subject_id('https://example.org/' || n * 7), '{}')
         FROM generate_series(1, 20) AS n",
    );
    let retracted = "SELECT count(*) FROM lifestream.publish_state WHERE status = 'retracted'";
    eventually(SOON, "what was removed is taken out", || count(retracted) == 20);
    assert!(mentions(folder.path(), &["Title 7<"]).is_empty());

    // Nothing is published any more that would bring the pages of tags up to date on its way.
    assert!(folder.path().join("tags/tag3/index.html").exists() && folder.path().join("tags/tag5/index.html").exists());
    pipeline.database.psql(
        "SELECT lifestream.emit_event('tag.merged', 'tag', 'tags', '{\"from\": \"tag3\", \"into\": \"tag4\"}');
         SELECT lifestream.emit_event('tag.dropped', 'tag', 'tags', '{\"tag\": \"tag5\"}')",
    );
    let refreshed =
        "SELECT count(*) FROM lifestream.events WHERE event_type = 'publish.refreshed' AND subject_id = 'tags'";
    eventually(SOON, "the pages show what became of the tags", || count(refreshed) == 2);
    assert_eq!(mentions(folder.path(), &[">tag3<", ">tag5<"]), [""; 0]);
    assert_eq!(count("SELECT count(*) FROM lifestream.publish_state WHERE subject_id = 'tags'"), 0);
    assert_eq!(count("SELECT count(*) FROM lifestream.dead_letters"), 0);
    assert_eq!(publisher.terminate().code(), Some(0));
    for part in parts {
        assert_eq!(part.terminate().code(), Some(0));
    }

    let fresh = tempfile::tempdir().unwrap();
    let settings = settings(&pipeline, fresh.path());
    let database = Shared::new(&settings.postgres, "test");
    Publisher::new(&settings).unwrap().refresh(&database).await.unwrap();
    assert_same(folder.path(), fresh.path());
}
