//! The page that the bookmarklet opens. What it does in a browser was tried in Chromium by hand; here is what keeps it safe.

use crate::bench::Gateway;

#[test]
fn the_page_runs_only_its_own_script_in_no_frame_and_shows_nothing_of_its_url() {
    let gateway = Gateway::start("gw_save");
    let page = gateway.send("GET", "/save?url=%3Cscript%3Ealert(1)%3C/script%3E&title=hostile-title", &[], b"");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'none'",
    ] {
        assert!(policy.split("; ").any(|known| known == part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let html = page.text();
    assert!(!html.contains("alert") && !html.contains("hostile-title"), "the page is the same for everyone");
    assert_eq!(html, gateway.send("GET", "/save", &[], b"").text());
    for (what, count) in [("<script", 1), ("style=", 0), ("onclick", 0), ("http://", 0), ("//", 1)] {
        assert_eq!(html.matches(what).count(), count, "{what}");
    }
    // What it refers to is there.
    for (path, kind) in [("/save.js", "text/javascript; charset=utf-8"), ("/save.css", "text/css; charset=utf-8")] {
        assert!(html.contains(path));
        let asset = gateway.send("GET", path, &[], b"");
        assert_eq!((asset.status, asset.header("content-type")), (200, Some(kind)));
    }
    let script = gateway.send("GET", "/save.js", &[], b"").text();
    for markup in ["innerHTML", "document.write", "eval(", "outerHTML"] {
        assert!(!script.contains(markup), "{markup}");
    }
    let home = gateway.send("GET", "/", &[], b"");
    assert_eq!((home.status, home.header("location")), (307, Some("/save")));
}
