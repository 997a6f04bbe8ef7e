//! Proposing edits: what a model wants changed becomes a proposal that people decide on. By a tool, or for models that call
//! none by an answer that follows a schema; either way it ends as the same thing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::context::{Context, Fence};
use super::{Job, tokens, tools};
use crate::auth;
use crate::document::{self, Document};
use crate::error::{Error, Result};
use crate::ids::DocumentId;
use crate::limits;
use crate::model::Tool;
use crate::proposal::{self, Author, NewFile, NewProposal, Proposal, Risk};
use crate::replica::Part;
use crate::state::Shared;
use crate::text::is_deceptive;

/// The tool's name.
pub(super) const TOOL: &str = "propose_edits";

/// Words of a request that ask for a change.
const CHANGING: [&str; 22] = [
    "add",
    "change",
    "correct",
    "create",
    "delete",
    "edit",
    "fix",
    "implement",
    "improve",
    "insert",
    "make",
    "move",
    "refactor",
    "remove",
    "rename",
    "repair",
    "replace",
    "rewrite",
    "translate",
    "update",
    "write",
    "propose",
];

/// Those of them that ask for more than other lines: for a file that is made, moved or deleted.
const REARRANGING: [&str; 6] = ["create", "delete", "move", "new", "remove", "rename"];

/// The tool that proposes.
pub(super) fn tool() -> Tool {
    let line = json!({ "type": "integer", "minimum": 1 });
    let edit = json!({
        "type": "object", "required": ["replace"], "additionalProperties": false,
        "properties": {
            "find": { "type": "string", "description": "The text to replace, exactly as it stands in the file, once." },
            "first_line": line, "last_line": line,
            "replace": { "type": "string" },
        },
    });
    let file = json!({
        "type": "object", "required": ["op", "path"], "additionalProperties": false,
        "properties": {
            "op": { "type": "string", "enum": ["edit", "create", "rename", "delete"] },
            "path": { "type": "string" },
            "to": { "type": "string", "description": "The new path, to rename." },
            "content": { "type": "string", "description": "The whole text, to create." },
            "edits": { "type": "array", "items": edit, "description": "What is replaced, to edit: by its text or by its lines." },
        },
    });
    Tool {
        name: TOOL,
        description: "Proposes changes of files. People see them hunk by hunk and decide; nothing is changed by this. Read a \
            file before you propose to edit it. Once for each answer.",
        parameters: json!({
            "type": "object", "required": ["summary", "files"], "additionalProperties": false,
            "properties": {
                "summary": { "type": "string", "description": "What it does, in one line." },
                "rationale": { "type": "string", "description": "Why." },
                "confidence": { "type": "integer", "minimum": 0, "maximum": 100 },
                "risk": { "type": "string", "enum": ["low", "medium", "high"] },
                "files": { "type": "array", "items": file },
            },
        }),
    }
}

/// What a model wants changed, however it said so.
#[derive(Debug, Deserialize)]
pub(super) struct Proposed {
    summary: String,
    #[serde(default)]
    rationale: String,
    #[serde(default)]
    confidence: Option<f64>,
    #[serde(default)]
    risk: Option<String>,
    files: Vec<ProposedFile>,
}

#[derive(Debug, Deserialize)]
struct ProposedFile {
    #[serde(default)]
    op: String,
    path: String,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    edits: Vec<ProposedEdit>,
}

#[derive(Debug, Deserialize)]
struct ProposedEdit {
    #[serde(default)]
    find: Option<String>,
    #[serde(default)]
    first_line: Option<usize>,
    #[serde(default)]
    last_line: Option<usize>,
    #[serde(alias = "new_text")]
    replace: String,
}

/// Makes the proposal of it, in the assistant's name for who asked.
///
/// # Errors
/// What is wrong with it, in words for the model; or when the database fails.
pub(super) async fn make(state: &Shared, job: &Job, read: &Context, wanted: Proposed) -> Result<Proposal> {
    let mut files = Vec::with_capacity(wanted.files.len());
    for file in wanted.files.into_iter().take(limits::ASSISTANT_PROPOSED_FILES) {
        files.push(new_file(state, job, read, file).await?);
    }
    let percent = wanted.confidence.map(|sure| if sure <= 1.0 { sure * 100.0 } else { sure }.clamp(0.0, 100.0).round());
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    let confidence = percent.map(|percent| percent as u8);
    let risk = match wanted.risk.as_deref() {
        Some("low") => Some(Risk::Low),
        Some("medium") => Some(Risk::Medium),
        Some("high") => Some(Risk::High),
        _ => None,
    };
    let summary =
        wanted.summary.lines().next().unwrap_or_default().chars().take(limits::ASSISTANT_SUMMARY_CHARS).collect();
    let rationale = wanted.rationale.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control());
    let new = NewProposal {
        summary,
        rationale: rationale.take(limits::ASSISTANT_RATIONALE_CHARS).collect(),
        confidence,
        risk,
        persona: label(read.persona_name()),
        model: label(read.model()),
        files,
    };
    let author = Author { user: auth::ASSISTANT, via: Some(job.asker), message: Some(job.answer.0) };
    proposal::create(state, job.project, author, new).await
}

/// A name as proposals take it.
fn label(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !is_deceptive(*c)).take(limits::PROPOSAL_LABEL_CHARS).collect();
    (!name.trim().is_empty()).then_some(name)
}

async fn new_file(state: &Shared, job: &Job, read: &Context, wanted: ProposedFile) -> Result<NewFile> {
    let ProposedFile { op, path, to, content, edits } = wanted;
    Ok(match (op.as_str(), to, content) {
        ("create", _, content) => NewFile::Create { path, content: content.unwrap_or_default() },
        ("rename", Some(to), _) => NewFile::Rename { document: path, path: to },
        ("rename", None, _) => return Err(bad("to rename, say `to` which path")),
        ("delete", ..) => NewFile::Delete { document: path },
        ("edit" | "", _, content) => {
            let document = tools::file(state, job, &path).await?;
            // As it was read: what others wrote since has moved the lines, and is left alone.
            let base = match read.text(document.id) {
                Some(text) => text.to_owned(),
                None => document::text(&state.rooms, &state.replicas, &document, Part::Whole).await?.text,
            };
            let text = match content {
                Some(content) if edits.is_empty() => content,
                _ => edited(&base, &edits)?,
            };
            if text == base {
                return Err(bad(format!("{path} says that already")));
            }
            let document = document.id.to_string();
            NewFile::Edit { document, text: Some(text), base: Some(base), edits: None, head: None }
        }
        (op, ..) => return Err(bad(format!("there is no op {op:?}: it is edit, create, rename or delete"))),
    })
}

fn bad(said: impl Into<String>) -> Error {
    Error::invalid("bad_proposal", said)
}

/// A text with its edits carried out. Lines are those of the text before any.
fn edited(base: &str, edits: &[ProposedEdit]) -> Result<String> {
    let mut changes = Vec::with_capacity(edits.len());
    for edit in edits {
        let (from, to) = place(base, edit)?;
        changes.push((from, to, ended(&base[from..to], &edit.replace, edit.find.is_none())));
    }
    changes.sort_by_key(|(from, to, _)| (*from, *to));
    if changes.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err(bad("two edits change the same place; make them one"));
    }
    let mut text = base.to_owned();
    for (from, to, replace) in changes.into_iter().rev() {
        text.replace_range(from..to, &replace);
    }
    Ok(text)
}

/// Which bytes an edit replaces.
fn place(base: &str, edit: &ProposedEdit) -> Result<(usize, usize)> {
    match (edit.find.as_deref(), edit.first_line) {
        (Some(find), _) if !find.is_empty() => {
            let mut places = base.match_indices(find);
            let (at, _) = places.next().ok_or_else(|| bad(format!("the file does not say {find:?}; read it again")))?;
            if places.next().is_some() {
                return Err(bad(format!("the file says {find:?} more than once; find more of it")));
            }
            Ok((at, at + find.len()))
        }
        (_, Some(first)) => {
            let starts: Vec<usize> = std::iter::once(0)
                .chain(base.match_indices('\n').map(|(at, _)| at + 1))
                .filter(|at| *at < base.len().max(1))
                .collect();
            // Beyond the last line is its end.
            let first = first.max(1) - 1;
            let last = edit.last_line.map_or(first, |last| last.max(1) - 1).max(first);
            let from = starts.get(first).copied().unwrap_or(base.len());
            let to = last.checked_add(1).and_then(|next| starts.get(next)).copied().unwrap_or(base.len());
            Ok((from, to))
        }
        _ => Err(bad("an edit says what it replaces, by `find` or by `first_line` and `last_line`")),
    }
}

/// Whole lines are replaced by whole lines.
fn ended(replaced: &str, replace: &str, is_lines: bool) -> String {
    let lacks_end = is_lines && !replace.is_empty() && !replace.ends_with('\n') && replaced.ends_with('\n');
    if lacks_end { format!("{replace}\n") } else { replace.to_owned() }
}

/// Whether a request asks for a change.
pub(super) fn asks_for_change(said: &str) -> bool {
    says_one_of(said, &CHANGING)
}

/// Whether the change may be that a file is made, moved or deleted. Small models are offered no more than they need.
fn asks_to_rearrange(said: &str) -> bool {
    says_one_of(said, &REARRANGING) && says_one_of(said, &["file", "files", "folder", "document"])
}

fn says_one_of(said: &str, words: &[&str]) -> bool {
    said.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word))
}

/// What a model without tools is asked after its answer: its change as JSON, about files that it is shown with the numbers
/// of their lines.
pub(super) struct SchemaAsk {
    pub(super) said: String,
    pub(super) schema: Value,
    /// The files that it is shown, as they were.
    pub(super) texts: Vec<(DocumentId, String)>,
}

/// Puts that together, in at most so many tokens; `None` where no file can be shown.
pub(super) async fn schema_ask(
    state: &Shared,
    question: &str,
    documents: &[Document],
    fence: &Fence,
    (answer_tokens, most): (u32, usize),
) -> Result<Option<SchemaAsk>> {
    let mut shown = Vec::new();
    let mut paths = Vec::new();
    let mut texts = Vec::new();
    let mut lines = 1;
    let mut left = most;
    for document in documents {
        let text = match document::text(&state.rooms, &state.replicas, document, Part::Whole).await {
            Ok(content) => content.text,
            Err(error) => {
                tracing::debug!(document = %document.id, %error, "a file cannot be read to be changed");
                continue;
            }
        };
        let numbered: Vec<String> = text.lines().enumerate().map(|(at, line)| format!("{}: {line}", at + 1)).collect();
        let around = fence.around(&format!("{}, with numbers of lines", document.path), &numbered.join("\n"));
        let taken = tokens::count(&around);
        if taken > left {
            continue;
        }
        left -= taken;
        lines = lines.max(numbered.len());
        paths.push(document.path.clone());
        texts.push((document.id, text));
        shown.push(around);
    }
    let rearranges = asks_to_rearrange(question);
    if paths.is_empty() && !rearranges {
        return Ok(None);
    }
    let files = if rearranges {
        " Files that are to be created (with their content), renamed (to another path) or deleted are in files; where there \
         are none of these, or no edits, leave them empty."
    } else {
        ""
    };
    let said = format!(
        "{}\n\nNow give the change as JSON: a summary of it, why, and its edits. An edit replaces the lines from first_line to \
         last_line of a file by new_text.{files} People will decide on it.",
        shown.join("\n\n")
    );
    let line = json!({ "type": "integer", "minimum": 1, "maximum": lines });
    let path = if paths.is_empty() { json!({ "type": "string" }) } else { json!({ "type": "string", "enum": paths }) };
    let most_text = (answer_tokens / 2).max(100);
    let edits = if paths.is_empty() { 0 } else { 2 };
    let mut schema = json!({
        "type": "object", "required": ["summary", "rationale", "edits"], "additionalProperties": false,
        "properties": {
            "summary": { "type": "string", "minLength": 1, "maxLength": 100 },
            "rationale": { "type": "string", "maxLength": 300 },
            "edits": {
                "type": "array", "minItems": i32::from(!rearranges), "maxItems": edits,
                "items": {
                    "type": "object", "required": ["path", "first_line", "last_line", "new_text"], "additionalProperties": false,
                    "properties": {
                        "path": path,
                        "first_line": line, "last_line": line,
                        "new_text": { "type": "string", "maxLength": most_text },
                    },
                },
            },
        },
    });
    if rearranges {
        let path = json!({ "type": "string", "minLength": 1, "maxLength": 255 });
        let op = |op: &str, field: &str, of: Value| {
            json!({
                "type": "object", "required": ["op", "path", field], "additionalProperties": false,
                "properties": { "op": { "const": op }, "path": path, field: of },
            })
        };
        let delete = json!({
            "type": "object", "required": ["op", "path"], "additionalProperties": false,
            "properties": { "op": { "const": "delete" }, "path": path },
        });
        let content = json!({ "type": "string", "maxLength": most_text });
        schema["properties"]["files"] = json!({
            "type": "array", "maxItems": 3,
            "items": { "anyOf": [op("create", "content", content), op("rename", "to", path.clone()), delete] },
        });
        schema["required"] = json!(["summary", "rationale", "edits", "files"]);
    }
    Ok(Some(SchemaAsk { said, schema, texts }))
}

#[derive(Deserialize)]
struct BySchema {
    summary: String,
    #[serde(default)]
    rationale: String,
    #[serde(default)]
    edits: Vec<EditBySchema>,
    #[serde(default)]
    files: Vec<ProposedFile>,
}

#[derive(Deserialize)]
struct EditBySchema {
    path: String,
    #[serde(flatten)]
    edit: ProposedEdit,
}

/// What an answer that follows the schema wants changed.
///
/// # Errors
/// `bad_proposal` for one that does not follow it.
pub(super) fn by_schema(said: &str) -> Result<Proposed> {
    let said: BySchema =
        serde_json::from_str(said).map_err(|error| bad(format!("it is not the JSON expected ({error})")))?;
    // Edits come first: they name files by the paths that these have now.
    let mut files: Vec<ProposedFile> = Vec::new();
    for EditBySchema { path, edit } in said.edits {
        match files.iter_mut().find(|file| file.path == path) {
            Some(file) => file.edits.push(edit),
            None => {
                files.push(ProposedFile { op: "edit".to_owned(), path, to: None, content: None, edits: vec![edit] })
            }
        }
    }
    files.extend(said.files.into_iter().filter(|file| matches!(file.op.as_str(), "create" | "rename" | "delete")));
    Ok(Proposed { summary: said.summary, rationale: said.rationale, confidence: None, risk: None, files })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(find: Option<&str>, lines: Option<(usize, usize)>, replace: &str) -> ProposedEdit {
        ProposedEdit {
            find: find.map(str::to_owned),
            first_line: lines.map(|(first, _)| first),
            last_line: lines.map(|(_, last)| last),
            replace: replace.to_owned(),
        }
    }

    #[test]
    fn edits_name_text_or_lines() {
        let base = "one\ntwo\nthree\n";
        assert_eq!(edited(base, &[edit(Some("two"), None, "2")]).unwrap(), "one\n2\nthree\n");
        assert_eq!(edited(base, &[edit(None, Some((2, 3)), "2")]).unwrap(), "one\n2\n");
        assert_eq!(
            edited(base, &[edit(None, Some((3, 1)), "3\n"), edit(None, Some((1, 1)), "1")]).unwrap(),
            "1\ntwo\n3\n"
        );
        assert_eq!(edited(base, &[edit(None, Some((9, usize::MAX)), "four\n")]).unwrap(), "one\ntwo\nthree\nfour\n");
        assert_eq!(edited("", &[edit(None, Some((1, 1)), "x")]).unwrap(), "x");
        for bad in [
            vec![edit(Some("four"), None, "")],
            vec![edit(Some("o"), None, "")],
            vec![edit(None, None, "x")],
            vec![edit(Some("two"), None, "x"), edit(None, Some((2, 2)), "y")],
        ] {
            assert!(edited(base, &bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_change_is_asked_for_by_words() {
        assert!(asks_for_change("Please fix this.") && asks_for_change("@coder: rename it"));
        assert!(!asks_for_change("what is the prefix?"));
        assert!(asks_to_rearrange("rename the file a.txt") && !asks_to_rearrange("rename the variable"));
    }

    #[test]
    fn what_follows_the_schema_is_gathered_by_file() {
        let said = r#"{"summary":"s","rationale":"","edits":[{"path":"a","first_line":1,"last_line":1,"new_text":"x"},{"path":"a","first_line":2,"last_line":2,"new_text":"y"}]}"#;
        let wanted = by_schema(said).unwrap();
        assert_eq!((wanted.files.len(), wanted.files[0].edits.len()), (1, 2));
        assert!(by_schema("{").is_err());
        let said = r#"{"summary":"s","rationale":"","edits":[{"path":"a","first_line":1,"last_line":1,"new_text":"x"}],"files":[{"op":"rename","path":"a","to":"b"},{"op":"create","path":"c","content":"y"},{"op":"run","path":"d"}]}"#;
        let ops: Vec<String> = by_schema(said).unwrap().files.into_iter().map(|file| file.op).collect();
        assert_eq!(ops, ["edit", "rename", "create"]);
    }
}
