//! What answers take: tokens and money, by day, person and model; and the budgets that end at once when they are used up.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::sql;
use crate::config::{Ai, Budget, Prices};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::feed::Person;
use crate::ids::{ProjectId, UserId};
use crate::limits;
use crate::model::{Model, Usage, cost_micros};

/// Microseconds of a day.
const DAY_US: i64 = 24 * 3600 * 1_000_000;

/// What one run took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) prompt_tokens: i64,
    pub(super) completion_tokens: i64,
    /// Millionths of a dollar; `None` where the model's price is unknown.
    pub(super) cost_micros: Option<i64>,
}

impl Spent {
    pub(super) fn of(model: &Model, usage: Usage) -> Self {
        Self { cost_micros: model.prices().map(|prices| cost_micros(prices, usage)), ..Self::unpriced(usage) }
    }

    /// Of a model that is not in the settings any more.
    pub(super) fn unpriced(usage: Usage) -> Self {
        let number = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let (prompt_tokens, completion_tokens) = (number(usage.prompt_tokens), number(usage.completion_tokens));
        Self { prompt_tokens, completion_tokens, cost_micros: None }
    }

    /// Read and written.
    pub(super) fn tokens(&self) -> i64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// What a model took on a day for one person.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct UsageRow {
    day: i64,
    user_id: UserId,
    user_name: String,
    model: String,
    runs: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    cost_micros: i64,
    unpriced_tokens: i64,
}

/// The same as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AssistantUsage)]
pub(super) struct UsageView {
    /// The day, in UTC.
    #[schema(example = "2026-01-31")]
    day: String,
    user: Person,
    model: String,
    /// Answers.
    runs: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    total_tokens: i64,
    /// US dollars; null where no price is known.
    #[schema(required)]
    cost: Option<f64>,
    /// Tokens of answers whose price is not known, which are not in the cost.
    unpriced_tokens: i64,
}

impl UsageRow {
    pub(super) fn view(self) -> UsageView {
        let total_tokens = self.prompt_tokens + self.completion_tokens;
        UsageView {
            day: date(self.day),
            user: Person { id: self.user_id, name: self.user_name },
            model: self.model,
            runs: self.runs,
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            total_tokens,
            cost: (self.unpriced_tokens < total_tokens || total_tokens == 0).then(|| dollars(self.cost_micros)),
            unpriced_tokens: self.unpriced_tokens,
        }
    }
}

/// A budget and what is left of it today.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct BudgetView {
    /// tokens or dollars.
    unit: &'static str,
    limit: f64,
    used: f64,
}

/// The day of a moment, as days since 1970.
pub(super) fn day_of(at_us: i64) -> i64 {
    at_us.div_euclid(DAY_US)
}

fn date(day: i64) -> String {
    let julian =
        i32::try_from(day).unwrap_or_default().saturating_add(time::macros::date!(1970 - 01 - 01).to_julian_day());
    time::Date::from_julian_day(julian).map(|date| date.to_string()).unwrap_or_default()
}

/// Millionths of a dollar as dollars.
#[allow(clippy::cast_precision_loss, reason = "money of people, far below 2^52")]
pub(super) fn dollars(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// Who pays, with their budget, and whose it is in words; in the order in which their accounts are locked.
pub(super) fn owners(ai: &Ai, project: ProjectId, user: UserId) -> [(Uuid, Option<Budget>, &'static str); 2] {
    let mut owners = [(project.0, ai.project_budget, "the project's"), (user.0, ai.user_budget, "your")];
    owners.sort_unstable_by_key(|(owner, ..)| *owner);
    owners
}

/// What the budgets of a day leave for a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    /// Tokens; `i64::MAX` without a budget. And whose budget says so, in words.
    tokens: (i64, Option<&'static str>),
    /// Millionths of a dollar; the same.
    micros: (i64, Option<&'static str>),
}

impl Default for Left {
    fn default() -> Self {
        Self { tokens: (i64::MAX, None), micros: (i64::MAX, None) }
    }
}

impl Left {
    /// Holds it to a budget of which some tokens and millionths of a dollar are taken.
    pub(super) fn hold_to(&mut self, budget: Option<Budget>, (tokens, micros): (i64, i64), whose: &'static str) {
        let (mine, most, taken) = match budget {
            None => return,
            Some(Budget::Tokens(most)) => (&mut self.tokens, i64::try_from(most).unwrap_or(i64::MAX), tokens),
            Some(Budget::Micros(most)) => (&mut self.micros, most, micros),
        };
        let rest = most.saturating_sub(taken).max(0);
        if rest < mine.0 {
            *mine = (rest, Some(whose));
        }
    }

    /// How many tokens may be written of those that are wanted, after some are read; and whose budget allows no more, where
    /// that is fewer.
    pub(super) fn answer(&self, prices: Option<Prices>, asked: i64, most: u32) -> (u32, Option<&'static str>) {
        let (tokens, mut whose) = self.tokens;
        let mut tokens = tokens.saturating_sub(asked);
        let (micros, payer) = self.micros;
        if let Some(Prices { prompt, completion }) = prices.filter(|_| micros < i64::MAX) {
            #[allow(clippy::cast_precision_loss, reason = "counts and money far below 2^52")]
            // One for the rounding of what it costs in the end.
            let rest = (micros - 1) as f64 - asked as f64 * prompt;
            #[allow(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
            let paid = if rest < 0.0 { 0 } else { (rest / completion.max(f64::MIN_POSITIVE)) as i64 };
            if paid < tokens {
                (tokens, whose) = (paid, payer);
            }
        }
        let answer = u32::try_from(tokens.max(0)).unwrap_or(u32::MAX).min(most);
        (answer, whose.filter(|_| answer < most))
    }
}

/// A budget as it is told; what is set aside for answers that are being given counts as used.
///
/// # Errors
/// When the database fails.
#[allow(clippy::cast_precision_loss, reason = "for people to read")]
pub(super) async fn budget(db: &Db, budget: Option<Budget>, day: i64, owner: Uuid) -> Result<Option<BudgetView>> {
    let Some(budget) = budget else { return Ok(None) };
    let (tokens, micros) = sql::counted(db, owner, day).await?;
    Ok(Some(match budget {
        Budget::Tokens(most) => BudgetView { unit: "tokens", limit: most as f64, used: tokens as f64 },
        Budget::Micros(most) => BudgetView { unit: "dollars", limit: dollars(most), used: dollars(micros) },
    }))
}

/// Seconds until somebody may ask again; `None` when they may now.
///
/// # Errors
/// When the database fails.
pub(super) async fn wait(tx: &mut Tx, ai: &Ai, user: UserId, now_us: i64) -> Result<Option<u64>> {
    let window = crate::db::micros(limits::ASSISTANT_RATE_WINDOW);
    let most = i64::from(ai.runs_per_minute);
    let begun = sql::begun(tx, user, now_us - window, most).await?;
    let full = i64::try_from(begun.len()).is_ok_and(|count| count >= most);
    let Some(oldest) = begun.last().filter(|_| full) else { return Ok(None) };
    let left_us = oldest.saturating_add(window).saturating_sub(now_us).max(1);
    Ok(Some(u64::try_from(left_us).unwrap_or(1).div_ceil(1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_as_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(day_of(1_700_000_000_000_000)), "2023-11-14");
    }

    #[test]
    fn budgets_leave_what_is_not_taken_whichever_is_tighter() {
        let mut left = Left::default();
        assert_eq!(left.answer(None, 1_000_000, 4_096), (4_096, None));
        left.hold_to(Some(Budget::Tokens(1_000)), (100, 0), "the project's");
        left.hold_to(Some(Budget::Tokens(2_000)), (100, 0), "your");
        assert_eq!(left.answer(None, 800, 4_096), (100, Some("the project's")));
        assert_eq!((left.answer(None, 900, 4_096).0, left.answer(None, 5_000, 4_096).0), (0, 0));
        assert_eq!(left.answer(None, 800, 100), (100, None), "no budget ends it");
        let prices = Some(Prices { prompt: 2.0, completion: 10.0 });
        left.hold_to(Some(Budget::Micros(1_101)), (0, 500), "your");
        assert_eq!(left.answer(prices, 100, 4_096), (40, Some("your")));
        assert_eq!(left.answer(prices, 300, 4_096).0, 0);
        let cheap = Some(Prices { prompt: 0.1, completion: 0.1 });
        assert_eq!(left.answer(cheap, 800, 4_096), (100, Some("the project's")), "the money would do for more");
        assert_eq!(left.answer(None, 100, 4_096).0, 800, "what no price is known of costs no money");
    }
}
