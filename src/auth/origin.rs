//! Where a browser's request comes from: foreign pages must not act with somebody's cookie.
//!
//! The rules, for requests without an `Authorization` header (a browser never adds that one by itself):
//!
//! * An unsafe method with an `Origin` needs our own origin, cookie or not.
//! * Without an `Origin`, a cookie counts when `Sec-Fetch-Site` is `same-origin` or `none`, or absent too: every browser
//!   sends one of the two on unsafe methods, so a request with neither is from a program that holds the cookie itself.
//! * A socket's upgrade is a GET, but browsers always send `Origin` with it: a foreign one makes the cookie count for
//!   nothing.
//!
//! Our own origin is the public URL's; without one, a loopback name with the listening port, or the listening address.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::login::{cookie_name, cookie_value};
use crate::config::{PublicUrl, is_loopback_name};
use crate::error::{Error, Result};
use crate::state::{AppState, Shared};

/// Refuses unsafe requests that a foreign page makes a browser send.
///
/// # Errors
/// [`Error::Forbidden`] for those.
pub async fn check(State(state): State<AppState>, request: Request, next: Next) -> Result<Response> {
    let headers = request.headers();
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || headers.contains_key(header::AUTHORIZATION) || may_act(&state, headers) {
        return Ok(next.run(request).await);
    }
    Err(Error::Forbidden(
        "this request came from another origin; open Coterie at its own address, or set COTERIE_PUBLIC_URL to it",
    ))
}

/// Whether the `Origin` header is our own, or is not there at all.
pub(super) fn is_own_or_absent(state: &Shared, headers: &HeaderMap) -> bool {
    match headers.get(header::ORIGIN) {
        Some(origin) => origin.to_str().is_ok_and(|origin| is_own(state, origin)),
        None => true,
    }
}

/// The address by which this request reached the server, without a slash at the end: the public URL's, without one a
/// loopback name that the request was sent to, else as [`Shared::base_url`].
pub(super) fn base_url(state: &Shared, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).map(|host| format!("http://{host}"));
    match host {
        Some(origin) if state.config.public_url.is_none() && is_listening(state.listening(), &origin) => origin,
        _ => state.base_url(),
    }
}

fn may_act(state: &Shared, headers: &HeaderMap) -> bool {
    if headers.contains_key(header::ORIGIN) {
        return is_own_or_absent(state, headers);
    }
    let site = headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or_default());
    matches!(site, None | Some("same-origin" | "none"))
        || cookie_value(headers, cookie_name(state.is_https())).is_none()
}

fn is_own(state: &Shared, origin: &str) -> bool {
    match &state.config.public_url {
        Some(url) => is_public(url, origin),
        None => is_listening(state.listening(), origin),
    }
}

fn is_public(url: &PublicUrl, origin: &str) -> bool {
    origin == url.origin()
}

/// Whether an origin names the listener itself, as far as that can be known without a public URL.
fn is_listening(listening: SocketAddr, origin: &str) -> bool {
    let Some(authority) = origin.strip_prefix("http://") else { return false };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, Some(80_u16)),
    };
    let local = listening.ip().is_loopback() || listening.ip().is_unspecified();
    let named = (local && is_loopback_name(host)) || host == host_of(listening.ip());
    named && port == Some(listening.port())
}

fn host_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(address: &str, origin: &str) -> bool {
        is_listening(address.parse().unwrap(), origin)
    }

    #[test]
    fn loopback_names_with_the_port_are_our_own() {
        for own in ["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"] {
            assert!(listening("127.0.0.1:3000", own), "{own}");
            assert!(listening("0.0.0.0:3000", own), "{own}");
        }
        let foreign = [
            "http://localhost:3001",
            "https://localhost:3000",
            "http://localhost",
            "http://localhost.evil.com:3000",
            "http://evil.com:3000",
            "http://evil.com:3000@localhost:3000",
            "http://127.0.0.1.evil.com:3000",
            "http://[::1].evil.com:3000",
            "http://localhost:3000/",
            "http://localhost:3000 http://evil.com",
            "null",
            "",
        ];
        for origin in foreign {
            assert!(!listening("127.0.0.1:3000", origin), "{origin}");
        }
    }

    #[test]
    fn a_listening_address_is_its_own_origin() {
        assert!(listening("192.168.1.5:3000", "http://192.168.1.5:3000"));
        assert!(!listening("192.168.1.5:3000", "http://localhost:3000"));
        assert!(listening("127.0.0.1:80", "http://localhost"));
        assert!(listening("[::1]:3000", "http://[::1]:3000"));
    }

    #[test]
    fn a_public_url_is_the_only_origin() {
        let url: PublicUrl = "https://coterie.example.com".parse().unwrap();
        assert!(is_public(&url, "https://coterie.example.com"));
        for foreign in ["http://coterie.example.com", "https://coterie.example.com.evil.com", "https://localhost:3000"]
        {
            assert!(!is_public(&url, foreign), "{foreign}");
        }
    }
}
