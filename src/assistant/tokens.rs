//! How many tokens a text is, before a model's server has counted them.
//!
//! By its length, and not by a model's own vocabulary: every model has another, those of most are in no library, and one
//! that is right for a single maker costs tens of megabytes in memory and is wrong for all others. What counts in the end
//! is what the model's server says. *Absent: a tokenizer.*

/// Bytes of a token, on average; a little less than in English, so that what is counted fits.
const BYTES: usize = 3;

/// Tokens of a text, rather too many than too few.
pub(super) fn count(text: &str) -> usize {
    of_bytes(text.len())
}

/// The same, where only its length is known.
pub(super) fn of_bytes(bytes: usize) -> usize {
    bytes.div_ceil(BYTES)
}

/// Bytes of so many tokens.
pub(super) fn bytes_of(tokens: u32) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(BYTES)
}

/// The beginning of a text that is at most so many tokens, and whether that is all of it.
pub(super) fn cut(text: &str, most: usize) -> (&str, bool) {
    let bytes = most.saturating_mul(BYTES);
    if text.len() <= bytes {
        return (text, true);
    }
    (&text[..text.floor_char_boundary(bytes)], false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_characters_whole() {
        assert_eq!(cut("abc", 1), ("abc", true));
        assert_eq!(cut("ééé", 1), ("é", false));
        assert_eq!(count(cut(&"x".repeat(100), 7).0), 7);
    }
}
