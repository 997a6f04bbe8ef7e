//! What one answer takes while it is given, held against what its project and who asked may still use today.

use serde_json::{Value, json};

use super::ends::End;
use super::usage::{self, Allowance, Spent};
use crate::chat::Details;
use crate::model::{Model, Usage};

/// Bytes of a token, where only bytes are known.
const BYTES: usize = 3;

/// The account of an answer.
pub(super) struct Account<'a> {
    pub(super) model: &'a Model,
    allowance: Allowance,
    /// What it took so far.
    usage: Usage,
    /// Whether some of that was not counted by the model's server.
    estimated: bool,
    /// Tokens of what is being asked.
    asked: usize,
    /// Bytes that the model wrote since it was asked, calls included.
    written: usize,
}

impl<'a> Account<'a> {
    pub(super) fn new(model: &'a Model, allowance: Allowance) -> Self {
        Self { model, allowance, usage: Usage::default(), estimated: false, asked: 0, written: 0 }
    }

    /// The model is asked with so many tokens, if the budgets allow it.
    pub(super) fn ask(&mut self, tokens: usize) -> Result<(), End> {
        (self.asked, self.written) = (tokens, 0);
        self.refuse(&self.spent())
    }

    /// The model wrote something.
    pub(super) fn write(&mut self, bytes: usize) {
        self.written += bytes;
    }

    /// Ends what uses up a budget in its middle.
    pub(super) fn refuse_running_over(&self) -> Result<(), End> {
        let now = self.estimate();
        let usage = Usage {
            prompt_tokens: self.usage.prompt_tokens + now.prompt_tokens,
            completion_tokens: self.usage.completion_tokens + now.completion_tokens,
            total_tokens: 0,
        };
        self.refuse(&Spent::of(self.model, usage))
    }

    /// An exchange is over: adds what its server counted, or what it must have been.
    pub(super) fn add(&mut self, counted: Option<Usage>) {
        self.estimated |= counted.is_none();
        let exchange = counted.unwrap_or_else(|| self.estimate());
        self.usage.prompt_tokens += exchange.prompt_tokens;
        self.usage.completion_tokens += exchange.completion_tokens;
        self.usage.total_tokens = self.usage.prompt_tokens + self.usage.completion_tokens;
        (self.asked, self.written) = (0, 0);
    }

    /// An exchange broke off. A refusal costs nothing; what was written is paid for.
    pub(super) fn break_off(&mut self) {
        if self.written > 0 {
            self.add(None);
        }
    }

    fn estimate(&self) -> Usage {
        let number = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
        let (prompt_tokens, completion_tokens) = (number(self.asked), number(self.written.div_ceil(BYTES)));
        Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
    }

    fn refuse(&self, spent: &Spent) -> Result<(), End> {
        if self.allowance.is_used_up(spent) {
            return Err(End::failed("budget_used_up", &self.allowance.said()));
        }
        Ok(())
    }

    /// What it took so far.
    pub(super) fn spent(&self) -> Spent {
        Spent::of(self.model, self.usage)
    }

    /// Whether anything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.usage == Usage::default()
    }

    /// Tokens that one answer may have, of what the budgets leave.
    pub(super) fn answer_tokens(&self, most: u32) -> u32 {
        let left = self.allowance.tokens_left(&self.spent());
        u32::try_from(left).unwrap_or(u32::MAX).clamp(1, most)
    }

    /// Tells it beside the answer.
    pub(super) fn tell(&self, details: &mut Details) {
        if self.is_empty() {
            return;
        }
        let Usage { prompt_tokens, completion_tokens, total_tokens } = self.usage;
        let mut usage = json!({
            "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total_tokens,
        });
        if self.estimated {
            usage["estimated"] = true.into();
        }
        details.insert("usage".to_owned(), usage);
        let cost = self.spent().cost_micros.map(usage::dollars);
        details.insert("cost".to_owned(), cost.map_or(Value::Null, Value::from));
    }
}
