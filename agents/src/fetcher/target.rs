//! From a URL to what may be asked: scheme, host and port are checked here, at each hop; addresses in `resolver`.

use std::net::IpAddr;

use url::{Host, Url};

use super::address::{Reach, reach};

/// Longer ones are nobody's link.
const MOST_BYTES: usize = 8192;

/// Ports on which other protocols listen, which a GET could be made to speak: the WHATWG Fetch standard's list.
const OTHER_PROTOCOLS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// Hosts that may have private addresses: `LIFESTREAM_FETCH_ALLOW`.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    host: String,
    /// Whether it is about all that ends in `.host` rather than the host.
    below: bool,
    port: u16,
}

impl AllowList {
    /// Reads `host:port`, `*.host:port`, `[IPv6]:port`.
    ///
    /// # Errors
    /// Names the entry that is none of these.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let read = |text: &String| {
            entry(text).ok_or_else(|| {
                format!(
                    "LIFESTREAM_FETCH_ALLOW: {text:?} is not host:port or *.host:port, such as nas.home.arpa:80, [fd00::7]:8080 or *.demo.localhost:8808"
                )
            })
        };
        Ok(Self { entries: entries.iter().map(read).collect::<Result<_, _>>()? })
    }

    fn names(&self, host: &str, port: u16) -> bool {
        let fits = |entry: &Entry| match entry.below {
            false => host == entry.host,
            true => host.strip_suffix(&entry.host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        };
        self.entries.iter().any(|entry| entry.port == port && fits(entry))
    }
}

fn entry(text: &str) -> Option<Entry> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let (host, below) = host.strip_prefix("*.").map_or((host, false), |host| (host, true));
    let host = match Host::parse(host).ok()? {
        Host::Domain(name) => name.trim_end_matches('.').to_owned(),
        _ if below => return None,
        address => address.to_string(),
    };
    (!host.is_empty() && !host.contains('*')).then_some(Entry { host, below, port })
}

/// What may be asked, as far as its URL tells.
#[derive(Debug, Clone)]
pub struct Target {
    url: Url,
    host: Host<String>,
    port: u16,
    allowed: bool,
}

impl Target {
    /// Reads and checks a URL.
    ///
    /// # Errors
    /// Why it is not asked, for people.
    pub fn parse(text: &str, allow: &AllowList) -> Result<Self, String> {
        if text.len() > MOST_BYTES {
            return Err(format!("bad address: longer than {MOST_BYTES} bytes"));
        }
        let url = Url::parse(text).map_err(|error| format!("bad address {text:?}: {error}"))?;
        Self::check(url, allow)
    }

    /// Where a `Location` leads.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn join(&self, location: &str, allow: &AllowList) -> Result<Self, String> {
        if location.len() > MOST_BYTES {
            return Err(format!("bad address: redirect to one longer than {MOST_BYTES} bytes"));
        }
        let url = self.url.join(location).map_err(|error| format!("bad address: redirect to {location:?}: {error}"))?;
        Self::check(url, allow).map_err(|reason| format!("{reason}, redirected from {}", self.url))
    }

    fn check(mut url: Url, allow: &AllowList) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("address refused: scheme {:?} (http and https are fetched)", url.scheme()));
        }
        // Not shown: whatever it is, it may be a password.
        if !url.username().is_empty() || url.password().is_some() {
            return Err("address refused: it carries a user name or password".to_owned());
        }
        url.set_fragment(None);
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(format!("bad address {:?}: no host", url.as_str()));
        };
        let host = match host {
            Host::Domain(name) => Host::Domain(name.strip_suffix('.').unwrap_or(name).to_owned()),
            Host::Ipv4(address) => Host::Ipv4(address),
            Host::Ipv6(address) => Host::Ipv6(address),
        };
        if let Host::Domain(name) = &host {
            if name.is_empty() || name.split('.').any(str::is_empty) {
                return Err(format!("bad address: host {name:?} has an empty part"));
            }
            // Without the root's dot, so that robots.txt, pace and certificate are those of one host.
            url.set_host(Some(name)).map_err(|error| format!("bad address: host {name:?}: {error}"))?;
        }
        let allowed = allow.names(&host.to_string(), port);
        let target = Self { url, host, port, allowed };
        target.refuse_by_host()?;
        if !allowed && OTHER_PROTOCOLS.contains(&port) {
            return Err(format!("address refused: port {port} is another protocol's"));
        }
        Ok(target)
    }

    /// What needs no look-up: addresses as they stand in the URL, and `localhost`.
    fn refuse_by_host(&self) -> Result<(), String> {
        match &self.host {
            Host::Ipv4(address) => self.permits(IpAddr::V4(*address)),
            Host::Ipv6(address) => self.permits(IpAddr::V6(*address)),
            Host::Domain(_) if self.is_localhost() && !self.allowed => {
                Err(format!("address refused: {} is this machine{}", self.name(), HINT))
            }
            Host::Domain(_) => Ok(()),
        }
    }

    /// Whether a connection to this address may be made for this target.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn permits(&self, address: IpAddr) -> Result<(), String> {
        match reach(address) {
            Reach::Public => Ok(()),
            Reach::Private(_) if self.allowed => Ok(()),
            Reach::Private(what) => Err(format!("address refused: {} is {what}{HINT}", self.shown(address))),
            Reach::Never(what) => Err(format!("address refused: {} is {what}", self.shown(address))),
        }
    }

    fn shown(&self, address: IpAddr) -> String {
        match &self.host {
            Host::Domain(name) => format!("{name} ({address})"),
            _ => address.to_string(),
        }
    }

    /// Whether the name is this machine by definition (RFC 6761).
    pub fn is_localhost(&self) -> bool {
        matches!(&self.host, Host::Domain(name) if name == "localhost" || name.ends_with(".localhost"))
    }

    /// As it is asked: no fragment, no user.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The host.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port, also where the URL leaves it out.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`: whose pace and breaker it is.
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Scheme, host and port: whose robots.txt counts.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.url.scheme(), self.name())
    }
}

const HINT: &str = " (LIFESTREAM_FETCH_ALLOW names the hosts that may be private)";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn allow(text: &str) -> AllowList {
        AllowList::parse(&text.split(',').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_allow_list_is_about_host_and_port_together() {
        let list = allow("nas.home.arpa:80,*.demo.localhost:8808,[fd00::7]:8080,127.0.0.1:9,10.0.0.5:443");
        for (url, expected) in [
            ("http://nas.home.arpa/", true),
            ("http://NAS.home.arpa./x", true),
            ("http://nas.home.arpa:81/", false),
            ("https://nas.home.arpa/", false),
            ("http://a.demo.localhost:8808/", true),
            ("http://a.b.demo.localhost:8808/", true),
            ("http://[fd00::7]:8080/", true),
            ("http://127.0.0.1:9/", true),
            ("http://0x7f.1:9/", true),
            ("https://10.0.0.5/", true),
        ] {
            let target = Target::parse(url, &list).unwrap();
            assert_eq!(target.allowed, expected, "{url}");
        }
        for url in ["http://demo.localhost:8808/", "http://a.demo.localhost/", "http://xdemo.localhost:8808/"] {
            assert!(Target::parse(url, &list).unwrap_err().contains("is this machine"), "{url}");
        }
        // Allowed hosts may be private, not a cloud's own.
        let target = Target::parse("http://nas.home.arpa/", &list).unwrap();
        assert!(target.permits("192.168.1.2".parse().unwrap()).is_ok());
        for never in ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1"] {
            assert!(target.permits(never.parse().unwrap()).is_err(), "{never}");
        }
    }

    #[test]
    fn what_is_no_entry_of_the_allow_list_is_named() {
        for text in ["nas", "nas:", ":80", "nas:0", "nas:http", "http://nas:80", "*.10.0.0.1:80", "*:80", "[::1:80"] {
            let error = AllowList::parse(&[text.to_owned()]).map(|_| ()).unwrap_err();
            assert!(error.contains("LIFESTREAM_FETCH_ALLOW") && error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let error = Target::parse("http://me:secret@example.org/", &AllowList::default()).unwrap_err();
        assert!(!error.contains("secret") && error.contains("password"), "{error}");
    }
}
