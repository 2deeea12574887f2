//! From a host to the addresses that may be connected to. Asked once for each request; the connection goes to the very
//! addresses that were checked, so a name that answers otherwise the next time (DNS rebinding) gains nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::target::Target;
use super::trouble::Trouble;

/// Finds the addresses of a name.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// All of them.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// As the system does it.
#[derive(Debug)]
pub struct System;

#[async_trait]
impl Lookup for System {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// The addresses that may be connected to.
///
/// # Errors
/// One address that is forbidden is enough to refuse the name: which of them a client takes is chance. What a name server says
/// may be otherwise later; what stands in the URL may not.
pub async fn addresses(target: &Target, lookup: &dyn Lookup, patience: Duration) -> Result<Vec<SocketAddr>, Trouble> {
    let stands: fn(String) -> Trouble = Trouble::Final;
    let (found, refusal): (Vec<IpAddr>, _) = match target.host() {
        Host::Ipv4(address) => (vec![(*address).into()], stands),
        Host::Ipv6(address) => (vec![(*address).into()], stands),
        // Whatever a name server says of it.
        Host::Domain(_) if target.is_localhost() => {
            (vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()], stands)
        }
        Host::Domain(name) => match tokio::time::timeout(patience, lookup.lookup(name)).await {
            Ok(Ok(found)) if found.is_empty() => {
                return Err(Trouble::passing(format!("{name} has no address")));
            }
            Ok(Ok(found)) => (found, |error| Trouble::passing(error)),
            Ok(Err(error)) => return Err(Trouble::passing(format!("{name} could not be resolved: {error}"))),
            Err(_) => return Err(Trouble::passing(format!("{name} could not be resolved within {patience:?}"))),
        },
    };
    for address in &found {
        target.permits(*address).map_err(refusal)?;
    }
    Ok(found.into_iter().map(|address| SocketAddr::new(address, target.port())).collect())
}

/// Gives the addresses that were checked, for the host that was checked and no other.
pub struct Pinned {
    /// The host.
    pub host: String,
    /// Its addresses.
    pub addresses: Vec<SocketAddr>,
}

impl Resolve for Pinned {
    fn resolve(&self, name: Name) -> Resolving {
        let answer: Result<Addrs, Box<dyn std::error::Error + Send + Sync>> = if name.as_str() == self.host {
            Ok(Box::new(self.addresses.clone().into_iter()))
        } else {
            Err(format!("{} is not the host that was checked, {}", name.as_str(), self.host).into())
        };
        Box::pin(std::future::ready(answer))
    }
}
