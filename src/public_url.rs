//! The address that people open, as browsers write it.

use std::net::IpAddr;
use std::str::FromStr;

use anyhow::{Context, bail};
use axum::http::Uri;

/// The address people open: scheme, host and port, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    https: bool,
    loopback: bool,
}

impl FromStr for PublicUrl {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let rule = "COTERIE_PUBLIC_URL must be what people open, without a path, such as https://coterie.example.com";
        let uri: Uri = text.parse().context(rule)?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => bail!(rule),
        };
        let authority = uri.authority().context(rule)?;
        if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
            bail!(rule);
        }
        let host = authority.host().to_ascii_lowercase();
        let default_port = if https { 443 } else { 80 };
        let scheme = if https { "https" } else { "http" };
        let origin = match authority.port_u16() {
            Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        };
        Ok(Self { origin, https, loopback: is_loopback_name(&host) })
    }
}

impl PublicUrl {
    /// The origin as browsers write it: lower case, without a default port and without a slash at the end.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether people reach it over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Whether it names the machine itself.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

/// The origins that a setting lists, with commas between.
///
/// # Errors
/// When one is none.
pub fn origins(list: &str) -> anyhow::Result<Vec<PublicUrl>> {
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let one = |name: &str| {
        let rule =
            "COTERIE_ORIGINS must be origins with commas between, each without a path, such as https://app.example.com";
        name.parse().map_err(|_| anyhow::anyhow!("{rule}; {name:?} is none"))
    };
    names.map(one).collect()
}

/// Whether a host (as in an origin: brackets around IPv6) names the machine itself.
#[must_use]
pub fn is_loopback_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_origins_holds_nothing_else() {
        let listed = origins(" https://App.example.com, http://localhost:5173 ,").unwrap();
        let listed: Vec<_> = listed.iter().map(PublicUrl::origin).collect();
        assert_eq!(listed, ["https://app.example.com", "http://localhost:5173"]);
        for bad in ["*", "null", "https://x/app", "https://x, y"] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_public_url_becomes_the_origin_browsers_send() {
        let origin = |text: &str| text.parse::<PublicUrl>().map(|url| url.origin().to_owned()).ok();
        assert_eq!(origin("https://Coterie.Example.com:443/"), Some("https://coterie.example.com".to_owned()));
        assert_eq!(origin("http://localhost:3000"), Some("http://localhost:3000".to_owned()));
        assert_eq!(origin("http://[::1]:3000"), Some("http://[::1]:3000".to_owned()));
        for bad in ["coterie.example.com", "ftp://x", "https://x/app", "https://x/?q", "https://me@x", "https://"] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }
}
