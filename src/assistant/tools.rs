//! What a model may call for: reading, and nothing else. Each call is carried out with the rights of who asked, as they
//! are at that moment, and stays in the project.

use serde::Deserialize;
use serde_json::{Value, json};

use super::context::{Fence, Read};
use super::{Job, tokens};
use crate::document::{self, Document, Resolved};
use crate::error::Error;
use crate::feed::{self, Wanted};
use crate::limits;
use crate::model::{Tool, ToolCall};
use crate::replica::Part;
use crate::state::Shared;

/// What may be called for.
pub(super) fn all() -> Vec<Tool> {
    let tool = |name, description, parameters| Tool { name, description, parameters };
    let path = json!({ "type": "string", "description": "The path of a file, such as src/main.rs." });
    let line = json!({ "type": "integer", "minimum": 1 });
    vec![
        tool(
            "list_files",
            "Lists the files of the project, below a folder where one is named.",
            json!({ "type": "object", "properties": { "folder": { "type": "string" } }, "additionalProperties": false }),
        ),
        tool(
            "read_file",
            "Reads a file, or some lines of it, counted from 1.",
            json!({
                "type": "object", "required": ["path"], "additionalProperties": false,
                "properties": { "path": path, "first_line": line, "last_line": line },
            }),
        ),
        tool(
            "search",
            "Looks for one line of text in all files, whatever its case.",
            json!({
                "type": "object", "required": ["text"], "additionalProperties": false,
                "properties": { "text": { "type": "string" } },
            }),
        ),
        tool(
            "read_history",
            "Tells what happened in the project lately, or to one file: who created, changed, renamed or deleted it, and when.",
            json!({ "type": "object", "properties": { "path": path }, "additionalProperties": false }),
        ),
    ]
}

#[derive(Default, Deserialize)]
struct Arguments {
    folder: Option<String>,
    path: Option<String>,
    first_line: Option<usize>,
    last_line: Option<usize>,
    text: Option<String>,
}

/// What a call brought: for the model, for the answer's context, and in words what is done.
pub(super) struct Outcome {
    pub(super) result: String,
    pub(super) read: Option<Read>,
}

/// What is being done, in words, and in which file.
pub(super) fn status(call: &ToolCall) -> (String, Option<String>) {
    let arguments: Arguments = serde_json::from_str(&call.arguments).unwrap_or_default();
    match (call.name.as_str(), arguments.path) {
        ("read_file", Some(path)) => (format!("reading {path}"), Some(path)),
        ("read_history", path) => ("reading the history".to_owned(), path),
        ("search", _) => ("searching".to_owned(), None),
        _ => ("looking around".to_owned(), None),
    }
}

/// Carries a call out. Whatever is wrong with it, the model is told in words and may try again.
pub(super) async fn call(state: &Shared, job: &Job, fence: &Fence, call: &ToolCall, most: usize) -> Outcome {
    let arguments: Arguments =
        match serde_json::from_str(if call.arguments.trim().is_empty() { "{}" } else { &call.arguments }) {
            Ok(arguments) => arguments,
            Err(error) => return said(format!("The arguments are not the JSON expected ({error}); call again.")),
        };
    let outcome = match call.name.as_str() {
        "list_files" => list_files(state, job, fence, arguments.folder.as_deref(), most).await,
        "read_file" => read_file(state, job, fence, &arguments, most).await,
        "search" => search(state, job, fence, arguments.text.as_deref().unwrap_or_default(), most).await,
        "read_history" => read_history(state, job, fence, arguments.path.as_deref(), most).await,
        other => return said(format!("There is no tool {other:?}.")),
    };
    outcome.unwrap_or_else(|error| {
        said(match error {
            Error::NotFound => "There is no such file in this project; list_files tells which there are.".to_owned(),
            error => format!("That did not work: {}", error.public_message()),
        })
    })
}

fn said(result: String) -> Outcome {
    Outcome { result, read: None }
}

async fn list_files(
    state: &Shared,
    job: &Job,
    fence: &Fence,
    folder: Option<&str>,
    most: usize,
) -> Result<Outcome, Error> {
    let folder = folder.map(|folder| folder.trim_matches('/')).filter(|folder| !folder.is_empty() && *folder != ".");
    let documents = document::all(&state.db, job.project).await?;
    let is_in =
        |path: &str| folder.is_none_or(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
    let mut paths: Vec<&str> =
        documents.iter().map(|document| document.path.as_str()).filter(|path| is_in(path)).collect();
    paths.sort_unstable();
    let text = paths.join("\n");
    let (text, whole) = tokens::cut(&text, most);
    let read = Read::new("tree", text).cut(!whole);
    let more = if whole { "" } else { "\n(There are more; name a folder.)" };
    Ok(Outcome { result: fence.around("the tree of files", text) + more, read: Some(read) })
}

/// A living file of the project, by its path.
pub(super) async fn file(state: &Shared, job: &Job, path: &str) -> Result<Document, Error> {
    match document::resolve(&state.db, job.project, path).await? {
        Resolved::Live(document) => Ok(document),
        Resolved::Deleted | Resolved::Unknown => Err(Error::NotFound),
    }
}

async fn read_file(
    state: &Shared,
    job: &Job,
    fence: &Fence,
    arguments: &Arguments,
    most: usize,
) -> Result<Outcome, Error> {
    let document = file(state, job, arguments.path.as_deref().unwrap_or_default()).await?;
    let first = arguments.first_line.unwrap_or(1).max(1);
    let last = arguments.last_line.unwrap_or(usize::MAX).max(first);
    let content = document::text(&state.rooms, &state.replicas, &document, Part::Whole).await?;
    let of_these: String = content.text.split_inclusive('\n').skip(first - 1).take(last - (first - 1)).collect();
    let (text, whole) = tokens::cut(&of_these, most);
    let lines = text.lines().count();
    let until = first + lines.saturating_sub(1);
    let number = |line: usize| i64::try_from(line).unwrap_or(i64::MAX);
    let read = Read::new("file", text).of(&document.path).range(number(first), number(until)).cut(!whole);
    let read = read.whole(document.id, content.text.clone());
    let more = if whole { String::new() } else { format!("\n(Cut after line {until}; read on from there.)") };
    let source = format!("{}, lines {first} to {until}, head {}", document.path, content.head.seq);
    Ok(Outcome { result: fence.around(&source, text) + &more, read: Some(read) })
}

async fn search(state: &Shared, job: &Job, fence: &Fence, text: &str, most: usize) -> Result<Outcome, Error> {
    let found = document::search(&state.db, &state.rooms, &state.replicas, job.project, text, false).await?;
    let found: Value = serde_json::to_value(found).map_err(anyhow::Error::from)?;
    let mut lines = Vec::new();
    for file in found["items"].as_array().into_iter().flatten() {
        for line in file["lines"].as_array().into_iter().flatten() {
            let (path, text) = (file["path"].as_str().unwrap_or_default(), line["text"].as_str().unwrap_or_default());
            lines.push(format!("{path}:{}: {text}", line["line"]));
        }
    }
    if lines.is_empty() {
        return Ok(said("Nothing was found.".to_owned()));
    }
    let text = lines.join("\n");
    let (text, whole) = tokens::cut(&text, most);
    let read = Read::new("search", text).cut(!whole);
    Ok(Outcome { result: fence.around("a search", text), read: Some(read) })
}

async fn read_history(
    state: &Shared,
    job: &Job,
    fence: &Fence,
    path: Option<&str>,
    most: usize,
) -> Result<Outcome, Error> {
    let document = match path {
        Some(path) => Some(file(state, job, path).await?),
        None => None,
    };
    let subject = document.as_ref().map(|document| document.id.0);
    let wanted = Wanted { before: Some(i64::MAX), subject, ..Wanted::default() };
    let entries = feed::read(&state.db, job.project, &wanted, limits::ASSISTANT_EVENTS).await?;
    let tell = |entry: &feed::Entry| {
        let told: Value = serde_json::from_str(entry.json()).unwrap_or_default();
        let who = entry.actor.as_ref().map_or("the server", |actor| actor.name.as_str());
        format!(
            "{} {} by {who} {}",
            told["at"].as_str().unwrap_or_default(),
            entry.kind(),
            told["path"].as_str().unwrap_or_default()
        )
    };
    let text = entries.iter().map(tell).collect::<Vec<_>>().join("\n");
    let (text, whole) = tokens::cut(&text, most);
    let read = Read::new("history", text).cut(!whole);
    Ok(Outcome { result: fence.around("the history", text), read: Some(read) })
}
