//! What answers take: tokens and money, by day, person and model; and the budgets that end at once when they are used up.

use serde::Serialize;
use utoipa::ToSchema;

use super::sql;
use crate::config::{Ai, Budget};
use crate::db::Db;
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
        let number = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        Self {
            prompt_tokens: number(usage.prompt_tokens),
            completion_tokens: number(usage.completion_tokens),
            cost_micros: model.prices().map(|prices| cost_micros(prices, usage)),
        }
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

/// What was used today.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    tokens: i64,
    micros: i64,
}

async fn taken(db: &Db, day: i64, project: Option<ProjectId>, user: Option<UserId>) -> Result<Taken> {
    let rows = sql::taken(db, day, project, user).await?;
    Ok(rows.into_iter().fold(Taken::default(), |sum, (prompt, completion, micros)| Taken {
        tokens: sum.tokens + prompt + completion,
        micros: sum.micros + micros,
    }))
}

/// What may still be used today, by a run that is about to begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Tokens; `i64::MAX` without a budget.
    tokens: i64,
    /// Millionths of a dollar; the same.
    micros: i64,
    /// Whose budget is the tighter one.
    whose: &'static str,
}

impl Allowance {
    /// Whether a run that has taken this must end.
    pub(super) fn is_used_up(&self, spent: &Spent) -> bool {
        spent.prompt_tokens + spent.completion_tokens >= self.tokens || spent.cost_micros.unwrap_or(0) >= self.micros
    }

    /// Tokens that may still be written.
    pub(super) fn tokens_left(&self, spent: &Spent) -> i64 {
        self.tokens.saturating_sub(spent.prompt_tokens + spent.completion_tokens).max(0)
    }

    /// Why a run does not begin or go on.
    pub(super) fn said(&self) -> String {
        format!("the {} budget for today is used up; it begins anew at midnight UTC", self.whose)
    }
}

/// What the budgets leave for a project and a person today.
///
/// # Errors
/// When the database fails.
pub(super) async fn allowance(db: &Db, ai: &Ai, day: i64, project: ProjectId, user: UserId) -> Result<Allowance> {
    let mut left = Allowance { tokens: i64::MAX, micros: i64::MAX, whose: "project's" };
    let budgets =
        [(ai.project_budget, Some(project), None, "project's"), (ai.user_budget, None, Some(user), "person's")];
    for (budget, project, user, whose) in budgets {
        let Some(budget) = budget else { continue };
        let taken = taken(db, day, project, user).await?;
        match budget {
            Budget::Tokens(most) => {
                let rest = i64::try_from(most).unwrap_or(i64::MAX).saturating_sub(taken.tokens);
                if rest < left.tokens {
                    (left.tokens, left.whose) = (rest, whose);
                }
            }
            Budget::Micros(most) => {
                let rest = most.saturating_sub(taken.micros);
                if rest < left.micros {
                    (left.micros, left.whose) = (rest, whose);
                }
            }
        }
    }
    Ok(left)
}

/// A budget as it is told.
///
/// # Errors
/// When the database fails.
#[allow(clippy::cast_precision_loss, reason = "for people to read")]
pub(super) async fn budget(
    db: &Db,
    budget: Option<Budget>,
    day: i64,
    project: Option<ProjectId>,
    user: Option<UserId>,
) -> Result<Option<BudgetView>> {
    let Some(budget) = budget else { return Ok(None) };
    let taken = taken(db, day, project, user).await?;
    Ok(Some(match budget {
        Budget::Tokens(most) => BudgetView { unit: "tokens", limit: most as f64, used: taken.tokens as f64 },
        Budget::Micros(most) => BudgetView { unit: "dollars", limit: dollars(most), used: dollars(taken.micros) },
    }))
}

/// Seconds until somebody may ask again; `None` when they may now.
///
/// # Errors
/// When the database fails.
pub(super) async fn wait(db: &Db, ai: &Ai, user: UserId, now_us: i64) -> Result<Option<u64>> {
    let window = crate::db::micros(limits::ASSISTANT_RATE_WINDOW);
    let most = i64::from(ai.runs_per_minute);
    let begun = sql::begun(db, user, now_us - window, most).await?;
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
    fn a_budget_ends_a_run_in_its_middle() {
        let allowance = Allowance { tokens: 100, micros: i64::MAX, whose: "project's" };
        let spent =
            |prompt, completion| Spent { prompt_tokens: prompt, completion_tokens: completion, cost_micros: None };
        assert!(!allowance.is_used_up(&spent(60, 39)) && allowance.is_used_up(&spent(60, 40)));
        assert_eq!(allowance.tokens_left(&spent(60, 30)), 10);
    }
}
