//! What may be told of an error's text: none of what somebody wrote, no secret, no address.

use std::net::{IpAddr, SocketAddr};

use uuid::Uuid;

use crate::limits;

/// The text without what is between quotes, addresses, and what could be a secret; cut to what a report may hold.
pub(super) fn scrub(text: &str) -> String {
    let unquoted = unquote(text);
    let words = unquoted.split(' ').map(|word| {
        let core = core(word);
        if core.is_empty() {
            return word.to_owned();
        }
        let instead = if is_address(core) {
            "(address)"
        } else if is_secret(core) {
            "(secret)"
        } else {
            return word.to_owned();
        };
        word.replacen(core, instead, 1)
    });
    let words: Vec<String> = words.collect();
    words.join(" ").chars().take(limits::REPORT_CHARS).collect()
}

/// A word without what stands around it. The brackets of an address with a port are its own.
fn core(word: &str) -> &str {
    let outer = word.trim_matches(|c: char| "(){}<>,;.=&".contains(c));
    if outer.parse::<SocketAddr>().is_ok() { outer } else { outer.trim_matches(|c: char| "()[]{}<>,;:.=&".contains(c)) }
}

/// Drops what stands between quotes; what a quote opens and none closes is dropped to the end.
fn unquote(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        // Line ends part words too.
        kept.push(if c.is_whitespace() { ' ' } else { c });
        if matches!(c, '"' | '`' | '“') {
            let end = if c == '“' { '”' } else { c };
            kept.push('…');
            let mut escaped = false;
            for quoted in chars.by_ref() {
                if quoted == end && !escaped {
                    break;
                }
                escaped = quoted == '\\' && !escaped;
            }
            kept.push(end);
        }
    }
    kept
}

fn is_address(word: &str) -> bool {
    let bare = word.trim_start_matches('[').trim_end_matches(']');
    let is_number = bare.parse::<IpAddr>().is_ok() || word.parse::<SocketAddr>().is_ok();
    is_number || word.contains("://") || word.contains('@') || word.contains('\\')
}

/// Whether it looks like a key, a token, a digest, or bytes: long, of one piece, and no id of ours.
fn is_secret(word: &str) -> bool {
    word.split(['=', '/', ':', '?', '&'])
        .any(|part| part.starts_with("cot_") || (part.len() >= limits::REPORT_WORD && Uuid::parse_str(part).is_err()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_and_what_opens_anything_is_left_out() {
        let cases = [
            ("the document \"secret plans.md\" cannot be read", "the document \"…\" cannot be read"),
            ("byte 1 is inside 'é' of `my \\` diary`", "byte 1 is inside 'é' of `…`"),
            ("an open \"quote is cut", "an open \"…\""),
            ("cannot connect to 10.0.0.1:5432, tried [::1]:80", "cannot connect to (address), tried (address)"),
            ("at postgres://me:pass@db/x: no", "at (address): no"),
            ("key cot_abc was used", "key (secret) was used"),
            ("token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.", "(secret)."),
            (
                "document 0198c0de-0000-7000-8000-000000000000 row 7",
                "document 0198c0de-0000-7000-8000-000000000000 row 7",
            ),
            ("mail ann@example.com now\nand then", "mail (address) now and then"),
        ];
        for (text, told) in cases {
            assert_eq!(scrub(text), told);
        }
        assert_eq!(scrub(&"word ".repeat(1_000)).chars().count(), limits::REPORT_CHARS);
    }
}
