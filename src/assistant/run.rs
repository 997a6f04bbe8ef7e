//! One answer, from its turn to its end: what it reads, what it says piece by piece, what it calls for, and how it ends.
//!
//! It follows the project's feed meanwhile: that it was stopped or deleted is heard there, whichever server it was said
//! to, and the request to the model is dropped at once.

use std::pin::pin;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::context::{Context, Fence};
use super::ends::{End, Heard, ended, next_of, refuses_tools, too_long};
use super::presence::Presence;
use super::prompt::{self, Budget};
use super::usage::{self, Allowance, Spent};
use super::{Assistant, Job, persona, sql, summary, tokens, tools};
use crate::auth;
use crate::chat::{self, Details, Message, Progress, State};
use crate::db::now_us;
use crate::error::{Error, Result};
use crate::feed::Follower;
use crate::limits;
use crate::model::{Ask, Fault, Model, Piece, ToolCall, Turn, Usage};
use crate::state::Shared;

/// Gives an answer.
pub(super) async fn give(assistant: Assistant, job: Job) {
    let Ok(_place) = assistant.0.places.acquire().await else { return };
    match carry_out(&assistant, &job).await {
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

async fn carry_out(assistant: &Assistant, job: &Job) -> Result<()> {
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
        assistant,
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
        allowance: None,
        model: None,
        usage: Usage::default(),
        estimated: false,
        written: 0,
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
struct Run<'a> {
    assistant: &'a Assistant,
    state: &'a Shared,
    job: &'a Job,
    follower: Follower,
    presence: Option<Presence>,
    /// What was told.
    body: String,
    /// What is to be told next.
    unsaid: String,
    tell_at: Instant,
    kept_at: Instant,
    deadline: Instant,
    context: Option<Context>,
    allowance: Option<Allowance>,
    model: Option<&'a Model>,
    /// What it took so far.
    usage: Usage,
    /// Whether some of that was not counted by the model's server.
    estimated: bool,
    /// Bytes that the model wrote in this round, calls included.
    written: usize,
}

impl Run<'_> {
    async fn speak(&mut self, answer: &Message) -> Result<(), End> {
        let (state, job) = (self.state, self.job);
        let Some(question) = answer.reply_to else {
            return Err(End::failed("no_question", "there is nothing to answer"));
        };
        let question = chat::find(&state.feed, job.project, question).await?;
        let replied_to = match question.reply_to {
            Some(id) => Some(chat::find(&state.feed, job.project, id).await?),
            None => None,
        };
        self.may_go_on(&question).await?;
        let personas = persona::of_project(state, job.project).await?;
        let choice = persona::choose(&personas, &question, replied_to.as_ref());
        let choice = choice.ok_or_else(|| End::failed("internal", "there is no persona"))?;
        let model = state.models.find(None)?;
        self.model = Some(model);
        let today = usage::day_of(now_us());
        let allowance = usage::allowance(&state.db, &state.config.ai, today, job.project, job.asker).await?;
        self.allowance = Some(allowance);
        self.refuse_used_up()?;
        // What the model's server calls it, where the settings do not say.
        model.model().await?;
        self.context = Some(Context::new(&choice, model.name(), model.context_tokens()));
        let assistant = auth::assistant(&state.db).await?;
        match Presence::enter(state, job, &assistant, &choice.persona.name).await {
            Ok(presence) => self.presence = Some(presence),
            Err(error) => tracing::debug!(%error, "the assistant cannot be shown in the room"),
        }
        self.say("reading", None);
        self.begin().await?;
        let fence = Fence::new();
        let budget = Budget::of(model.context_tokens());
        let mut known = summary::find(&state.db, job.conversation).await?;
        let mut history = prompt::history(state, job, &question, known.as_ref(), &budget).await?;
        if !history.left_out.is_empty() {
            let due = summary::due(&mut history);
            self.say("remembering", None);
            if let Some(summary) = self.summarise(model, &fence, known.as_ref(), &due).await? {
                summary::keep(&state.db, job, &summary).await?;
                known = Some(summary);
            }
        }
        let prompt =
            prompt::build(state, job, &question, &choice, &fence, &budget, known.as_ref(), &history.said).await?;
        if let Some(context) = &mut self.context {
            context.read = prompt.read;
        }
        self.rounds(model, &question, prompt.turns, &fence, &budget).await
    }

    /// Whether who asked may still ask: as an editor, by what they showed then.
    async fn may_go_on(&self, question: &Message) -> Result<(), End> {
        if question.author.id != self.job.asker {
            // Given again for somebody else, by their own right.
            let role = crate::access::role_of_user(&self.state.db, self.job.asker, self.job.project).await?;
            if role.is_some_and(|role| role.can_write()) {
                return Ok(());
            }
        } else if self.assistant.may_ask(self.job.project, question).await? {
            return Ok(());
        }
        Err(End::failed("forbidden", "whoever asked may not edit any more"))
    }

    /// Tells that the answer begins, and waits until that was shown: nothing of its text is told before.
    async fn begin(&mut self) -> Result<(), End> {
        let details = self.details(None);
        let streaming = Progress { body: String::new(), state: State::Streaming, details };
        match chat::progress(&self.state.feed, self.job.project, self.job.answer, &streaming).await {
            Ok(_) => {}
            Err(Error::Conflict { .. }) => return Err(End::Stopped),
            Err(Error::NotFound) => return Err(End::Gone),
            Err(error) => return Err(error.into()),
        }
        loop {
            match next_of(&mut self.follower, self.job).await {
                Heard::Streaming => return Ok(()),
                Heard::End(end) => return Err(end),
            }
        }
    }

    /// Asks, carries out what is called for, and asks again, until nothing is called for.
    async fn rounds(
        &mut self,
        model: &Model,
        question: &Message,
        mut turns: Vec<Turn>,
        fence: &Fence,
        budget: &Budget,
    ) -> Result<(), End> {
        for round in 1..=limits::ASSISTANT_ROUNDS {
            self.refuse_used_up()?;
            let taken: usize = turns.iter().map(|turn| tokens::count(&turn.content)).sum();
            let window = usize::try_from(model.context_tokens()).unwrap_or(usize::MAX);
            let room = window.saturating_sub(taken + usize::try_from(budget.answer).unwrap_or_default());
            let calls_for = model.tools() != Some(false) && round < limits::ASSISTANT_ROUNDS && room > budget.one;
            let ask = Ask {
                turns: turns.clone(),
                tools: if calls_for { tools::all() } else { Vec::new() },
                max_tokens: Some(self.answer_tokens(budget)),
                ..Ask::default()
            };
            self.say(if round == 1 { "thinking" } else { "reading on" }, None);
            let before = self.body.len();
            let calls = match self.round(model, &ask).await {
                Err(End::Failed(error)) if calls_for && self.body.len() == before && refuses_tools(&error) => {
                    model.has_no_tools();
                    continue;
                }
                calls => calls?,
            };
            if calls.is_empty() {
                return Ok(());
            }
            let said = self.body[before..].to_owned();
            turns.push(Turn::calling(said, calls.clone()));
            for call in &calls {
                self.may_go_on(question).await?;
                let (status, file) = tools::status(call);
                self.say(&status, file.as_deref());
                let outcome = tools::call(self.state, self.job, fence, call, budget.one).await;
                if let (Some(context), Some(read)) = (&mut self.context, outcome.read) {
                    context.read.push(read);
                }
                turns.push(Turn::result(call, outcome.result));
                self.interrupted()?;
            }
            if !self.body.is_empty() && !self.body.ends_with("\n\n") {
                self.take("\n\n")?;
            }
        }
        Err(End::failed("too_many_rounds", "it went round in circles and was ended; ask for less at once"))
    }

    /// Tokens that one answer may have, of what the budget leaves.
    fn answer_tokens(&self, budget: &Budget) -> u32 {
        let left = self.allowance.map_or(i64::MAX, |allowance| allowance.tokens_left(&self.spent()));
        u32::try_from(left).unwrap_or(u32::MAX).clamp(1, budget.answer)
    }

    /// Asks once, and tells what is said. Answers what is called for.
    async fn round(&mut self, model: &Model, ask: &Ask) -> Result<Vec<ToolCall>, End> {
        let prompt_tokens: usize = ask.turns.iter().map(|turn| tokens::count(&turn.content)).sum();
        self.written = 0;
        let outcome = self.exchange(model, ask, prompt_tokens).await;
        self.tell().await;
        let (calls, usage) = match outcome {
            Ok((calls, usage)) => (Ok(calls), usage),
            // A refusal costs nothing; what broke off has been paid for.
            Err(end) => (Err(end), (self.written > 0).then_some(None).flatten()),
        };
        if calls.is_ok() || self.written > 0 {
            self.count(usage, prompt_tokens);
        }
        calls
    }

    async fn exchange(
        &mut self,
        model: &Model,
        ask: &Ask,
        prompt_tokens: usize,
    ) -> Result<(Vec<ToolCall>, Option<Usage>), End> {
        let mut answer = {
            let mut asking = pin!(model.ask(ask));
            tokio::select! {
                answer = &mut asking => answer?,
                end = ended(&mut self.follower, self.job) => return Err(end),
                () = sleep_until(self.deadline) => return Err(too_long()),
            }
        };
        self.say("writing", None);
        let mut calls = Vec::new();
        loop {
            tokio::select! {
                biased;
                end = ended(&mut self.follower, self.job) => return Err(end),
                () = sleep_until(self.tell_at), if !self.unsaid.is_empty() => {
                    self.tell().await;
                    self.refuse_running_over(model, prompt_tokens)?;
                }
                piece = answer.next() => match piece {
                    Some(Ok(Piece::Text(text))) => self.take(&text)?,
                    Some(Ok(Piece::Call(call))) => {
                        self.written += call.arguments.len();
                        calls.push(call);
                    }
                    Some(Ok(Piece::End(end))) => {
                        if end.cut && calls.is_empty() {
                            self.take("\n\n…")?;
                        }
                        return Ok((calls, end.usage));
                    }
                    Some(Err(fault)) => return Err(fault.into()),
                    None => return Err(Fault::BrokeOff.into()),
                },
                () = sleep_until(self.deadline) => return Err(too_long()),
            }
        }
    }

    /// Takes in more of the text.
    fn take(&mut self, text: &str) -> Result<(), End> {
        // What no database holds as text, and line ends of another kind.
        let text: String = text.chars().filter(|c| !matches!(c, '\0' | '\r')).collect();
        self.written += text.len();
        if self.unsaid.is_empty() {
            self.tell_at = self.tell_at.max(Instant::now());
        }
        self.unsaid.push_str(&text);
        if self.body.len() + self.unsaid.len() > limits::ASSISTANT_ANSWER_BYTES {
            return Err(Fault::TooLong.into());
        }
        Ok(())
    }

    /// Tells what was taken in, and now and then stores it.
    async fn tell(&mut self) {
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

    async fn summarise(
        &mut self,
        model: &Model,
        fence: &Fence,
        before: Option<&summary::Summary>,
        messages: &[Message],
    ) -> Result<Option<summary::Summary>, End> {
        let mut writing = pin!(summary::write(model, fence, before, messages));
        let (summary, usage) = tokio::select! {
            written = &mut writing => written?,
            end = ended(&mut self.follower, self.job) => return Err(end),
            () = sleep_until(self.deadline) => return Err(too_long()),
        };
        let prompt: usize = messages.iter().map(|message| tokens::count(&message.body)).sum();
        self.written = summary.as_ref().map_or(0, |summary| summary.body.len());
        self.count((usage != Usage::default()).then_some(usage), prompt);
        Ok(summary)
    }

    /// Adds what a round took.
    fn count(&mut self, usage: Option<Usage>, prompt_tokens: usize) {
        let round = usage.unwrap_or_else(|| {
            self.estimated = true;
            let number = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
            let (prompt, completion) = (number(prompt_tokens), number(self.written.div_ceil(3)));
            Usage { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
        });
        self.usage.prompt_tokens += round.prompt_tokens;
        self.usage.completion_tokens += round.completion_tokens;
        self.usage.total_tokens = self.usage.prompt_tokens + self.usage.completion_tokens;
        self.written = 0;
    }

    fn spent(&self) -> Spent {
        self.model.map(|model| Spent::of(model, self.usage)).unwrap_or_default()
    }

    fn refuse_used_up(&self) -> Result<(), End> {
        match self.allowance {
            Some(allowance) if allowance.is_used_up(&self.spent()) => {
                Err(End::failed("budget_used_up", &allowance.said()))
            }
            _ => Ok(()),
        }
    }

    /// Ends what uses up the budget in its middle.
    fn refuse_running_over(&self, model: &Model, prompt_tokens: usize) -> Result<(), End> {
        let Some(allowance) = self.allowance else { return Ok(()) };
        let number = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
        let usage = Usage {
            prompt_tokens: self.usage.prompt_tokens + number(prompt_tokens),
            completion_tokens: self.usage.completion_tokens + number(self.written.div_ceil(3)),
            total_tokens: 0,
        };
        if allowance.is_used_up(&Spent::of(model, usage)) {
            return Err(End::failed("budget_used_up", &allowance.said()));
        }
        Ok(())
    }

    /// Whether it was ended meanwhile.
    fn interrupted(&mut self) -> Result<(), End> {
        if Instant::now() >= self.deadline {
            return Err(too_long());
        }
        match futures_util::FutureExt::now_or_never(ended(&mut self.follower, self.job)) {
            Some(end) => Err(end),
            None => Ok(()),
        }
    }

    fn say(&mut self, status: &str, file: Option<&str>) {
        if let Some(presence) = &mut self.presence {
            presence.say(status, file);
        }
    }

    /// What an answer has besides its text.
    fn details(&self, error: Option<Value>) -> Details {
        let mut details = Details::new();
        if let Some(context) = &self.context {
            details.insert("context".to_owned(), context.value());
        }
        if let (Some(model), true) = (self.model, self.usage != Usage::default()) {
            let Usage { prompt_tokens, completion_tokens, total_tokens } = self.usage;
            let mut usage = json!({
                "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total_tokens,
            });
            if self.estimated {
                usage["estimated"] = true.into();
            }
            details.insert("usage".to_owned(), usage);
            let cost = Spent::of(model, self.usage).cost_micros.map(usage::dollars);
            details.insert("cost".to_owned(), json!(cost));
        }
        if let Some(error) = error {
            details.insert("error".to_owned(), error);
        }
        details
    }

    /// Stores how it ended, and what it took; again for a while if the database is away.
    async fn end(mut self, end: End) -> Result<()> {
        self.tell().await;
        self.say("done", None);
        let (job, state) = (self.job, self.state);
        let spent = self.spent();
        if let (Some(model), true) = (self.model, spent != Spent { cost_micros: spent.cost_micros, ..Spent::default() })
        {
            let (day, name) = (usage::day_of(now_us()), model.name());
            if let Err(error) = sql::add_usage(&state.db, job.project, day, job.asker, name, &spent).await {
                tracing::error!(answer = %job.answer, ?spent, %error, "what an answer took cannot be written down");
            }
        }
        let (to, error) = match end {
            End::Gone => {
                state.feed.written_down(job.answer);
                return Ok(());
            }
            End::Done if self.body.trim().is_empty() => {
                let said = "the model said nothing; try again or ask in other words";
                (State::Failed, Some(json!({ "code": "model_said_nothing", "message": said })))
            }
            End::Done => (State::Done, None),
            End::Stopped => (State::Stopped, None),
            End::Failed(error) => (State::Failed, Some(error)),
        };
        let progress = Progress { details: self.details(error), body: std::mem::take(&mut self.body), state: to };
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
