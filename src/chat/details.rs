//! What an answer has besides its text, as the API describes it. Whoever answers writes it and the chat tells it as it is,
//! so nothing here makes one; tests hold what is told against it.

use serde::Deserialize;
use utoipa::ToSchema;

/// What an answer of the assistant has besides its text; messages of people have none of it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct AnswerDetails {
    /// The tokens that it took.
    pub usage: Option<AnswerUsage>,
    /// What it cost, in US dollars; null where no price is known.
    pub cost: Option<f64>,
    /// How it came about.
    pub context: Option<AnswerContext>,
    /// The id of the proposal that it made.
    pub proposal: Option<String>,
    /// Why it broke off; what came before that is its text.
    pub error: Option<AnswerError>,
}

/// The tokens that an answer took.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct AnswerUsage {
    /// Read.
    pub prompt_tokens: u64,
    /// Written.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// Whether the model did not say, and they were counted here.
    #[serde(default)]
    pub estimated: bool,
}

/// How an answer came about.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct AnswerContext {
    /// As whom the assistant answered.
    pub persona: AnswerPersona,
    /// The model, by its name here.
    pub model: String,
    /// What was read for it, in order.
    pub read: Vec<AnswerRead>,
    /// Tokens that the model reads and writes at once.
    pub window: u32,
}

/// As whom the assistant answered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct AnswerPersona {
    /// Its word.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Why this one.
    pub reason: String,
    /// The file that it is from; none for one that is built in.
    #[schema(required)]
    pub file: Option<String>,
}

/// One thing that was read for an answer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct AnswerRead {
    /// tree, file, selection, diagnostics, memory, summary, messages, search or history.
    pub kind: String,
    /// Of a file: where it was then.
    pub path: Option<String>,
    /// Lines of a file, or numbers of messages: the first and the last.
    pub range: Option<(i64, i64)>,
    /// How much it was.
    pub tokens: usize,
    /// Whether there was more.
    #[serde(default)]
    pub cut: bool,
}

/// Why an answer broke off.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct AnswerError {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// Seconds after which it may be asked again, where that is known.
    pub retry_after: Option<u64>,
}
