//! The exchanges with a model for one answer: it is asked, what it calls for is carried out, and it is asked again.

use std::pin::pin;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};

use super::context::{Fence, Read};
use super::ends::{End, ended, refuses_tools, too_long};
use super::prompt::{self, TURN, told};
use super::run::Run;
use super::window::Window;
use super::{picture, propose, summary, tokens, tools};
use crate::chat::{Attachment, Mention, Message};
use crate::document::{self, Document};
use crate::error::Error;
use crate::ids::ProposalId;
use crate::model::{Answer, Ask, Fault, Model, Piece, Speaker, Tool, ToolCall, Turn, Usage};
use crate::{auth, limits, proposal};

/// What one call takes when the model is told of it again.
fn echo(call: &ToolCall) -> usize {
    tokens::count(&call.name) + tokens::count(&call.arguments) + tokens::count(&call.id) * 2 + 2 * TURN
}

/// A call as the model is told of it again: many servers refuse what is no JSON, also where they sent it themselves.
fn sound(call: &ToolCall) -> ToolCall {
    let is_sound = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&call.arguments).is_ok();
    let arguments = if is_sound { call.arguments.clone() } else { "{}".to_owned() };
    ToolCall { arguments, ..call.clone() }
}

impl<'a> Run<'a> {
    /// What a model may call for, and how many tokens it takes to say so.
    pub(super) fn callable(&self) -> (Vec<Tool>, usize) {
        let mut tools = tools::all();
        tools.push(propose::tool(self.applies));
        if self.state.models.painter(None).is_ok() {
            tools.push(picture::tool());
        }
        let said = |tool: &Tool| tool.name.len() + tool.description.len() + tool.parameters.to_string().len();
        let bytes: usize = tools.iter().map(said).sum();
        let tokens = tokens::of_bytes(bytes) + tools.len() * TURN;
        (tools, tokens)
    }

    /// Asks, carries out what is called for, and asks again, until nothing is called for.
    pub(super) async fn rounds(
        &mut self,
        model: &'a Model,
        question: &Message,
        fence: &Fence,
        prompt: prompt::Prompt,
    ) -> Result<(), End> {
        let (mut window, mut turns, mut calls_for) = (prompt.window, prompt.turns, prompt.calls);
        let mut round = 0;
        while round < limits::ASSISTANT_ROUNDS {
            round += 1;
            calls_for &= round < limits::ASSISTANT_ROUNDS && window.left() > window.one();
            let mut ask = Ask {
                turns,
                tools: if calls_for { self.callable().0 } else { Vec::new() },
                max_tokens: Some(window.answer),
                ..Ask::default()
            };
            self.say(if round == 1 { "thinking" } else { "reading on" }, None);
            let before = self.body.len();
            let outcome = self.round(model, &mut ask, window.taken(), None).await;
            turns = ask.turns;
            let (_, calls) = match outcome {
                // Later it may be what was called for that is refused.
                Err(End::Failed(error))
                    if calls_for && round == 1 && self.body.len() == before && refuses_tools(&error) =>
                {
                    model.has_no_tools();
                    calls_for = false;
                    continue;
                }
                outcome => outcome?,
            };
            let said = self.body[before..].to_owned();
            if calls.is_empty() {
                window.take(tokens::count(&said) + TURN);
                turns.push(Turn::new(Speaker::Assistant, said));
                return self.propose_by_schema(model, question, turns, fence, window).await;
            }
            self.carry_out_all(fence, &mut window, (said, calls), &mut turns).await?;
            if !self.body.is_empty() && !self.body.ends_with("\n\n") {
                self.take("\n\n")?;
            }
        }
        Err(End::failed("too_many_rounds", "it went round in circles and was ended; ask for less at once"))
    }

    /// Carries out what is called for, as much of it as the window has room for, and notes what the model is told of it.
    async fn carry_out_all(
        &mut self,
        fence: &Fence,
        window: &mut Window,
        (said, mut calls): (String, Vec<ToolCall>),
        turns: &mut Vec<Turn>,
    ) -> Result<(), End> {
        window.take(tokens::count(&said) + TURN);
        let mut room = window.left();
        let fit = calls.iter().take_while(|call| {
            let least = echo(&sound(call)) + limits::ASSISTANT_LEAST_RESULT;
            let fits = least <= room;
            room = room.saturating_sub(least);
            fits
        });
        let fit = fit.count();
        let left_out = calls.len() - fit;
        calls.truncate(fit);
        if calls.is_empty() {
            return Err(End::failed("window_full", "there is no room left to read on; ask about less at once"));
        }
        for call in &calls {
            window.take(echo(&sound(call)));
        }
        turns.push(Turn::calling(said, calls.iter().map(sound).collect()));
        for (at, call) in calls.iter().enumerate() {
            self.may_go_on().await?;
            let share = window.one().min(window.left() / (calls.len() - at));
            let mut result = self.carry_out(call, fence, Window::part(share)).await?;
            if left_out > 0 && at + 1 == calls.len() {
                result.push_str(&format!("\n({left_out} more calls were left out: there is no room for them.)"));
            }
            let (result, _) = tokens::cut(&result, share);
            window.take(tokens::count(result));
            turns.push(Turn::result(call, result));
            self.interrupted()?;
        }
        Ok(())
    }

    /// Asks once, after what that may take was set aside. What is said is told, unless it is for us alone; then `aside`
    /// says what it is for. Answers that, and what is called for.
    async fn round(
        &mut self,
        model: &'a Model,
        ask: &mut Ask,
        tokens: usize,
        aside: Option<&str>,
    ) -> Result<(String, Vec<ToolCall>), End> {
        let most = ask.max_tokens.unwrap_or(limits::ASSISTANT_ANSWER_TOKENS);
        ask.max_tokens = Some(self.account()?.ask(model, tokens, most).await?);
        let mut said = String::new();
        let outcome = self.exchange(model, ask, aside.map(|doing| (doing, &mut said))).await;
        self.tell().await;
        let account = self.account()?;
        match outcome {
            Ok((calls, usage)) => {
                account.add(usage).await?;
                Ok((said, calls))
            }
            Err((end, was_asked)) => {
                account.break_off(was_asked).await?;
                Err(end)
            }
        }
    }

    /// One request and its answer. An end before that says whether the model was asked.
    async fn exchange(
        &mut self,
        model: &Model,
        ask: &Ask,
        aside: Option<(&str, &mut String)>,
    ) -> Result<(Vec<ToolCall>, Option<Usage>), (End, bool)> {
        let mut answer = {
            let mut asking = pin!(model.ask(ask));
            tokio::select! {
                answer = &mut asking => answer.map_err(|fault| (End::from(fault.clone()), !fault.costs_nothing()))?,
                end = ended(&mut self.follower, self.job) => return Err((end, true)),
                () = sleep_until(self.deadline) => return Err((too_long(), true)),
            }
        };
        let heard = self.hear(&mut answer, aside).await;
        if let Some(account) = &mut self.account {
            // Calls that are not whole are in it.
            account.written = answer.bytes();
        }
        heard.map_err(|end| (end, true))
    }

    /// Hears an answer to its end.
    async fn hear(
        &mut self,
        answer: &mut Answer,
        mut aside: Option<(&str, &mut String)>,
    ) -> Result<(Vec<ToolCall>, Option<Usage>), End> {
        let doing = aside.as_ref().map_or("writing", |(doing, _)| doing).to_owned();
        self.say(&doing, None);
        let mut calls = Vec::new();
        let mut count_at = Instant::now() + limits::ASSISTANT_COUNT;
        loop {
            tokio::select! {
                biased;
                end = ended(&mut self.follower, self.job) => return Err(end),
                () = sleep_until(self.tell_at), if !self.unsaid.is_empty() => self.tell().await,
                () = sleep_until(count_at) => {
                    count_at = Instant::now() + limits::ASSISTANT_COUNT;
                    self.account()?.wrote(answer.bytes()).await?;
                }
                piece = answer.next() => match piece {
                    Some(Ok(Piece::Text(text))) => match &mut aside {
                        None => self.take(&text)?,
                        Some((_, said)) => said.push_str(&text),
                    },
                    Some(Ok(Piece::Call(call))) => calls.push(call),
                    Some(Ok(Piece::End(end))) => {
                        if end.cut && calls.is_empty() {
                            self.account()?.refuse_cut()?;
                            if aside.is_none() {
                                self.take("\n\n…")?;
                            }
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
    async fn carry_out(&mut self, call: &ToolCall, fence: &Fence, window: Window) -> Result<String, End> {
        let not_json =
            |error: serde_json::Error| format!("The arguments are not the JSON expected ({error}); call again.");
        if call.name == propose::TOOL {
            self.say("proposing", None);
            return Ok(match serde_json::from_str(tools::arguments(call)) {
                Ok(proposed) => self.propose(proposed).await.unwrap_or_else(|said| said),
                Err(error) => not_json(error),
            });
        }
        if call.name == picture::TOOL {
            return match serde_json::from_str(tools::arguments(call)) {
                Ok(wanted) => self.picture(&wanted).await,
                Err(error) => Ok(not_json(error)),
            };
        }
        let (status, file) = tools::status(call);
        self.say(&status, file.as_deref());
        let reader = tools::Reader { state: self.state, job: self.job, fence, window };
        let outcome = reader.call(call).await;
        if let Some(document) = outcome.read.as_ref().and_then(Read::document) {
            self.go(document, None).await;
        }
        if let (Some(context), Some(read)) = (&mut self.context, outcome.read) {
            context.note(read);
        }
        Ok(outcome.result)
    }

    /// Has a picture made and attaches it; in words how that went.
    async fn picture(&mut self, wanted: &picture::Wanted) -> Result<String, End> {
        let (state, job) = (self.state, self.job);
        if self.pictures.len() >= limits::ASSISTANT_PICTURES {
            return Ok(format!("One answer has at most {} pictures.", limits::ASSISTANT_PICTURES));
        }
        let not_made = |why: &str| format!("No picture was made: {why}.");
        let painter = match state.models.painter(None) {
            Ok(painter) => painter,
            Err(fault) => return Ok(not_made(&fault.to_string())),
        };
        let brief = match wanted.brief() {
            Ok(brief) => brief,
            Err(error) => return Ok(not_made(&error.public_message())),
        };
        if let Err(error) = picture::has_room(state, job.project).await {
            return Ok(not_made(&error.public_message()));
        }
        self.say("making a picture", None);
        match picture::hold(self.account()?, painter, &brief).await {
            Ok(()) => {}
            // There may be enough left for words.
            Err(End::Failed(error)) if error["code"] == "budget_used_up" => {
                return Ok(not_made(error["message"].as_str().unwrap_or_default()));
            }
            Err(end) => return Err(end),
        }
        let (outcome, end) = tokio::select! {
            outcome = painter.picture(&brief) => (outcome, None),
            end = ended(&mut self.follower, job) => (Err(Fault::BrokeOff), Some(end)),
            () = sleep_until(self.deadline) => (Err(Fault::BrokeOff), Some(too_long())),
        };
        let counted = outcome.as_ref().map(|picture| picture.usage);
        picture::settle(self.account()?, counted).await?;
        if let Some(end) = end {
            return Err(end);
        }
        let made = match outcome {
            Ok(picture) => picture,
            Err(fault) => return Ok(not_made(&fault.to_string())),
        };
        self.may_go_on().await?;
        match picture::keep(state, job.project, auth::ASSISTANT, brief.prompt, made.bytes).await {
            Ok(blob) => {
                let (hash, name) = (blob.hash().to_string(), Some(blob.name().to_owned()));
                self.pictures.push(Attachment::Blob { hash, name });
                Ok("The picture is made and attached to your answer; people see it there.".to_owned())
            }
            Err(error) => Ok(not_made(&error.public_message())),
        }
    }

    /// Makes a proposal of what is wanted; in words how that went.
    async fn propose(&mut self, proposed: propose::Proposed) -> Result<String, String> {
        if self.proposal.is_some() {
            return Err("There is a proposal of this answer already; people decide on it first.".to_owned());
        }
        let Some(context) = &self.context else { return Err("Nothing was read yet.".to_owned()) };
        match propose::make(self.state, self.job, context, proposed).await {
            Ok(made) => {
                let id = made.id();
                self.proposal = Some(id);
                if let Some((document, at)) = made.place() {
                    self.go(document, at).await;
                }
                if self.applies {
                    return Ok(self.apply(id).await);
                }
                Ok("The proposal is made; people decide on it. Nothing is changed yet.".to_owned())
            }
            Err(error) => Err(format!("No proposal was made: {}", error.public_message())),
        }
    }

    /// Applies a proposal at once, by the right of who asked; in words how that went. What was applied may be undone as a
    /// whole, which leaves what others did since.
    async fn apply(&mut self, id: ProposalId) -> String {
        let applied = async {
            self.may_go_on().await.map_err(|_| Error::Forbidden("whoever asked may not edit any more"))?;
            let by = auth::participant_of(&self.state.db, self.job.asker).await?;
            proposal::accept(self.state, self.job.project, &by, id, None).await
        };
        match applied.await {
            Ok(_) => "The proposal is made and was applied at once; people may undo it.".to_owned(),
            Err(error) => format!("The proposal is made but could not be applied: {}", error.public_message()),
        }
    }

    /// Has a model that calls no tools give its change as JSON, where the question asks for one and brings files along.
    async fn propose_by_schema(
        &mut self,
        model: &'a Model,
        question: &Message,
        mut turns: Vec<Turn>,
        fence: &Fence,
        mut window: Window,
    ) -> Result<(), End> {
        if model.tools() != Some(false) || !propose::asks_for_change(&question.body) {
            return Ok(());
        }
        let files = self.brought_along(question).await?;
        let most = window.left().min(window.one() * 4);
        let room = (window.answer, most);
        let Some(asked) = propose::schema_ask(self.state, &question.body, &files, fence, room).await? else {
            return Ok(());
        };
        if let Some(context) = &mut self.context {
            asked.texts.into_iter().for_each(|(document, text)| context.show(document, text));
        }
        self.may_go_on().await?;
        window.take(tokens::count(&asked.said) + TURN);
        turns.push(Turn::new(Speaker::User, asked.said));
        let schema = Some(("change", asked.schema));
        let mut ask = Ask { turns, schema, max_tokens: Some(window.answer), ..Ask::default() };
        let (said, _) = self.round(model, &mut ask, window.taken(), Some("proposing")).await?;
        let made = match propose::by_schema(&said) {
            Ok(proposed) => self.propose(proposed).await,
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

    /// Has what was said before told in short: as many messages at once as the model can read, each time with what it wrote
    /// the time before. `None` where it says nothing.
    pub(super) async fn summarise(
        &mut self,
        model: &'a Model,
        fence: &Fence,
        before: Option<&summary::Summary>,
        messages: &[Message],
    ) -> Result<Option<summary::Summary>, End> {
        let room = usize::try_from(model.context_tokens() / 2).unwrap_or(usize::MAX);
        let mut known = before.cloned();
        for part in summary::parts(messages, room) {
            let mut ask = summary::ask(fence, known.as_ref(), part, room);
            let tokens = told(&ask.turns);
            let (said, _) = self.round(model, &mut ask, tokens, Some("remembering")).await?;
            known = summary::of(&said, known.as_ref(), part, model.name()).or(known);
        }
        Ok(known.filter(|known| Some(known) != before))
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
