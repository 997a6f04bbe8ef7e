//! The assistant among the people of a project's room: what it does now, in words.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Job;
use crate::auth::{self, User};
use crate::error::Result;
use crate::protocol::awareness;
use crate::room::machine::Input;
use crate::room::{Attachment, Bell, Subject};
use crate::state::Shared;
use crate::update::ClientId;

/// Its place in the room while it gives one answer. Dropped, it is given up a moment later.
pub(super) struct Presence {
    attachment: Attachment,
    client: ClientId,
    clock: u64,
    fixed: Map<String, Value>,
}

impl Presence {
    /// Comes into the project's room.
    pub(super) async fn enter(state: &Shared, job: &Job, user: &User, persona: &str) -> Result<Self> {
        let participant = auth::participant(&state.db, user).await?;
        let subject = Subject::Project(job.project);
        let attachment = state.rooms.join(subject, participant, false, Arc::new(Bell::default())).await?;
        let fixed = json!({ "conversation": job.conversation, "message": job.answer, "persona": persona });
        let fixed = fixed.as_object().cloned().unwrap_or_default();
        let client = ClientId(u64::from(rand::random::<u32>()));
        Ok(Self { attachment, client, clock: 0, fixed })
    }

    /// Tells what it does now; `file` is where.
    pub(super) fn say(&mut self, status: &str, file: Option<&str>) {
        let mut state = self.fixed.clone();
        state.insert("status".to_owned(), status.into());
        state.insert("file".to_owned(), file.into());
        self.tell(Some(&Value::Object(state).to_string()));
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

impl Drop for Presence {
    fn drop(&mut self) {
        self.tell(None);
    }
}
