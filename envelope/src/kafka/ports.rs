//! Finds out whether a port speaks TLS: a Kafka that expects it only closes the connection on whoever does not.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

const PATIENCE: Duration = Duration::from_secs(2);
/// Record types of TLS: what an answer to a ClientHello begins with.
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

/// Whether the first of these brokers that takes a connection answers a TLS greeting; `None` if none can be asked.
pub fn speaks_tls(brokers: &str) -> Option<bool> {
    brokers.split(',').find_map(|broker| {
        let broker = broker.split_once("://").map_or(broker, |(_, rest)| rest).trim();
        let address = broker.to_socket_addrs().ok()?.next()?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(&greeting()?).ok()?;
        let mut first = [0];
        Some(matches!(stream.read(&mut first), Ok(1)) && matches!(first[0], HANDSHAKE | ALERT))
    })
}

/// A ClientHello. Nothing is signed in or verified over this connection: only the first byte of the answer is read.
fn greeting() -> Option<Vec<u8>> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).ok()?;
    Some(bytes)
}
