//! What a model finds in a file: its purpose, how complex it is, what is wrong with it and what it needs, with the numbers of
//! lines. Held to a schema, stored, and read again by everybody.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::context::Fence;
use super::prompt::TURN;
use super::window::Window;
use super::{alone, sql, tokens};
use crate::db::now_us;
use crate::document::{self, Document};
use crate::error::{Error, Result};
use crate::feed::Person;
use crate::ids::UserId;
use crate::limits;
use crate::model::{Ask, Speaker, Turn};
use crate::replica::Part;
use crate::state::AppState;
use crate::timestamp::Timestamp;

const TASK: &str = "You analyse one file of a project for the people who work on it. Say what it is for, how complex it is and \
    why, which problems of quality and of security it has, what you would do better, and which modules, packages or services \
    it depends on. Name for each the number of its line, as it stands before the line. Say nothing that the file does not \
    show. Answer with the JSON that was asked for, in English.";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Findings {
    /// What it is for.
    summary: String,
    complexity: Complexity,
    quality: Vec<Finding>,
    security: Vec<Finding>,
    suggestions: Vec<Finding>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Complexity {
    level: Level,
    /// Why.
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FindingLevel)]
enum Level {
    Low,
    Medium,
    High,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Finding {
    /// Counted from 1.
    line: usize,
    severity: Level,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Dependency {
    /// Counted from 1.
    line: usize,
    name: String,
}

/// An analysis as it is stored.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Analysis {
    pub(super) head: i64,
    pub(super) model: String,
    pub(super) user_id: UserId,
    pub(super) user_name: String,
    pub(super) findings: String,
    pub(super) created_us: i64,
}

/// The same as the API tells it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Analysis)]
pub(super) struct AnalysisView {
    /// Where the document's log stood; it may have moved on since.
    head: i64,
    model: String,
    /// Who asked for it.
    user: Person,
    created_at: Timestamp,
    #[serde(flatten)]
    findings: Findings,
}

impl Analysis {
    pub(super) fn view(self) -> Result<AnalysisView> {
        Ok(AnalysisView {
            head: self.head,
            model: self.model,
            user: Person { id: self.user_id, name: self.user_name },
            created_at: Timestamp(self.created_us),
            findings: serde_json::from_str(&self.findings).map_err(anyhow::Error::from)?,
        })
    }
}

/// Has a model look at a file as it is now, and keeps what it finds.
///
/// # Errors
/// 413 for a file that the model does not read at once, `bad_answer` (409) for findings that do not follow the schema, and
/// those of [`alone::ask`].
pub(super) async fn analyse(
    state: &AppState,
    user: UserId,
    document: &Document,
    model: Option<&str>,
) -> Result<AnalysisView> {
    let model = alone::model(state, model)?;
    let content = document::text(&state.rooms, &state.replicas, document, Part::Whole).await?;
    let lines = content.text.lines().count();
    let numbered: Vec<String> = content.text.lines().zip(1..).map(|(line, at)| format!("{at}: {line}")).collect();
    let fence = Fence::new();
    let system = format!("{TASK}\n\n{}", fence.rule());
    let schema = schema(lines.max(1));
    let mut window = Window::of(model.context_tokens());
    let taken = tokens::count(&system) + tokens::count(&schema.to_string()) + 2 * TURN;
    let numbered = numbered.join("\n");
    let source = format!("{}, with numbers of lines", document.path);
    let fits = window.take(taken);
    let told = window.tell(&fence, &source, &numbered, usize::MAX).filter(|told| fits && told.is_whole);
    let told = told.ok_or_else(|| Error::TooLarge("the file is more than the model can read at once".to_owned()))?;
    let ask = Ask {
        turns: vec![Turn::new(Speaker::System, system), Turn::new(Speaker::User, told.told)],
        schema: Some(("analysis", schema)),
        max_tokens: Some(window.answer),
        ..Ask::default()
    };
    let answered = alone::ask(state, (document.project, user), model, ask).await?;
    let findings = read(&answered.text, lines.max(1))?;
    let findings = serde_json::to_string(&findings).map_err(anyhow::Error::from)?;
    sql::put_analysis(&state.db, document.id, content.head.seq, model.name(), user, &findings, now_us()).await?;
    sql::analysis(&state.db, document.id).await?.ok_or(Error::NotFound)?.view()
}

/// What a model is held to.
fn schema(lines: usize) -> Value {
    let line = json!({ "type": "integer", "minimum": 1, "maximum": lines });
    let text = json!({ "type": "string", "maxLength": limits::ANALYSIS_CHARS });
    let level = json!({ "type": "string", "enum": ["low", "medium", "high"] });
    let object = |fields: &[(&str, &Value)]| {
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let properties: serde_json::Map<String, Value> =
            fields.iter().map(|(name, of)| ((*name).to_owned(), (*of).clone())).collect();
        json!({ "type": "object", "required": names, "additionalProperties": false, "properties": properties })
    };
    let list = |of: Value| json!({ "type": "array", "maxItems": limits::ANALYSIS_FINDINGS, "items": of });
    let findings = list(object(&[("line", &line), ("severity", &level), ("message", &text)]));
    object(&[
        ("summary", &text),
        ("complexity", &object(&[("level", &level), ("reason", &text)])),
        ("quality", &findings),
        ("security", &findings),
        ("suggestions", &findings),
        ("dependencies", &list(object(&[("line", &line), ("name", &text)]))),
    ])
}

/// What an answer says, held to the schema: servers that do not keep models to it are common.
fn read(said: &str, lines: usize) -> Result<Findings> {
    let bad =
        |why: String| Error::conflict("bad_answer", format!("the model's analysis cannot be used ({why}); try again"));
    // Some models put it between fences.
    let said = said.trim();
    let said = said.strip_prefix("```json").or_else(|| said.strip_prefix("```")).unwrap_or(said);
    let said = said.strip_suffix("```").unwrap_or(said);
    let found: Findings = serde_json::from_str(said).map_err(|error| bad(error.to_string()))?;
    let Findings { summary, complexity, quality, security, suggestions, dependencies } = &found;
    let findings = || quality.iter().chain(security).chain(suggestions);
    let texts = findings().map(|finding| &finding.message).chain(dependencies.iter().map(|one| &one.name));
    if texts.chain([summary, &complexity.reason]).any(|text| text.chars().count() > limits::ANALYSIS_CHARS) {
        return Err(bad(format!("a text has more than {} characters", limits::ANALYSIS_CHARS)));
    }
    let counts = [quality.len(), security.len(), suggestions.len(), dependencies.len()];
    if counts.iter().any(|count| *count > limits::ANALYSIS_FINDINGS) {
        return Err(bad(format!("there are more than {} findings of a kind", limits::ANALYSIS_FINDINGS)));
    }
    let mut named = findings().map(|finding| finding.line).chain(dependencies.iter().map(|one| one.line));
    if let Some(line) = named.find(|line| !(1..=lines).contains(line)) {
        return Err(bad(format!("there is no line {line}")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_held_to_the_schema() {
        let whole = |line: usize| {
            json!({
                "summary": "s", "complexity": { "level": "low", "reason": "r" }, "security": [], "suggestions": [],
                "quality": [{ "line": line, "severity": "high", "message": "m" }],
                "dependencies": [{ "line": 1, "name": "std" }],
            })
        };
        assert!(read(&whole(3).to_string(), 3).is_ok());
        assert!(read(&format!("```json\n{}\n```", whole(1)), 3).is_ok());
        assert!(read(&whole(4).to_string(), 3).is_err() && read(&whole(0).to_string(), 3).is_err());
        let mut more = whole(1);
        more["verdict"] = "bad".into();
        let mut severe = whole(1);
        severe["quality"][0]["severity"] = "awful".into();
        let mut long = whole(1);
        long["summary"] = "x".repeat(limits::ANALYSIS_CHARS + 1).into();
        for wrong in [more.to_string(), severe.to_string(), long.to_string(), "{}".to_owned(), "no".to_owned()] {
            assert!(read(&wrong, 3).is_err(), "{wrong:.80}");
        }
    }
}
