//! The files that images and Compose are made from, as far as they can be held against the rest without an engine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use lifestream_envelope::settings::keys;
use lifestream_tests::checkout::root;

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join("docker").join(name)).unwrap()
}

/// Every `NAME: value` of Compose's environments that is ours.
fn settings(compose: &str) -> Vec<(&str, &str)> {
    let pairs = compose.lines().filter_map(|line| line.trim().split_once(": "));
    pairs.filter(|(name, _)| name.starts_with("LIFESTREAM_") || name.starts_with("DATABASE_URL")).collect()
}

#[test]
fn compose_names_settings_that_there_are() {
    let compose = read("compose.yaml");
    let settings = settings(&compose);
    assert!(settings.len() >= 5, "{settings:?}");
    for (name, _) in settings {
        let known = |name: &str| keys::find(name).is_some();
        let of_file = name.strip_suffix("_FILE").and_then(keys::find).is_some_and(|key| key.secret);
        assert!(known(name) || of_file, "{name} is no setting");
    }
}

#[test]
fn compose_runs_the_publisher_and_the_gateway_where_the_image_lets_them() {
    let (compose, image) = (read("compose.yaml"), read("lifestream.Dockerfile"));
    let settings = settings(&compose);
    let value = |wanted: &str| settings.iter().find(|(name, _)| *name == wanted).expect(wanted).1;

    let feed = value("LIFESTREAM_FEED_DIR");
    assert!(compose.contains(&format!("feed:{feed}\"")), "{feed} outlives its container");
    assert!(
        image.contains(&format!("--owner=lifestream --group=lifestream {feed}\n")),
        "the account may write to {feed}"
    );
    assert!(read("feed.conf").contains("root /srv/feed;") && compose.contains("feed:/srv/feed:ro"));

    let (_, port) = value("LIFESTREAM_GATEWAY_LISTEN").rsplit_once(':').unwrap();
    assert!(compose.contains(&format!("127.0.0.1:{port}:{port}")) && image.contains(&format!("EXPOSE {port}\n")));
    let tokens = value("LIFESTREAM_GATEWAY_TOKENS_FILE").strip_prefix("/run/secrets/").expect("a secret");
    assert!(compose.contains(&format!("  {tokens}:\n    environment: GATEWAY_TOKENS\n")), "{tokens}");
    // As the account that reads it.
    let (_, uid) = image.split_once("--uid ").unwrap();
    let uid = uid.split(' ').next().unwrap();
    assert!(compose.contains(&format!("source: {tokens}, uid: \"{uid}\"")), "{uid}");
}

#[test]
fn no_port_is_open_to_other_machines() {
    let compose = read("compose.yaml");
    for line in compose.lines().filter(|line| line.trim().starts_with("ports:")) {
        assert!(line.contains("[\"127.0.0.1:"), "{line}");
    }
}
