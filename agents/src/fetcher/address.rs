//! Which IP addresses may be connected to.
//!
//! After IANA's special-purpose address registries (RFC 6890 and what has joined since), and what clouds keep for
//! themselves: whoever can name a URL must not reach what only this machine can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who can be behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anybody's server.
    Public,
    /// Of this machine or network: only where the allow list names the host.
    Private(&'static str),
    /// Nobody's web server, or a cloud's own: never.
    Never(&'static str),
}

use Reach::{Never, Private, Public};

/// First that fits counts.
const V4: [(Ipv4Addr, u32, Reach); 21] = [
    (Ipv4Addr::new(0, 0, 0, 0), 32, Never("unspecified")),
    (Ipv4Addr::new(0, 0, 0, 0), 8, Never("\"this network\"")),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private("private")),
    (Ipv4Addr::new(100, 100, 100, 200), 32, Never("cloud metadata")),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Private("carrier-grade NAT")),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Private("loopback")),
    (Ipv4Addr::new(168, 63, 129, 16), 32, Never("cloud metadata")),
    (Ipv4Addr::new(169, 254, 169, 254), 32, Never("cloud metadata")),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Never("link-local")),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private("private")),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Never("reserved for protocols")),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Never("documentation")),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Never("6to4 relay")),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private("private")),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Private("benchmarking")),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Never("documentation")),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Never("documentation")),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Never("multicast")),
    (Ipv4Addr::new(255, 255, 255, 255), 32, Never("broadcast")),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Never("reserved")),
    (Ipv4Addr::new(0, 0, 0, 0), 0, Public),
];

/// First that fits counts. What is not in 2000::/3 is nobody's server, so the last line is no `Public`.
const V6: [(Ipv6Addr, u32, Reach); 19] = [
    (Ipv6Addr::UNSPECIFIED, 128, Never("unspecified")),
    (Ipv6Addr::LOCALHOST, 128, Private("loopback")),
    (Ipv6Addr::UNSPECIFIED, 96, Never("IPv4-compatible")),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, Never("NAT64 of a local network")),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, Never("discard-only")),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Never("Teredo")),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Never("reserved for protocols")),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Never("documentation")),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Never("6to4")),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Never("documentation")),
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, Public),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, Never("segment routing")),
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32, Never("cloud metadata")),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0), 32, Never("cloud metadata")),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Private("unique local")),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Never("link-local")),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Never("site-local")),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Never("multicast")),
    (Ipv6Addr::UNSPECIFIED, 0, Never("not a global unicast address")),
];

/// Decides.
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Reach {
    let bits = address.to_bits();
    let fits =
        |(net, length, _): &&(Ipv4Addr, u32, Reach)| (bits ^ net.to_bits()).checked_shr(32 - length).unwrap_or(0) == 0;
    V4.iter().find(fits).map_or(Never("unknown"), |(.., reach)| *reach)
}

fn v6(address: Ipv6Addr) -> Reach {
    // The system connects to the IPv4 address itself.
    if let Some(mapped) = address.to_ipv4_mapped() {
        return v4(mapped);
    }
    let segments = address.segments();
    let embedded = Ipv4Addr::from_bits(u32::from(segments[6]) << 16 | u32::from(segments[7]));
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        // On a network with IPv6 only, every IPv4 site has such an address; a private one has none.
        return if v4(embedded) == Public { Public } else { Never("NAT64 of an address that is not public") };
    }
    // ISATAP: a tunnel to the IPv4 address in the last four bytes.
    if matches!(segments[4], 0 | 0x200) && segments[5] == 0x5efe {
        return Never("ISATAP");
    }
    let bits = address.to_bits();
    let fits =
        |(net, length, _): &&(Ipv6Addr, u32, Reach)| (bits ^ net.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0;
    V6.iter().find(fits).map_or(Never("unknown"), |(.., reach)| *reach)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_special_range_is_known_at_both_ends_and_its_neighbours_are_public() {
        for (text, expected) in [
            ("1.1.1.1", Public),
            ("0.0.0.0", Never("unspecified")),
            ("0.255.255.255", Never("\"this network\"")),
            ("9.255.255.255", Public),
            ("10.0.0.0", Private("private")),
            ("10.255.255.255", Private("private")),
            ("11.0.0.0", Public),
            ("100.63.255.255", Public),
            ("100.64.0.0", Private("carrier-grade NAT")),
            ("100.100.100.200", Never("cloud metadata")),
            ("100.127.255.255", Private("carrier-grade NAT")),
            ("100.128.0.0", Public),
            ("127.0.0.1", Private("loopback")),
            ("127.255.255.255", Private("loopback")),
            ("168.63.129.16", Never("cloud metadata")),
            ("169.254.169.254", Never("cloud metadata")),
            ("169.254.0.1", Never("link-local")),
            ("172.15.255.255", Public),
            ("172.16.0.0", Private("private")),
            ("172.31.255.255", Private("private")),
            ("172.32.0.0", Public),
            ("192.0.0.192", Never("reserved for protocols")),
            ("192.0.2.1", Never("documentation")),
            ("192.168.0.1", Private("private")),
            ("192.169.0.0", Public),
            ("198.17.255.255", Public),
            ("198.19.255.255", Private("benchmarking")),
            ("203.0.113.9", Never("documentation")),
            ("223.255.255.255", Public),
            ("224.0.0.1", Never("multicast")),
            ("239.255.255.255", Never("multicast")),
            ("240.0.0.1", Never("reserved")),
            ("255.255.255.255", Never("broadcast")),
            ("2606:4700:4700::1111", Public),
            ("::", Never("unspecified")),
            ("::1", Private("loopback")),
            ("::ffff:127.0.0.1", Private("loopback")),
            ("::ffff:169.254.169.254", Never("cloud metadata")),
            ("::ffff:1.1.1.1", Public),
            ("::127.0.0.1", Never("IPv4-compatible")),
            ("64:ff9b::7f00:1", Never("NAT64 of an address that is not public")),
            ("64:ff9b::a9fe:a9fe", Never("NAT64 of an address that is not public")),
            ("64:ff9b::101:101", Public),
            ("64:ff9b:1::1", Never("NAT64 of a local network")),
            ("2001:0:7f00:1::", Never("Teredo")),
            ("2001:2::1", Never("reserved for protocols")),
            ("2001:db8::1", Never("documentation")),
            ("2001:4860:4860::8888", Public),
            ("2002:7f00:1::", Never("6to4")),
            ("2a00:1450::5efe:127.0.0.1", Never("ISATAP")),
            ("fc00::1", Private("unique local")),
            ("fd00:ec2::254", Never("cloud metadata")),
            ("fdff::1", Private("unique local")),
            ("fe80::1", Never("link-local")),
            ("fec0::1", Never("site-local")),
            ("ff02::1", Never("multicast")),
            ("100::1", Never("discard-only")),
            ("4000::1", Never("not a global unicast address")),
        ] {
            assert_eq!(reach(text.parse().unwrap()), expected, "{text}");
        }
    }
}
