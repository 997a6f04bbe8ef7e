//! Text: what documents say, asked of workers. yrs reads nothing in this process; a worker that crashes, loops or eats
//! its memory costs the request that made it do so.
//!
//! A document that costs two workers is set aside: its text functions answer 503 with the reason, while it goes on
//! syncing, until an operator releases it.

mod confine;
mod fault;
mod pool;
mod sql;
mod verbs;
mod wire;
pub mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

pub use fault::{Fault, faults, quarantine, release};
pub use wire::{Hit, Reply, Verb};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::ids::DocumentId;
use pool::{Lost, Pool};

/// A document's bytes for a worker: an update that brings it from a row it may have to another.
#[derive(Debug, Clone)]
pub struct Source {
    /// The history's number.
    pub epoch: i64,
    /// The row that the update brings it to.
    pub seq: i64,
    /// The update: what came after the row asked for, or everything.
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
    /// The row at which the document was.
    pub seq: i64,
    /// The answer.
    pub reply: Reply,
}

impl Replicas {
    /// Workers of `program`, which is the server's own binary; none is started before it is needed.
    #[must_use]
    pub fn new(db: Db, program: PathBuf) -> Self {
        Self(Arc::new(Shared { db, pool: Pool::new(program) }))
    }

    /// Asks about a document. `fetch` gets the row at which a worker has it already, or `None`, and answers its bytes
    /// from there on.
    ///
    /// # Errors
    /// 503 when the document is set aside, cannot be read, or cost a worker; nothing else is affected.
    pub async fn ask(
        &self,
        document: DocumentId,
        verb: Verb,
        fetch: impl AsyncFn(Option<(i64, i64)>) -> Result<(Source, bool)>,
    ) -> Result<Told> {
        if let Some(fault) = fault::set_aside(&self.0.db, document).await? {
            return Err(Error::unavailable(format!("the text of this document is not available: {}", fault.reason)));
        }
        let mut warm = self.0.pool.warm(document);
        loop {
            let (source, follows) = fetch(warm).await?;
            let from = warm.filter(|_| follows).map(|(_, seq)| seq);
            let asked = self.0.pool.ask(document, from, &source, verb.clone()).await;
            match asked {
                // Let go meanwhile: everything is sent.
                Ok(Reply::Cold) if from.is_some() => warm = None,
                Ok(Reply::Unreadable(said)) => {
                    let reason = format!("it cannot be read: {said}");
                    fault::note(&self.0.db, document, &reason).await?;
                    return Err(Error::unavailable(format!("the text of this document is not available: {reason}")));
                }
                Ok(reply) => return Ok(Told { seq: source.seq, reply }),
                Err(Lost::Busy) => return Err(Error::unavailable("too many text requests at once, try again")),
                Err(Lost::Crashed(how)) => {
                    tracing::error!(%document, how, "a worker was lost");
                    fault::note(&self.0.db, document, how).await?;
                    return Err(Error::unavailable(format!("reading this document failed: {how}")));
                }
            }
        }
    }

    /// How many workers were lost since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.pool.lost()
    }
}
