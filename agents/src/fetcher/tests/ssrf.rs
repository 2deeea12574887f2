use super::server::{Canary, answer, missing, page, serve};
use super::*;

/// Name of the input, the URL (`{c}`: the canary's port, `{h}`: the allowed site's), a word of the refusal.
const INPUTS: &[(&str, &str, &str)] = &[
    ("loopback", "http://127.0.0.1:{c}/", "loopback"),
    ("another loopback", "http://127.8.8.8:{c}/", "loopback"),
    ("decimal", "http://2130706433:{c}/", "loopback"),
    ("hexadecimal", "http://0x7f000001:{c}/", "loopback"),
    ("hexadecimal parts", "http://0x7f.0x0.0x0.0x1:{c}/", "loopback"),
    ("octal", "http://0177.0.0.1:{c}/", "loopback"),
    ("octal with many zeros", "http://00000177.00.00.01:{c}/", "loopback"),
    ("short", "http://127.1:{c}/", "loopback"),
    ("trailing dot of an address", "http://127.0.0.1.:{c}/", "loopback"),
    ("zero", "http://0:{c}/", "unspecified"),
    ("unspecified", "http://0.0.0.0:{c}/", "unspecified"),
    ("overflowing number", "http://4294967296:{c}/", "bad address"),
    ("ideographic dots", "http://127。0。0。1:{c}/", "loopback"),
    ("half-width dots", "http://127｡0｡0｡1:{c}/", "loopback"),
    ("full-width digits", "http://１２７.０.０.１:{c}/", "loopback"),
    ("circled digits", "http://①②⑦.⓪.⓪.①:{c}/", "loopback"),
    ("percent-encoded host", "http://%31%32%37.0.0.1:{c}/", "loopback"),
    ("tab and newline in the host", "http://127.0.\t0\n.1:{c}/", "loopback"),
    ("localhost", "http://localhost:{c}/", "this machine"),
    ("localhost in capitals", "http://LOCALHOST:{c}/", "this machine"),
    ("localhost with a dot", "http://localhost.:{c}/", "this machine"),
    ("below localhost", "http://a.b.localhost:{c}/", "this machine"),
    ("localhost with a soft hyphen", "http://local\u{ad}host:{c}/", "this machine"),
    ("localhost in full width", "http://ｌｏｃａｌｈｏｓｔ:{c}/", "this machine"),
    ("dots without end", "http://localhost..:{c}/", "bad address"),
    ("IPv6 loopback", "http://[::1]:{c}/", "loopback"),
    ("IPv6 loopback, long", "http://[0:0:0:0:0:0:0:1]:{c}/", "loopback"),
    ("IPv4-mapped", "http://[::ffff:127.0.0.1]:{c}/", "loopback"),
    ("IPv4-mapped, hexadecimal", "http://[::ffff:7f00:1]:{c}/", "loopback"),
    ("IPv4-compatible", "http://[::127.0.0.1]:{c}/", "IPv4-compatible"),
    ("IPv6 unspecified", "http://[::]:{c}/", "unspecified"),
    ("NAT64", "http://[64:ff9b::7f00:1]:{c}/", "NAT64"),
    ("local NAT64", "http://[64:ff9b:1::7f00:1]:{c}/", "NAT64"),
    ("6to4", "http://[2002:7f00:1::]:{c}/", "6to4"),
    ("Teredo", "http://[2001:0:0:0:0:0:80ff:fffe]:{c}/", "Teredo"),
    ("ISATAP", "http://[2a00::5efe:7f00:1]:{c}/", "ISATAP"),
    ("zone id", "http://[fe80::1%25lo]:{c}/", "bad address"),
    ("zone id, plain", "http://[fe80::1%lo]:{c}/", "bad address"),
    ("IPv6 link-local", "http://[fe80::1]:{c}/", "link-local"),
    ("unique local", "http://[fd12:3456::1]:{c}/", "unique local"),
    ("IPv6 multicast", "http://[ff02::1]:{c}/", "multicast"),
    ("private 10", "http://10.0.0.1:{c}/", "private"),
    ("private 172", "http://172.16.0.1:{c}/", "private"),
    ("private 192", "http://192.168.0.1:{c}/", "private"),
    ("carrier-grade NAT", "http://100.64.0.1:{c}/", "carrier-grade NAT"),
    ("link-local", "http://169.254.1.1:{c}/", "link-local"),
    ("metadata", "http://169.254.169.254/latest/meta-data/", "cloud metadata"),
    ("metadata as a number", "http://2852039166/latest/meta-data/", "cloud metadata"),
    ("metadata over IPv6", "http://[fd00:ec2::254]/", "cloud metadata"),
    ("multicast", "http://224.0.0.1:{c}/", "multicast"),
    ("broadcast", "http://255.255.255.255:{c}/", "broadcast"),
    ("reserved", "http://240.0.0.1:{c}/", "reserved"),
    ("user name", "http://user@127.0.0.1:{c}/", "user name or password"),
    ("user name and password", "http://user:pw@127.0.0.1:{c}/", "user name or password"),
    ("a host as user name", "http://example.org@127.0.0.1:{c}/", "user name or password"),
    ("a host and port as user", "http://example.org:80@127.0.0.1:{c}/", "user name or password"),
    ("backslash before the user", "http://127.0.0.1:{c}\\@example.org/", "loopback"),
    ("fragment before the host", "http://127.0.0.1:{c}#@example.org/", "loopback"),
    ("backslashes", "http:\\\\127.0.0.1:{c}\\", "loopback"),
    ("many slashes", "http://///127.0.0.1:{c}/", "loopback"),
    ("no slashes", "http:127.0.0.1:{c}/", "loopback"),
    ("blanks around", "  http://127.0.0.1:{c}/  ", "loopback"),
    ("file", "file:///etc/passwd", "scheme \"file\""),
    ("gopher", "gopher://127.0.0.1:{c}/_GET", "scheme \"gopher\""),
    ("ftp", "ftp://127.0.0.1:{c}/", "scheme \"ftp\""),
    ("ws", "ws://127.0.0.1:{c}/", "scheme \"ws\""),
    ("data", "data:text/html,<p>x", "scheme \"data\""),
    ("javascript", "javascript:alert(1)", "scheme \"javascript\""),
    ("no scheme", "127.0.0.1:{c}/", "bad address"),
    ("nothing", "", "bad address"),
    ("https to loopback", "https://127.0.0.1:{c}/", "loopback"),
    ("mail port", "http://example.org:25/", "port 25"),
    ("a name with a private address", "http://inside.test:{c}/", "loopback"),
    ("a name with a mapped address", "http://mapped.test:{c}/", "loopback"),
    ("a name of the metadata", "http://metadata.test/", "cloud metadata"),
    ("one public and one private answer", "http://both.test:{c}/", "loopback"),
    ("an allowed host at another port", "http://hop.test:{c}/", "loopback"),
    ("an allowed host with a cloud's address", "http://trap.test:{h}/", "cloud metadata"),
    ("an allowed host with a multicast address", "http://cast.test:{h}/", "multicast"),
    ("redirect to loopback", "http://hop.test:{h}/to?http://127.0.0.1:{c}/", "loopback"),
    ("redirect to localhost", "http://hop.test:{h}/to?http://localhost:{c}/", "this machine"),
    ("redirect to IPv6 loopback", "http://hop.test:{h}/to?http://[::1]:{c}/", "loopback"),
    ("redirect to a decimal host", "http://hop.test:{h}/to?http://2130706433:{c}/", "loopback"),
    ("redirect without scheme", "http://hop.test:{h}/to?//127.0.0.1:{c}/", "loopback"),
    ("redirect to metadata", "http://hop.test:{h}/to?http://169.254.169.254/", "cloud metadata"),
    ("redirect to a private name", "http://hop.test:{h}/to?http://inside.test:{c}/", "loopback"),
    ("redirect with a user name", "http://hop.test:{h}/to?http://u:p@hop.test:{h}/", "user name or password"),
    ("redirect to a file", "http://hop.test:{h}/to?file:///etc/passwd", "scheme \"file\""),
    ("redirect by 307", "http://hop.test:{h}/307?http://127.0.0.1:{c}/", "loopback"),
    ("second redirect", "http://hop.test:{h}/to?/to?http://127.0.0.1:{c}/", "loopback"),
];

/// Words of the inputs whose address comes from a name server.
const LOOKED_UP: [&str; 5] =
    ["a name with", "a name of", "private answer", "an allowed host", "redirect to a private name"];

fn names() -> Names {
    Names::new(&[
        ("inside.test", &["127.0.0.1"]),
        ("mapped.test", &["::ffff:127.0.0.1"]),
        ("metadata.test", &["169.254.169.254"]),
        ("both.test", &["93.184.215.14", "127.0.0.1"]),
        ("trap.test", &["169.254.169.254"]),
        ("cast.test", &["224.0.0.1"]),
        ("hop.test", &["127.0.0.1"]),
        ("evil.test", &["127.0.0.1"]),
    ])
}

/// Sends on to what stands after the `?`.
async fn hop() -> u16 {
    serve(|path, _| match path.split_once('?') {
        Some(("/307", to)) => answer(307, &[("location", to)], ""),
        Some((_, to)) => answer(302, &[("location", to)], ""),
        None => missing(),
    })
    .await
}

#[tokio::test]
async fn no_form_of_a_forbidden_address_is_connected_to() {
    let canary = Canary::at("127.0.0.1:0").await;
    let port = canary.address.port();
    // Where the machine has IPv6, the same port there as well.
    let canary6 = match tokio::net::TcpListener::bind(("::1", port)).await {
        Ok(listener) => {
            drop(listener);
            Some(Canary::at(&format!("[::1]:{port}")).await)
        }
        Err(_) => None,
    };
    let hop = hop().await;
    let allow: Vec<_> = ["hop", "trap", "cast"].iter().map(|name| format!("{name}.test:{hop}")).collect();
    let fetcher = fetcher(&allow, names());
    assert!(INPUTS.len() >= 30);
    for (name, url, expected) in INPUTS {
        let url = url.replace("{c}", &port.to_string()).replace("{h}", &hop.to_string());
        let told = told(&fetcher.fetch(&url, None, &Others::default()).await);
        println!("{name:45} {told}");
        // What a name server says may be otherwise the next time; an address in the URL stays what it is.
        let kind = if LOOKED_UP.iter().any(|word| name.contains(word)) { "passing: " } else { "fact: " };
        assert!(told.starts_with(kind) && told.contains(expected), "{name}: {url}: {told}");
    }
    let seen = canary.connections().await;
    let seen6 = match &canary6 {
        Some(canary) => canary.connections().await,
        None => 0,
    };
    println!("{} inputs, {seen} connections to the canary, {seen6} over IPv6", INPUTS.len());
    assert_eq!((seen, seen6), (0, 0));
}

/// Or the test above could not fail.
#[tokio::test]
async fn the_canary_sees_what_is_allowed() {
    let canary = Canary::at("127.0.0.1:0").await;
    let port = canary.address.port();
    let mut short = limits();
    short.idle = Duration::from_millis(100);
    let fetcher = fetcher_with(&[format!("inside.test:{port}")], Box::new(names()), short);
    let told = told(&fetcher.fetch(&format!("http://inside.test:{port}/"), None, &Others::default()).await);
    assert!(told.starts_with("passing: "), "{told}");
    assert_eq!(canary.connections().await, 1);
}

/// Answers with one address the first time, and with another from then on.
struct Rebinding {
    asked: Arc<Mutex<usize>>,
    /// How often the first is given.
    first: usize,
}

#[async_trait]
impl Lookup for Rebinding {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        Ok(vec![IpAddr::from([127, 0, 0, if *asked <= self.first { 1 } else { 2 }])])
    }
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let port = serve(|path, _| if path == "/robots.txt" { missing() } else { page("<p>the page") }).await;
    let canary = Canary::at(&format!("127.0.0.2:{port}")).await;
    let asked = Arc::new(Mutex::new(0));
    // Twice is enough: once for robots.txt, once for the page.
    let lookup = Rebinding { asked: Arc::clone(&asked), first: 2 };
    let fetcher = fetcher_with(&[format!("evil.test:{port}")], Box::new(lookup), limits());
    let told = told(&fetcher.fetch(&format!("http://evil.test:{port}/"), None, &Others::default()).await);
    assert_eq!(told, "text: \"the page\"");
    assert_eq!(canary.connections().await, 0);
    assert_eq!(*asked.lock().unwrap(), 2);
}

#[tokio::test]
async fn localhost_is_loopback_whatever_a_name_server_says_and_only_at_the_port_that_is_allowed() {
    let port = serve(|path, _| if path == "/robots.txt" { missing() } else { page("<p>the demo") }).await;
    let lookup = Names::new(&[("a.demo.localhost", &["169.254.169.254"])]);
    let fetcher = fetcher(&[format!("*.demo.localhost:{port}")], lookup);
    for (url, expected) in [
        (format!("http://a.demo.localhost:{port}/"), "text: \"the demo\""),
        (format!("http://A.B.DEMO.localhost.:{port}/#top"), "text: \"the demo\""),
        ("http://a.demo.localhost/".to_owned(), "is this machine"),
        (format!("http://demo.localhost:{port}/"), "is this machine"),
    ] {
        let told = told(&fetcher.fetch(&url, None, &Others::default()).await);
        assert!(told.contains(expected), "{url}: {told}");
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_forbidden_address_for_a_moment_is_fetched_later() {
    let port = serve(|path, _| if path == "/robots.txt" { missing() } else { page("<p>the page") }).await;
    let url = format!("http://moving.test:{port}/");
    let allow = [format!("moving.test:{port}")];
    let wrong = fetcher(&allow, Names::new(&[("moving.test", &["169.254.169.254"])]));
    let failure = wrong.fetch(&url, None, &Others::default()).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Passing { error, .. } if error.contains("moving.test (169.254.169.254) is cloud metadata")),
        "{failure:?}"
    );
    let right = fetcher(&allow, Names::default());
    assert_eq!(told(&right.fetch(&url, None, &Others::default()).await), "text: \"the page\"");
}
