//! One question outside of conversations, and its answer: for programs, and for the analysis of a file. It counts as an
//! answer of who asks, by their rate and their budgets. *Absent: tools, what was said before, and a place to read it later.*

use std::pin::pin;

use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::account::{Account, Payer};
use super::ends::End;
use super::prompt::TURN;
use super::sql::NewRun;
use super::{sql, tokens, usage};
use crate::auth;
use crate::db::now_us;
use crate::error::{Error, Result};
use crate::ids::{ProjectId, UserId};
use crate::limits;
use crate::model::{self, Ask, Fault, Model, Piece};
use crate::state::{AppState, Shared};

/// An answer, and what it took.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) text: String,
    /// Whether it was cut at the most that it may have.
    pub(super) is_cut: bool,
    pub(super) usage: Value,
    pub(super) cost: Value,
}

/// Asks a model once, for somebody in a project, and waits for all of its answer. Who stops waiting ends the request; what
/// was written by then is counted all the same.
///
/// # Errors
/// [`Error::RateLimited`]; `budget_used_up` (409); 413 for more than the model reads at once; 503 in words when the model
/// gives no answer, or when the database fails.
pub(super) async fn ask(
    state: &AppState,
    (project, user): (ProjectId, UserId),
    model: &Model,
    ask: Ask,
) -> Result<Answered> {
    model.model().await.map_err(|fault| refused(&fault))?;
    let said: usize = ask.turns.iter().map(|turn| tokens::count(&turn.content) + TURN).sum();
    let schema = ask.schema.as_ref().map_or(0, |(_, schema)| tokens::count(&schema.to_string()));
    let window = usize::try_from(model.context_tokens()).unwrap_or(usize::MAX);
    let least = usize::try_from(limits::ASSISTANT_LEAST_TOKENS).unwrap_or_default();
    let room = window.saturating_sub(said + schema);
    if room < least {
        return Err(Error::TooLarge(Fault::ContextTooLong.to_string()));
    }
    let most = ask.max_tokens.unwrap_or(limits::ASSISTANT_ANSWER_TOKENS).min(u32::try_from(room).unwrap_or(u32::MAX));
    let payer = Payer { run: Uuid::now_v7(), project, user };
    begin(state, payer).await?;
    let waits = CancellationToken::new();
    let gone = waits.clone();
    let _waits = waits.drop_guard();
    let (state, model) = (state.clone(), model.name().to_owned());
    let giving = tokio::spawn(async move { give(&state, payer, &model, ask, (said + schema, most), &gone).await });
    giving.await.map_err(|broke| Error::Internal(broke.into()))?
}

/// Notes a run, if its asker may have another one now. It vouches for itself: where it is broken off, any server settles
/// what it took.
async fn begin(state: &Shared, Payer { run, project, user }: Payer) -> Result<()> {
    let mut tx = state.db.begin().await?;
    // Several that come at once are counted one after the other.
    auth::lock(&mut tx, user).await?;
    if let Some(retry_after) = usage::wait(&mut tx, &state.config.ai, user, now_us()).await? {
        return Err(Error::RateLimited { retry_after });
    }
    sql::insert_run(&mut tx, &NewRun { id: run, project, answer: None, user, server_run: run }, now_us()).await?;
    Ok(tx.commit().await?)
}

/// Asks a model that is to read and may write so many tokens, until it has answered or nobody waits any more.
async fn give(
    state: &Shared,
    payer: Payer,
    name: &str,
    mut ask: Ask,
    (said, most): (usize, u32),
    gone: &CancellationToken,
) -> Result<Answered> {
    let mut account = Account::new(state, payer, model(state, Some(name))?);
    let answered = async {
        ask.max_tokens = Some(account.ask(said, most).await.map_err(ended)?);
        exchange(state, &mut account, &ask, (payer.run, gone)).await
    };
    let answered = answered.await;
    sql::end_run(&state.db, payer.run, now_us()).await?;
    let (text, is_cut) = answered?;
    let (usage, cost) = account.told().unwrap_or_default();
    Ok(Answered { text, is_cut, usage, cost })
}

async fn exchange(
    state: &Shared,
    account: &mut Account<'_>,
    ask: &Ask,
    (run, gone): (Uuid, &CancellationToken),
) -> Result<(String, bool)> {
    let deadline = Instant::now() + limits::ASSISTANT_TIME;
    let mut written = 0;
    let outcome = {
        let mut hearing = pin!(hear(account.model, ask, &mut written));
        loop {
            tokio::select! {
                outcome = &mut hearing => break outcome,
                () = sleep(limits::ASSISTANT_BEAT) => sql::beat(&state.db, run, now_us()).await?,
                () = sleep_until(deadline) => break Err(Fault::Silent(limits::ASSISTANT_TIME)),
                () = state.shutdown.cancelled() => break Err(Fault::BrokeOff),
                () = gone.cancelled() => break Err(Fault::BrokeOff),
            }
        }
    };
    account.written = written;
    match outcome {
        Ok((text, end)) => {
            account.add(end.usage).await.map_err(ended)?;
            Ok((text, end.cut))
        }
        Err(fault) => {
            account.break_off(!fault.costs_nothing()).await.map_err(ended)?;
            Err(refused(&fault))
        }
    }
}

/// Hears an answer to its end; one that goes on far beyond what was asked for is cut.
async fn hear(model: &Model, ask: &Ask, written: &mut usize) -> Result<(String, model::End), Fault> {
    let mut answer = model.ask(ask).await?;
    let most = tokens::bytes_of(ask.max_tokens.unwrap_or(limits::ASSISTANT_ANSWER_TOKENS)).saturating_mul(2);
    let mut text = String::new();
    while let Some(piece) = answer.next().await {
        *written = answer.bytes();
        match piece? {
            Piece::Text(more) => text.push_str(&more),
            Piece::Call(_) => {}
            Piece::End(end) => return Ok((text.replace('\0', ""), end)),
        }
        if *written > most {
            return Ok((text.replace('\0', ""), model::End { usage: None, cut: true }));
        }
    }
    Err(Fault::BrokeOff)
}

fn refused(fault: &Fault) -> Error {
    match fault {
        Fault::NotListed(_) => Error::invalid("model_not_listed", fault.to_string()),
        Fault::NotConnected => Error::conflict("no_model", fault.to_string()),
        Fault::ContextTooLong => Error::TooLarge(fault.to_string()),
        _ => Error::unavailable(fault.to_string()),
    }
}

/// The model of this name, or the default one.
///
/// # Errors
/// `model_not_listed`, or `no_model` (409) where none is connected.
pub(super) fn model<'a>(state: &'a Shared, name: Option<&str>) -> Result<&'a Model> {
    state.models.find(name).map_err(|fault| refused(&fault))
}

/// Why nothing was asked, or its end could not be written down.
fn ended(end: End) -> Error {
    match end {
        End::Failed(error) if error["code"] == "budget_used_up" => {
            Error::conflict("budget_used_up", error["message"].as_str().unwrap_or_default())
        }
        _ => Error::unavailable("it cannot be written down what this takes; try again"),
    }
}
