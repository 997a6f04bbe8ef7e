//! One answer, from its turn to its end: what it reads, what it says piece by piece, what it calls for, and how it ends.
//!
//! It follows the project's feed meanwhile: that it was stopped or deleted is heard there, whichever server it was said
//! to, and the request to the model is dropped at once.

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::account::{Account, Payer};
use super::context::{Context, Fence};
use super::ends::{End, Word, next_of};
use super::presence::Presence;
use super::prompt::{self, Reading};
use super::window::Window;
use super::{Assistant, Job, Right, persona, sql, summary};
use crate::auth;
use crate::chat::{self, Attachment, Details, Message, Progress, State};
use crate::db::now_us;
use crate::error::{Error, Result};
use crate::feed::Follower;
use crate::ids::{DocumentId, ProposalId};
use crate::limits;
use crate::model::Fault;
use crate::state::AppState;

/// Gives an answer.
pub(super) async fn give(assistant: Assistant, job: Job) {
    let _place = assistant.state().models.place().await;
    match begin(&assistant, &job).await {
        Ok(()) => {
            if let Err(error) = sql::end_run(&assistant.state().db, job.run, now_us()).await {
                tracing::warn!(answer = %job.answer, %error, "the end of an answer cannot be written down");
            }
        }
        Err(error) => {
            tracing::warn!(answer = %job.answer, %error, "an answer cannot be given");
            assistant.lose(&job).await;
        }
    }
}

async fn begin(assistant: &Assistant, job: &Job) -> Result<()> {
    let state = assistant.state();
    let mut follower = state.feed.follow(job.project, None);
    // From here on nothing that becomes of the answer is missed.
    follower.position().await;
    let answer = match chat::find(&state.feed, job.project, job.answer).await {
        Ok(answer) if answer.deleted_us.is_none() => answer,
        Ok(_) | Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut run = Run {
        state,
        job,
        follower,
        presence: None,
        body: String::new(),
        unsaid: String::new(),
        tell_at: Instant::now(),
        kept_at: Instant::now(),
        deadline: Instant::now() + limits::ASSISTANT_TIME,
        context: None,
        account: None,
        proposal: None,
        pictures: Vec::new(),
        right: None,
        persona: None,
        applies: false,
    };
    let end = match answer.state {
        State::Queued => match run.speak(&answer).await {
            Ok(()) => End::Done,
            Err(end) => end,
        },
        // Stopped while it waited.
        State::Stopped => End::Stopped,
        State::Streaming | State::Done | State::Failed => return Ok(()),
    };
    run.end(end).await
}

/// An answer that is being given.
pub(super) struct Run<'a> {
    pub(super) state: &'a AppState,
    pub(super) job: &'a Job,
    pub(super) follower: Follower,
    presence: Option<Presence>,
    /// What was told.
    pub(super) body: String,
    /// What is to be told next.
    pub(super) unsaid: String,
    pub(super) tell_at: Instant,
    kept_at: Instant,
    pub(super) deadline: Instant,
    pub(super) context: Option<Context>,
    pub(super) account: Option<Account<'a>>,
    /// The proposal that it made.
    pub(super) proposal: Option<ProposalId>,
    /// The pictures that it made.
    pub(super) pictures: Vec<Attachment>,
    /// By what right it is given.
    right: Option<Right>,
    /// As whom the assistant speaks.
    persona: Option<String>,
    /// Whether what it proposes is applied at once.
    pub(super) applies: bool,
}

impl<'a> Run<'a> {
    async fn speak(&mut self, answer: &Message) -> Result<(), End> {
        let (state, job) = (self.state, self.job);
        let Some(question) = answer.reply_to else {
            return Err(End::failed("no_question", "there is nothing to answer"));
        };
        let question = chat::find(&state.feed, job.project, question).await?;
        if question.deleted_us.is_some() {
            return Err(End::failed("no_question", "what was asked is deleted"));
        }
        let replied_to = match question.reply_to {
            Some(id) => Some(chat::find(&state.feed, job.project, id).await?),
            None => None,
        };
        self.right = Some(Right::of(answer, &question));
        self.may_go_on().await?;
        let personas = persona::of_project(state, job.project).await?;
        // Who has it given again may have chosen both anew.
        let choice = match &answer.to {
            Some(word) => persona::again(&personas, word),
            None => persona::choose(&personas, &question, replied_to.as_ref()),
        };
        let choice = choice.ok_or_else(|| End::failed("no_persona", "there is no such persona any more"))?;
        let named = answer.model.as_deref().or(question.model.as_deref()).or(choice.persona.model.as_deref());
        let model = state.models.find(named)?;
        // What the model's server calls it, where the settings do not say.
        model.model().await?;
        let payer = Payer { run: job.run, project: job.project, user: job.asker };
        self.account = Some(Account::new(state, payer));
        self.context = Some(Context::new(&choice, model.name(), model.context_tokens()));
        self.persona = Some(choice.persona.name.clone());
        let assistant = auth::assistant(&state.db).await?;
        match Presence::enter(state, job, &assistant, &choice.persona.name).await {
            Ok(presence) => self.presence = Some(presence),
            Err(error) => tracing::debug!(%error, "the assistant cannot be shown in the room"),
        }
        self.say("reading", None);
        self.begin().await?;
        self.applies = chat::conversation(&state.db, job.project, job.conversation).await?.applies;
        let desk = self.presence.as_ref().map(|presence| presence.desk(job.asker));
        let (fence, window) = (Fence::new(), Window::of(model.context_tokens()));
        let mut known = summary::find(&state.db, job.conversation).await?;
        let mut history = prompt::history(state, job, &question, known.as_ref(), &window).await?;
        if !history.left_out.is_empty() {
            let due = summary::due(&mut history);
            self.say("remembering", None);
            if let Some(summary) = self.summarise(model, &fence, known.as_ref(), &due).await? {
                // Of what was taken back while it was written nothing is said.
                let is_kept = summary::keep(&state.db, job, known.as_ref(), &due, &summary).await?;
                known = Some(summary).filter(|_| is_kept);
            }
        }
        let tools = (model.tools() != Some(false)).then(|| self.callable().1);
        let reading = Reading::new(state, job, &question, &fence, window, self.applies).await?;
        let mut prompt = reading.prompt(&choice, tools, desk.as_ref(), known.as_ref(), &history.said).await;
        if let Some(context) = &mut self.context {
            prompt.read.drain(..).for_each(|read| context.note(read));
        }
        self.rounds(model, &question, &fence, prompt).await
    }

    /// Whether who asked may still ask.
    pub(super) async fn may_go_on(&self) -> Result<(), End> {
        if let Some(right) = &self.right
            && right.holds(self.state, self.job.project).await?
        {
            return Ok(());
        }
        Err(End::failed("forbidden", "whoever asked may not edit any more"))
    }

    /// Tells that the answer begins, and waits until that was shown: nothing of its text is told before.
    async fn begin(&mut self) -> Result<(), End> {
        let (persona, details) = (self.persona.clone(), self.details(None));
        let streaming = Progress { persona, details, ..Progress::new(State::Streaming) };
        match chat::progress(&self.state.feed, self.job.project, self.job.answer, &streaming).await {
            Ok(_) => {}
            Err(Error::Conflict { .. }) => return Err(End::Stopped),
            Err(Error::NotFound) => return Err(End::Gone),
            Err(error) => return Err(error.into()),
        }
        match next_of(&mut self.follower, self.job).await {
            Word::Streaming => {
                self.state.feed.write(self.job.project, self.job.answer, "");
                Ok(())
            }
            Word::End(end) => Err(end),
        }
    }

    /// Takes in more of the text.
    pub(super) fn take(&mut self, text: &str) -> Result<(), End> {
        // What no database holds as text, and line ends of another kind.
        let text: String = text.chars().filter(|c| !matches!(c, '\0' | '\r')).collect();
        if self.unsaid.is_empty() {
            self.tell_at = self.tell_at.max(Instant::now());
        }
        let most = limits::ASSISTANT_ANSWER_BYTES.saturating_sub(self.body.len() + self.unsaid.len());
        self.unsaid.push_str(&text[..text.floor_char_boundary(most)]);
        if text.len() > most { Err(Fault::TooLong.into()) } else { Ok(()) }
    }

    /// Tells what was taken in, and now and then stores it.
    pub(super) async fn tell(&mut self) {
        if self.unsaid.is_empty() {
            return;
        }
        self.state.feed.write(self.job.project, self.job.answer, &self.unsaid);
        self.body.push_str(&std::mem::take(&mut self.unsaid));
        self.tell_at = Instant::now() + limits::ASSISTANT_TELL;
        if self.kept_at.elapsed() >= limits::ASSISTANT_KEEP {
            self.kept_at = Instant::now();
            if let Err(error) = chat::keep(&self.state.feed, self.job.answer, &self.body).await {
                tracing::debug!(answer = %self.job.answer, %error, "the text so far cannot be stored");
            }
        }
    }

    pub(super) fn say(&mut self, status: &str, file: Option<&str>) {
        if let Some(presence) = &mut self.presence {
            presence.say(status, file);
        }
    }

    /// Puts its caret into a file.
    pub(super) async fn go(&mut self, document: DocumentId, at: Option<(u64, u32)>) {
        if let Some(presence) = &mut self.presence {
            presence.go(self.state, document, at).await;
        }
    }

    /// What an answer has besides its text.
    fn details(&self, error: Option<Value>) -> Details {
        let mut details = Details::new();
        if let Some(context) = &self.context {
            details.insert("context".to_owned(), context.value());
        }
        if let Some(account) = &self.account {
            account.tell(&mut details);
        }
        if let Some(proposal) = &self.proposal {
            details.insert("proposal".to_owned(), json!(proposal));
        }
        if let Some(error) = error {
            details.insert("error".to_owned(), error);
        }
        details
    }

    /// The account, which there is once a model was found.
    pub(super) fn account(&mut self) -> Result<&mut Account<'a>, End> {
        self.account.as_mut().ok_or_else(|| End::failed("internal", "there is no model to ask"))
    }

    /// Stores how it ended, and what it took; again for a while if the database is away.
    async fn end(mut self, end: End) -> Result<()> {
        self.tell().await;
        self.say("done", None);
        let (job, state) = (self.job, self.state);
        if let Some(account) = &mut self.account {
            for _ in 0..limits::ASSISTANT_END_TRIES {
                let Err(error) = account.pay().await else { break };
                tracing::error!(answer = %job.answer, spent = ?account.spent(), %error, "what an answer took cannot be written down");
                sleep(limits::ASSISTANT_END_RETRY).await;
            }
        }
        let (to, error) = match end {
            End::Gone => {
                state.feed.written_down(job.answer);
                return Ok(());
            }
            End::Done if self.body.trim().is_empty() && self.proposal.is_none() && self.pictures.is_empty() => {
                let said = "the model said nothing; try again or ask in other words";
                (State::Failed, Some(json!({ "code": "model_said_nothing", "message": said })))
            }
            End::Done => (State::Done, None),
            End::Stopped => (State::Stopped, None),
            End::Failed(error) => (State::Failed, Some(error)),
        };
        let (persona, details) = (self.persona.take(), self.details(error));
        let (body, attachments) = (std::mem::take(&mut self.body), std::mem::take(&mut self.pictures));
        let progress = Progress { body, attachments, persona, details, ..Progress::new(to) };
        for _ in 0..limits::ASSISTANT_END_TRIES {
            let outcome = match chat::progress(&state.feed, job.project, job.answer, &progress).await {
                // Stopped as it came to its end.
                Err(Error::Conflict { .. }) => {
                    let stopped = Progress { state: State::Stopped, ..progress.clone() };
                    chat::progress(&state.feed, job.project, job.answer, &stopped).await
                }
                outcome => outcome,
            };
            match outcome {
                Ok(_) | Err(Error::NotFound | Error::Conflict { .. }) => break,
                Err(error) => {
                    tracing::warn!(answer = %job.answer, %error, "the end of an answer cannot be stored; trying again");
                    sleep(limits::ASSISTANT_END_RETRY).await;
                }
            }
        }
        state.feed.written_down(job.answer);
        Ok(())
    }
}
