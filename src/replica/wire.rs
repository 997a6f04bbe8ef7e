//! What the server and a worker say to each other over pipes: length-framed requests and replies.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::hunks::{Fitted, Gone, Held, Hunk, Wanted};
use crate::head::Head;
use crate::ids::DocumentId;
use crate::limits;

/// A request about one document.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) document: DocumentId,
    /// Where the update brings it to.
    pub(super) head: Head,
    /// The row at which the worker must have the document already; `None`: the update is the whole of it.
    pub(super) from: Option<i64>,
    #[serde(with = "serde_bytes")]
    pub(super) update: Vec<u8>,
    pub(super) verb: Verb,
}

/// What a worker can do with a document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Verb {
    /// The text of a root, or a part of it.
    Text {
        /// The root's name.
        root: String,
        /// Which part.
        part: Part,
    },
    /// The lines of a root's text that hold a needle.
    Search {
        /// The root's name.
        root: String,
        /// What to look for, as it is.
        needle: String,
        /// Whether upper and lower case differ.
        case: bool,
        /// Lines at most.
        limit: usize,
    },
    /// The smallest edit that makes a root's text another one.
    Edit {
        /// The root's name.
        root: String,
        /// The text it shall be.
        text: String,
    },
    /// The hunks that make a root's text another one.
    Propose {
        /// The root's name.
        root: String,
        /// What it is to become.
        wanted: Wanted,
    },
    /// Whether hunks fit what a root says.
    Fit {
        /// The root's name.
        root: String,
        /// Which.
        hunks: Vec<Held>,
    },
    /// The edit that applies those of some hunks that fit.
    Apply {
        /// The root's name.
        root: String,
        /// Which.
        hunks: Vec<Held>,
    },
    /// The edit that takes back what clients wrote and puts back what they removed.
    Revert {
        /// The root's name.
        root: String,
        /// The clients.
        clients: Vec<u64>,
        /// What they removed.
        gone: Vec<Gone>,
    },
    /// The document's state, folded.
    Fold,
    /// A digest of everything the document says, root by root.
    Digest,
    /// The content of a root as JSON.
    Json {
        /// The root's name.
        root: String,
    },
}

/// A part of a text. What goes beyond its end ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// All of it.
    Whole,
    /// From a line to another, counted from 1, both included, with their line ends.
    Lines(usize, usize),
    /// From a UTF-16 unit up to before another, counted from 0; half a surrogate pair becomes U+FFFD.
    Range(usize, usize),
    /// What stands between two places, whichever comes first; nothing where one of them is not there.
    Between(Caret, Caret),
}

/// A place between two units of a text, which stays there through edits. A unit is its client and clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Caret {
    /// The beginning.
    Start,
    /// Before a unit; where it was if it is gone.
    Before((u64, u32)),
    /// Behind one.
    Behind((u64, u32)),
    /// The end.
    End,
}

/// What a worker answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// A text, or JSON.
    Text(String),
    /// The lines found.
    Found(Vec<Hit>),
    /// An update: an edit to be written, or a folded state.
    Update(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The hunks that were asked for.
    Hunks(Vec<Hunk>),
    /// What became of hunks.
    Fitted(Fitted),
    /// What was asked for cannot be done with this text; why.
    Wrong(String),
    /// The worker does not have the document at the row asked for.
    Cold,
    /// The document cannot be read; what yrs said.
    Unreadable(String),
    /// The root holds what an edit of text would not leave as it is.
    NotText,
    /// The answer does not fit a frame.
    TooLong,
}

/// A reply, and what the worker has now.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    /// Where the document was; a worker may have been further than it was asked for.
    pub(super) head: Head,
    /// What the document takes, in bytes, if the worker keeps it for the next request.
    pub(super) kept: Option<usize>,
    /// Other documents that it let go.
    pub(super) gone: Vec<DocumentId>,
}

/// One line found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Its number, from 1.
    pub line: usize,
    /// Where the needle begins in it, in UTF-16 units from 0.
    pub column: usize,
    /// The line, shortened around the needle when it is long.
    pub text: String,
}

/// One frame: its length in four bytes, lowest first, and the message.
///
/// # Errors
/// When it is longer than a frame may be.
pub(super) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    frame = postcard::to_extend(message, frame).map_err(io::Error::other)?;
    let len = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX).to_le_bytes();
    checked(len)?;
    frame[..4].copy_from_slice(&len);
    Ok(frame)
}

/// Reads one message, in a worker. `None` at the end of the input.
pub(super) fn read<T: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<T>> {
    let mut len = [0; 4];
    match input.read_exact(&mut len) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut frame = vec![0; checked(len)?];
    input.read_exact(&mut frame)?;
    decode(&frame).map(Some)
}

/// Writes one frame, in a worker.
pub(super) fn write(output: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    output.write_all(frame)?;
    output.flush()
}

/// The length that stands before a message.
pub(super) fn checked(len: [u8; 4]) -> io::Result<usize> {
    let len = u32::from_le_bytes(len) as usize;
    if len > limits::WORKER_FRAME_BYTES { Err(io::Error::other("frame too long")) } else { Ok(len) }
}

/// Reads a message without its length.
pub(super) fn decode<T: DeserializeOwned>(frame: &[u8]) -> io::Result<T> {
    postcard::from_bytes(frame).map_err(io::Error::other)
}
