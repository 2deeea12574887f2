//! How it looks: pictures of a site as somebody might have it. `UPDATE_DOCS=1` puts them into docs/images.

use std::path::Path;
use std::process::{Command, Stdio};

use lifestream_tests::checkout;
use serde_json::json;

use crate::bench::{Bench, Link};

/// Title, address, site, byline, tags, summary.
type Sample = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], &'static str);

const SAMPLES: [Sample; 12] = [
    (
        "The quiet craft of naming things",
        "https://words.example/naming-things",
        "Words & Work",
        "Ines Okafor",
        &["writing", "programming"],
        "A name is the shortest documentation a program has. The author follows one variable through six reviews and shows how each better name removed a comment, and in the end a whole function.",
    ),
    (
        "Why lighthouses blink",
        "https://coastline.example/lighthouses",
        "Coastline",
        "Tomas Lindqvist",
        &["history", "sea", "light"],
        "Every lighthouse has a rhythm of its own, so that a sailor who counts the seconds knows which coast lies ahead. How the rhythms were agreed on, and what happened where two were alike.",
    ),
    (
        "A field guide to write-ahead logs",
        "https://storage.example/wal",
        "Storage Notes",
        "Mei Castellanos",
        &["postgres", "databases", "reliability"],
        "Before a page changes, the change is written down. From that one rule follow crash recovery, replication and point-in-time restore. With drawings of what is on disk at each step.",
    ),
    (
        "Bread, time and patience",
        "https://kitchen.example/slow-bread",
        "The Long Kitchen",
        "",
        &["cooking", "bread"],
        "Cold dough needs no kneading. A schedule for people who work all day: mix in the evening, fold once before bed, bake on the second morning.",
    ),
    (
        "Reading a topographic map like a story",
        "https://hills.example/maps",
        "Hill Walking",
        "Aoife Brennan",
        &["maps", "outdoors"],
        "Contours that crowd together, a stream that bends without reason, a path that ends at a wall: what the sheet says about the afternoon ahead, before the first step.",
    ),
    (
        "Consumer groups, explained with a kitchen",
        "https://streams.example/consumer-groups",
        "Streams",
        "Ravi Menon",
        &["kafka", "distributed-systems"],
        "Orders arrive on tickets, cooks take tickets by table. What happens when a cook leaves, when two believe they own one table, and why the ticket is only thrown away once the plate is out.",
    ),
    (
        "The garden in November",
        "https://beds.example/november",
        "Raised Beds",
        "",
        &["gardening", "seasons"],
        "Less is tidied than one thinks. Leaves stay under the hedge, seed heads stay for the finches, and the tools get their oil.",
    ),
    (
        "Small programs that last",
        "https://longlived.example/small-programs",
        "Long-lived Software",
        "Hanna Virtanen",
        &["programming", "unix", "craft"],
        "Thirty years of one text filter, read commit by commit. What never changed were its inputs and outputs; everything else was replaced at least twice.",
    ),
    (
        "שירים על הים",
        "https://poems.example/sea",
        "Poems",
        "",
        &["poetry", "sea"],
        "אוסף קצר של שירים על הים, על האור ועל הדרך הביתה.",
    ),
    (
        "How a bicycle stays up",
        "https://physics.example/bicycle",
        "Everyday Physics",
        "Lucía Prado",
        &["physics", "cycling"],
        "It is not the spinning wheels, and it is not quite the geometry either. A riderless bicycle was built to rule out both, and it balanced all the same.",
    ),
    (
        "Choosing a typeface for a long text",
        "https://letters.example/long-texts",
        "Letters",
        "Benoît Marchand",
        &["typography", "design", "writing"],
        "Set the same page in six faces, read each for an hour, and note where the eye stumbles. The winner was nobody's favourite at first sight.",
    ),
    (
        "What the tide tables leave out",
        "https://coastline.example/tides",
        "Coastline",
        "Tomas Lindqvist",
        &["sea", "data", "maps"],
        "A table gives the moon's part. Wind, pressure and the shape of the bay give the rest, and on a bad day the rest is a metre.",
    ),
];

async fn site(test: &str) -> Bench {
    let bench = Bench::new(test).without("LIFESTREAM_FEED_URL").with("LIFESTREAM_FEED_TITLE", "Marginalia");
    for (n, (title, url, site, byline, tags, summary)) in SAMPLES.iter().enumerate() {
        let metadata = json!({"site_name": site, "byline": byline, "language": if title.is_ascii() { "en" } else { "he" }, "published_at": "2024-05-03"});
        let link = Link { tags: vec![], found: tags.to_vec(), summary, metadata, ..Link::new(url, title) };
        let (subject, _) = bench.link(&link).await;
        let at = format!("timestamptz '2026-11-21 09:30Z' - interval '7 hours' * {n}");
        bench.psql(&format!("UPDATE lifestream.links SET added_at = {at} WHERE subject_id = '{subject}'"));
    }
    // Older ones, for the archive and the counts.
    bench.psql("
        INSERT INTO lifestream.links (subject_id, tenant_id, url, title, stage, status, added_at, first_seq, added_seq)
        SELECT 'old:' || n, '', 'https://archive.example/' || n, 'An older link, number ' || n, 5, 'published',
               timestamptz '2026-11-17 08:00Z' - interval '1 day' * (n * n / 900.0 + n), 100000 + n, 100000 + n FROM generate_series(1, 400) n;
        INSERT INTO lifestream.link_metadata (subject_id, tenant_id, summary, enriched_at, seq)
        SELECT subject_id, '', 'A few words on what it is about.', added_at, first_seq FROM lifestream.links WHERE subject_id LIKE 'old:%';
        INSERT INTO lifestream.tags (subject_id, tag, origin, tenant_id, seq, last_seq)
        SELECT 'old:' || n, (ARRAY['postgres','sea','programming','maps','writing','kafka','gardening','history','music','physics','design','cooking','unix','poetry','astronomy','trains'])[1 + (n * n) % (1 + n % 16)], 'enricher', '', n, n
        FROM generate_series(1, 400) n");
    bench.publisher().refresh(&bench.shared).await.unwrap();
    bench
}

/// A picture of a page. A browser's window is no narrower than 500 points: a phone is a frame in one.
fn picture(page: &Path, size: (u32, u32), dark: bool, to: &Path) {
    let work = tempfile::tempdir().unwrap();
    let address = url::Url::from_file_path(page).unwrap();
    let frame = work.path().join("frame.html");
    let style = format!(
        "body{{margin:0}}html{{background:transparent}}iframe{{border:0;display:block;width:{}px;height:100vh}}",
        size.0
    );
    std::fs::write(&frame, format!("<!doctype html><style>{style}</style><iframe src=\"{address}\"></iframe>"))
        .unwrap();
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]);
    if dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    let output = command
        .arg(format!("--user-data-dir={}", work.path().join("profile").display()))
        .arg(format!("--window-size={},{}", size.0, size.1))
        .arg(format!("--screenshot={}", to.display()))
        .arg(url::Url::from_file_path(&frame).unwrap().as_str())
        .stdin(Stdio::null())
        .output()
        .expect("chromium runs: docker/local/packages.sh installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_a_site() {
    let bench = site("pub_pictures").await;
    let mut links = std::fs::read_dir(bench.path("links")).unwrap().map(|entry| entry.unwrap().path());
    let link = links
        .find(|path| std::fs::read_to_string(path).unwrap().contains("<h1 dir=\"auto\" lang=\"en\">A field guide"))
        .unwrap();
    let place = tempfile::tempdir().unwrap();
    let pictures = [
        ("site-light.png", bench.path("index.html"), (1180, 900), false),
        ("site-dark.png", bench.path("index.html"), (1180, 900), true),
        ("site-phone.png", bench.path("index.html"), (390, 844), false),
        ("site-tag.png", bench.path("tags/sea/index.html"), (1180, 900), false),
        ("site-link-phone-dark.png", link, (390, 844), true),
        ("site-archive.png", bench.path("archive/index.html"), (1180, 700), false),
        ("site-tags.png", bench.path("tags/index.html"), (1180, 560), true),
    ];
    for (name, page, size, dark) in pictures {
        let file = place.path().join(name);
        picture(&page, size, dark, &file);
        let bytes = std::fs::read(&file).unwrap();
        println!("{name}: {} bytes", bytes.len());
        assert!(
            bytes.starts_with(b"\x89PNG") && (10_000..300_000).contains(&bytes.len()),
            "{name}: {} bytes",
            bytes.len()
        );
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let images = checkout::root().join("docs/images");
            std::fs::create_dir_all(&images).unwrap();
            std::fs::write(images.join(name), bytes).unwrap();
        }
    }
}
