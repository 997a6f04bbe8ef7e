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
    /// The words as the pattern of an SQL `like` with `!` as its escape; `None` for anything.
    ///
    /// # Errors
    /// `bad_query` for what is too long to be part of a name, or cannot be.
    pub fn pattern(&self) -> Result<Option<String>> {
        let Some(words) = self.q.as_deref().map(str::trim).filter(|words| !words.is_empty()) else { return Ok(None) };
        if words.chars().count() > limits::SEARCH_CHARS || words.contains('\0') {
            let most = limits::SEARCH_CHARS;
            return Err(Error::invalid("bad_query", format!("q must be at most {most} characters, without NUL")));
        }
        let mut pattern = String::from("%");
        for c in words.chars() {
            if matches!(c, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(c);
        }
        pattern.push('%');
        Ok(Some(pattern))
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
        let pattern = |q: &str| Words { q: Some(q.to_owned()) }.pattern();
        assert_eq!(pattern(" 50%_off! ").unwrap().as_deref(), Some("%50!%!_off!!%"));
        assert_eq!(pattern("  ").unwrap(), None);
        assert_eq!(Words::default().pattern().unwrap(), None);
        assert!(pattern("a\0b").is_err() && pattern(&"é".repeat(201)).is_err());
        assert!(pattern(&"é".repeat(200)).is_ok());
    }

    #[test]
    fn a_folder_is_named_with_or_without_its_slash() {
        let folder = |path: &str| Below { path: Some(path.to_owned()) }.folder().map(|path| path.map(str::to_owned));
        assert_eq!(folder("docs/").unwrap().as_deref(), Some("docs"));
        assert_eq!(folder("/").unwrap(), None);
        assert!(folder("a\0").is_err() && folder(&"x".repeat(256)).is_err());
    }
}
