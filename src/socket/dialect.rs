//! What differs between the dialects: how a frame is read into parts that concern one document, and how what a room
//! says is written.

use bytes::Bytes;
use serde_json::json;

use super::wire::Out;
use crate::gate::Refusal;
use crate::protocol::close::Close;
use crate::protocol::hocuspocus::{ClientBody, ClientFrame};
use crate::protocol::{self, ClientMessage, hocuspocus, yjs};
use crate::room::Outgoing;
use crate::room::machine::Notice;
use crate::update::{EMPTY, Malformed};

/// The wire protocol of one socket.
#[derive(Debug, Clone)]
pub(super) enum Dialect {
    /// y-websocket, with the only document that the socket is about.
    Yjs(String),
    /// Hocuspocus.
    Hocuspocus,
}

/// A part of a frame.
#[derive(Debug)]
pub(super) enum Part {
    /// Sync or presence for the document at an address.
    Message(String, ClientMessage),
    /// A credential for the document at an address, and whether the client answers pings.
    Token(String, String, bool),
    /// The client is done with the document at an address.
    Detach(String),
}

impl Dialect {
    /// The document's name in an address: with Hocuspocus' session awareness, a NUL and the session follow it.
    pub(super) fn name_in<'a>(&self, address: &'a str) -> &'a str {
        match self {
            Self::Yjs(_) => address,
            Self::Hocuspocus => address.split('\0').next().unwrap_or_default(),
        }
    }

    /// Takes a frame apart.
    pub(super) fn decode(&self, frame: &Bytes) -> Result<Vec<Part>, Malformed> {
        match self {
            Self::Yjs(name) => {
                let messages = yjs::decode(frame)?.into_iter();
                Ok(messages.map(|message| Part::Message(name.clone(), message)).collect())
            }
            Self::Hocuspocus => Ok(match hocuspocus::decode(frame)? {
                ClientFrame::KeepAlive => Vec::new(),
                ClientFrame::Addressed { address, body } => match body {
                    ClientBody::Message(message) => vec![Part::Message(address, message)],
                    ClientBody::Token { token, version } => vec![Part::Token(address, token, version.is_some())],
                    ClientBody::Detach => vec![Part::Detach(address)],
                    ClientBody::Unsupported(kind) => {
                        tracing::debug!(kind, "a frame of a type that clients may not send was ignored");
                        Vec::new()
                    }
                },
            }),
        }
    }

    /// Writes what a room says as frames. Answers how the document ended, if it did.
    pub(super) fn encode(&self, address: &str, outgoing: Outgoing, frames: &mut Vec<Out>) -> Option<Close> {
        match (self, outgoing) {
            (_, Outgoing::Ended(close)) => return Some(close),
            (Self::Yjs(_), Outgoing::Notice(Notice::Damaged(why))) => frames.push(yjs::permission_denied(&why).into()),
            // This dialect has no words for it.
            (Self::Yjs(_), Outgoing::Notice(Notice::Storage(_))) => {}
            (Self::Hocuspocus, Outgoing::Notice(notice)) => {
                frames.push(hocuspocus::addressed(address, &hocuspocus::stateless(&noticed(&notice))).into());
            }
            (Self::Yjs(_), Outgoing::Welcome(message) | Outgoing::Message(message)) => frames.push(message.into()),
            (Self::Yjs(_), Outgoing::Frame(frame)) => frames.push(frame.message.clone().into()),
            (Self::Yjs(_), Outgoing::Refused(refusal)) => {
                frames.push(yjs::permission_denied(&refusal.to_string()).into());
            }
            // Asked once, at the beginning; and there is no acknowledgement in this dialect.
            (Self::Yjs(_), Outgoing::Question(_) | Outgoing::Saved) => {}
            (Self::Hocuspocus, Outgoing::Question(message) | Outgoing::Message(message)) => {
                frames.push(Out { address: hocuspocus::address(address), body: message });
            }
            // The client's own SyncStep1 follows its token, and brings the question with its answer.
            (Self::Hocuspocus, Outgoing::Welcome(_)) => {}
            (Self::Hocuspocus, Outgoing::Frame(frame)) => frames.push(frame.addressed(address).into()),
            (Self::Hocuspocus, Outgoing::Saved) => {
                frames.push(hocuspocus::addressed(address, &hocuspocus::sync_status(true)).into());
            }
            (Self::Hocuspocus, Outgoing::Refused(refusal)) => {
                frames.push(hocuspocus::addressed(address, &hocuspocus::sync_status(false)).into());
                frames.push(hocuspocus::addressed(address, &hocuspocus::stateless(&told(&refusal))).into());
            }
        }
        None
    }

    /// Data for a client that hears nothing: pages cannot see pings of the WebSocket and would reconnect.
    pub(super) fn keep_alive(&self, address: Option<&str>, answers_pings: bool) -> Option<Bytes> {
        match self {
            Self::Yjs(_) => Some(protocol::update(EMPTY)),
            Self::Hocuspocus if answers_pings => Some(hocuspocus::ping()),
            Self::Hocuspocus => address.map(|address| hocuspocus::addressed(address, &protocol::update(EMPTY))),
        }
    }
}

/// A notice as the JSON event that a provider hands to its page.
fn noticed(notice: &Notice) -> String {
    match notice {
        Notice::Damaged(why) => json!({ "event": "damaged", "message": &**why }),
        Notice::Storage(storage) => match storage.code() {
            Some(code) => json!({ "event": "saving", "state": code, "message": storage.message() }),
            None => json!({ "event": "saving", "state": "ok", "message": storage.message() }),
        },
    }
    .to_string()
}

/// A refusal as the JSON event that a provider hands to its page.
fn told(refusal: &Refusal) -> String {
    json!({ "event": "refused", "code": refusal.code(), "message": refusal.to_string() }).to_string()
}
