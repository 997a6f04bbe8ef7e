//! Proposing edits: what a model wants changed becomes a proposal. People decide on it, unless a conversation says that it is
//! applied at once, as a whole and by the right of who asked. A model proposes by a tool, or where it calls none by an answer
//! that follows a schema; either way it ends as the same thing.

mod edits;
mod schema;

use serde::Deserialize;
use serde_json::json;

use self::edits::{ProposedEdit, edited};
pub(super) use self::schema::{asks_for_change, by_schema, schema_ask};
use super::context::Context;
use super::{Job, tools};
use crate::auth;
use crate::document;
use crate::error::{Error, Result};
use crate::limits;
use crate::model::Tool;
use crate::proposal::{self, Author, NewFile, NewProposal, Proposal, Risk};
use crate::replica::Part;
use crate::state::Shared;
use crate::text::is_deceptive;

/// The tool's name.
pub(super) const TOOL: &str = "propose_edits";

/// What a model is told of it where people decide.
const DECIDES: &str = "Proposes changes of files. People see them hunk by hunk and decide; nothing is changed by this. Read a \
    file before you propose to edit it. Once for each answer.";

/// The same where what is proposed is applied at once.
const APPLIES: &str = "Proposes changes of files, which are applied at once, all of them; people see them and may take them \
    back. Read a file before you propose to edit it. Once for each answer.";

/// The tool that proposes, where what is proposed is applied at once or not.
pub(super) fn tool(applies: bool) -> Tool {
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
        description: if applies { APPLIES } else { DECIDES },
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
