//! What a model may call for to read; what it would change it proposes (`propose`). Each call is carried out with the
//! rights of who asked, as they are at that moment, and stays in the project.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Job;
use super::context::{Fence, Read};
use super::window::{Told, Window};
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

/// What a call brought: for the model, and for the answer's context.
pub(super) struct Outcome {
    pub(super) result: String,
    pub(super) read: Option<Read>,
}

/// What is being done, in words, and in which file.
pub(super) fn status(call: &ToolCall) -> (String, Option<String>) {
    let arguments: Arguments = serde_json::from_str(arguments(call)).unwrap_or_default();
    match (call.name.as_str(), arguments.path) {
        ("read_file", Some(path)) => (format!("reading {path}"), Some(path)),
        ("read_history", path) => ("reading the history".to_owned(), path),
        ("search", _) => ("searching".to_owned(), None),
        _ => ("looking around".to_owned(), None),
    }
}

/// Reads for one answer.
pub(super) struct Reader<'a> {
    pub(super) state: &'a Shared,
    pub(super) job: &'a Job,
    pub(super) fence: &'a Fence,
    /// What the result may take.
    pub(super) window: Window,
}

/// The arguments of a call as JSON; some models say nothing for none.
pub(super) fn arguments(call: &ToolCall) -> &str {
    if call.arguments.trim().is_empty() { "{}" } else { &call.arguments }
}

impl Reader<'_> {
    /// Carries a call out. Whatever is wrong with it, the model is told in words and may try again.
    pub(super) async fn call(mut self, call: &ToolCall) -> Outcome {
        let arguments: Arguments = match serde_json::from_str(arguments(call)) {
            Ok(arguments) => arguments,
            Err(error) => return said(format!("The arguments are not the JSON expected ({error}); call again.")),
        };
        let outcome = match call.name.as_str() {
            "list_files" => self.list_files(arguments.folder.as_deref()).await,
            "read_file" => self.read_file(&arguments).await,
            "search" => self.search(arguments.text.as_deref().unwrap_or_default()).await,
            "read_history" => self.read_history(arguments.path.as_deref()).await,
            other => {
                let name: String = other.chars().take(limits::TOOL_NAME_CHARS).collect();
                return said(format!("There is no tool {name:?}."));
            }
        };
        outcome.unwrap_or_else(|error| {
            said(match error {
                Error::NotFound => {
                    "There is no such file in this project; list_files tells which there are.".to_owned()
                }
                error => format!("That did not work: {}", error.public_message()),
            })
        })
    }

    /// A text between marks, as much of it as fits.
    fn tell<'t>(&mut self, source: &str, text: &'t str) -> Result<Told<'t>, Error> {
        let told = self.window.tell(self.fence, source, text, usize::MAX);
        told.ok_or_else(|| Error::TooLarge("there is no room left to read it".to_owned()))
    }

    async fn list_files(&mut self, folder: Option<&str>) -> Result<Outcome, Error> {
        let folder =
            folder.map(|folder| folder.trim_matches('/')).filter(|folder| !folder.is_empty() && *folder != ".");
        let documents = document::all(&self.state.db, self.job.project).await?;
        let is_in = |path: &str| {
            folder.is_none_or(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
        };
        let mut paths: Vec<&str> =
            documents.iter().map(|document| document.path.as_str()).filter(|path| is_in(path)).collect();
        paths.sort_unstable();
        let text = paths.join("\n");
        let told = self.tell("the tree of files", &text)?;
        let read = Read::new("tree", told.text).cut(!told.is_whole);
        let more = if told.is_whole { "" } else { "\n(There are more; name a folder.)" };
        Ok(Outcome { result: told.told + more, read: Some(read) })
    }

    async fn read_file(&mut self, arguments: &Arguments) -> Result<Outcome, Error> {
        let document = file(self.state, self.job, arguments.path.as_deref().unwrap_or_default()).await?;
        let first = arguments.first_line.unwrap_or(1).max(1);
        let last = arguments.last_line.unwrap_or(usize::MAX).max(first);
        let content = document::text(&self.state.rooms, &self.state.replicas, &document, Part::Whole).await?;
        let of_these: String = content.text.split_inclusive('\n').skip(first - 1).take(last - (first - 1)).collect();
        let source = format!("{}, from line {first} on, head {}", document.path, content.head.seq);
        let told = self.tell(&source, &of_these)?;
        let until = first + told.text.lines().count().saturating_sub(1);
        let number = |line: usize| i64::try_from(line).unwrap_or(i64::MAX);
        let read = Read::new("file", told.text).of(&document.path).range(number(first), number(until));
        let read = read.cut(!told.is_whole).whole(document.id, content.text);
        let more =
            if told.is_whole { String::new() } else { format!("\n(Cut after line {until}; read on from there.)") };
        Ok(Outcome { result: told.told + &more, read: Some(read) })
    }

    async fn search(&mut self, text: &str) -> Result<Outcome, Error> {
        let Shared { db, rooms, replicas, .. } = self.state;
        let found = document::search(db, rooms, replicas, self.job.project, text, false).await?;
        let found: Value = serde_json::to_value(found).map_err(anyhow::Error::from)?;
        let mut lines = Vec::new();
        for file in found["items"].as_array().into_iter().flatten() {
            for line in file["lines"].as_array().into_iter().flatten() {
                let (path, text) =
                    (file["path"].as_str().unwrap_or_default(), line["text"].as_str().unwrap_or_default());
                lines.push(format!("{path}:{}: {text}", line["line"]));
            }
        }
        if lines.is_empty() {
            return Ok(said("Nothing was found.".to_owned()));
        }
        let text = lines.join("\n");
        let told = self.tell("a search", &text)?;
        let read = Read::new("search", told.text).cut(!told.is_whole);
        Ok(Outcome { result: told.told, read: Some(read) })
    }

    async fn read_history(&mut self, path: Option<&str>) -> Result<Outcome, Error> {
        let document = match path {
            Some(path) => Some(file(self.state, self.job, path).await?),
            None => None,
        };
        let subject = document.as_ref().map(|document| document.id.0);
        let wanted = Wanted { before: Some(i64::MAX), subject, ..Wanted::default() };
        let entries = feed::read(&self.state.db, self.job.project, &wanted, limits::ASSISTANT_EVENTS).await?;
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
        let told = self.tell("the history", &text)?;
        let read = Read::new("history", told.text).cut(!told.is_whole);
        Ok(Outcome { result: told.told, read: Some(read) })
    }
}

fn said(result: String) -> Outcome {
    Outcome { result, read: None }
}

/// A living file of the project, by its path.
pub(super) async fn file(state: &Shared, job: &Job, path: &str) -> Result<Document, Error> {
    match document::resolve(&state.db, job.project, path).await? {
        Resolved::Live(document) => Ok(document),
        Resolved::Deleted | Resolved::Unknown => Err(Error::NotFound),
    }
}
