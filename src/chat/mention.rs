//! Who and what a message mentions: `@name` of a member, `@path` of a file, `@assistant` or another word.
//!
//! Looked for in the Markdown as it is written, but not in code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sql;
use crate::db::Db;
use crate::document::{self, Resolved};
use crate::error::Result;
use crate::ids::{DocumentId, ProjectId, UserId};
use crate::limits;

/// One mention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Mention {
    /// A member of the project.
    Person {
        /// Who.
        id: UserId,
        /// As they were called then.
        name: String,
    },
    /// The assistant, whatever it is called by then.
    Assistant,
    /// A file of the project.
    File {
        /// Which.
        id: DocumentId,
        /// Where it was then.
        path: String,
    },
    /// Another word, such as a persona's.
    Name {
        /// The word, in lower case.
        name: String,
    },
}

/// The word by which the assistant is called.
const ASSISTANT: &str = "assistant";

/// What a message mentions, each once, in order.
pub(super) async fn find(db: &Db, project: ProjectId, body: &str) -> Result<Vec<Mention>> {
    let places = places(body);
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let mut members = sql::mentionable(db, project, limits::MENTIONABLE).await?;
    // The longest name first, so that Ann Lee is not taken for Ann.
    members.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
    let mut found: Vec<Mention> = Vec::new();
    for place in places {
        let mention = match members.iter().find(|(_, name)| begins_with(place, name)) {
            Some((id, name)) => Some(Mention::Person { id: *id, name: name.clone() }),
            None => word(db, project, place).await?,
        };
        found.extend(mention.filter(|mention| !found.contains(mention)));
    }
    Ok(found)
}

async fn word(db: &Db, project: ProjectId, place: &str) -> Result<Option<Mention>> {
    let token = place.split(char::is_whitespace).next().unwrap_or_default();
    let word = token.trim_end_matches(|c: char| !c.is_alphanumeric());
    if word.is_empty() {
        return Ok(None);
    }
    if word.eq_ignore_ascii_case(ASSISTANT) {
        return Ok(Some(Mention::Assistant));
    }
    if let Resolved::Live(document) = document::resolve(db, project, word).await? {
        return Ok(Some(Mention::File { id: document.id, path: document.path }));
    }
    let is_name = word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    Ok(is_name.then(|| Mention::Name { name: word.to_lowercase() }))
}

/// What follows each `@` that begins a word outside of code.
fn places(body: &str) -> Vec<&str> {
    let mut places = Vec::new();
    let mut fence: Option<&str> = None;
    for line in body.lines() {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => in_line(line, &mut places),
        }
    }
    places.truncate(limits::MENTIONS);
    places
}

fn in_line<'a>(line: &'a str, places: &mut Vec<&'a str>) {
    let mut in_code = false;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match c {
            '`' => in_code = !in_code,
            // An address of mail is none.
            '@' if !in_code && !before.is_alphanumeric() => places.push(&line[at + 1..]),
            _ => {}
        }
        before = c;
    }
}

/// Whether a text begins with a name, whatever its case, and the name ends there.
fn begins_with(text: &str, name: &str) -> bool {
    let mut rest = text.chars();
    let same = name.chars().all(|expected| {
        rest.next().is_some_and(|found| found == expected || found.to_lowercase().eq(expected.to_lowercase()))
    });
    same && rest.next().is_none_or(|next| !next.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_begin_words_outside_of_code() {
        let body = "@Ann, see a@b.c and (@src/main.rs)\n```\n@not\n```\nnor `@this`, but @that";
        let found: Vec<&str> = places(body).iter().map(|place| place.split(' ').next().unwrap()).collect();
        assert_eq!(found, ["Ann,", "src/main.rs)", "that"]);
    }

    #[test]
    fn names_end_where_words_end() {
        assert!(begins_with("ann lee: hello", "Ann Lee") && begins_with("Ann", "Ann"));
        assert!(!begins_with("Annette", "Ann") && !begins_with("An", "Ann"));
    }
}
