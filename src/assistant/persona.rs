//! As whom the assistant speaks: built in, or a file of the project below `.coterie/personas/` that anyone may edit.

use serde::Serialize;
use utoipa::ToSchema;

use crate::chat::{Mention, Message};
use crate::db::Db;
use crate::document::{self, Document};
use crate::error::Result;
use crate::ids::ProjectId;
use crate::limits;
use crate::replica::Part;
use crate::state::Shared;

/// Where a project's own personas are.
const FOLDER: &str = ".coterie/personas";

/// Files that the binary brings along: the persona's id and its file.
const BUILT_IN: [(&str, &str); 5] = [
    ("coder", include_str!("personas/coder.md")),
    ("debugger", include_str!("personas/debugger.md")),
    ("wcag-auditor", include_str!("personas/wcag-auditor.md")),
    ("prompt-engineer", include_str!("personas/prompt-engineer.md")),
    ("database-expert", include_str!("personas/database-expert.md")),
];

/// Those that the binary brings along.
fn built_in() -> Vec<Persona> {
    BUILT_IN.iter().map(|(id, text)| Persona::read(id, text, None)).collect()
}

/// One persona.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Persona {
    /// The word by which it is mentioned.
    #[schema(example = "debugger")]
    pub(super) id: String,
    /// Shown beside its answers.
    pub(super) name: String,
    /// What it is good at, in a sentence.
    pub(super) about: String,
    /// The file it comes from; null for one that is built in.
    #[schema(required)]
    pub(super) file: Option<String>,
    /// The model that it asks; null for the default one.
    #[schema(required)]
    pub(super) model: Option<String>,
    /// Words of a request that call for it.
    words: Vec<String>,
    /// What it is told to be.
    #[serde(skip)]
    pub(super) prompt: String,
}

impl Persona {
    /// Reads a file: lines of `name: …`, `about: …`, `model: …` and `words: …` between two lines of `---`, then what it is told to be.
    /// Whatever is missing or cannot be read is left out.
    fn read(id: &str, text: &str, file: Option<String>) -> Self {
        let (head, prompt) = match text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---")) {
            Some((head, prompt)) => (head, prompt),
            None => ("", text),
        };
        let field = |wanted: &str| {
            let mut fields = head.lines().filter_map(|line| line.split_once(':'));
            fields.find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim().to_owned())
        };
        let short =
            |text: String| text.chars().filter(|c| !c.is_control()).take(limits::PERSONA_CHARS).collect::<String>();
        let words = field("words").unwrap_or_default();
        let words = words.split(',').map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty());
        Self {
            id: id.to_owned(),
            name: field("name").map(short).filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_owned()),
            about: field("about").map(short).unwrap_or_default(),
            model: field("model").map(short).filter(|model| !model.is_empty()),
            words: words.take(limits::PERSONA_WORDS).collect(),
            prompt: prompt.trim().to_owned(),
            file,
        }
    }
}

/// The persona chosen for a request, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) persona: Persona,
    /// In words, for people.
    pub(super) reason: String,
}

/// The personas of a project: those built in, those of its files, and of two by one name the file's. A file that cannot
/// be read now is left out.
///
/// # Errors
/// When the database fails.
pub(super) async fn of_project(state: &Shared, project: ProjectId) -> Result<Vec<Persona>> {
    let mut personas = built_in();
    let documents = document::below(&state.db, project, FOLDER, limits::PERSONAS).await?;
    for document in &documents {
        let Some(id) = id_of(document) else { continue };
        let part = Part::Range(0, limits::PERSONA_FILE_UNITS);
        match document::text(&state.rooms, &state.replicas, document, part).await {
            Ok(content) => {
                let persona = Persona::read(&id, &content.text, Some(document.path.clone()));
                match personas.iter_mut().find(|one| one.id == id) {
                    Some(one) => *one = persona,
                    None => personas.push(persona),
                }
            }
            Err(error) => tracing::debug!(document = %document.id, %error, "a persona cannot be read"),
        }
    }
    Ok(personas)
}

/// The words that mean personas of a project, without a look into their files.
///
/// # Errors
/// When the database fails.
pub(super) async fn ids(db: &Db, project: ProjectId) -> Result<Vec<String>> {
    let documents = document::below(db, project, FOLDER, limits::PERSONAS).await?;
    Ok(BUILT_IN.iter().map(|(id, _)| (*id).to_owned()).chain(documents.iter().filter_map(id_of)).collect())
}

/// The id of a persona's file: its name, in small letters.
fn id_of(document: &Document) -> Option<String> {
    let id = document.path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".md")?.to_lowercase();
    let is_word = !id.is_empty() && id.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    is_word.then_some(id)
}

/// The id that a word means: it itself, or the beginning of it up to a hyphen.
pub(super) fn meant<'a>(ids: impl Iterator<Item = &'a str> + Clone, word: &str) -> Option<&'a str> {
    let word = word.to_lowercase();
    let begins = |id: &&str| id.strip_prefix(&*word).is_some_and(|rest| rest.starts_with('-'));
    ids.clone().find(|id| *id == word).or_else(|| ids.clone().find(begins))
}

/// The persona that a word means.
fn named<'a>(personas: &'a [Persona], word: &str) -> Option<&'a Persona> {
    let id = meant(personas.iter().map(|persona| persona.id.as_str()), word)?;
    personas.iter().find(|persona| persona.id == id)
}

/// Whom somebody wants who has an answer given again; `None` where there is no such persona any more.
pub(super) fn again(personas: &[Persona], word: &str) -> Option<Choice> {
    let persona = named(personas, word)?.clone();
    let reason = format!("{} was wanted when it was asked again", persona.name);
    Some(Choice { persona, reason })
}

/// Who answers a request: whoever is mentioned or addressed, else who answered what it replies to, else whom its words
/// call for.
pub(super) fn choose(personas: &[Persona], message: &Message, replied_to: Option<&Message>) -> Option<Choice> {
    let mentioned = message.mentions.iter().find_map(|mention| match mention {
        Mention::Name { name } => named(personas, name),
        _ => None,
    });
    if let Some(persona) = mentioned {
        return Some(Choice { persona: persona.clone(), reason: format!("@{} was mentioned", persona.id) });
    }
    if let Some(persona) = message.to.as_deref().and_then(|to| named(personas, to)) {
        return Some(Choice { persona: persona.clone(), reason: format!("the message is meant for {}", persona.name) });
    }
    let before = replied_to.and_then(|message| message.persona.as_deref());
    if let Some(persona) = before.and_then(|name| personas.iter().find(|one| one.name == name)) {
        return Some(Choice { persona: persona.clone(), reason: format!("it replies to {}", persona.name) });
    }
    let said = message.body.to_lowercase();
    let scored = personas.iter().map(|persona| (score(persona, &said), persona));
    // The first of equals, so that a choice can be foreseen.
    let best = scored.rev().max_by_key(|(found, _)| found.len());
    match best {
        Some((found, persona)) if !found.is_empty() => {
            let words: Vec<String> = found.iter().map(|word| format!("“{word}”")).collect();
            Some(Choice { persona: persona.clone(), reason: format!("the request speaks of {}", words.join(", ")) })
        }
        _ => {
            let persona = personas.first()?.clone();
            Some(Choice { persona, reason: "nothing in the request calls for another".to_owned() })
        }
    }
}

/// The words of a persona that a text in small letters holds as words.
fn score<'a>(persona: &'a Persona, said: &str) -> Vec<&'a str> {
    let holds = |word: &str| {
        said.match_indices(word).any(|(at, _)| {
            let before = said[..at].chars().next_back();
            let after = said[at + word.len()..].chars().next();
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    };
    persona.words.iter().map(String::as_str).filter(|word| holds(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_built_in_are_whole() {
        let personas = built_in();
        let names: Vec<&str> = personas.iter().map(|persona| persona.name.as_str()).collect();
        assert_eq!(names, ["Coder", "Debugger", "WCAG Auditor", "Prompt Engineer", "Database Expert"]);
        for persona in &personas {
            assert!(!persona.about.is_empty() && persona.words.len() > 4 && persona.prompt.len() > 100, "{persona:?}");
        }
    }

    #[test]
    fn a_file_is_read_as_far_as_it_goes() {
        let whole = Persona::read(
            "poet",
            "---\nname: Poet\nabout: Rhymes.\nmodel: big\nwords: rhyme, Verse\n---\nBe brief.\n",
            None,
        );
        assert_eq!((whole.name.as_str(), whole.prompt.as_str()), ("Poet", "Be brief."));
        assert_eq!((whole.words, whole.model.as_deref()), (vec!["rhyme".to_owned(), "verse".to_owned()], Some("big")));
        let bare = Persona::read("poet", "Be brief.", None);
        assert_eq!((bare.name.as_str(), bare.prompt.as_str(), bare.model), ("poet", "Be brief.", None));
        assert_eq!(Persona::read("x", "---\nname: \n---\n", None).name, "x");
    }

    #[test]
    fn words_mean_personas_and_their_beginnings() {
        let personas = built_in();
        assert_eq!(named(&personas, "Debugger").unwrap().id, "debugger");
        assert_eq!(named(&personas, "wcag").unwrap().id, "wcag-auditor");
        assert!(
            named(&personas, "wcag-").is_none() && named(&personas, "cod").is_none() && named(&personas, "").is_none()
        );
    }

    #[test]
    fn words_are_found_as_words() {
        assert_eq!(score(&built_in()[1], "an error: it panics"), ["error"]);
        assert!(score(&built_in()[1], "terrors").is_empty());
    }
}
