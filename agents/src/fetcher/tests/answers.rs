use jiff::ToSpan;
use tokio::io::AsyncWriteExt;

use super::server::{answer, by_hand, missing, page, serve};
use super::*;

/// Answers with the status that the path names, and the header `retry-after` where a query gives one.
async fn statuses() -> u16 {
    serve(|path, _| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let retry: &[(&str, &str)] = if query.is_empty() { &[] } else { &[("retry-after", &query.replace('_', " "))] };
        match path.trim_start_matches('/').parse() {
            Ok(status) => answer(status, retry, "x"),
            Err(_) => missing(),
        }
    })
    .await
}

#[tokio::test]
async fn what_is_for_good_is_a_fact_and_what_may_pass_a_failure() {
    let port = statuses().await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    for status in
        [204, 205, 206, 300, 302, 304, 305, 400, 401, 402, 403, 404, 405, 406, 410, 414, 418, 422, 451, 499, 600]
    {
        let told = told(&fetcher.fetch(&format!("http://site.test:{port}/{status}"), None, &Others::default()).await);
        assert!(told.starts_with(&format!("fact: HTTP {status}")), "{told}");
    }
    for status in [408, 425, 429, 500, 501, 502, 503, 504, 599] {
        let told = told(&fetcher.fetch(&format!("http://site.test:{port}/{status}"), None, &Others::default()).await);
        assert!(told.starts_with(&format!("passing: HTTP {status}")), "{told}");
    }
}

#[tokio::test]
async fn retry_after_is_passed_on() {
    let port = statuses().await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    let now = Timestamp::now();
    for (query, least, most) in [
        ("429?120", Some(120), 180),
        ("503?120", Some(120), 180),
        ("503?Fri,_01_Jan_2100_00:00:00_GMT", Some(24 * 3600), 25 * 3600),
        ("503?Fri,_01_Jan_2010_00:00:00_GMT", None, 0),
        ("429", None, 0),
    ] {
        let failure =
            fetcher.fetch(&format!("http://site.test:{port}/{query}"), None, &Others::default()).await.unwrap_err();
        let Failure::Passing { not_before, .. } = failure else { panic!("{failure:?}") };
        assert_eq!(not_before.is_some(), least.is_some(), "{query}");
        if let (Some(at), Some(least)) = (not_before, least) {
            assert!(at >= now + least.seconds() && at <= now + most.seconds(), "{query}: {at}");
        }
    }
}

#[tokio::test]
async fn a_failure_is_about_the_host_that_was_asked_last() {
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let busy = serve(|_, _| answer(429, &[("retry-after", "3600")], "")).await;
    let ruled = serve(|path, _| if path == "/robots.txt" { missing() } else { answer(503, &[], "") }).await;
    let port = serve(move |path, _| match path {
        "/robots.txt" => missing(),
        "/busy" => answer(301, &[("location", &format!("http://busy.test:{busy}/"))], ""),
        "/ruled" => answer(301, &[("location", &format!("http://ruled.test:{ruled}/"))], ""),
        "/dead" => answer(301, &[("location", &format!("http://dead.test:{nobody}/"))], ""),
        _ => answer(503, &[], ""),
    })
    .await;
    let hosts = [("short.test", port), ("busy.test", busy), ("ruled.test", ruled), ("dead.test", nobody)]
        .map(|(host, port)| format!("{host}:{port}"));
    let fetcher = fetcher(&hosts, Names::default());
    for (path, to_blame) in ["/own", "/busy", "/ruled", "/dead"].into_iter().zip(&hosts) {
        let failure = fetcher.fetch(&format!("http://{}{path}", hosts[0]), None, &Others::default()).await.unwrap_err();
        assert!(matches!(&failure, Failure::Passing { lane: Some(lane), .. } if lane == to_blame), "{failure:?}");
    }
}

#[tokio::test]
async fn redirects_are_followed_to_an_end_and_no_further() {
    let port = serve(|path, _| match path {
        "/a" => answer(301, &[("location", "b?x=1#part")], ""),
        "/b?x=1" => answer(308, &[("location", "//other.test:PORT/c")], ""),
        "/no-location" => answer(302, &[], ""),
        "/loop" => answer(302, &[("location", "/loop")], ""),
        "/bad" => answer(302, &[("location", "http://[")], ""),
        "/c" => page("<p>the end"),
        path => match path.strip_prefix("/n/").and_then(|n| n.parse::<u32>().ok()) {
            Some(0) => page("<p>zero"),
            Some(n) => answer(303, &[("location", &format!("/n/{}", n - 1))], ""),
            None => missing(),
        },
    })
    .await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    let at = |path: &str| format!("http://site.test:{port}{path}");
    for (path, expected) in [
        ("/n/0", "text: \"zero\""),
        ("/n/10", "text: \"zero\""),
        ("/n/11", "fact: more than 10 redirects"),
        ("/loop", "fact: more than 10 redirects"),
        ("/no-location", "fact: HTTP 302 Found without a Location"),
        ("/bad", "fact: bad address: redirect to \"http://[\""),
        ("/a", "fact: bad address: redirect to \"//other.test:PORT/c\""),
    ] {
        let told = told(&fetcher.fetch(&at(path), None, &Others::default()).await);
        assert!(told.starts_with(expected), "{path}: {told}");
    }
    let payload = fetcher.fetch(&at("/n/1#part"), None, &Others::default()).await.unwrap();
    assert_eq!(payload["metadata"]["url"], at("/n/1#part"));
    assert_eq!(payload["metadata"]["final_url"], at("/n/0"));
}

#[tokio::test]
async fn other_types_are_refused_by_name_before_they_are_read() {
    let port = serve(|path, _| match path {
        "/robots.txt" => missing(),
        "/huge" => answer(200, &[("content-type", "text/html"), ("content-length", "999999999999")], ""),
        path => answer(200, &[("content-type", path.trim_start_matches('/'))], Sent::from_stream(endless())),
    })
    .await;
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    for kind in
        ["application/pdf", "image/png", "video/mp4", "application/json", "application/octet-stream", "text/css"]
    {
        let told = told(&fetcher.fetch(&format!("http://site.test:{port}/{kind}"), None, &Others::default()).await);
        assert!(told.starts_with(&format!("fact: content type {kind} is not read")), "{told}");
    }
    let told = told(&fetcher.fetch(&format!("http://site.test:{port}/text/html"), None, &Others::default()).await);
    assert_eq!(told, "fact: larger than 2097152 bytes");
}

use axum::body::Body as Sent;

fn endless() -> impl futures_util::Stream<Item = io::Result<Vec<u8>>> {
    futures_util::stream::repeat_with(|| Ok(vec![b'x'; 4096]))
}

#[tokio::test]
async fn whoever_does_not_answer_is_a_passing_failure_that_says_what_happened() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let rude = by_hand(|_, stream| async move {
        drop(stream);
        Ok(())
    })
    .await;
    let nonsense = by_hand(|_, mut stream| async move { stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").await }).await;
    let plain = statuses().await;
    let short = by_hand(|_, mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 100\r\n\r\n<p>x").await
    })
    .await;
    let silent = by_hand(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
        Ok(())
    })
    .await;
    let allow: Vec<_> =
        [closed, rude, nonsense, plain, short, silent].iter().map(|port| format!("site.test:{port}")).collect();
    let fetcher = fetcher(&allow, Names::default());
    for (url, expected) in [
        (format!("http://site.test:{closed}/"), "could not be connected to"),
        (format!("http://site.test:{rude}/"), "did not answer as HTTP asks"),
        (format!("http://site.test:{nonsense}/"), "did not answer as HTTP asks"),
        (format!("http://site.test:{short}/"), "broke off its answer"),
        (format!("http://site.test:{silent}/"), "did not answer in time"),
        (format!("https://site.test:{plain}/"), "could not be connected to"),
        ("http://x.nowhere.test/".to_owned(), "could not be resolved"),
    ] {
        let told = told(&fetcher.fetch(&url, None, &Others::default()).await);
        println!("{told}");
        assert!(told.starts_with("passing: ") && told.contains(expected), "{url}: {told}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_passing_failure() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(include_bytes!("self_signed.pem")).unwrap()],
            PrivateKeyDer::from_pem_slice(include_bytes!("self_signed.pem")).unwrap(),
        )
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let config = Arc::new(config);
        for stream in listener.incoming() {
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let _ = connection.complete_io(&mut stream.unwrap());
        }
    });
    let fetcher = fetcher(&[format!("site.test:{port}")], Names::default());
    let told = told(&fetcher.fetch(&format!("https://site.test:{port}/"), None, &Others::default()).await);
    println!("{told}");
    assert!(told.starts_with("passing: ") && told.contains("certificate"), "{told}");
}

#[test]
fn work_without_a_url_is_a_dead_letter_and_a_lane_is_host_and_port() {
    let fetcher = fetcher(&[], Names::default());
    let work = |payload: &str| {
        let text = format!(
            r#"{{"id":"01890a5d-ac96-774b-bcce-b302099a8057","subject_id":"s","work_type":"fetch_link","correlation_id":null,
            "triggered_by_event_id":"01890a5d-ac96-774b-bcce-b302099a8058","attempt":1,"max_attempts":3,
            "created_at":"2026-01-01T00:00:00Z","not_before":null,"last_error":null,"payload":{payload}}}"#
        );
        Work::parse(text.as_bytes()).unwrap()
    };
    for payload in ["{}", "{\"url\":null}", "{\"url\":7}"] {
        assert!(matches!(requested(&work(payload)), Err(Failure::Permanent { .. })), "{payload}");
        assert_eq!(fetcher.lane(&work(payload)), None);
    }
    for (url, name) in [
        ("https://Example.org/a", Some("example.org:443")),
        ("http://example.org.:8080/b", Some("example.org:8080")),
        ("http://localhost/", None),
        ("nonsense", None),
    ] {
        let lane = fetcher.lane(&work(&format!("{{\"url\":\"{url}\"}}")));
        assert_eq!(lane.map(|lane| lane.name).as_deref(), name, "{url}");
    }
}
