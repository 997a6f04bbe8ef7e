//! The exchanges with a model for one answer: it is asked, what it calls for is carried out, and it is asked again.

use std::pin::pin;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};

use super::context::Fence;
use super::ends::{End, ended, refuses_tools, too_long};
use super::prompt::Budget;
use super::run::Run;
use super::{propose, summary, tokens, tools};
use crate::chat::{Attachment, Mention, Message};
use crate::document::{self, Document};
use crate::limits;
use crate::model::{Ask, Fault, Model, Piece, Speaker, ToolCall, Turn, Usage};

impl Run<'_> {
    /// Asks, carries out what is called for, and asks again, until nothing is called for.
    pub(super) async fn rounds(
        &mut self,
        model: &Model,
        question: &Message,
        mut turns: Vec<Turn>,
        fence: &Fence,
        budget: &Budget,
    ) -> Result<(), End> {
        for round in 1..=limits::ASSISTANT_ROUNDS {
            let taken: usize = turns.iter().map(|turn| tokens::count(&turn.content)).sum();
            let window = usize::try_from(model.context_tokens()).unwrap_or(usize::MAX);
            let room = window.saturating_sub(taken + usize::try_from(budget.answer).unwrap_or_default());
            let calls_for = model.tools() != Some(false) && round < limits::ASSISTANT_ROUNDS && room > budget.one;
            let ask = Ask {
                turns: turns.clone(),
                tools: if calls_for { [tools::all(), vec![propose::tool()]].concat() } else { Vec::new() },
                max_tokens: Some(self.account()?.answer_tokens(budget.answer)),
                ..Ask::default()
            };
            self.say(if round == 1 { "thinking" } else { "reading on" }, None);
            let before = self.body.len();
            let (_, calls) = match self.round(&ask, false).await {
                // Later it may be what was called for that is refused.
                Err(End::Failed(error))
                    if calls_for && round == 1 && self.body.len() == before && refuses_tools(&error) =>
                {
                    model.has_no_tools();
                    continue;
                }
                round => round?,
            };
            let said = self.body[before..].to_owned();
            if calls.is_empty() {
                turns.push(Turn::new(Speaker::Assistant, said));
                return self.propose_by_schema(model, question, turns, fence, budget).await;
            }
            turns.push(Turn::calling(said, calls.clone()));
            for call in &calls {
                self.may_go_on(question).await?;
                let result = self.carry_out(call, fence, budget).await;
                turns.push(Turn::result(call, result));
                self.interrupted()?;
            }
            if !self.body.is_empty() && !self.body.ends_with("\n\n") {
                self.take("\n\n")?;
            }
        }
        Err(End::failed("too_many_rounds", "it went round in circles and was ended; ask for less at once"))
    }

    /// Asks once, and tells what is said, unless it is for us alone. Answers that, and what is called for.
    async fn round(&mut self, ask: &Ask, aside: bool) -> Result<(String, Vec<ToolCall>), End> {
        let account = self.account()?;
        account.ask(ask.turns.iter().map(|turn| tokens::count(&turn.content)).sum())?;
        let model = account.model;
        let mut said = String::new();
        let outcome = self.exchange(model, ask, aside.then_some(&mut said)).await;
        self.tell().await;
        let account = self.account()?;
        match outcome {
            Ok((calls, usage)) => {
                account.add(usage);
                Ok((said, calls))
            }
            Err(end) => {
                account.break_off();
                Err(end)
            }
        }
    }

    async fn exchange(
        &mut self,
        model: &Model,
        ask: &Ask,
        mut aside: Option<&mut String>,
    ) -> Result<(Vec<ToolCall>, Option<Usage>), End> {
        let mut answer = {
            let mut asking = pin!(model.ask(ask));
            tokio::select! {
                answer = &mut asking => answer?,
                end = ended(&mut self.follower, self.job) => return Err(end),
                () = sleep_until(self.deadline) => return Err(too_long()),
            }
        };
        self.say(if aside.is_some() { "proposing" } else { "writing" }, None);
        let mut calls = Vec::new();
        loop {
            tokio::select! {
                biased;
                end = ended(&mut self.follower, self.job) => return Err(end),
                () = sleep_until(self.tell_at), if !self.unsaid.is_empty() => {
                    self.tell().await;
                    self.account()?.refuse_running_over()?;
                }
                piece = answer.next() => match piece {
                    Some(Ok(Piece::Text(text))) => match &mut aside {
                        None => self.take(&text)?,
                        Some(said) => {
                            self.account()?.write(text.len());
                            said.push_str(&text);
                        }
                    },
                    Some(Ok(Piece::Call(call))) => {
                        self.account()?.write(call.arguments.len());
                        calls.push(call);
                    }
                    Some(Ok(Piece::End(end))) => {
                        if end.cut && calls.is_empty() && aside.is_none() {
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

    /// Carries out what is called for, and answers what the model is told of it.
    async fn carry_out(&mut self, call: &ToolCall, fence: &Fence, budget: &Budget) -> String {
        if call.name == propose::TOOL {
            self.say("proposing", None);
            return match serde_json::from_str(&call.arguments) {
                Ok(wanted) => self.propose(wanted).await.unwrap_or_else(|said| said),
                Err(error) => format!("The arguments are not the JSON expected ({error}); call again."),
            };
        }
        let (status, file) = tools::status(call);
        self.say(&status, file.as_deref());
        let outcome = tools::call(self.state, self.job, fence, call, budget.one).await;
        if let (Some(context), Some(read)) = (&mut self.context, outcome.read) {
            context.note(read);
        }
        outcome.result
    }

    /// Makes a proposal of what is wanted; in words how that went.
    async fn propose(&mut self, wanted: propose::Wanted) -> Result<String, String> {
        if self.proposal.is_some() {
            return Err("There is a proposal of this answer already; people decide on it first.".to_owned());
        }
        let persona = self.context.as_ref().map(|context| context.persona_name().to_owned()).unwrap_or_default();
        let model = self.account.as_ref().map(|account| account.model.name().to_owned()).unwrap_or_default();
        match propose::make(self.state, self.job, self.context.as_ref(), &persona, &model, wanted).await {
            Ok(id) => {
                self.proposal = Some(id);
                Ok("The proposal is made; people decide on it. Nothing is changed yet.".to_owned())
            }
            Err(error) => Err(format!("No proposal was made: {}", error.public_message())),
        }
    }

    /// Has a model that calls no tools give its change as JSON, where the question asks for one and brings files along.
    async fn propose_by_schema(
        &mut self,
        model: &Model,
        question: &Message,
        mut turns: Vec<Turn>,
        fence: &Fence,
        budget: &Budget,
    ) -> Result<(), End> {
        if model.tools() != Some(false) || !propose::asks_for_change(&question.body) {
            return Ok(());
        }
        let files = self.brought_along(question).await?;
        let answer = self.account()?.answer_tokens(budget.answer);
        let asked = propose::schema_ask(self.state, &files, fence, answer, budget.one * 4).await?;
        let Some(asked) = asked else { return Ok(()) };
        if let Some(context) = &mut self.context {
            asked.texts.into_iter().for_each(|(document, text)| context.show(document, text));
        }
        self.may_go_on(question).await?;
        turns.push(Turn::new(Speaker::User, asked.said));
        let ask = Ask { turns, schema: Some(("change", asked.schema)), max_tokens: Some(answer), ..Ask::default() };
        let (said, _) = self.round(&ask, true).await?;
        let made = match propose::by_schema(&said) {
            Ok(wanted) => self.propose(wanted).await,
            Err(error) => Err(format!("No proposal was made: {}", error.public_message())),
        };
        if let Err(said) = made {
            self.take(&format!("\n\n*{said}*"))?;
        }
        Ok(())
    }

    /// The files that a question attaches, selects in or mentions.
    async fn brought_along(&self, question: &Message) -> Result<Vec<Document>, End> {
        let attached = question.attachments.iter().filter_map(|attachment| match attachment {
            Attachment::File { document_id }
            | Attachment::Selection { document_id, .. }
            | Attachment::Diagnostics { document_id, .. } => Some(*document_id),
            Attachment::Version { .. } | Attachment::Blob { .. } => None,
        });
        let mentioned = question.mentions.iter().filter_map(|mention| match mention {
            Mention::File { id, .. } => Some(*id),
            Mention::Person { .. } | Mention::Assistant | Mention::Name { .. } => None,
        });
        let mut wanted: Vec<_> = attached.chain(mentioned).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let all = document::all(&self.state.db, self.job.project).await?;
        Ok(all.into_iter().filter(|document| wanted.contains(&document.id)).collect())
    }

    /// Has what was said before told in short.
    pub(super) async fn summarise(
        &mut self,
        model: &Model,
        fence: &Fence,
        before: Option<&summary::Summary>,
        messages: &[Message],
    ) -> Result<Option<summary::Summary>, End> {
        let tokens = messages.iter().map(|message| tokens::count(&message.body)).sum();
        self.account()?.ask(tokens)?;
        let mut writing = pin!(summary::write(model, fence, before, messages));
        let (summary, usage) = tokio::select! {
            written = &mut writing => written?,
            end = ended(&mut self.follower, self.job) => return Err(end),
            () = sleep_until(self.deadline) => return Err(too_long()),
        };
        let account = self.account()?;
        account.write(summary.as_ref().map_or(0, |summary| summary.body.len()));
        account.add((usage != Usage::default()).then_some(usage));
        Ok(summary)
    }

    /// Whether it was ended meanwhile.
    fn interrupted(&mut self) -> Result<(), End> {
        if Instant::now() >= self.deadline {
            return Err(too_long());
        }
        match ended(&mut self.follower, self.job).now_or_never() {
            Some(end) => Err(end),
            None => Ok(()),
        }
    }
}
