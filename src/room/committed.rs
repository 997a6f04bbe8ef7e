//! A document as it is committed, in bytes: a folded base and the rows since. It answers whoever asks for what they
//! lack; no document is built for that.

use std::sync::Arc;

use bytes::Bytes;

use crate::gate;
use crate::journal::{Head, Loaded};
use crate::limits;
use crate::protocol;
use crate::replica::Source;
use crate::update::{
    ClientId, EMPTY, IdSet, Malformed, StateVector, diff, implied_deletions, is_empty_update, merge, summary,
};

/// A state without content.
const NOTHING: Bytes = Bytes::from_static(EMPTY);

/// What a row costs beside its bytes, in bytes: where they are, and who shares them.
const ROW_OVERHEAD: usize = 64;

/// The committed state of a document.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Where the log stands.
    pub head: Head,
    /// For each client, how many of its ids are committed.
    pub clocks: StateVector,
    /// Everything up to and including row `base_seq`.
    base: Bytes,
    base_seq: i64,
    /// The rows after it.
    tail: Vec<Bytes>,
    tail_bytes: usize,
    /// Rows in the database after its last snapshot, as far as this process knows, and their bytes.
    unfolded: (usize, usize),
}

/// What a newcomer, or someone who comes back, is sent: messages that all dialects share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Sent before, as an edit: a state so large that it is not copied into the answer.
    pub first: Option<Bytes>,
    /// The SyncStep2 that completes it.
    pub last: Bytes,
    /// The row it reaches.
    pub seq: i64,
}

impl Answer {
    /// Its length in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.first.as_ref().map_or(0, Bytes::len) + self.last.len()
    }
}

/// A question to a committed state, to be answered anywhere; it holds shared bytes, no copies.
#[derive(Debug, Clone)]
pub struct Question {
    base: Bytes,
    tail: Arc<[Bytes]>,
    remote: StateVector,
    /// The row the answer will reach.
    pub seq: i64,
}

impl Committed {
    /// What was loaded, and the state for the gate that it amounts to.
    ///
    /// # Errors
    /// When stored bytes are not what the gate lets in, so that they were not stored by it.
    pub fn new(loaded: Loaded) -> Result<(Self, gate::State), Malformed> {
        let unfolded = (loaded.rows.len(), loaded.rows.iter().map(Bytes::len).sum());
        let base = match (loaded.snapshot, &loaded.rows[..]) {
            (None, []) => NOTHING,
            (Some((_, snapshot)), []) => snapshot,
            (None, [only]) => only.clone(),
            (snapshot, rows) => {
                let parts: Vec<&Bytes> = snapshot.iter().map(|(_, bytes)| bytes).chain(rows).collect();
                merge(&parts)?.into()
            }
        };
        let summary = summary(&base)?;
        let clocks = summary.state_vector.clone();
        let state = gate::State::new(summary, loaded.owners, base.len());
        let base_seq = loaded.head.seq;
        Ok((Self { head: loaded.head, clocks, base, base_seq, tail: Vec::new(), tail_bytes: 0, unfolded }, state))
    }

    /// Takes in one committed row and the clocks it reaches.
    pub fn push(&mut self, row: Bytes, clocks: impl IntoIterator<Item = (ClientId, u32)>) {
        self.head.seq += 1;
        self.tail_bytes += row.len();
        self.unfolded.0 += 1;
        self.unfolded.1 += row.len();
        self.tail.push(row);
        for (client, end) in clocks {
            self.clocks.raise(client, end);
        }
        if self.tail_bytes > limits::TAIL_BYTES.max(self.base.len()) {
            self.fold();
        }
    }

    /// Takes over what the document was folded to, as it was at a head, if the rows since are at hand. Says whether it
    /// did.
    pub fn adopt(&mut self, head: Head, folded: Bytes) -> bool {
        let since = usize::try_from(head.seq - self.base_seq).ok().and_then(|at| self.tail.get(at..));
        let Some(since) = since.filter(|_| head.epoch == self.head.epoch) else { return false };
        self.tail = since.to_vec();
        self.tail_bytes = self.tail.iter().map(Bytes::len).sum();
        self.base = folded;
        self.base_seq = head.seq;
        true
    }

    fn fold(&mut self) {
        self.base = merged(&self.base, &self.tail);
        self.base_seq = self.head.seq;
        self.tail = Vec::new();
        self.tail_bytes = 0;
    }

    /// Whether the log in the database has become so long that it should be folded. Says so once, and again when as
    /// much has come since.
    pub fn take_full_tail(&mut self) -> bool {
        let (rows, bytes) = self.unfolded;
        let most = (self.bytes() / limits::FOLD_BYTES_PER_ROW).clamp(limits::FOLD_ROWS, limits::FOLD_ROWS_MOST);
        let full = rows >= most || bytes >= limits::FOLD_BYTES;
        if full {
            self.unfolded = (0, 0);
        }
        full
    }

    /// Encoded size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.base.len() + self.tail_bytes
    }

    /// What it takes, in bytes, but for the clocks.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes() + self.tail.len() * ROW_OVERHEAD
    }

    /// Asks for what `remote` lacks.
    #[must_use]
    pub fn question(&self, remote: StateVector) -> Question {
        Question { base: self.base.clone(), tail: self.tail.as_slice().into(), remote, seq: self.head.seq }
    }

    /// What was committed after row `seq`: the rows, or everything once they are folded. Merged into one update.
    #[must_use]
    pub fn since(&self, seq: i64) -> Bytes {
        self.rows_after(seq).unwrap_or_else(|| merged(&self.base, &self.tail))
    }

    /// Whether the rows after row `seq` are still apart.
    #[must_use]
    pub fn has_rows_after(&self, seq: i64) -> bool {
        seq >= self.base_seq
    }

    /// The rows after row `seq`, merged into one update; `None` once they are folded.
    fn rows_after(&self, seq: i64) -> Option<Bytes> {
        let shown = usize::try_from(seq - self.base_seq).ok()?;
        Some(merged(&NOTHING, self.tail.get(shown..).unwrap_or(&[])))
    }

    /// The document for a worker: from the head it has, if what came since is at hand, or whole.
    #[must_use]
    pub fn source(&self, has: Option<Head>) -> Source {
        let follows = has
            .filter(|has| has.epoch == self.head.epoch && has.seq <= self.head.seq)
            .and_then(|has| Some((has.seq, self.rows_after(has.seq)?)));
        match follows {
            Some((seq, update)) => Source { head: self.head, from: Some(seq), update },
            None => Source { head: self.head, from: None, update: merged(&self.base, &self.tail) },
        }
    }
}

impl Question {
    /// Bytes to be looked at for the answer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.base.len() + self.tail.iter().map(Bytes::len).sum::<usize>()
    }

    /// The answer. Someone who has nothing gets the base's bytes untouched, then the merged tail.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let all_at_once = self.tail.is_empty() || is_empty_update(&self.base);
        if self.remote.is_empty() && !all_at_once {
            let first = Some(protocol::update(&self.base));
            return Answer { first, last: protocol::sync_step_2(&merged(&NOTHING, &self.tail)), seq: self.seq };
        }
        Answer { first: None, last: protocol::sync_step_2(&self.update()), seq: self.seq }
    }

    /// The deletions that follow from the document; none where they cannot be found, which is beyond any honest size.
    #[must_use]
    pub fn implied_deletions(&self) -> IdSet {
        implied_deletions(&merged(&self.base, &self.tail)).unwrap_or_default()
    }

    /// The answer as one update.
    #[must_use]
    pub fn update(&self) -> Bytes {
        let whole = merged(&self.base, &self.tail);
        if self.remote.is_empty() {
            return whole;
        }
        diff(&whole, &self.remote).expect("committed bytes were scanned").into()
    }
}

fn merged(base: &Bytes, tail: &[Bytes]) -> Bytes {
    match tail {
        [] => base.clone(),
        [only] if is_empty_update(base) => only.clone(),
        rows => {
            let parts: Vec<&Bytes> = std::iter::once(base).chain(rows).collect();
            merge(&parts).expect("committed bytes were scanned").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::seed;

    #[test]
    fn a_folded_state_takes_the_place_of_its_rows() {
        let loaded = Loaded { head: Head { seq: 0, epoch: 1 }, ..Loaded::default() };
        let (mut committed, _) = Committed::new(loaded).unwrap();
        let rows: Vec<Bytes> = (1..=3).map(|client| seed(ClientId(client), "content", "abc").into()).collect();
        for (client, row) in (1..).zip(&rows) {
            committed.push(row.clone(), [(ClientId(client), 3)]);
        }
        let before = committed.question(StateVector::default()).update();
        let folded: Bytes = merge(&rows[..2]).unwrap().into();
        assert!(!committed.adopt(Head { seq: 2, epoch: 2 }, folded.clone()), "of another history");
        assert!(committed.adopt(Head { seq: 2, epoch: 1 }, folded.clone()));
        assert_eq!(committed.question(StateVector::default()).update(), before);
        assert_eq!(committed.since(2), rows[2], "what came later is still apart");
        assert!(!committed.has_rows_after(1));
        assert!(!committed.adopt(Head { seq: 1, epoch: 1 }, folded), "what is older is of no use");
    }

    #[test]
    fn the_larger_a_document_the_longer_its_log_may_become() {
        let row: Bytes = seed(ClientId(2), "content", "a").into();
        for (size, most) in [(10, limits::FOLD_ROWS), (1_000_000, 1_000), (20_000_000, limits::FOLD_ROWS_MOST)] {
            let snapshot: Bytes = seed(ClientId(1), "content", &"x".repeat(size)).into();
            let loaded = Loaded { snapshot: Some((0, snapshot)), ..Loaded::default() };
            let (mut committed, _) = Committed::new(loaded).unwrap();
            let mut rows = 0_usize;
            while !committed.take_full_tail() {
                committed.push(row.clone(), []);
                rows += 1;
            }
            assert!(rows.abs_diff(most) < most / 10, "{rows} rows in {size} bytes");
            assert!(!committed.take_full_tail(), "it is said once");
        }
    }
}
