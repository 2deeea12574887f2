//! Connection strings as libpq takes them: URLs and `key=value` pairs.

use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Where Debian's and most other servers have their socket, for a string that names no host.
const SOCKET_FOLDER: &str = "/var/run/postgresql";

/// A connection string, understood.
#[derive(Debug)]
pub struct Dsn {
    /// For tokio-postgres.
    pub config: Config,
    /// `sslrootcert`.
    pub root_certificate: Option<PathBuf>,
}

/// Understands a connection string.
///
/// Beyond what tokio-postgres knows: `sslmode=allow`, `verify-ca`, `verify-full` and `sslrootcert`. A certificate is
/// verified in full wherever TLS is used.
///
/// # Errors
/// What is wrong with it, without any of its values.
pub fn parse(text: &str) -> Result<Dsn, String> {
    let (text, ours) = take_ours(text)?;
    // The error of tokio-postgres may repeat parts of the string, the password among them.
    let mut config: Config = text.parse().map_err(|_| "the connection string is not understood".to_owned())?;
    let mut root_certificate = None;
    for (name, value) in ours {
        match (name, value.as_str()) {
            ("sslrootcert", "system") => {}
            ("sslrootcert", path) => root_certificate = Some(PathBuf::from(path)),
            (_, "disable") => drop(config.ssl_mode(SslMode::Disable)),
            (_, "allow" | "prefer") => drop(config.ssl_mode(SslMode::Prefer)),
            (_, "require" | "verify-ca" | "verify-full") => drop(config.ssl_mode(SslMode::Require)),
            _ => return Err("sslmode is disable, allow, prefer, require, verify-ca or verify-full".into()),
        }
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        if std::path::Path::new(SOCKET_FOLDER).is_dir() {
            config.host_path(SOCKET_FOLDER);
        } else {
            config.host("localhost");
        }
    }
    Ok(Dsn { config, root_certificate })
}

/// For people: the string without its password, as a URL.
pub fn masked(text: &str) -> String {
    let Ok(Dsn { config, .. }) = parse(text) else { return "***".to_owned() };
    let user =
        config.get_user().map(|user| format!("{user}{}@", if config.get_password().is_some() { ":***" } else { "" }));
    let ports = config.get_ports();
    let port = |i: usize| ports.get(i).or(ports.first()).map(|port| format!(":{port}")).unwrap_or_default();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(i, host)| match host {
            Host::Tcp(name) => format!("{name}{}", port(i)),
            Host::Unix(path) => format!("{}{}", path.display().to_string().replace('/', "%2F"), port(i)),
        })
        .collect();
    let addresses = config.get_hostaddrs().iter().map(ToString::to_string).collect::<Vec<_>>();
    let hosts = if hosts.is_empty() { addresses } else { hosts };
    format!("postgres://{}{}/{}", user.unwrap_or_default(), hosts.join(","), config.get_dbname().unwrap_or_default())
}

/// Whether all its hosts are this machine.
pub fn is_loopback(config: &Config) -> bool {
    config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
        && config.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        })
}

/// What we understand ourselves, by name.
type Ours = Vec<(&'static str, String)>;

/// Takes `sslmode` and `sslrootcert` out of the string.
fn take_ours(text: &str) -> Result<(String, Ours), String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(from_url(text));
    }
    let mut rest = String::new();
    let mut taken = Vec::new();
    for (name, value) in pairs(text)? {
        match ours(&name) {
            Some(name) => taken.push((name, value)),
            None => rest.push_str(&format!("{name}='{}' ", value.replace('\\', r"\\").replace('\'', r"\'"))),
        }
    }
    Ok((rest, taken))
}

fn ours(name: &str) -> Option<&'static str> {
    ["sslmode", "sslrootcert"].into_iter().find(|known| *known == name)
}

fn from_url(text: &str) -> (String, Ours) {
    let Some((base, query)) = text.split_once('?') else { return (text.to_owned(), Vec::new()) };
    let mut rest = Vec::new();
    let mut taken = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=').and_then(|(name, value)| Some((ours(name)?, value))) {
            Some((name, _)) => {
                let value = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned());
                taken.push((name, value.unwrap_or_default()));
            }
            None => rest.push(pair),
        }
    }
    let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    (format!("{base}{query}"), taken)
}

/// `key = 'value'` pairs, with libpq's quotes and backslashes.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or("a name has no value")?;
        let mut chars = after.trim_start().chars();
        let quoted = after.trim_start().starts_with('\'');
        if quoted {
            chars.next();
        }
        let mut value = String::new();
        let mut closed = !quoted;
        while let Some(c) = chars.next() {
            match c {
                '\\' => value.extend(chars.next()),
                '\'' if quoted => {
                    closed = true;
                    break;
                }
                c if !quoted && c.is_whitespace() => break,
                c => value.push(c),
            }
        }
        if !closed {
            return Err("a quote is not closed".into());
        }
        found.push((name.trim().to_owned(), value));
        rest = chars.as_str().trim_start();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn both_forms_with_every_sslmode() {
        for (mode, expected) in [
            ("disable", SslMode::Disable),
            ("allow", SslMode::Prefer),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::Require),
            ("verify-full", SslMode::Require),
        ] {
            for text in [
                format!("postgres://me:pw@db:5433/app?sslmode={mode}&sslrootcert=%2Fca.pem&connect_timeout=3"),
                format!("host=db port=5433 user=me password='p\\'w' dbname = app sslmode={mode} sslrootcert=/ca.pem"),
            ] {
                let dsn = parse(&text).unwrap();
                assert_eq!(dsn.config.get_ssl_mode(), expected, "{text}");
                assert_eq!(dsn.root_certificate.as_deref(), Some(std::path::Path::new("/ca.pem")));
                assert_eq!(masked(&text), "postgres://me:***@db:5433/app");
            }
        }
        let dsn = parse(r"host=db password='a\\b\'c d'").unwrap();
        assert_eq!(dsn.config.get_password(), Some(&br"a\b'c d"[..]));
    }

    #[test]
    fn what_is_no_connection_string_is_an_error_without_its_values() {
        for text in [
            "postgres://me:s3cret@db:port/app",
            "s3cret",
            "host=db password='s3cret",
            "host=db s3cret=1",
            "postgres://db/?sslmode=s3cret",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
            assert_eq!(masked(text), "***");
        }
    }

    #[test]
    fn sockets_and_loopback() {
        let dsn = parse("postgres:///app?host=/tmp/pg&port=5433&user=me").unwrap();
        assert!(is_loopback(&dsn.config));
        assert_eq!(masked("postgres:///app?host=/tmp/pg&port=5433&user=me"), "postgres://me@%2Ftmp%2Fpg:5433/app");
        assert!(is_loopback(&parse("postgres://127.0.0.1,localhost/app").unwrap().config));
        assert!(!is_loopback(&parse("postgres://127.0.0.1,db/app").unwrap().config));
    }
}
