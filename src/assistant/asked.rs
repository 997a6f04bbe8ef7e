//! What asks for an answer, and what makes a summary wrong: a message, an answer that is to be given again, a message that
//! was changed. Of files nothing is read here, so that nobody waits for another's.

use serde_json::{Value, json};
use uuid::Uuid;

use super::heard::{Heard, is_meant};
use super::sql::NewRun;
use super::{Assistant, Job, Right, persona, sql, usage};
use crate::auth;
use crate::chat::{self, Details, Mention, Message, NewMessage, Progress, State};
use crate::db::now_us;
use crate::error::Result;
use crate::ids::{ConversationId, MessageId, ProjectId, UserId};
use crate::model::Fault;
use crate::{limits, session};

/// How somebody who runs a server connects a model, for those who ask for an answer without one.
const HOW_TO_CONNECT: &str = "No model is connected to this server, so I cannot answer yet; the chat works without me.\n\n\
    Whoever runs the server connects one by its settings and a restart:\n\n\
    - a model of OpenAI: `AI_API_KEY` and `AI_MODEL`;\n\
    - any other server that speaks the same interface (llama.cpp, Ollama, vLLM, OpenRouter, …): `AI_BASE_URL`, up to and \
    including `/v1`, with `AI_MODEL` and `AI_API_KEY` where it wants them.\n";

/// What an answer says that is none, and the error beside it.
type Refusal = (String, Value);

impl Assistant {
    /// Has a message answered, if it is for the assistant to answer. One that is late is told so where it was meant.
    pub(super) async fn answer(&self, project: ProjectId, id: MessageId, is_late: bool) -> Result<()> {
        let state = self.state();
        let question = chat::find(&state.feed, project, id).await?;
        let conversation = chat::conversation(&state.db, project, question.conversation).await?;
        let replied_to = match question.reply_to {
            Some(id) => Some(chat::find(&state.feed, project, id).await?),
            None => None,
        };
        let personas = if names_one(&question) { persona::ids(&state.db, project).await? } else { Vec::new() };
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
            may_ask: Right::to_ask(&question).holds(state, project).await?,
        };
        if question.deleted_us.is_some() || !heard.speaks() || (is_late && !heard.meant) {
            return Ok(());
        }
        let refusal = if is_late { Some(late()) } else { self.refusal(&question, heard).await? };
        let assistant = auth::assistant(&state.db).await?;
        let answer = NewMessage {
            id: Some(MessageId::new()),
            conversation: Some(question.conversation),
            reply_to: Some(id),
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
    pub(super) async fn again(&self, project: ProjectId, id: MessageId, is_late: bool) -> Result<()> {
        let state = self.state();
        let answer = chat::find(&state.feed, project, id).await?;
        let Some(asker) = answer.via.as_ref().filter(|_| answer.state == State::Queued) else { return Ok(()) };
        if sql::is_given(&state.db, id).await? {
            return Ok(());
        }
        let refusal = match self.over_rate(asker.id).await? {
            _ if is_late => Some(late()),
            Some(refusal) => Some(refusal),
            None => state.models.find(None).err().map(|fault| (HOW_TO_CONNECT.to_owned(), error_of(&fault))),
        };
        if let Some((body, error)) = refusal {
            let details = Details::from_iter([("error".to_owned(), error)]);
            let failed = Progress { body, details, ..Progress::new(State::Failed) };
            return chat::progress(&state.feed, project, id, &failed).await.map(drop);
        }
        let job = self.note(project, answer.conversation, id, asker.id).await?;
        self.begin(job).await
    }

    /// A message was changed or deleted: what was said in short with it in it is wrong.
    pub(super) async fn unsay(&self, project: ProjectId, id: MessageId) -> Result<()> {
        let state = self.state();
        let message = chat::find(&state.feed, project, id).await?;
        sql::drop_summary(&state.db, message.conversation, message.seq).await.map(drop)
    }

    /// Why a message is not answered although it is meant to be.
    async fn refusal(&self, question: &Message, heard: Heard) -> Result<Option<Refusal>> {
        if !heard.may_ask {
            let said = "only those who may edit ask the assistant; an owner of the project can give you that role";
            return Ok(Some((String::new(), json!({ "code": "forbidden", "message": said }))));
        }
        if let Err(fault) = self.state().models.find(None) {
            return Ok(Some((HOW_TO_CONNECT.to_owned(), error_of(&fault))));
        }
        self.over_rate(question.author.id).await
    }

    async fn over_rate(&self, user: UserId) -> Result<Option<Refusal>> {
        let (ai, db) = (&self.state().config.ai, &self.state().db);
        let wait = usage::wait(&mut db.begin().await?, ai, user, now_us()).await?;
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
        conversation: ConversationId,
        answer: MessageId,
        asker: UserId,
    ) -> Result<Job> {
        let job = Job { run: Uuid::now_v7(), project, conversation, answer, asker };
        let (answer, server_run) = (Some((conversation, answer)), self.0.server_run);
        let run = NewRun { id: job.run, project, answer, user: asker, server_run };
        let mut tx = self.state().db.begin().await?;
        sql::insert_run(&mut tx, &run, now_us()).await?;
        tx.commit().await?;
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
        self.fail(job.run, job.project, Some(job.answer), ("queue_full", &said)).await
    }

    /// Ends an answer whose task broke off.
    pub(super) async fn lose(&self, job: &Job) {
        let why = ("interrupted", "the answer broke off; try again");
        if let Err(error) = self.fail(job.run, job.project, Some(job.answer), why).await {
            tracing::warn!(answer = %job.answer, %error, "an answer that broke off cannot be ended");
        }
    }
}

/// Whether a message may mean a persona, which has to be looked up then.
fn names_one(message: &Message) -> bool {
    message.to.is_some() || message.mentions.iter().any(|mention| matches!(mention, Mention::Name { .. }))
}

/// What somebody is told who asked while no server listened.
fn late() -> Refusal {
    let said = "the server was away when this was asked; try again";
    (String::new(), json!({ "code": "interrupted", "message": said }))
}

/// A fault as an answer tells it.
pub(super) fn error_of(fault: &Fault) -> Value {
    let mut error = json!({ "code": fault.code(), "message": fault.to_string() });
    if let Some(wait) = fault.retry_after() {
        error["retry_after"] = wait.as_secs().into();
    }
    error
}
