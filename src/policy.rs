//! What our pages may load, as the content security policy that goes with them: themselves, and the pictures of people
//! from where GitHub keeps them. Nothing is written into a page but styles that carry the page's own nonce.

use std::fmt::Write;

use axum::http::{HeaderValue, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// What anything of ours may load that is no page of the studio.
pub const STRICT: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// What the frame may do in which people's own pages are tried: run, in an origin that is nobody's, and load nothing from
/// anywhere.
pub const PREVIEW: &str = "sandbox allow-scripts; default-src 'none'; \
    script-src 'unsafe-inline' 'unsafe-eval' blob: data:; style-src 'unsafe-inline' blob: data:; \
    img-src blob: data:; media-src blob: data:; font-src blob: data:; worker-src blob:; \
    webrtc 'block'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

/// A word that styles in one answer carry, and no other answer's.
///
/// # Panics
/// When the operating system gives no random bytes; nothing safe can be done then.
#[must_use]
pub fn nonce() -> String {
    let mut bytes = [0_u8; 16];
    OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes");
    STANDARD.encode(bytes)
}

/// The policy of a page whose styles carry a nonce and whose pictures may also come from these origins.
#[must_use]
pub fn of_page(nonce: &str, pictures: &[String]) -> HeaderValue {
    let mut images = "img-src 'self' data:".to_owned();
    for origin in pictures {
        let _ = write!(images, " {origin}");
    }
    let policy = STRICT
        .replace("style-src 'self'", &format!("style-src 'self' 'nonce-{nonce}'"))
        .replace("img-src 'self' data:", &images);
    // Origins come from parsed addresses, and nonces are base64.
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(STRICT))
}

/// Where the GitHub at an address keeps the pictures of its people.
#[must_use]
pub fn pictures_of(github: &str) -> Vec<String> {
    let Some(uri) = github.parse::<Uri>().ok().filter(|uri| uri.host().is_some()) else { return Vec::new() };
    let (scheme, authority) = (uri.scheme_str().unwrap_or("https"), uri.authority().map_or("", |all| all.as_str()));
    if authority == "github.com" {
        return vec!["https://avatars.githubusercontent.com".to_owned()];
    }
    // GitHub Enterprise, without and with subdomain isolation.
    vec![format!("{scheme}://{authority}"), format!("{scheme}://avatars.{authority}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_reaches_nothing_and_is_no_part_of_our_origin() {
        assert!(PREVIEW.starts_with("sandbox allow-scripts; default-src 'none'; "));
        for open in ["allow-same-origin", "allow-top", "http", "*", "connect-src"] {
            assert!(!PREVIEW.contains(open), "{open}");
        }
    }

    #[test]
    fn a_page_loads_itself_and_pictures_of_people() {
        let (one, other) = (nonce(), nonce());
        assert_ne!(one, other);
        let policy = of_page(&one, &pictures_of("https://github.com"));
        let policy = policy.to_str().unwrap();
        assert!(policy.contains("img-src 'self' data: https://avatars.githubusercontent.com;"), "{policy}");
        assert!(policy.contains(&format!("style-src 'self' 'nonce-{one}';")) && !policy.contains("unsafe"), "{policy}");
        assert_eq!(
            pictures_of("https://git.example.com/x"),
            ["https://git.example.com", "https://avatars.git.example.com"]
        );
        assert!(pictures_of("").is_empty());
    }
}
