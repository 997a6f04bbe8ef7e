//! A log in memory that stands in for the database, and is stricter than one: every row it takes is contiguous,
//! causal, disjoint from the rows before, and its author's to write.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use coterie::gate::{Extent, Owner, State};
use coterie::ids::{BatchId, UserId};
use coterie::journal::{Append, Head, Loaded, Outcome};
use coterie::update::{ClientId, Id, IdSet, Kind, StateVector, Struct, merge, scan, summary};

/// What no row may hold, as if it broke a constraint.
pub(crate) const POISON: &str = "\u{2620}";

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) author: UserId,
    pub(crate) update: Bytes,
    batch: BatchId,
}

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) head: Head,
    pub(crate) rows: Vec<Logged>,
    owners: HashMap<ClientId, Owner>,
    clocks: StateVector,
    deleted: IdSet,
    /// Users by the guests they were.
    merged: HashMap<UserId, UserId>,
    /// How many rows are folded into the snapshot.
    pub(crate) folded: usize,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            head: Head { seq: 0, epoch: 1 },
            rows: Vec::new(),
            owners: HashMap::new(),
            clocks: StateVector::default(),
            deleted: IdSet::default(),
            merged: HashMap::new(),
            folded: 0,
        }
    }
}

impl Database {
    /// One try of the committer: what the append finds under the lock of the head decides.
    pub(crate) fn attempt(&mut self, append: &Append) -> Outcome {
        assert!(!append.rows.is_empty(), "an append of nothing");
        let holds_poison = |bytes: &Bytes| bytes.windows(POISON.len()).any(|window| window == POISON.as_bytes());
        if append.rows.iter().any(|row| holds_poison(&row.update)) {
            return Outcome::Refused;
        }
        if self.head != append.expected {
            let last = self.rows.iter().rposition(|row| row.batch == append.batch);
            let ours = last.is_some_and(|at| at as i64 + 1 == append.head().seq);
            return if ours { Outcome::Committed } else { Outcome::Conflict };
        }
        let closed: Vec<ClientId> =
            append.claims.iter().filter(|claim| claim.2 == Owner::Closed).map(|claim| claim.0).collect();
        for &(client, user, owner) in &append.claims {
            self.owners.entry(client).or_insert(if owner == Owner::Closed { owner } else { Owner::User(user) });
        }
        for row in &append.rows {
            self.write(append.batch, row.author, row.update.clone(), &closed);
        }
        assert_eq!(self.head, append.head());
        Outcome::Committed
    }

    /// Another server appends.
    pub(crate) fn write_elsewhere(&mut self, author: UserId, update: Bytes) {
        for section in &scan(&update).expect("well-formed").sections {
            self.owners.entry(section.client).or_insert(Owner::User(author));
        }
        self.write(BatchId::new(), author, update, &[]);
    }

    fn write(&mut self, batch: BatchId, author: UserId, update: Bytes, closed: &[ClientId]) {
        let row = scan(&update).expect("a row is well-formed");
        let mut after = self.clocks.clone();
        for section in &row.sections {
            let client = section.client;
            assert_eq!(section.clock, self.clocks.get(client), "a row of {client} begins where the log ends");
            let mine = |user: UserId| user == author || self.merged.get(&user) == Some(&author);
            match self.owners.get(&client) {
                Some(Owner::User(user)) => assert!(mine(*user), "{author} writes as {client}, who is {user}"),
                Some(Owner::Closed) => assert!(closed.contains(&client), "{client} is closed"),
                None => panic!("{client} writes and is nobody's"),
            }
            after.raise(client, section.end);
        }
        let exists = |id: Id| id.clock < after.get(id.client);
        for one in &row.structs {
            assert_ne!(one.kind, Kind::Skip, "a gap in a row");
            let names = |one: &Struct| [one.origin, one.right, one.parent].into_iter().flatten().all(exists);
            assert!(names(one), "a row names what is not there: {one:?}");
        }
        assert_eq!(row.deletions.below(&after), row.deletions, "a row deletes what is not there");
        self.deleted.union(&row.deletions);
        self.deleted.union(&row.deleted(|_| 0, |_| u32::MAX));
        self.clocks = after;
        self.head.seq += 1;
        self.rows.push(Logged { author, update, batch });
    }

    /// What a server that loads the document reads.
    pub(crate) fn load(&self) -> Loaded {
        let updates = |range: std::ops::Range<usize>| self.rows[range].iter().map(|row| row.update.clone()).collect();
        let folded: Vec<Bytes> = updates(0..self.folded);
        let snapshot = (self.folded > 0).then(|| (self.folded as i64, merge(&folded).expect("well-formed").into()));
        Loaded {
            head: self.head,
            snapshot,
            rows: updates(self.folded..self.rows.len()),
            owners: self.owners.iter().map(|(&client, &owner)| (client, owner)).collect(),
        }
    }

    /// Everything as one update.
    pub(crate) fn whole(&self) -> Vec<u8> {
        merge(&self.rows.iter().map(|row| &row.update).collect::<Vec<_>>()).expect("well-formed")
    }

    /// The state that a gate would have after loading, but for the size, which depends on how it is encoded.
    pub(crate) fn state(&self, bytes: usize) -> State {
        State::new(summary(&self.whole()).expect("well-formed"), self.owners.clone(), bytes)
    }

    /// Whether the log holds everything of an update.
    pub(crate) fn holds(&self, extent: &Extent) -> bool {
        self.clocks.covers(&extent.clocks) && self.deleted.contains_all(&extent.deletions)
    }

    /// Whether the log holds everything an update brings, and all it deletes but for what `may_miss` allows.
    pub(crate) fn clocks(&self) -> &StateVector {
        &self.clocks
    }

    /// Whose a client is.
    pub(crate) fn owner(&self, client: u64) -> Option<Owner> {
        self.owners.get(&ClientId(client)).copied()
    }

    /// A guest signs in: what was the guest's is the user's.
    pub(crate) fn merge_user(&mut self, guest: UserId, user: UserId) {
        self.merged.insert(guest, user);
    }

    /// A backup was restored that ends at row `seq`: a new epoch in which every client is closed.
    pub(crate) fn restore(&mut self, seq: usize) {
        let rows: Vec<Logged> = self.rows.drain(..seq).collect();
        let epoch = self.head.epoch + 1;
        let clients: BTreeMap<ClientId, Owner> = self.owners.keys().map(|&client| (client, Owner::Closed)).collect();
        *self = Self { merged: std::mem::take(&mut self.merged), ..Self::default() };
        for row in rows {
            let known: Vec<ClientId> =
                scan(&row.update).expect("well-formed").sections.iter().map(|one| one.client).collect();
            for client in &known {
                self.owners.insert(*client, Owner::Closed);
            }
            self.write(row.batch, row.author, row.update, &known);
        }
        assert!(self.owners.keys().all(|client| clients.contains_key(client)));
        self.head.epoch = epoch;
    }
}

/// Which ids an update brings and deletes.
pub(crate) fn extent(update: &[u8]) -> Extent {
    let scan = scan(update).expect("well-formed");
    let clocks = scan.sections.iter().filter_map(|section| {
        let last = scan.structs_of(section).iter().rfind(|one| one.kind != Kind::Skip)?;
        Some((section.client, last.end()))
    });
    Extent { clocks: clocks.collect(), deletions: scan.deletions }
}
