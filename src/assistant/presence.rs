//! The assistant among the people of a project's room: what it does now, in words.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Job;
use crate::auth::{self, User};
use crate::error::Result;
use crate::ids::{DocumentId, UserId};
use crate::journal::CONTENT;
use crate::limits;
use crate::protocol::{ClientMessage, awareness, yjs};
use crate::replica::{Caret, Part};
use crate::room::machine::Input;
use crate::room::{Attachment, Bell, Outgoing, Participant, Subject};
use crate::state::Shared;
use crate::update::ClientId;

/// Its places in rooms while it gives one answer: that of the project, and that of the file it works in.
pub(super) struct Presence {
    here: Place,
    participant: Participant,
    /// Where its caret is.
    caret: Option<(DocumentId, Place)>,
    fixed: Map<String, Value>,
    /// What others say of themselves, as it was told on the way in.
    others: Vec<Value>,
}

/// A place in one room. Dropped, it is given up a moment later.
struct Place {
    attachment: Attachment,
    client: ClientId,
    clock: u64,
}

impl Place {
    /// Comes into a room; answers what is told there on the way in.
    async fn enter(state: &Shared, participant: &Participant, subject: Subject) -> Result<(Self, Vec<Outgoing>)> {
        let bell = Arc::new(Bell::default());
        let mut attachment = state.rooms.join(subject, participant.clone(), false, bell).await?;
        let mut shown = Vec::new();
        attachment.drain(&mut shown);
        let client = ClientId(u64::from(rand::random::<u32>()));
        Ok((Self { attachment, client, clock: 0 }, shown))
    }

    fn tell(&mut self, state: Option<&str>) {
        self.clock += 1;
        let entry = awareness::Entry { client: self.client, clock: self.clock, state };
        let update = Bytes::from(awareness::encode(std::iter::once(entry)));
        let room = self.attachment.room().clone();
        // A room with no place just now does without this word.
        let _ = room.try_send(Input::Awareness(self.attachment.connection(), update));
        // Nothing that the room shows is of use here.
        let mut shown = Vec::new();
        self.attachment.drain(&mut shown);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tell(None);
    }
}

impl Presence {
    /// Comes into the project's room.
    pub(super) async fn enter(state: &Shared, job: &Job, user: &User, persona: &str) -> Result<Self> {
        let participant = auth::participant(&state.db, user).await?;
        let (here, shown) = Place::enter(state, &participant, Subject::Project(job.project)).await?;
        let others = shown.iter().flat_map(states).collect();
        let fixed = json!({ "conversation": job.conversation, "message": job.answer, "persona": persona });
        let fixed = fixed.as_object().cloned().unwrap_or_default();
        Ok(Self { here, participant, caret: None, fixed, others })
    }

    /// Puts its caret into a file: at a unit of its text, or at its beginning.
    pub(super) async fn go(&mut self, state: &Shared, document: DocumentId, at: Option<(u64, u32)>) {
        if self.caret.as_ref().is_none_or(|(there, _)| *there != document) {
            match Place::enter(state, &self.participant, Subject::Document(document)).await {
                Ok((place, _)) => self.caret = Some((document, place)),
                Err(error) => tracing::debug!(%document, %error, "the assistant cannot be shown in a file"),
            }
        }
        let Some((_, place)) = self.caret.as_mut().filter(|(there, _)| *there == document) else { return };
        // A relative position, as Yjs writes it.
        let position = match at {
            Some((client, clock)) => {
                json!({ "type": null, "tname": null, "item": { "client": client, "clock": clock }, "assoc": 0 })
            }
            None => json!({ "type": null, "tname": CONTENT, "item": null, "assoc": -1 }),
        };
        place.tell(Some(&json!({ "cursor": { "anchor": position, "head": position } }).to_string()));
    }

    /// What somebody has before them, as their client tells it in the project's room.
    pub(super) fn desk(&self, user: UserId) -> Desk {
        let theirs = self.others.iter().filter(|state| is_of(state, user));
        let mut files: Vec<String> = theirs.filter_map(|state| state["file"].as_str().map(str::to_owned)).collect();
        files.dedup();
        files.truncate(limits::ASSISTANT_OPEN_FILES);
        Desk { user, files, visitor: self.participant.clone() }
    }

    /// Tells what it does now; `file` is where.
    pub(super) fn say(&mut self, status: &str, file: Option<&str>) {
        let mut state = self.fixed.clone();
        state.insert("status".to_owned(), status.into());
        state.insert("file".to_owned(), file.into());
        self.here.tell(Some(&Value::Object(state).to_string()));
    }
}

/// What somebody has before them.
pub(super) struct Desk {
    user: UserId,
    /// The files that are open, by path or id as their client says it.
    pub(super) files: Vec<String>,
    /// As whom it is looked at.
    visitor: Participant,
}

impl Desk {
    /// What they have selected in a file, as their client tells it in its room; `None` where that is but a caret.
    pub(super) async fn selected(&self, state: &Shared, document: DocumentId) -> Option<Part> {
        let (_place, shown) = match Place::enter(state, &self.visitor, Subject::Document(document)).await {
            Ok(entered) => entered,
            Err(error) => {
                tracing::debug!(%document, %error, "it cannot be looked at what is selected in a file");
                return None;
            }
        };
        let mut theirs = shown.iter().flat_map(states).filter(|state| is_of(state, self.user));
        theirs.find_map(|state| selection(&state["cursor"]))
    }
}

fn is_of(state: &Value, user: UserId) -> bool {
    state["user"]["id"] == json!(user)
}

/// The part of a text between two relative positions, as Yjs writes them.
fn selection(cursor: &Value) -> Option<Part> {
    let (anchor, head) = (caret(&cursor["anchor"])?, caret(&cursor["head"])?);
    (anchor != head).then_some(Part::Between(anchor, head))
}

fn caret(position: &Value) -> Option<Caret> {
    let is_behind = position["assoc"].as_i64().is_some_and(|assoc| assoc < 0);
    let item = &position["item"];
    if let (Some(client), Some(clock)) = (item["client"].as_u64(), item["clock"].as_u64()) {
        let unit = (client, u32::try_from(clock).ok()?);
        return Some(if is_behind { Caret::Behind(unit) } else { Caret::Before(unit) });
    }
    let is_whole = item.is_null() && position["tname"] == CONTENT;
    is_whole.then_some(if is_behind { Caret::Start } else { Caret::End })
}

/// The states that a message tells, if it tells any.
fn states(outgoing: &Outgoing) -> Vec<Value> {
    let Outgoing::Message(message) = outgoing else { return Vec::new() };
    let told = yjs::decode(message).unwrap_or_default().into_iter();
    let bodies = told.filter_map(|message| match message {
        ClientMessage::Awareness(body) => Some(body),
        _ => None,
    });
    let mut states = Vec::new();
    for body in bodies {
        let entries = awareness::decode(&body).unwrap_or_default();
        states.extend(entries.iter().filter_map(|entry| serde_json::from_str(entry.state?).ok()));
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_two_places_that_differ() {
        let at =
            |clock: u64| json!({ "type": null, "tname": null, "item": { "client": 7, "clock": clock }, "assoc": 0 });
        let of = |anchor: Value, head: Value| selection(&json!({ "anchor": anchor, "head": head }));
        assert_eq!(of(at(1), at(3)), Some(Part::Between(Caret::Before((7, 1)), Caret::Before((7, 3)))));
        assert_eq!(
            of(at(3), json!({ "tname": "content", "assoc": 0 })),
            Some(Part::Between(Caret::Before((7, 3)), Caret::End))
        );
        assert_eq!(of(at(3), at(3)), None);
        for bad in
            [json!(null), json!({}), json!({ "tname": "other" }), json!({ "item": { "client": -1, "clock": 1 } })]
        {
            assert_eq!(of(at(1), bad.clone()), None, "{bad}");
        }
        assert_eq!(selection(&json!(null)), None);
    }
}
