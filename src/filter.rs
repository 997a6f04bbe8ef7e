//! What is wanted of a list beside its pages, named alike wherever it makes sense: `q`, `path` and `author`.
//!
//! Each is a query of its own, so that a list takes, and describes, only those that it has. *Absent: `after`, which is the
//! page's cursor (`page`).*

use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::limits;

/// Only what has these words in its name.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Words {
    /// Only what has this in its name, its path or what else it is called; capital letters do not matter.
    #[param(max_length = 200)]
    q: Option<String>,
}

/// Words to be looked for in names: by the database roughly, and then as they are meant.
#[derive(Debug, Clone, Default)]
pub struct Needle {
    pattern: Option<String>,
    folded: String,
}

/// Only what is at a path or below it.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Below {
    /// Only what is at this path, or below it.
    #[param(max_length = 255)]
    path: Option<String>,
}

/// Only what is somebody's.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct By {
    /// Only what this person made or did, also as the guest they were before.
    pub author: Option<UserId>,
}

impl Words {
    /// What to look for.
    ///
    /// # Errors
    /// `bad_query` for what is too long to be part of a name, or cannot be.
    pub fn needle(&self) -> Result<Needle> {
        let Some(words) = self.q.as_deref().map(str::trim).filter(|words| !words.is_empty()) else {
            return Ok(Needle::default());
        };
        if words.chars().count() > limits::SEARCH_CHARS || words.contains('\0') {
            let most = limits::SEARCH_CHARS;
            return Err(Error::invalid("bad_query", format!("q must be at most {most} characters, without NUL")));
        }
        let mut pattern = String::from("%");
        for c in words.chars() {
            match c {
                '%' | '_' | '!' => pattern.extend(['!', c]),
                // The engines do not agree on what the small letters of these are.
                c if !c.is_ascii() => pattern.push('%'),
                c => pattern.push(c),
            }
        }
        pattern.push('%');
        Ok(Needle { pattern: Some(pattern), folded: words.to_lowercase() })
    }
}

impl Needle {
    /// The pattern of an SQL `like` with `!` as its escape that finds all that has the words, and perhaps more; `None` for
    /// anything.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// Whether a text has the words, whatever its capital letters.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.folded.is_empty() || text.to_lowercase().contains(&self.folded)
    }
}

impl Below {
    /// The path without a slash at its end; `None` for any.
    ///
    /// # Errors
    /// `bad_query` for what no path can be.
    pub fn folder(&self) -> Result<Option<&str>> {
        let path = self.path.as_deref().map(|path| path.trim_end_matches('/')).filter(|path| !path.is_empty());
        if path.is_some_and(|path| path.len() > limits::PATH_BYTES || path.contains('\0')) {
            return Err(Error::invalid("bad_query", "path must be a path, or the beginning of one up to a slash"));
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_would_read_otherwise_is_escaped() {
        let needle = |q: &str| Words { q: Some(q.to_owned()) }.needle();
        assert_eq!(needle(" 50%_off! ").unwrap().pattern(), Some("%50!%!_off!!%"));
        assert_eq!(needle("  ").unwrap().pattern(), None);
        assert_eq!(Words::default().needle().unwrap().pattern(), None);
        assert!(needle("a\0b").is_err() && needle(&"é".repeat(201)).is_err());
        assert!(needle(&"é".repeat(200)).is_ok());
    }

    #[test]
    fn letters_of_every_alphabet_are_found_in_both_sizes() {
        let needle = |q: &str| Words { q: Some(q.to_owned()) }.needle().unwrap();
        assert_eq!(needle("MÜLLER").pattern(), Some("%M%LLER%"));
        assert!(needle("MÜLLER").is_in("Anna Müller") && needle("müller").is_in("MÜLLER"));
        assert!(needle("ПРИВЕТ").is_in("привет") && needle("élan").is_in("ÉLAN"));
        assert!(!needle("müller").is_in("Moller") && needle("").is_in("anything"));
    }

    #[test]
    fn a_folder_is_named_with_or_without_its_slash() {
        let folder = |path: &str| Below { path: Some(path.to_owned()) }.folder().map(|path| path.map(str::to_owned));
        assert_eq!(folder("docs/").unwrap().as_deref(), Some("docs"));
        assert_eq!(folder("/").unwrap(), None);
        assert!(folder("a\0").is_err() && folder(&"x".repeat(256)).is_err());
    }
}
