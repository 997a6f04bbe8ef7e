//! Rules for the texts people give to things: names, descriptions, line ends. Not for paths, which have their own.

use crate::error::{Error, Result};
use crate::limits;

/// A name as it is stored: trimmed, visible, on one line, 1 to [`limits::NAME_CHARS`] characters.
///
/// # Errors
/// `bad_name`, saying which rule is broken.
pub fn name(given: &str) -> Result<String> {
    let name = given.trim();
    let fault = if name.is_empty() {
        "a name must not be empty".to_owned()
    } else if name.chars().all(is_blank) {
        "a name must not be blank".to_owned()
    } else if name.chars().count() > limits::NAME_CHARS {
        format!("a name has at most {} characters", limits::NAME_CHARS)
    } else if name.chars().any(is_deceptive) {
        "a name must not hold control characters or characters that turn the reading direction".to_owned()
    } else {
        return Ok(name.to_owned());
    };
    Err(Error::invalid("bad_name", fault))
}

/// A description as it is stored: LF line ends, at most [`limits::DESCRIPTION_CHARS`] characters.
///
/// # Errors
/// `bad_description`, saying which rule is broken.
pub fn description(given: &str) -> Result<String> {
    let text = to_lf(given);
    let fault = if text.chars().count() > limits::DESCRIPTION_CHARS {
        format!("a description has at most {} characters", limits::DESCRIPTION_CHARS)
    } else if text.chars().any(|c| !matches!(c, '\n' | '\t') && c.is_control()) {
        "a description must not hold control characters".to_owned()
    } else {
        return Ok(text);
    };
    Err(Error::invalid("bad_description", fault))
}

/// The same text with every line ended by LF: `\r\n` and a lone `\r` count as one line end.
#[must_use]
pub fn to_lf(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

/// Whether a character has no shape of its own and changes what is around it: controls and direction overrides.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Whether a character leaves no mark: a blank, or one of no width.
#[must_use]
pub fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(name("  Ann  ").unwrap(), "Ann");
        assert_eq!(name(&"é".repeat(80)).unwrap().chars().count(), 80);
        for bad in ["", "   ", "\u{200b}\u{3164}", "a\nb", "a\0", "a\u{202e}b", &"x".repeat(81)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn line_ends_become_lf() {
        assert_eq!(to_lf("a\r\nb\rc\nd\r\r\n"), "a\nb\nc\nd\n\n");
    }

    #[test]
    fn descriptions_may_have_lines_but_no_controls() {
        assert_eq!(description("a\r\n\tb").unwrap(), "a\n\tb");
        assert!(description("a\0").is_err());
        assert!(description(&"x".repeat(limits::DESCRIPTION_CHARS + 1)).is_err());
    }
}
