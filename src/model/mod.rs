//! Language models behind any server that speaks the chat completions of OpenAI, and those that make pictures.
//!
//! What a model says is untrusted, bounded in bytes and time. A request is tried once: whoever asked sees the
//! failure in plain words and may try again. *Absent: prompts, tools, what an answer is used for; see `assistant`.*

mod answer;
mod chunk;
mod fault;
mod http;
mod picture;
mod registry;

use serde::Serialize;
use serde_json::{Value, json};

pub use answer::{Answer, End, Piece, ToolCall};
pub use chunk::Usage;
pub use fault::Fault;
pub use picture::{Brief, Picture};
pub use registry::{Model, Models, cost_micros};

/// Who says a turn of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// What the model is told to be.
    System,
    /// A person, or what was read for one.
    User,
    /// The model itself, earlier.
    Assistant,
    /// The result of a tool.
    Tool,
}

/// One turn of the conversation that a model is given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Turn {
    /// Who says it.
    pub role: Speaker,
    /// What is said.
    pub content: String,
    /// Which call a tool's result answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What the model called for.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "answer::as_calls")]
    pub tool_calls: Vec<ToolCall>,
}

impl Turn {
    /// A turn that is only text.
    pub fn new(role: Speaker, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_call_id: None, tool_calls: Vec::new() }
    }

    /// The result of a tool, for the call it answers.
    pub fn result(call: &ToolCall, content: impl Into<String>) -> Self {
        Self { tool_call_id: Some(call.id.clone()), ..Self::new(Speaker::Tool, content) }
    }

    /// What the model said, and what it called for.
    pub fn calling(content: impl Into<String>, calls: Vec<ToolCall>) -> Self {
        Self { tool_calls: calls, ..Self::new(Speaker::Assistant, content) }
    }
}

/// Something a model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// What it does, for the model to read.
    pub description: &'static str,
    /// JSON schema of its arguments.
    pub parameters: Value,
}

/// What a model is asked.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The conversation so far.
    pub turns: Vec<Turn>,
    /// What it may call; empty for nothing.
    pub tools: Vec<Tool>,
    /// A JSON schema, with its name, that the answer is to follow; for models without tools.
    pub schema: Option<(&'static str, Value)>,
    /// Tokens of the answer at most.
    pub max_tokens: Option<u32>,
}

impl Ask {
    /// The body of the request.
    fn body(&self, model: &str, most_tokens: &str) -> Value {
        let mut body = json!({
            "model": model,
            "messages": self.turns,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        if !self.tools.is_empty() {
            let tool = |tool: &Tool| {
                json!({"type": "function", "function": {
                    "name": tool.name, "description": tool.description, "parameters": tool.parameters,
                }})
            };
            body["tools"] = self.tools.iter().map(tool).collect();
        }
        if let Some((name, schema)) = &self.schema {
            body["response_format"] =
                json!({"type": "json_schema", "json_schema": {"name": name, "strict": true, "schema": schema}});
        }
        if let Some(tokens) = self.max_tokens {
            body[most_tokens] = tokens.into();
        }
        body
    }
}
