//! Proposing for models that call no tools: after its answer one is asked for its change as JSON, held to a schema.

use serde::Deserialize;
use serde_json::{Value, json};

use super::edits::ProposedEdit;
use super::{Proposed, ProposedFile, bad};
use crate::assistant::context::Fence;
use crate::assistant::tokens;
use crate::document::{self, Document};
use crate::error::Result;
use crate::ids::DocumentId;
use crate::replica::Part;
use crate::state::Shared;

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

/// Whether a request asks for a change.
pub(in crate::assistant) fn asks_for_change(said: &str) -> bool {
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
pub(in crate::assistant) struct SchemaAsk {
    pub(in crate::assistant) said: String,
    pub(in crate::assistant) schema: Value,
    /// The files that it is shown, as they were.
    pub(in crate::assistant) texts: Vec<(DocumentId, String)>,
}

/// Puts that together, in at most so many tokens; `None` where no file can be shown.
pub(in crate::assistant) async fn schema_ask(
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
pub(in crate::assistant) fn by_schema(said: &str) -> Result<Proposed> {
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
