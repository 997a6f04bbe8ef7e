//! An answer as it comes: text piece by piece, then what the model calls for, then how it ended.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use async_openai::error::OpenAIError;
use futures_util::{Stream, StreamExt};
use serde::{Serialize, Serializer};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::chunk::{CallDelta, Chunk, Usage};
use super::fault::Fault;
use super::http;
use crate::limits;

/// Something the model calls for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Names the call; its result repeats it.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// Its arguments: JSON, if the model kept to the rules.
    pub arguments: String,
}

/// How calls look in a request.
pub(super) fn as_calls<S: Serializer>(calls: &[ToolCall], serializer: S) -> Result<S::Ok, S::Error> {
    let call = |call: &ToolCall| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}});
    calls.iter().map(call).collect::<Vec<_>>().serialize(serializer)
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// More text, never empty.
    Text(String),
    /// A call, whole.
    Call(ToolCall),
    /// The end; nothing comes after.
    End(End),
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct End {
    /// What it took, if the model's server says.
    pub usage: Option<Usage>,
    /// Whether it was cut at the most tokens an answer may have.
    pub cut: bool,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, OpenAIError>> + Send>>;

/// An answer that is being given. Dropped, it ends the request at the model's server.
pub struct Answer {
    chunks: Chunks,
    model: String,
    /// How long it may pause.
    idle: Duration,
    /// For how long it has been waited for its next event.
    waited: Duration,
    calls: Vec<ToolCall>,
    usage: Option<Usage>,
    finished: Option<String>,
    ready: VecDeque<Piece>,
    bytes: usize,
    over: bool,
}

/// A wait for the next event. It counts as far as it came, also when it is broken off.
struct Wait<'a> {
    since: Instant,
    waited: &'a mut Duration,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        *self.waited += self.since.elapsed();
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("model", &self.model).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Answer {
    pub(super) fn new(chunks: Chunks, model: String, idle: Duration) -> Self {
        Self {
            chunks,
            model,
            idle,
            waited: Duration::ZERO,
            calls: Vec::new(),
            usage: None,
            finished: None,
            ready: VecDeque::new(),
            bytes: 0,
            over: false,
        }
    }

    /// The next part; `None` after the end or a fault. May be dropped and called again: nothing gets lost.
    pub async fn next(&mut self) -> Option<Result<Piece, Fault>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(Ok(piece));
            }
            if self.over {
                return None;
            }
            // Comments keep a connection alive and say nothing: what counts is the time without an event, as far as
            // somebody waited for one.
            let chunk = {
                let wait = Wait { since: Instant::now(), waited: &mut self.waited };
                timeout(self.idle.saturating_sub(*wait.waited), self.chunks.next()).await
            };
            self.waited = Duration::ZERO;
            let taken = match chunk {
                Err(_) => Err(Fault::Silent(self.idle)),
                Ok(None) => self.end(),
                Ok(Some(Ok(chunk))) => self.take(chunk),
                Ok(Some(Err(error))) => Err(http::fault(&error, true)),
            };
            if let Err(fault) = taken {
                self.over = true;
                return Some(Err(fault));
            }
        }
    }

    /// Bytes of what came so far, calls that are not whole yet included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn take(&mut self, chunk: Chunk) -> Result<(), Fault> {
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(Fault::of_error(&error, &self.model));
        }
        self.usage = chunk.usage.or(self.usage);
        for choice in chunk.choices.unwrap_or_default().into_iter().filter(|choice| choice.index.unwrap_or(0) == 0) {
            let delta = choice.delta.unwrap_or_default();
            if let Some(text) = delta.content.filter(|text| !text.is_empty()) {
                self.bytes += text.len();
                self.ready.push_back(Piece::Text(text));
            }
            for call in delta.tool_calls.unwrap_or_default() {
                self.take_call(call)?;
            }
            self.finished = choice.finish_reason.or(self.finished.take());
        }
        if self.bytes > limits::MODEL_ANSWER_BYTES { Err(Fault::TooLong) } else { Ok(()) }
    }

    /// Adds a piece to its call. One that names a new function without an index begins a new call.
    fn take_call(&mut self, piece: CallDelta) -> Result<(), Fault> {
        let function = piece.function.unwrap_or_default();
        let begins = piece.id.as_deref().is_some_and(|id| self.calls.last().is_none_or(|last| last.id != id));
        let at = piece.index.unwrap_or_else(|| self.calls.len().saturating_sub(usize::from(!begins)));
        if at >= limits::MODEL_CALLS {
            return Err(Fault::TooLong);
        }
        if self.calls.len() <= at {
            self.calls.resize_with(at + 1, ToolCall::default);
        }
        let call = &mut self.calls[at];
        if let Some(id) = piece.id.filter(|id| !id.is_empty()) {
            call.id = id;
        }
        if let Some(name) = function.name.filter(|name| !name.is_empty()) {
            call.name = name;
        }
        let arguments = function.arguments.unwrap_or_default();
        self.bytes += arguments.len();
        call.arguments.push_str(&arguments);
        Ok(())
    }

    /// The stream has ended. One that ends without a reason was cut; some servers leave `[DONE]` out, none the reason.
    fn end(&mut self) -> Result<(), Fault> {
        self.over = true;
        let reason = self.finished.take().ok_or(Fault::BrokeOff)?;
        if reason == "content_filter" {
            return Err(Fault::Withheld);
        }
        for (at, mut call) in std::mem::take(&mut self.calls).into_iter().enumerate() {
            if call.id.is_empty() {
                call.id = format!("call_{at}");
            }
            if !call.name.is_empty() {
                self.ready.push_back(Piece::Call(call));
            }
        }
        self.ready.push_back(Piece::End(End { usage: self.usage, cut: reason == "length" }));
        Ok(())
    }
}
