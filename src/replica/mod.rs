//! Text: what documents say, asked of workers. yrs reads nothing in this process; a worker that crashes, loops or eats
//! its memory costs the request that made it do so.
//!
//! A document that costs two workers within a day is set aside: its text functions answer 503 with the reason, while it
//! goes on syncing, until an operator releases it.

mod confine;
mod fault;
mod hunks;
mod pool;
mod said;
mod sql;
mod turns;
mod verbs;
mod wire;
pub mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

pub use fault::{Fault, faults, quarantine, release};
pub use hunks::{Anchor, Fitted, Gone, Held, Hunk, Replacement, Wanted};
pub use turns::Turn;
pub use wire::{Caret, Hit, Part, Reply, Verb};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::ids::DocumentId;
use crate::limits;
use pool::{Lost, Pool};

/// A document's bytes for a worker.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where the update brings the document to.
    pub head: Head,
    /// The row that the update follows; `None`: it is the whole document.
    pub from: Option<i64>,
    /// The update.
    pub update: Bytes,
}

/// The workers of this server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Replicas(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    db: Db,
    pool: Pool,
}

/// What a worker said, and at which row.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Where the document was.
    pub head: Head,
    /// The answer.
    pub reply: Reply,
}

impl Replicas {
    /// Workers of `program`, which is the server's own binary, that together keep so many bytes of documents between
    /// requests; none is started before it is needed.
    #[must_use]
    pub fn new(db: Db, program: PathBuf, most: usize) -> Self {
        let pool = Pool::new(&db, &program, most / limits::WORKERS);
        Self(Arc::new(Shared { db, pool }))
    }

    /// Where a worker has a document already.
    #[must_use]
    pub fn warm(&self, document: DocumentId) -> Option<Head> {
        self.0.pool.warm(document)
    }

    /// Asks about a document, in somebody's turn. `None` when no worker has it where the source begins; a whole source needs none.
    ///
    /// # Errors
    /// 503 when the document is set aside, cannot be read, or cost workers, or when none can be had now; nothing else is
    /// affected.
    pub async fn ask(&self, turn: Turn, document: DocumentId, source: &Source, verb: Verb) -> Result<Option<Told>> {
        if let Some(fault) = fault::set_aside(&self.0.db, document).await? {
            return Err(unreadable(&fault.reason));
        }
        match self.0.pool.ask(turn, document, source, verb).await {
            Ok(Told { reply: Reply::Cold, .. }) if source.from.is_some() => Ok(None),
            Ok(Told { reply: Reply::TooLong, .. }) | Err(Lost::TooLong) => {
                Err(Error::TooLarge("the document and its text are larger than can be asked about".to_owned()))
            }
            Ok(Told { reply: Reply::NotText, .. }) => Err(Error::conflict(
                "not_text",
                "the document holds something that is not text; edit it as a Yjs document",
            )),
            Ok(Told { reply: Reply::Wrong(said), .. }) => Err(Error::invalid("bad_edit", said)),
            Ok(told) => Ok(Some(told)),
            Err(Lost::Busy) => Err(Error::unavailable("too many text requests at once, try again")),
            Err(Lost::Late) => Err(Error::unavailable("this takes too long for so much text; send or ask for less")),
            Err(Lost::Away) => Err(Error::unavailable("the text of documents is not available now, try again")),
            Err(Lost::Unreadable(reason)) => Err(unreadable(&reason)),
        }
    }

    /// The processes of the workers that run now.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.0.pool.processes()
    }

    /// How many documents workers keep for the next request, and the bytes that these take, by estimate.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        self.0.pool.kept()
    }

    /// How many requests workers were asked since the start.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.0.pool.asked()
    }

    /// How many workers were lost since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.pool.lost()
    }
}

fn unreadable(reason: &str) -> Error {
    Error::unavailable(format!("the text of this document is not available: {reason}"))
}
