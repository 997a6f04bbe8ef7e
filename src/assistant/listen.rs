//! Following the feeds of all projects: what asks for an answer, what gives one again, and what makes a summary wrong.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::heard::{Heard, is_meant};
use super::sql::NewRun;
use super::{Assistant, Job, persona, sql, usage};
use crate::auth;
use crate::chat::{self, Details, Mention, Message, NewMessage, Progress, State};
use crate::db::{micros, now_us};
use crate::error::{Error, Result};
use crate::feed::{self, Entry, Event, Wanted};
use crate::ids::{MessageId, ProjectId};
use crate::model::Fault;
use crate::state::AppState;
use crate::{access, limits, session};

/// How somebody who runs a server connects a model, for those who ask for an answer without one.
const HOW_TO_CONNECT: &str = "No model is connected to this server, so I cannot answer yet; the chat works without me.\n\n\
    Whoever runs the server connects one by its settings and a restart:\n\n\
    - a model of OpenAI: `AI_API_KEY` and `AI_MODEL`;\n\
    - any other server that speaks the same interface (llama.cpp, Ollama, vLLM, OpenRouter, …): `AI_BASE_URL`, up to and \
    including `/v1`, with `AI_MODEL` and `AI_API_KEY` where it wants them.\n";

/// Follows until the server stops, then lets the answers that are being given end.
pub async fn run(state: AppState) {
    let assistant = Assistant::new(state.clone());
    let began_us = now_us();
    let mut seen = HashMap::new();
    let mut beat_at = Instant::now();
    loop {
        tokio::select! {
            () = state.shutdown.cancelled() => break,
            () = sleep_until(beat_at) => {
                beat_at = Instant::now() + limits::ASSISTANT_BEAT;
                if let Err(error) = assistant.beat().await {
                    tracing::warn!(%error, "it cannot be written down which answers are being given");
                }
            }
            projects = state.feed.appended() => {
                for project in projects {
                    if let Err(error) = assistant.look(project, began_us, &mut seen).await {
                        tracing::warn!(%project, %error, "the assistant cannot read a feed; trying again");
                        sleep(limits::FEED_RETRY).await;
                        state.feed.ring(project);
                    }
                }
            }
        }
    }
    assistant.0.running.close();
    assistant.0.running.wait().await;
}

impl Assistant {
    /// Reads what was appended to a feed since the last look.
    async fn look(&self, project: ProjectId, began_us: i64, seen: &mut HashMap<ProjectId, i64>) -> Result<()> {
        let db = &self.state().db;
        if seen.len() >= limits::ASSISTANT_PROJECTS {
            seen.clear();
        }
        loop {
            let (entries, more) = match seen.get(&project) {
                Some(after) => {
                    let wanted = Wanted { after: *after, ..Wanted::default() };
                    let entries = feed::read(db, project, &wanted, limits::FEED_PAGE).await?;
                    let full = i64::try_from(entries.len()).is_ok_and(|count| count == limits::FEED_PAGE);
                    (entries, full)
                }
                None => {
                    let wanted = Wanted { before: Some(i64::MAX), ..Wanted::default() };
                    let mut newest = feed::read(db, project, &wanted, limits::FEED_PAGE).await?;
                    newest.reverse();
                    if let Some(last) = newest.last() {
                        seen.insert(project, last.seq);
                    }
                    // What was said long ago or before this server began is not answered any more.
                    let since_us = began_us.max(now_us() - micros(limits::ASSISTANT_LATE));
                    newest.retain(|entry| entry.at_us >= since_us);
                    (newest, false)
                }
            };
            for entry in entries {
                self.hear(project, &entry).await?;
                seen.insert(project, entry.seq);
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn hear(&self, project: ProjectId, entry: &Entry) -> Result<()> {
        if !entry.kind().starts_with("message.") {
            return Ok(());
        }
        let told = match entry.event() {
            Some(Event::MessageCreated { id, message, .. }) => {
                if is_of_assistant(&message) {
                    Ok(())
                } else {
                    self.answer(project, id).await
                }
            }
            Some(Event::MessageUpdated { id, message, .. }) if is_of_assistant(&message) => {
                if message["state"] == "queued" { self.again(project, id).await } else { Ok(()) }
            }
            Some(Event::MessageUpdated { id, .. } | Event::MessageDeleted { id, .. }) => self.unsay(project, id).await,
            _ => Ok(()),
        };
        match told {
            // Gone by the time it was looked at.
            Err(Error::NotFound) => Ok(()),
            told => told,
        }
    }

    /// Has a message answered, if it is for the assistant to answer.
    async fn answer(&self, project: ProjectId, id: MessageId) -> Result<()> {
        let state = self.state();
        let question = chat::find(&state.feed, project, id).await?;
        let conversation = chat::conversation(&state.db, project, question.conversation).await?;
        let replied_to = match question.reply_to {
            Some(id) => Some(chat::find(&state.feed, project, id).await?),
            None => None,
        };
        let personas = if names_one(&question) { persona::of_project(state, project).await? } else { Vec::new() };
        let replies = replied_to.as_ref().is_some_and(|message| message.author.is_assistant());
        let mut people = session::people(&state.db, project).await?;
        people.push(question.author.id);
        people.sort_unstable();
        people.dedup();
        let heard = Heard {
            meant: replies || is_meant(&question, &personas),
            answers: conversation.answers,
            people: people.len(),
            connected: state.models.find(None).is_ok(),
            may_ask: self.may_ask(project, &question).await?,
        };
        if !heard.speaks() {
            return Ok(());
        }
        let personas = persona::of_project(state, project).await?;
        let choice = persona::choose(&personas, &question, replied_to.as_ref());
        let refusal = self.refusal(project, &question, heard).await?;
        let assistant = auth::assistant(&state.db).await?;
        let answer = NewMessage {
            id: Some(MessageId::new()),
            conversation: Some(question.conversation),
            reply_to: Some(id),
            persona: choice.map(|choice| choice.persona.name),
            via: Some(question.author.id),
            // However many servers hear it, one answers.
            key: Some(format!("answer {id}")),
            ..NewMessage::default()
        };
        if let Some((body, error)) = refusal {
            let details = Details::from_iter([("error".to_owned(), error)]);
            let answer = NewMessage { body, state: Some(State::Failed), details, ..answer };
            return chat::post(&state.feed, project, assistant.id, answer).await.map(drop);
        }
        let Some(answer_id) = answer.id else { return Ok(()) };
        let job = self.note(project, question.conversation, answer_id, question.author.id).await?;
        let posted =
            chat::post(&state.feed, project, assistant.id, NewMessage { state: Some(State::Queued), ..answer }).await;
        match posted {
            Ok((_, true)) => self.begin(job).await,
            Ok((_, false)) => sql::delete_run(&state.db, job.run).await,
            Err(error) => {
                sql::delete_run(&state.db, job.run).await?;
                Err(error)
            }
        }
    }

    /// Gives an answer again.
    async fn again(&self, project: ProjectId, id: MessageId) -> Result<()> {
        let state = self.state();
        let answer = chat::find(&state.feed, project, id).await?;
        let Some(asker) = answer.via.as_ref().filter(|_| answer.state == State::Queued) else { return Ok(()) };
        let refusal = match self.over_rate(asker.id).await? {
            Some(refusal) => Some(refusal),
            None => state.models.find(None).err().map(|fault| (HOW_TO_CONNECT.to_owned(), error_of(&fault))),
        };
        if let Some((body, error)) = refusal {
            let details = Details::from_iter([("error".to_owned(), error)]);
            let failed = Progress { body, state: State::Failed, details };
            return chat::progress(&state.feed, project, id, &failed).await.map(drop);
        }
        let job = self.note(project, answer.conversation, id, asker.id).await?;
        self.begin(job).await
    }

    /// A message was changed or deleted: what was said in short with it in it is wrong.
    async fn unsay(&self, project: ProjectId, id: MessageId) -> Result<()> {
        let state = self.state();
        let message = chat::find(&state.feed, project, id).await?;
        sql::drop_summary(&state.db, message.conversation, message.seq).await.map(drop)
    }

    /// Whether the author of a message may ask: as an editor now, by what they showed when they wrote it.
    pub(super) async fn may_ask(&self, project: ProjectId, question: &Message) -> Result<bool> {
        let whose = question.issuer.unwrap_or(question.author.id);
        let now = access::role_of_user(&self.state().db, whose, project).await?;
        Ok(question.role.zip(now).is_some_and(|(then, now)| then.lesser(now).can_write()))
    }

    /// Why a message is not answered although it is meant to be: what is said, and the error.
    async fn refusal(&self, project: ProjectId, question: &Message, heard: Heard) -> Result<Option<(String, Value)>> {
        if !heard.may_ask {
            let said = "only those who may edit ask the assistant; an owner of the project can give you that role";
            return Ok(Some((String::new(), json!({ "code": "forbidden", "message": said }))));
        }
        if let Err(fault) = self.state().models.find(None) {
            return Ok(Some((HOW_TO_CONNECT.to_owned(), error_of(&fault))));
        }
        if let Some(refusal) = self.over_rate(question.author.id).await? {
            return Ok(Some(refusal));
        }
        let (ai, db) = (&self.state().config.ai, &self.state().db);
        let allowance = usage::allowance(db, ai, usage::day_of(now_us()), project, question.author.id).await?;
        let used_up = allowance.is_used_up(&usage::Spent::default());
        Ok(used_up.then(|| (String::new(), json!({ "code": "budget_used_up", "message": allowance.said() }))))
    }

    async fn over_rate(&self, user: crate::ids::UserId) -> Result<Option<(String, Value)>> {
        let (ai, db) = (&self.state().config.ai, &self.state().db);
        let wait = usage::wait(db, ai, user, now_us()).await?;
        Ok(wait.map(|seconds| {
            let most = ai.runs_per_minute;
            let said = format!("you asked {most} times within a minute; try again in {seconds} s");
            (String::new(), json!({ "code": "rate_limited", "message": said, "retry_after": seconds }))
        }))
    }

    /// Notes a run before its answer is told, so that no answer waits for nobody.
    async fn note(
        &self,
        project: ProjectId,
        conversation: crate::ids::ConversationId,
        answer: MessageId,
        asker: crate::ids::UserId,
    ) -> Result<Job> {
        let job = Job { run: Uuid::now_v7(), project, conversation, answer, asker };
        let run =
            NewRun { id: job.run, project, conversation, message: answer, user: asker, server_run: self.0.server_run };
        sql::insert_run(&self.state().db, &run, now_us()).await?;
        Ok(job)
    }

    async fn begin(&self, job: Job) -> Result<()> {
        if self.enqueue(job.clone()) {
            return Ok(());
        }
        let said = format!(
            "{} answers wait in this conversation already; try again when some are given",
            limits::ASSISTANT_QUEUE
        );
        self.fail(&job, "queue_full", &said).await
    }

    /// Ends an answer that nobody gives.
    async fn fail(&self, job: &Job, code: &str, said: &str) -> Result<()> {
        let state = self.state();
        let outcome = match chat::find(&state.feed, job.project, job.answer).await {
            Ok(answer) if !answer.state.is_final() => {
                let mut details = answer.details;
                details.insert("error".to_owned(), json!({ "code": code, "message": said }));
                let failed = Progress { body: answer.body, state: State::Failed, details };
                chat::progress(&state.feed, job.project, job.answer, &failed).await.map(drop)
            }
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        };
        state.feed.written_down(job.answer);
        match outcome {
            // Somebody else was first.
            Ok(()) | Err(Error::NotFound | Error::Conflict { .. }) => sql::end_run(&state.db, job.run, now_us()).await,
            Err(error) => Err(error),
        }
    }

    /// Ends an answer whose task broke off.
    pub(super) async fn lose(&self, job: &Job) {
        if let Err(error) = self.fail(job, "interrupted", "the answer broke off; try again").await {
            tracing::warn!(answer = %job.answer, %error, "an answer that broke off cannot be ended");
        }
    }

    /// Says which answers this server gives, and ends those that no server does.
    async fn beat(&self) -> Result<()> {
        let db = &self.state().db;
        sql::beat(db, self.0.server_run, now_us()).await?;
        for (run, project, answer) in sql::lost(db, now_us() - micros(limits::ASSISTANT_LOST)).await? {
            let asker = auth::ASSISTANT;
            let conversation = chat::first(project);
            let job = Job { run, project, conversation, answer, asker };
            self.fail(&job, "interrupted", "the server ended while this was being answered; try again").await?;
        }
        Ok(())
    }
}

/// Whether a message may mean a persona, which has to be looked up then.
fn names_one(message: &Message) -> bool {
    message.to.is_some() || message.mentions.iter().any(|mention| matches!(mention, Mention::Name { .. }))
}

fn is_of_assistant(message: &Value) -> bool {
    message["author"]["kind"] == "assistant"
}

/// A fault as an answer tells it.
pub(super) fn error_of(fault: &Fault) -> Value {
    let mut error = json!({ "code": fault.code(), "message": fault.to_string() });
    if let Some(wait) = fault.retry_after() {
        error["retry_after"] = wait.as_secs().into();
    }
    error
}
