//! Following the feeds of all projects: each in a task of its own, a few at a time, so that one that takes long delays no
//! other. How far each was heard is written down, so that what was said just before a server was killed is heard later.

use axum::http::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::{Assistant, account, sql};
use crate::chat::{self, Progress, State};
use crate::db::{micros, now_us};
use crate::error::{Error, Result};
use crate::feed::{self, Entry, Event, Wanted};
use crate::ids::{MessageId, ProjectId};
use crate::limits;
use crate::state::AppState;

/// Follows until the server stops, then lets the answers that are being given end.
pub async fn run(state: AppState) {
    let assistant = Assistant::new(state.clone());
    let (mut beat_at, mut missed_at) = (Instant::now(), Instant::now());
    loop {
        tokio::select! {
            () = state.shutdown.cancelled() => break,
            () = sleep_until(beat_at) => {
                beat_at = Instant::now() + limits::ASSISTANT_BEAT;
                if let Err(error) = assistant.beat().await {
                    tracing::warn!(%error, "it cannot be written down which answers are being given");
                }
            }
            () = sleep_until(missed_at) => {
                missed_at = Instant::now() + limits::ASSISTANT_MISSED;
                match sql::missed(&state.db, limits::ASSISTANT_MISSED_PROJECTS).await {
                    Ok(projects) => projects.into_iter().for_each(|project| assistant.listen(project)),
                    Err(error) => tracing::warn!(%error, "it cannot be looked up what nobody has heard"),
                }
            }
            projects = state.feed.appended() => projects.into_iter().for_each(|project| assistant.listen(project)),
        }
    }
    assistant.0.running.close();
    assistant.0.running.wait().await;
}

impl Assistant {
    /// Has the feed of a project heard, now or once its task has come so far.
    fn listen(&self, project: ProjectId) {
        let mut looks = self.0.looks.lock();
        if let Some(more) = looks.get_mut(&project) {
            *more = true;
            return;
        }
        looks.insert(project, false);
        drop(looks);
        let assistant = self.clone();
        self.0.running.spawn(async move {
            let mut unheard = None;
            while let Err(error) = assistant.look(project, &mut unheard).await {
                tracing::warn!(%project, %error, "the assistant cannot read a feed; trying again");
                tokio::select! {
                    () = sleep(limits::FEED_RETRY) => {}
                    () = assistant.state().shutdown.cancelled() => break,
                }
            }
        });
    }

    /// Hears what was appended to a feed since it was heard last, until there is no more.
    async fn look(&self, project: ProjectId, unheard: &mut Option<Unheard>) -> Result<()> {
        loop {
            let Ok(_place) = self.0.looking.acquire().await else { return Ok(()) };
            self.hear_more(project, unheard).await?;
            let mut looks = self.0.looks.lock();
            // More was said while it was being heard.
            let more = looks.get_mut(&project).is_some_and(std::mem::take);
            if !more || self.state().shutdown.is_cancelled() {
                looks.remove(&project);
                return Ok(());
            }
        }
    }

    /// Hears a feed to its end. An event that cannot be heard is heard again by the next look, but not for ever.
    async fn hear_more(&self, project: ProjectId, unheard: &mut Option<Unheard>) -> Result<()> {
        let db = &self.state().db;
        let heard = self.0.heard.lock().get(&project).map(|(seq, _)| *seq);
        let mut after = match heard {
            Some(seq) => seq,
            None => sql::heard(db, project).await?,
        };
        loop {
            let entries = feed::read(db, project, &Wanted { after, ..Wanted::default() }, limits::FEED_PAGE).await?;
            let is_full = i64::try_from(entries.len()).is_ok_and(|count| count == limits::FEED_PAGE);
            let mut is_said = false;
            for entry in entries {
                if let Err(error) = self.hear(project, &entry).await {
                    let again = Unheard::again(unheard.take(), entry.seq, &error);
                    if again.is_tried_enough() {
                        tracing::error!(%project, seq = entry.seq, error = %format!("{error:#}"), "what was said cannot be heard, and is let pass");
                    } else {
                        *unheard = Some(again);
                        return Err(error);
                    }
                }
                after = entry.seq;
                is_said |= entry.kind().starts_with("message.");
                self.note_heard(project, after);
            }
            // What else happened is noted with the next beat: it costs nothing to hear it twice.
            if is_said {
                sql::hear(db, &[(project, after)]).await?;
            }
            if !is_full {
                return Ok(());
            }
        }
    }

    fn note_heard(&self, project: ProjectId, seq: i64) {
        let mut heard = self.0.heard.lock();
        if heard.len() >= limits::ASSISTANT_PROJECTS && !heard.contains_key(&project) {
            heard.retain(|_, (_, is_new)| *is_new);
        }
        heard.insert(project, (seq, true));
    }

    async fn hear(&self, project: ProjectId, entry: &Entry) -> Result<()> {
        if !entry.kind().starts_with("message.") {
            return Ok(());
        }
        // Who asked long ago does not wait any more.
        let is_late = entry.at_us < now_us() - micros(limits::ASSISTANT_LATE);
        let told = match entry.event() {
            Some(Event::MessageCreated { id, message, .. }) => {
                if is_of_assistant(&message) {
                    Ok(())
                } else {
                    self.answer(project, id, is_late).await
                }
            }
            Some(Event::MessageUpdated { id, message, .. }) if is_of_assistant(&message) => {
                if message["state"] == "queued" { self.again(project, id, is_late).await } else { Ok(()) }
            }
            Some(Event::MessageUpdated { id, .. } | Event::MessageDeleted { id, .. }) => self.unsay(project, id).await,
            _ => Ok(()),
        };
        match told {
            Err(error) if error.status().is_server_error() => Err(error),
            // Gone by the time it was looked at, or nothing that could be answered.
            Err(error) => {
                tracing::debug!(%project, seq = entry.seq, %error, "what was said is not answered");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Ends an answer that nobody gives.
    pub(super) async fn fail(
        &self,
        run: Uuid,
        project: ProjectId,
        answer: Option<MessageId>,
        (code, said): (&str, &str),
    ) -> Result<()> {
        let state = self.state();
        let mut written = 0;
        if let Some(id) = answer {
            let outcome = match chat::find(&state.feed, project, id).await {
                Ok(answer) if !answer.state.is_final() => {
                    written = answer.body.len();
                    let mut details = answer.details;
                    details.insert("error".to_owned(), serde_json::json!({ "code": code, "message": said }));
                    let (body, attachments) = (answer.body, answer.attachments);
                    let failed = Progress { body, attachments, details, ..Progress::new(State::Failed) };
                    chat::progress(&state.feed, project, id, &failed).await.map(drop)
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            state.feed.written_down(id);
            match outcome {
                // Somebody else was first.
                Ok(()) | Err(Error::NotFound | Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        account::settle_left(state, run, written).await?;
        sql::end_run(&state.db, run, now_us()).await
    }

    /// Says which answers this server gives, ends those that no server does, and notes how far feeds were heard.
    async fn beat(&self) -> Result<()> {
        let db = &self.state().db;
        sql::beat(db, self.0.server_run, now_us()).await?;
        for (run, project, answer) in sql::lost(db, now_us() - micros(limits::ASSISTANT_LOST)).await? {
            let why = ("interrupted", "the server ended while this was being answered; try again");
            // One that cannot be ended keeps no other from its end.
            if let Err(error) = self.fail(run, project, answer, why).await {
                tracing::warn!(%run, %project, %error, "an answer that nobody gives cannot be ended");
            }
        }
        let mut noted = Vec::new();
        for (project, (seq, is_new)) in &mut *self.0.heard.lock() {
            if std::mem::take(is_new) {
                noted.push((*project, *seq));
            }
        }
        if noted.is_empty() { Ok(()) } else { sql::hear(db, &noted).await }
    }
}

/// An event that could not be heard.
#[derive(Debug)]
struct Unheard {
    seq: i64,
    since: Instant,
    /// How often that was so for a reason that does not pass by itself.
    tries: u32,
}

impl Unheard {
    /// It could not be heard, perhaps not for the first time.
    fn again(before: Option<Self>, seq: i64, error: &Error) -> Self {
        let before = before.filter(|before| before.seq == seq);
        let before = before.unwrap_or_else(|| Self { seq, since: Instant::now(), tries: 0 });
        let passes = error.status() == StatusCode::SERVICE_UNAVAILABLE;
        Self { tries: before.tries + u32::from(!passes), ..before }
    }

    fn is_tried_enough(&self) -> bool {
        self.tries >= limits::ASSISTANT_HEAR_TRIES || self.since.elapsed() >= limits::ASSISTANT_HEAR_TIME
    }
}

fn is_of_assistant(message: &Value) -> bool {
    message["author"]["kind"] == "assistant"
}
