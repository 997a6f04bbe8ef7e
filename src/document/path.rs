//! Which paths a document may have: those that an export can write below one folder on any file system.
//!
//! What only some systems dislike (`:` or `CON` on Windows, letter case) is allowed: applications name their
//! documents so, and an export can spell such names differently. What would leave the folder, hide, or mean
//! something to a tool that reads it is not.

use std::fmt;

use crate::error::{Error, Result};
use crate::limits;
use crate::text::{is_blank, is_deceptive};

/// A path within a project: segments joined by `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPath(String);

impl DocumentPath {
    /// The path a client asks for, as it is.
    ///
    /// # Errors
    /// `bad_path`, saying which rule is broken.
    pub fn new(text: &str) -> Result<Self> {
        match fault(text) {
            Some(fault) => Err(Error::invalid("bad_path", fault)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn fault(text: &str) -> Option<String> {
    let said = if text.is_empty() {
        "a path must not be empty"
    } else if text.len() > limits::PATH_BYTES {
        return Some(format!("a path has at most {} bytes; this one has {}", limits::PATH_BYTES, text.len()));
    } else if text.starts_with('/') {
        "a path is relative to its project and must not begin with /"
    } else if text.contains('\\') {
        "a path is divided by /, and must not hold a backslash"
    } else if text.chars().any(is_deceptive) {
        "a path must not hold control characters or characters that turn the reading direction"
    } else if text.split('/').any(str::is_empty) {
        "a path must not end with / or hold //"
    } else if text.split('/').any(|segment| segment.chars().all(is_blank)) {
        "a path must not hold a segment of blanks alone"
    } else if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        "a path must not hold . or .. as a segment"
    } else if text.split('/').any(|segment| segment.eq_ignore_ascii_case(".git")) {
        "a path must not go through .git, which would command whoever exports the project"
    } else {
        return None;
    };
    Some(said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_taken_as_they_are() {
        let longest = "x".repeat(255);
        let paths =
            ["a", "src/main.rs", "a b/ü.md", "...", ".gitignore", "..a/b..", "room:1", "日本/語", "-", &longest];
        for path in paths {
            assert_eq!(DocumentPath::new(path).unwrap().as_str(), path);
        }
    }

    #[test]
    fn paths_that_an_export_cannot_write_safely_are_refused() {
        let too_long = "é".repeat(128);
        let paths = [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "a/./b",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "a\\b",
            "..\\a",
            "a\u{202e}b",
            " ",
            "a/\u{200b}\u{feff}/b",
            ".git/hooks/x",
            "a/.GIT/config",
            &too_long,
        ];
        for path in paths {
            assert!(DocumentPath::new(path).is_err(), "{path:?}");
        }
    }
}
