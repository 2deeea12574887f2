use std::sync::atomic::{AtomicUsize, Ordering};

use super::server::{Canary, answer, missing, page, serve};
use super::*;

/// A site with such a robots.txt; its port, and how often that was asked for.
async fn site(status: u16, headers: &'static [(&str, &str)], rules: &'static str) -> (u16, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let port = serve(move |path, headers_sent| match path {
        "/robots.txt" => {
            assert_eq!(headers_sent["user-agent"], web::USER_AGENT);
            counter.fetch_add(1, Ordering::SeqCst);
            answer(status, headers, rules)
        }
        "/moved" => answer(302, &[("location", "/private/x")], ""),
        _ => page("<p>a page"),
    })
    .await;
    (port, asked)
}

#[tokio::test]
async fn it_is_respected_at_each_hop() {
    assert!(web::USER_AGENT.starts_with(concat!("pg_lifestream/", env!("CARGO_PKG_VERSION"))));
    let rules = "User-agent: *\nDisallow: /\n\nUser-agent: pg_lifestream\nDisallow: /private/\n";
    for (status, rules, path, expected) in [
        (200, rules, "/open", "text: \"a page\""),
        (200, rules, "/private/x", "fact: robots.txt of http://site.test:"),
        (200, rules, "/moved", "fact: robots.txt of http://site.test:"),
        (200, "User-agent: *\nDisallow: /open", "/open", "fact: robots.txt"),
        (200, "<html>a page for everything</html>", "/open", "text: \"a page\""),
        (404, rules, "/private/x", "text: \"a page\""),
        (403, rules, "/private/x", "text: \"a page\""),
        (500, rules, "/open", "passing: robots.txt: HTTP 500"),
        (503, rules, "/open", "passing: robots.txt: HTTP 503"),
    ] {
        let (port, _) = site(status, &[], rules).await;
        let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
        let told = told(&fetcher.fetch(&format!("http://site.test:{port}{path}"), None, &Others::default()).await);
        assert!(told.starts_with(expected), "{status} {path}: {told}");
    }
}

#[tokio::test]
async fn it_is_asked_for_once_also_by_many_at_a_time_and_when_it_fails() {
    for (status, expected) in [(200, "text: "), (500, "passing: robots.txt: HTTP 500")] {
        let (port, asked) = site(status, &[], "User-agent: *\nAllow: /\n").await;
        let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
        let url = format!("http://site.test:{port}/open");
        let others = Others::default();
        for result in futures_util::future::join_all((0..20).map(|_| fetcher.fetch(&url, None, &others))).await {
            assert!(told(&result).starts_with(expected), "{}", told(&result));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{status}");
    }
}

#[tokio::test]
async fn a_retry_after_of_it_counts() {
    let (port, _) = site(503, &[("retry-after", "300")], "").await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    let failure = fetcher.fetch(&format!("http://site.test:{port}/"), None, &Others::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Passing { not_before: Some(_), .. }), "{failure:?}");
}

#[tokio::test]
async fn a_crawl_delay_slows_the_lane_down_but_not_without_end() {
    for (rules, expected) in [
        ("User-agent: *\nCrawl-delay: 7\n", Duration::from_secs(7)),
        ("User-agent: *\nCrawl-delay: 99999\n", Duration::from_secs(60)),
        ("User-agent: *\nCrawl-delay: -1\n", Duration::from_millis(1)),
        ("User-agent: *\nCrawl-delay: soon\n", Duration::from_millis(1)),
        ("User-agent: *\nCrawl-delay: inf\n", Duration::from_secs(60)),
    ] {
        let (port, _) = site(200, &[], rules).await;
        let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
        let url = format!("http://site.test:{port}/open");
        let told = told(&fetcher.fetch(&url, None, &Others::default()).await);
        assert_eq!(told, "text: \"a page\"", "{rules}");
        let target = Target::parse(&url, &fetcher.web.allow).unwrap();
        let delay = fetcher.robots.delay(&target).unwrap_or_default().max(fetcher.web.interval);
        assert!(delay == expected || (rules.contains("inf") && delay == fetcher.web.interval), "{rules}: {delay:?}");
    }
}

#[tokio::test]
async fn its_own_requests_are_guarded_and_bounded() {
    let canary = Canary::at("127.0.0.1:0").await;
    let to = format!("http://127.0.0.1:{}/robots.txt", canary.address.port());
    let port = serve(move |path, headers| match (path, headers["host"].to_str().unwrap().split(':').next().unwrap()) {
        ("/robots.txt", "trap.test") => answer(302, &[("location", &to)], ""),
        ("/robots.txt", "loop.test") => answer(302, &[("location", "/robots.txt")], ""),
        ("/robots.txt", "moved.test") => answer(301, &[("location", "/rules")], ""),
        ("/rules", _) => answer(200, &[], "User-agent: *\nDisallow: /\n"),
        ("/robots.txt", "long.test") => {
            answer(200, &[], format!("User-agent: *\nDisallow: /\n{}", "# filler\n".repeat(100_000)))
        }
        _ => page("<p>a page"),
    })
    .await;
    let allow: Vec<_> = ["trap", "loop", "moved", "long"].iter().map(|name| format!("{name}.test:{port}")).collect();
    let fetcher = fetcher(&allow, Names::default());
    for (host, expected) in [
        ("trap.test", "text: \"a page\""),
        ("loop.test", "text: \"a page\""),
        ("moved.test", "fact: robots.txt"),
        ("long.test", "fact: robots.txt"),
    ] {
        let told = told(&fetcher.fetch(&format!("http://{host}:{port}/open"), None, &Others::default()).await);
        assert!(told.starts_with(expected), "{host}: {told}");
    }
    assert_eq!(canary.connections().await, 0);
}

#[tokio::test]
async fn the_site_that_a_redirect_leads_to_has_its_own_rules() {
    let (closed, _) = site(200, &[], "User-agent: *\nDisallow: /\n").await;
    let open = serve(move |path, _| match path {
        "/robots.txt" => missing(),
        _ => answer(302, &[("location", &format!("http://closed.test:{closed}/page"))], ""),
    })
    .await;
    let fetcher = fetcher(&[format!("open.test:{open}"), format!("closed.test:{closed}")], Names::default());
    let told = told(&fetcher.fetch(&format!("http://open.test:{open}/"), None, &Others::default()).await);
    assert!(told.starts_with("fact: robots.txt of http://closed.test:"), "{told}");
}

#[tokio::test]
async fn a_crawl_delay_counts_for_whoever_a_redirect_leads_to_it() {
    const DELAY: Duration = Duration::from_millis(500);
    let visits = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&visits);
    let slow = serve(move |path, _| match path {
        "/robots.txt" => answer(200, &[], "User-agent: *\nCrawl-delay: 0.5\n"),
        "/moved" => answer(302, &[("location", "/page")], ""),
        _ => {
            noted.lock().unwrap().push(tokio::time::Instant::now());
            page("<p>a page")
        }
    })
    .await;
    let short = serve(move |path, _| match path {
        "/robots.txt" => missing(),
        "/moved" => answer(302, &[("location", &format!("http://slow.test:{slow}/moved"))], ""),
        _ => answer(302, &[("location", &format!("http://slow.test:{slow}/page"))], ""),
    })
    .await;
    let fetcher = fetcher(&[format!("slow.test:{slow}"), format!("short.test:{short}")], Names::default());
    let urls: Vec<String> =
        ["1", "2", "moved"].iter().map(|path| format!("http://short.test:{short}/{path}")).collect();
    let others = Others::default();
    for result in futures_util::future::join_all(urls.iter().map(|url| fetcher.fetch(url, None, &others))).await {
        assert_eq!(told(&result), "text: \"a page\"");
    }
    let visits = visits.lock().unwrap();
    let apart: Vec<Duration> = visits.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Both ends are taken when the server hears, which is a little after the turn.
    assert!(apart.len() == 2 && apart.iter().all(|gap| *gap > DELAY * 9 / 10), "{apart:?}");
}

/// Nobody has failed: the work comes again when its turn is there.
#[tokio::test]
async fn a_turn_that_is_further_away_than_a_task_can_wait_is_no_failure() {
    let (port, _) = site(200, &[], "User-agent: *\nCrawl-delay: 60\n").await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    let (url, others) = (format!("http://site.test:{port}/"), Others::default());
    assert_eq!(told(&fetcher.fetch(&url, None, &others).await), "text: \"a page\"");
    // One of these has a turn in a minute, which it waits for; the other one would have to wait for two.
    let both = [Box::pin(fetcher.fetch(&url, None, &others)), Box::pin(fetcher.fetch(&url, None, &others))];
    let (told, ..) = futures_util::future::select_all(both).await;
    let Err(Failure::NotYet { reason, wait: Some(wait) }) = told else { panic!("{told:?}") };
    assert!((110..=120).contains(&wait.as_secs()) && reason.contains("Crawl-delay"), "{reason}: {wait:?}");
}

#[tokio::test]
async fn a_host_that_is_left_alone_is_not_asked_where_a_redirect_leads_to_it() {
    let canary = Canary::at("127.0.0.1:0").await;
    let far = canary.address.port();
    let near = serve(move |path, _| match path {
        "/robots.txt" => missing(),
        _ => answer(302, &[("location", &format!("http://far.test:{far}/page"))], ""),
    })
    .await;
    let fetcher = fetcher(&[format!("near.test:{near}"), format!("far.test:{far}")], Names::default());
    let others = Others::default();
    let until = tokio::time::Instant::now() + Duration::from_secs(600);
    let paused = crate::runner::Circuit::restored(crate::runner::State::Paused { until }, 10, "503".to_owned());
    others.note(&format!("far.test:{far}"), &paused);
    let told = fetcher.fetch(&format!("http://near.test:{near}/"), None, &others).await;
    let Err(Failure::NotYet { reason, wait: Some(wait) }) = told else { panic!("{told:?}") };
    assert!(reason.starts_with("far.test:") && wait.as_secs() > 500, "{reason}: {wait:?}");
    assert_eq!(canary.connections().await, 0);
}
