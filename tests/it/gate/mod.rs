//! Tests of `coterie::gate`: one rule, one test; then all rules together against a slow model.

mod admission;
mod against_model;
mod cost;
mod deletions;
mod early;
mod readers;
mod rights;
pub(crate) mod write;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use uuid::Uuid;

use coterie::gate::{Admitted, Context, Decision, State, Writer, decide, decide_again};
use coterie::ids::UserId;
use coterie::update::{ClientId, StateVector};
use write::Update;

const ANN: UserId = UserId(Uuid::from_u128(1));
const BOB: UserId = UserId(Uuid::from_u128(2));
const GUEST: UserId = UserId(Uuid::from_u128(3));

/// A document and what else the gate looks at.
#[derive(Default)]
struct Document {
    state: State,
    committed: StateVector,
    announced: HashMap<ClientId, UserId>,
    ended: HashSet<ClientId>,
    merged: Vec<UserId>,
}

impl Document {
    /// What the gate decides on an update by someone who may edit.
    fn decide(&self, user: UserId, update: &Update) -> Decision {
        self.decide_bytes(user, true, &update.bytes())
    }

    /// What the gate decides on an update by someone who may only read.
    fn decide_for_reader(&self, update: &Update) -> Decision {
        self.decide_bytes(BOB, false, &update.bytes())
    }

    fn decide_bytes(&self, user: UserId, may_write: bool, update: &Bytes) -> Decision {
        let writer = Writer { user, merged: &self.merged, may_write, ended: &self.ended };
        let context = Context { committed: &self.committed, announced: &self.announced };
        decide(&self.state, &writer, &context, update)
    }

    /// What the gate decides on what was parked of an update by someone who may edit.
    fn decide_again(&self, user: UserId, parked: &Bytes) -> Decision {
        let writer = Writer { user, merged: &self.merged, may_write: true, ended: &self.ended };
        let context = Context { committed: &self.committed, announced: &self.announced };
        decide_again(&self.state, &writer, &context, parked)
    }

    /// Takes in an update that must be admitted whole and committed.
    fn wrote(mut self, user: UserId, update: &Update) -> Self {
        let admitted = self.admit(user, update);
        assert_eq!(admitted.update, update.bytes(), "the whole update");
        self.committed = self.state.clocks.clone();
        self
    }

    /// Takes in what of an update is admitted.
    fn admit(&mut self, user: UserId, update: &Update) -> Admitted {
        let decision = self.decide(user, update);
        let admitted = decision.admitted.expect("something is admitted");
        self.state.admit(&admitted);
        admitted
    }

    fn announced(mut self, client: u64, user: UserId) -> Self {
        self.announced.insert(ClientId(client), user);
        self
    }
}

fn clients(clients: &[u64]) -> Vec<ClientId> {
    clients.iter().copied().map(ClientId).collect()
}

fn vector(clocks: &[(u64, u32)]) -> StateVector {
    clocks.iter().map(|&(client, clock)| (ClientId(client), clock)).collect()
}
