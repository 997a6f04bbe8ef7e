//! Where to go after a sign-in: a path of our own, and nothing that a browser takes for another place.

use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::limits;

/// What an address may hold, but a header may not.
const NOT_IN_HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// How often a path is decoded in search of what hides in it; proxies decode once.
const DECODINGS: usize = 3;

/// A path of our own with its query and fragment, as a `Location` header holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next(String);

/// What is not a path of our own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elsewhere;

impl Next {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Next {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl FromStr for Next {
    type Err = Elsewhere;

    fn from_str(text: &str) -> Result<Self, Elsewhere> {
        if text.len() > limits::NEXT_BYTES {
            return Err(Elsewhere);
        }
        let mut decoded = text.to_owned();
        for _ in 0..=DECODINGS {
            if !is_local(&decoded) {
                return Err(Elsewhere);
            }
            let Ok(again) = percent_decode_str(&decoded).decode_utf8() else { return Err(Elsewhere) };
            decoded = again.into_owned();
        }
        Ok(Self(utf8_percent_encode(text, NOT_IN_HEADER).to_string()))
    }
}

/// Whether a text begins with one slash, and holds neither backslashes, which browsers take for slashes, nor controls,
/// which they leave out.
fn is_local(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//") && !text.contains('\\') && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_our_own_is_kept() {
        for own in ["/", "/p/0198?file=a%2Fb#L3", "/join/abc_-", "/p/x?next=https://example.com"] {
            assert_eq!(own.parse::<Next>().unwrap().as_str(), own);
        }
        assert_eq!("/p/é b".parse::<Next>().unwrap().as_str(), "/p/%C3%A9%20b");
    }

    #[test]
    fn what_leads_elsewhere_is_not() {
        let elsewhere = [
            "",
            "x",
            "//x",
            "///x",
            "/\\x",
            "\\x",
            "\\\\x",
            "@x",
            "/%2f%2fx",
            "%2f%2fx",
            "/%2fx",
            "/%5cx",
            "/%252fx",
            "/%25252fx",
            "https:x",
            "https://x",
            "javascript:alert(1)",
            "/\t/x",
            "/\n/x",
            "\t//x",
            " /x",
            "/a\r\nb: c",
            "/%09/x",
            "/%0d%0aset-cookie:a",
            "/%ff",
        ];
        for bad in elsewhere {
            assert_eq!(bad.parse::<Next>(), Err(Elsewhere), "{bad:?}");
        }
        assert_eq!(format!("/{}", "x".repeat(limits::NEXT_BYTES)).parse::<Next>(), Err(Elsewhere));
    }
}
