//! What is asked of models outside of conversations, for programs: a question, the analysis of a file, a picture. It counts
//! as an answer of who asks, by their rate and their budgets, and takes a place as one. *Absent: tools, what was said
//! before, and a place to read it later.*

use std::pin::pin;

use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::account::{Account, Payer};
use super::ends::End;
use super::sql::NewRun;
use super::{prompt, sql, tokens, usage};
use crate::auth;
use crate::db::now_us;
use crate::error::{Error, RETRY_AFTER, Result};
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
/// Those of [`run`]; `budget_used_up` (409); 413 for more than the model reads at once; 503 in words when the model gives no
/// answer.
pub(super) async fn ask(
    state: &AppState,
    (project, user): (ProjectId, UserId),
    model: &Model,
    mut ask: Ask,
) -> Result<Answered> {
    model.model().await.map_err(|fault| refused(&fault))?;
    let schema = ask.schema.as_ref().map_or(0, |(_, schema)| tokens::count(&schema.to_string()));
    let said = prompt::told(&ask.turns) + schema;
    let window = usize::try_from(model.context_tokens()).unwrap_or(usize::MAX);
    let least = usize::try_from(limits::ASSISTANT_LEAST_TOKENS).unwrap_or_default();
    let room = window.saturating_sub(said);
    if room < least {
        return Err(Error::TooLarge(Fault::ContextTooLong.to_string()));
    }
    let most = ask.max_tokens.unwrap_or(limits::ASSISTANT_ANSWER_TOKENS).min(u32::try_from(room).unwrap_or(u32::MAX));
    let payer = Payer { run: Uuid::now_v7(), project, user };
    let name = model.name().to_owned();
    run(state, payer, |waits| async move {
        let state: &Shared = &waits.state;
        let mut account = Account::new(state, payer);
        let model = self::model(state, Some(&name))?;
        let answered = async {
            ask.max_tokens = Some(account.ask(model, said, most).await.map_err(ended)?);
            exchange(&waits, &mut account, model, &ask).await
        };
        let answered = answered.await;
        // Where it was not told what became of a commit, something may be set aside yet.
        account.pay().await?;
        let (text, is_cut) = answered?;
        let (usage, cost) = account.told().unwrap_or_default();
        Ok(Answered { text, is_cut, usage, cost })
    })
    .await
}

/// Whoever waits for what is asked outside of conversations.
pub(super) struct Waits {
    pub(super) state: AppState,
    run: Uuid,
    /// Cancelled once nobody does any more.
    gone: CancellationToken,
}

/// Carries something out as a run of its own, once there is a place for it. It goes on to its end in a task, so that what it
/// takes is written down also where nobody waits any more.
///
/// # Errors
/// [`Error::RateLimited`]; 503 where there is no place for a while, or when the database fails; and what it ends with.
pub(super) async fn run<T, F>(state: &AppState, payer: Payer, work: impl FnOnce(Waits) -> F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let place = timeout(limits::MODEL_PLACE_WAIT, state.models.place()).await;
    let place = place.map_err(|_| Error::unavailable("too many answers are being given at once; try again soon"))?;
    begin(state, payer).await?;
    let waiting = CancellationToken::new();
    let working = work(Waits { state: state.clone(), run: payer.run, gone: waiting.clone() });
    let _waiting = waiting.drop_guard();
    let state = state.clone();
    let doing = tokio::spawn(async move {
        let _place = place;
        let done = working.await;
        // What is done is done; a run that is not ended is by and by.
        if let Err(error) = sql::end_run(&state.db, payer.run, now_us()).await {
            tracing::warn!(run = %payer.run, %error, "a run cannot be ended");
        }
        done
    });
    doing.await.map_err(|broke| Error::Internal(broke.into()))?
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

impl Waits {
    /// Waits for what a model gives, and says meanwhile that the run goes on. It ends when it takes too long, when the server
    /// stops, and when nobody waits any more.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn hear<T>(&self, asking: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let deadline = Instant::now() + limits::ASSISTANT_TIME;
        let mut asking = pin!(asking);
        loop {
            tokio::select! {
                outcome = &mut asking => return outcome,
                () = sleep(limits::ASSISTANT_BEAT) => self.beat().await,
                () = sleep_until(deadline) => return Err(Fault::Silent(limits::ASSISTANT_TIME)),
                () = self.state.shutdown.cancelled() => return Err(Fault::BrokeOff),
                () = self.gone.cancelled() => return Err(Fault::BrokeOff),
            }
        }
    }

    /// Says that the run goes on. A word that is not written is no reason to give up what is paid for.
    async fn beat(&self) {
        if let Err(error) = sql::beat(&self.state.db, self.run, now_us()).await {
            tracing::warn!(run = %self.run, %error, "cannot note that a run goes on");
        }
    }
}

async fn exchange(waits: &Waits, account: &mut Account<'_>, model: &Model, ask: &Ask) -> Result<(String, bool)> {
    let mut written = 0;
    let outcome = waits.hear(hear(model, ask, &mut written)).await;
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

/// A fault as the API tells it.
pub(super) fn refused(fault: &Fault) -> Error {
    match fault {
        Fault::NotListed(_) => Error::invalid("model_not_listed", fault.to_string()),
        Fault::NotConnected | Fault::MakesNone => Error::conflict("no_model", fault.to_string()),
        Fault::Policy(_) => Error::conflict("content_policy", fault.to_string()),
        Fault::ContextTooLong => Error::TooLarge(fault.to_string()),
        _ => {
            let retry_after = fault.retry_after().map_or(RETRY_AFTER, |wait| wait.as_secs());
            Error::Unavailable { message: fault.to_string(), retry_after }
        }
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
pub(super) fn ended(end: End) -> Error {
    match end {
        End::Failed(error) if error["code"] == "budget_used_up" => {
            Error::conflict("budget_used_up", error["message"].as_str().unwrap_or_default())
        }
        _ => Error::unavailable("it cannot be written down what this takes; try again"),
    }
}
