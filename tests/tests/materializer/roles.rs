//! The materializer's own role is enough for it.

use std::collections::BTreeMap;

use lifestream_agents::materializer::{self, Options};
use lifestream_envelope::Until;
use lifestream_envelope::settings::Settings;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, event, link};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_needs_no_more_than_the_role_of_agents() {
    let bench = Bench::new("mat_role").await;
    bench.psql("DROP ROLE IF EXISTS mat_role; CREATE ROLE mat_role LOGIN PASSWORD 'mat' IN ROLE lifestream_agent");
    let mut flags: BTreeMap<String, String> = bench.pipeline.environment().into_iter().collect();
    let (_, server) = flags["DATABASE_URL"].split_once('@').unwrap();
    let url = format!("postgresql://mat_role:mat@{server}");
    flags.insert("DATABASE_URL".to_owned(), url);
    let settings = Settings::load_from(&flags, BTreeMap::new(), std::path::Path::new("/")).unwrap();
    let work =
        r#"{"work_message":{"id":"00000000-0000-4000-8000-00000000000a","attempt":1,"work_type":"t"},"error":"e"}"#;
    bench.produce(&[
        link(1, "link:a"),
        event(2, "content.fetched", "link:a", r#"{"text_content":"t","fetch_error":null}"#),
        event(3, "enrichment.completed", "link:a", r#"{"tags":["x"],"summary":"s"}"#),
        event(4, "publish.completed", "link:a", r#"{"url":"u"}"#),
        event(5, "link.removed", "link:a", "{}"),
        event(6, "work.failed", "link:a", work),
        event(7, "temp.reading_recorded", "temp:a", r#"{"value":1}"#),
        event(8, "todo.created", "todo:a", r#"{"title":"t"}"#),
        event(9, "todo.completed", "todo:a", "{}"),
        event(10, "annotation.added", "link:a", "{}"),
        event(11, "note.created", "note:a", "{}"),
        event(12, "todo.created", "todo:b", "{}"),
        event(13, "todo.completed", "todo:b", "{}"),
    ]);
    materializer::run(&settings, Options::default(), CancellationToken::new(), Until::Idle).await.unwrap();
    assert_eq!(bench.count("lifestream.event_ingest_dedupe"), 11);
    assert_eq!(bench.psql("SELECT string_agg(seq::text, ',' ORDER BY id) FROM lifestream.parked"), "12,13");
    assert_eq!(bench.psql("SELECT status FROM lifestream.links"), "removed");
}
