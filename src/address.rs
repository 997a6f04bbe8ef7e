//! Where a request comes from: the address of who asks, also behind a proxy that is trusted to say it.
//!
//! Anybody can write `X-Forwarded-For`, so it is believed only from the proxies of `COTERIE_TRUSTED_PROXIES`, and only as
//! far from its right end as trusted proxies wrote it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whose limits a request counts towards: an IPv4 address, or the /64 network that one subscriber of IPv6 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address of a peer, as limits count it.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    /// Whether it is the machine itself.
    #[must_use]
    pub fn is_local(self) -> bool {
        // The network of `::1` is all that is left of it.
        self.0.is_loopback() || self.0.is_unspecified()
    }

    /// Who sent a request that came from `peer`.
    #[must_use]
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &Proxies) -> Self {
        let mut from = peer;
        if trusted.has(from) {
            let lines: Vec<&str> = headers.get_all(FORWARDED).iter().filter_map(|line| line.to_str().ok()).collect();
            for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
                // What is no address was not written by a proxy that can be trusted with more.
                let Some(hop) = parse_hop(hop.trim()) else { break };
                from = hop;
                if !trusted.has(from) {
                    break;
                }
            }
        }
        Self::new(from)
    }
}

/// Whether somebody says for whom they ask.
#[must_use]
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED)
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    if let Some(rest) = hop.strip_prefix('[') {
        return rest.split(']').next()?.parse().ok();
    }
    hop.parse().ok().or_else(|| hop.rsplit_once(':')?.0.parse().ok())
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Proxies whose word is taken for whom they ask: addresses and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<(IpAddr, u8)>);

impl Proxies {
    /// Whether this address is one of them.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|&(network, prefix)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(prefix)
            }
            _ => false,
        })
    }
}

impl FromStr for Proxies {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        text.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(network)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn network(entry: &str) -> anyhow::Result<(IpAddr, u8)> {
    let parse = || {
        let (address, prefix) =
            entry.split_once('/').map_or((entry, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok())?;
        (prefix <= longest).then_some((address, prefix))
    };
    parse().ok_or_else(|| {
        anyhow::anyhow!(
            "COTERIE_TRUSTED_PROXIES has {entry:?}, but must be addresses or networks with commas between, such as \
             127.0.0.1, 10.0.0.0/8"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(peer: &str, forwarded: &[&str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED, line.parse().unwrap());
        }
        ClientAddress::of(peer.parse().unwrap(), &headers, &trusted.parse().unwrap()).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(asked("192.0.2.1", &["203.0.113.9"], ""), "192.0.2.1");
        assert_eq!(asked("192.0.2.1", &["203.0.113.9"], "10.0.0.0/8"), "192.0.2.1");
        assert_eq!(asked("::ffff:192.0.2.1", &[], ""), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_is_believed_as_far_as_it_wrote() {
        let trusted = "10.0.0.0/8, ::1";
        assert_eq!(asked("10.1.2.3", &["203.0.113.9"], trusted), "203.0.113.9");
        // What stands further left was sent by the client itself.
        assert_eq!(asked("10.1.2.3", &["1.1.1.1, 203.0.113.9, 10.9.9.9"], trusted), "203.0.113.9");
        assert_eq!(asked("10.1.2.3", &["1.1.1.1", "203.0.113.9:4711", "10.9.9.9"], trusted), "203.0.113.9");
        assert_eq!(asked("10.1.2.3", &["1.1.1.1, unknown"], trusted), "10.1.2.3");
        assert_eq!(asked("::1", &["[2001:db8::7]:80"], trusted), "2001:db8::");
        assert_eq!(asked("::1", &["2001:db8::7"], trusted), "2001:db8::");
        assert_eq!(asked("10.1.2.3", &[], trusted), "10.1.2.3");
    }

    #[test]
    fn a_network_that_is_none_is_refused() {
        for bad in ["example.com", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0"] {
            assert!(bad.parse::<Proxies>().is_err(), "{bad}");
        }
        assert_eq!("".parse::<Proxies>().unwrap(), Proxies::default());
    }

    #[test]
    fn the_machine_itself_is_known() {
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(ClientAddress::new(local.parse().unwrap()).is_local(), "{local}");
        }
        assert!(!ClientAddress::new("192.0.2.1".parse().unwrap()).is_local());
    }
}
