//! The chat of a project: conversations of messages that people, and those who answer them, write.
//!
//! Messages are numbered under the lock of their conversation and told in the feed in the transaction that writes them.
//! Nothing here knows the assistant: it follows the feed, and answers by [`post`] and [`progress`] like anybody else.

mod answer;
mod attachment;
mod conversation;
mod details;
mod export;
mod import;
mod mention;
mod message;
mod reading;
mod routes;
mod sql;

pub use self::answer::{Again, Progress, again, keep, progress, stop};
pub use self::attachment::{Attachment, Diagnostic};
pub use self::conversation::{Answers, Conversation, find as conversation, first};
pub use self::details::AnswerDetails;
pub use self::mention::Mention;
pub use self::message::{
    Author, AuthorKind, Details, Message, MessageView, NewMessage, State, delete, edit, find, post,
};
pub use self::reading::{Cursor, Messages, page};
pub use self::routes::routes;
