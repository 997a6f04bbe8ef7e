//! What one answer takes while it is given, held against what its project and who asked may still use today.
//!
//! Before a model is asked, what it reads and the most that it may write are set aside from the budgets of the day, in one
//! transaction: answers that are given at once share what is left, and none goes beyond it. Afterwards what it took is
//! written down and the rest is given back. What was stopped or cut is counted as far as it came.

use serde_json::{Value, json};
use uuid::Uuid;

use super::ends::End;
use super::sql::{self, Left};
use super::tokens;
use super::usage::{self, Spent};
use crate::chat::Details;
use crate::db::now_us;
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::limits;
use crate::model::{Model, Usage};
use crate::state::Shared;

/// For what something is asked of a model, and who pays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payer {
    pub(super) run: Uuid,
    pub(super) project: ProjectId,
    pub(super) user: UserId,
}

/// What is set aside for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The day whose budgets it counts for, as days since 1970.
    pub(super) day: i64,
    /// Tokens that are read.
    pub(super) asked: i64,
    /// Tokens that are read and may be written.
    pub(super) tokens: i64,
    /// The same in millionths of a dollar; 0 for a model of unknown price.
    pub(super) micros: i64,
}

/// The account of an answer.
pub(super) struct Account<'a> {
    state: &'a Shared,
    payer: Payer,
    /// What it took so far, of all models together.
    usage: Usage,
    /// The same in millionths of a dollar; `None` where the price of some of it is unknown.
    cost_micros: Option<i64>,
    /// Whether some of that was not counted by a model's server.
    estimated: bool,
    /// What is set aside for what is being asked, and of which model.
    held: Option<(Held, &'a Model)>,
    /// Whether more may be set aside than is known here, since nobody told what became of a commit.
    is_unsure: bool,
    /// Bytes that the model wrote since it was asked, calls included.
    pub(super) written: usize,
    /// Whose budget, and not the model's window, ends what it writes.
    tight: Option<&'static str>,
    /// What is to be written down yet, since the database was away.
    owed: Option<Spent>,
}

impl<'a> Account<'a> {
    pub(super) fn new(state: &'a Shared, payer: Payer) -> Self {
        Self {
            state,
            payer,
            usage: Usage::default(),
            cost_micros: Some(0),
            estimated: false,
            held: None,
            is_unsure: false,
            written: 0,
            tight: None,
            owed: None,
        }
    }

    /// A model is to read so many tokens and to write so many at most: sets both aside. Answers how many it may write.
    pub(super) async fn ask(&mut self, model: &'a Model, tokens: usize, most: u32) -> Result<u32, End> {
        if self.is_unsure {
            self.pay().await?;
        }
        self.written = 0;
        let asked = i64::try_from(tokens).unwrap_or(i64::MAX);
        self.hold(model, asked, most).await
    }

    /// The model has written so many bytes by now. One that writes more than it was told to has more set aside, as long as
    /// there is some.
    pub(super) async fn wrote(&mut self, bytes: usize) -> Result<(), End> {
        self.written = bytes;
        let written = i64::try_from(tokens::of_bytes(bytes)).unwrap_or(i64::MAX);
        let Some((held, model)) = self.held else { return Ok(()) };
        let beyond = written - (held.tokens - held.asked);
        if beyond <= 0 {
            return Ok(());
        }
        self.refuse_cut()?;
        let more = u32::try_from(beyond).unwrap_or(u32::MAX).max(limits::ASSISTANT_ANSWER_TOKENS);
        self.hold(model, 0, more).await.map(drop)
    }

    /// Whether what the model wrote was cut because a budget allowed no more.
    pub(super) fn refuse_cut(&self) -> Result<(), End> {
        self.tight.map_or(Ok(()), |whose| Err(used_up(whose)))
    }

    /// Sets aside what is read, and of what may be written as much as the budgets leave.
    async fn hold(&mut self, model: &'a Model, asked: i64, most: u32) -> Result<u32, End> {
        let (db, ai) = (&self.state.db, &self.state.config.ai);
        let day = self.held.map_or_else(|| usage::day_of(now_us()), |(held, _)| held.day);
        let mut tx = db.begin().await.map_err(crate::error::Error::from)?;
        // The run before those who pay, as where it is settled.
        sql::lock_left(&mut tx, self.payer.run).await?;
        let mut left = usage::Left::default();
        for (owner, budget, whose) in usage::owners(ai, self.payer.project, self.payer.user) {
            left.hold_to(budget, sql::count(&mut tx, owner, day, 0, 0).await?, whose);
        }
        let (answer, tight) = left.answer(model.prices(), asked, most);
        if let Some(whose) = tight.filter(|_| answer < limits::ASSISTANT_LEAST_TOKENS.min(most)) {
            return Err(used_up(whose));
        }
        let usage = Usage {
            prompt_tokens: u64::try_from(asked).unwrap_or_default(),
            completion_tokens: answer.into(),
            total_tokens: 0,
        };
        let more = Spent::of(model, usage);
        let (tokens, micros) = (more.tokens(), more.cost_micros.unwrap_or(0));
        for (owner, ..) in usage::owners(ai, self.payer.project, self.payer.user) {
            sql::count(&mut tx, owner, day, tokens, micros).await?;
        }
        sql::hold(&mut tx, self.payer.run, model.name(), &Held { day, asked, tokens, micros }).await?;
        let was_unsure = std::mem::replace(&mut self.is_unsure, true);
        tx.commit().await.map_err(crate::error::Error::from)?;
        self.is_unsure = was_unsure;
        let was = self.held.map_or(Held { day, asked: 0, tokens: 0, micros: 0 }, |(held, _)| held);
        let held = Held { day, asked: was.asked + asked, tokens: was.tokens + tokens, micros: was.micros + micros };
        (self.held, self.tight) = (Some((held, model)), tight);
        Ok(answer)
    }

    /// An exchange is over: writes down what its server counted, or what it must have been.
    pub(super) async fn add(&mut self, counted: Option<Usage>) -> Result<(), End> {
        let Some((held, model)) = self.held else { return Ok(()) };
        self.estimated |= counted.is_none();
        let exchange = counted.unwrap_or_else(|| estimate(&held, self.written));
        let spent = Spent::of(model, exchange);
        self.usage.prompt_tokens += exchange.prompt_tokens;
        self.usage.completion_tokens += exchange.completion_tokens;
        self.usage.total_tokens = self.usage.prompt_tokens + self.usage.completion_tokens;
        self.cost_micros = self.cost_micros.zip(spent.cost_micros).map(|(all, more)| all.saturating_add(more));
        self.settle(spent).await
    }

    /// An exchange broke off. What was asked and written is paid for, but nothing where the model was not asked.
    pub(super) async fn break_off(&mut self, was_asked: bool) -> Result<(), End> {
        if was_asked || self.written > 0 {
            return self.add(None).await;
        }
        if self.held.is_some() { self.settle(Spent::default()).await } else { Ok(()) }
    }

    async fn settle(&mut self, spent: Spent) -> Result<(), End> {
        self.owed = Some(spent);
        self.pay().await.map_err(End::from)
    }

    /// Writes down what was not written down yet, and gives back what may be set aside without anybody knowing.
    ///
    /// # Errors
    /// When the database fails; it may be tried again.
    pub(super) async fn pay(&mut self) -> Result<()> {
        let Some(spent) = self.owed.or_else(|| self.is_unsure.then(Spent::default)) else { return Ok(()) };
        settle(self.state, self.payer.run, |_| spent).await?;
        (self.owed, self.held, self.written, self.is_unsure) = (None, None, 0, false);
        Ok(())
    }

    /// What it took so far.
    pub(super) fn spent(&self) -> Spent {
        Spent { cost_micros: self.cost_micros, ..Spent::unpriced(self.usage) }
    }

    /// Tells it beside the answer.
    pub(super) fn tell(&self, details: &mut Details) {
        if let Some((usage, cost)) = self.told() {
            details.insert("usage".to_owned(), usage);
            details.insert("cost".to_owned(), cost);
        }
    }

    /// What it took as the API tells it; `None` where it took nothing.
    pub(super) fn told(&self) -> Option<(Value, Value)> {
        if self.usage == Usage::default() {
            return None;
        }
        let Usage { prompt_tokens, completion_tokens, total_tokens } = self.usage;
        let mut usage = json!({
            "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total_tokens,
        });
        if self.estimated {
            usage["estimated"] = true.into();
        }
        let cost = self.cost_micros.map(usage::dollars);
        Some((usage, cost.map_or(Value::Null, Value::from)))
    }
}

/// What an exchange took whose server counted nothing: what was asked, and what was written, within what was set aside.
fn estimate(held: &Held, written: usize) -> Usage {
    let number = |tokens: i64| u64::try_from(tokens).unwrap_or_default();
    let written = u64::try_from(tokens::of_bytes(written)).unwrap_or(u64::MAX);
    let completion_tokens = written.min(number(held.tokens - held.asked));
    let prompt_tokens = number(held.asked);
    Usage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}

/// Writes down what an exchange took, and gives back the rest of what is set aside for it; once. What is set aside is what
/// the database says: whoever asked may not know what became of a commit.
async fn settle(state: &Shared, run: Uuid, spent: impl FnOnce(&Left) -> Spent) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let Some(left) = sql::lock_left(&mut tx, run).await? else { return Ok(()) };
    let spent = spent(&left);
    let Left { payer, model, held, is_counted } = left;
    let is_spent = spent.tokens() > 0;
    sql::release(&mut tx, run, is_counted || is_spent).await?;
    let (tokens, micros) = (spent.tokens() - held.tokens, spent.cost_micros.unwrap_or(0) - held.micros);
    for (owner, ..) in usage::owners(&state.config.ai, payer.project, payer.user) {
        sql::count(&mut tx, owner, held.day, tokens, micros).await?;
    }
    if is_spent {
        sql::add_usage(&mut tx, payer, held.day, &model, &spent, !is_counted).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Settles what a run left open whose server was killed or whose task broke off: what was asked, and what is known to be
/// written. Of a picture nobody knows.
///
/// # Errors
/// When the database fails.
pub(super) async fn settle_left(state: &Shared, run: Uuid, written: usize) -> Result<()> {
    let spent = |left: &Left| {
        let model = state.models.iter().find(|model| model.name() == left.model);
        let is_picture = model.is_some_and(Model::makes_pictures);
        let written = if is_picture { tokens::bytes_of(limits::PICTURE_TOKENS) } else { written };
        let usage = estimate(&left.held, written);
        model.map_or_else(|| Spent::unpriced(usage), |model| Spent::of(model, usage))
    };
    settle(state, run, spent).await
}

fn used_up(whose: &str) -> End {
    let said = format!(
        "{whose} budget for today is used up, or set aside for answers that are being given; it begins anew at midnight UTC"
    );
    End::failed("budget_used_up", &said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_counted_is_what_was_asked_and_written_within_what_was_set_aside() {
        let held = Held { day: 1, asked: 100, tokens: 150, micros: 0 };
        let of = |written| {
            let usage = estimate(&held, written);
            (usage.prompt_tokens, usage.completion_tokens)
        };
        assert_eq!((of(0), of(30), of(100_000)), ((100, 0), (100, 10), (100, 50)));
    }
}
