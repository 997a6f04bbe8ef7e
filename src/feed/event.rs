//! What can happen in a project, by stable names; and what is told only to those who are there.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::{ConversationId, DocumentId, MessageId, ProposalId, SessionId, UserId};
use crate::role::Role;

/// Somebody an event tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The principal.
    pub id: UserId,
    /// Their name at that time.
    pub name: String,
}

/// What happened. The names and fields are part of the API: fields may be added, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[allow(missing_docs, reason = "the names say it; PROTOCOL.md explains those that need words")]
pub enum Event {
    #[serde(rename = "file.created")]
    FileCreated { document_id: DocumentId, path: String },
    #[serde(rename = "file.renamed")]
    FileRenamed { document_id: DocumentId, from: String, path: String },
    #[serde(rename = "file.deleted")]
    FileDeleted { document_id: DocumentId, path: String },
    /// Written as a whole, by a program or a change of many documents; what people type is not told here.
    #[serde(rename = "file.changed")]
    FileChanged { document_id: DocumentId, path: String, head: i64 },
    #[serde(rename = "project.changed")]
    ProjectChanged { name: String, description: String, visibility: String },
    #[serde(rename = "member.added")]
    MemberAdded { user: Person, role: Role },
    #[serde(rename = "member.changed")]
    MemberChanged { user: Person, role: Role, was: Role },
    /// Removed by somebody else, or gone of their own accord: then they are the actor.
    #[serde(rename = "member.removed")]
    MemberRemoved { user: Person },
    #[serde(rename = "person.joined")]
    PersonJoined { user: Person, session_id: SessionId },
    #[serde(rename = "person.left")]
    PersonLeft { user: Person, session_id: SessionId },
    #[serde(rename = "blob.added")]
    BlobAdded { hash: String, name: String, size: i64 },
    #[serde(rename = "blob.deleted")]
    BlobDeleted { hash: String, name: String },
    #[serde(rename = "conversation.created")]
    ConversationCreated { id: ConversationId, title: String },
    /// A null title is that of the first one.
    #[serde(rename = "conversation.changed")]
    ConversationChanged {
        id: ConversationId,
        title: Option<String>,
        answers: String,
        #[serde(default)]
        applies: bool,
    },
    /// The message as the API tells it.
    #[serde(rename = "message.created")]
    MessageCreated { id: MessageId, conversation: ConversationId, message: Value },
    #[serde(rename = "message.updated")]
    MessageUpdated { id: MessageId, conversation: ConversationId, message: Value },
    /// An answer of the assistant has come to its end, whichever.
    #[serde(rename = "message.completed")]
    MessageCompleted { id: MessageId, conversation: ConversationId, message: Value },
    /// What the log said of its text before is taken out.
    #[serde(rename = "message.deleted")]
    MessageDeleted { id: MessageId, conversation: ConversationId },
    /// The summary as it was; hunks are named by their numbers.
    #[serde(rename = "proposal.opened")]
    ProposalOpened { proposal_id: ProposalId, summary: String, hunks: usize },
    /// Put in other words, these hunks among them.
    #[serde(rename = "proposal.updated")]
    ProposalUpdated { proposal_id: ProposalId, summary: String, hunks: Vec<i64>, state: String },
    #[serde(rename = "proposal.accepted")]
    ProposalAccepted { proposal_id: ProposalId, summary: String, hunks: Vec<i64>, state: String },
    #[serde(rename = "proposal.rejected")]
    ProposalRejected { proposal_id: ProposalId, summary: String, hunks: Vec<i64>, state: String },
    #[serde(rename = "proposal.undone")]
    ProposalUndone { proposal_id: ProposalId, summary: String, hunks: Vec<i64>, state: String },
    /// Not applied, since what these hunks were made from has changed.
    #[serde(rename = "proposal.stale")]
    ProposalStale { proposal_id: ProposalId, summary: String, hunks: Vec<i64>, state: String },
    /// 1 for it, -1 against it, 0 for a vote taken back.
    #[serde(rename = "proposal.voted")]
    ProposalVoted { proposal_id: ProposalId, value: i64 },
    /// Deleted for everybody; its owners may restore it for a while.
    #[serde(rename = "project.deleted")]
    ProjectDeleted {},
    #[serde(rename = "project.restored")]
    ProjectRestored {},
}

impl Event {
    /// What it is about: a document, a message, a person. Events about the same thing are found by this.
    #[must_use]
    pub fn subject(&self) -> Option<Uuid> {
        match self {
            Self::FileCreated { document_id, .. }
            | Self::FileRenamed { document_id, .. }
            | Self::FileDeleted { document_id, .. }
            | Self::FileChanged { document_id, .. } => Some(document_id.0),
            Self::MessageCreated { id, .. }
            | Self::MessageUpdated { id, .. }
            | Self::MessageCompleted { id, .. }
            | Self::MessageDeleted { id, .. } => Some(id.0),
            Self::ConversationCreated { id, .. } | Self::ConversationChanged { id, .. } => Some(id.0),
            Self::ProposalOpened { proposal_id, .. }
            | Self::ProposalUpdated { proposal_id, .. }
            | Self::ProposalAccepted { proposal_id, .. }
            | Self::ProposalRejected { proposal_id, .. }
            | Self::ProposalUndone { proposal_id, .. }
            | Self::ProposalStale { proposal_id, .. }
            | Self::ProposalVoted { proposal_id, .. } => Some(proposal_id.0),
            Self::ProjectChanged { .. }
            | Self::ProjectDeleted {}
            | Self::ProjectRestored {}
            | Self::BlobAdded { .. }
            | Self::BlobDeleted { .. } => None,
            Self::MemberAdded { user, .. }
            | Self::MemberChanged { user, .. }
            | Self::MemberRemoved { user }
            | Self::PersonJoined { user, .. }
            | Self::PersonLeft { user, .. } => Some(user.id.0),
        }
    }

    /// Its name and the rest of it, as they are stored.
    pub(super) fn parts(&self) -> anyhow::Result<(String, String)> {
        let mut value = serde_json::to_value(self)?;
        let kind = value.as_object_mut().and_then(|fields| fields.remove("type"));
        match kind {
            Some(Value::String(kind)) => Ok((kind, value.to_string())),
            _ => Err(anyhow::anyhow!("an event has no name")),
        }
    }
}

/// What is told to those who follow now and is not stored: who comes later never hears of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[allow(missing_docs, reason = "the names say it; PROTOCOL.md explains those that need words")]
pub enum Signal {
    /// Somebody is writing a message.
    #[serde(rename = "typing")]
    Typing { conversation: ConversationId, user: Person },
    /// More of a message that is being written: `offset` counts UTF-16 units of its text so far.
    #[serde(rename = "message.delta")]
    MessageDelta { id: MessageId, offset: u64, text: String },
    /// How far an import has come, in files.
    #[serde(rename = "import.progress")]
    ImportProgress { import: Uuid, done: u64, total: u64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_name_and_the_rest() {
        let event = Event::FileRenamed { document_id: DocumentId::new(), from: "a".into(), path: "b".into() };
        let (kind, data) = event.parts().unwrap();
        assert_eq!(kind, "file.renamed");
        let mut fields: serde_json::Map<String, Value> = serde_json::from_str(&data).unwrap();
        assert!(!fields.contains_key("type"));
        fields.insert("type".to_owned(), kind.into());
        assert_eq!(serde_json::from_value::<Event>(fields.into()).unwrap(), event);
    }
}
