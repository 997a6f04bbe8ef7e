//! Who is here: the awareness states of a room, each bound to a connection and stamped with its login.
//!
//! A clientID belongs to the first user whose connection announces it, for as long as it is here; entries for the ids
//! of others are dropped. States are never stored and never wait for a commit longer than [`limits::PRESENCE_HOLD`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::clocks::Clocks;
use super::participant::Participant;
use crate::ids::{ConnectionId, UserId};
use crate::limits;
use crate::protocol::{self, awareness};
use crate::update::{ClientId, Malformed};

/// Milliseconds since the room began.
pub(super) type Millis = u64;

/// What a state costs beside its JSON, in bytes: its place here, and in two tables by its id.
const STATE_OVERHEAD: usize = 256;

/// The awareness states of a room.
#[derive(Debug, Default)]
pub(super) struct Presence {
    states: BTreeMap<ClientId, State>,
    /// Whose each announced clientID is.
    announced: HashMap<ClientId, UserId>,
    /// Connections that have told of anybody yet.
    heard: HashSet<ConnectionId>,
    /// The clocks of `states`, for sockets.
    clocks: Clocks,
}

#[derive(Debug)]
struct State {
    clock: u64,
    /// Stamped JSON; `None` after the client said that it has gone.
    json: Option<String>,
    connection: ConnectionId,
    /// When the connection has gone: the time at which others are told, unless the client returns.
    leaves_at: Option<Millis>,
}

impl Presence {
    /// The clocks of who is here.
    #[must_use]
    pub(super) fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// What the states take, in bytes; it goes through all of them.
    #[must_use]
    pub(super) fn memory(&self) -> usize {
        self.states.values().map(|state| STATE_OVERHEAD + state.json.as_ref().map_or(0, String::len)).sum()
    }

    /// Whose each announced clientID is.
    #[must_use]
    pub(super) fn announced(&self) -> &HashMap<ClientId, UserId> {
        &self.announced
    }

    /// Takes in an awareness update; answers the clients whose state changed. `foreign` says whether an id is another
    /// principal's in this document.
    ///
    /// # Errors
    /// Bytes that are no awareness update.
    pub(super) fn receive(
        &mut self,
        connection: ConnectionId,
        participant: &Participant,
        body: &[u8],
        foreign: impl Fn(ClientId) -> bool,
    ) -> Result<BTreeSet<ClientId>, Malformed> {
        let mut changed = BTreeSet::new();
        // A provider tells of itself first; what it repeats of others later must not keep those here.
        let first = self.heard.insert(connection);
        for entry in awareness::decode(body)? {
            let others = self.announced.get(&entry.client).is_some_and(|user| !participant.is(*user));
            if others || foreign(entry.client) {
                continue;
            }
            if let Some(known) = self.states.get_mut(&entry.client) {
                // Clients repeat what they were shown, so old clocks are dropped before their JSON is looked at.
                let gone = entry.clock == known.clock && entry.state.is_none() && known.json.is_some();
                let same = entry.clock == known.clock && entry.state.is_some();
                let back = first && same && known.leaves_at.is_some();
                if back {
                    known.connection = connection;
                    known.leaves_at = None;
                }
                if entry.clock <= known.clock && !gone {
                    continue;
                }
            } else if entry.state.is_none() || self.announced_by(connection) >= limits::PRESENCE_CLIENTS {
                continue;
            }
            let json = match entry.state {
                None => None,
                Some(json) => match stamped(json, participant) {
                    Some(json) => Some(json),
                    None => continue,
                },
            };
            self.clocks.set(entry.client, entry.clock, json.is_some());
            self.announced.insert(entry.client, participant.user);
            self.states.insert(entry.client, State { clock: entry.clock, json, connection, leaves_at: None });
            changed.insert(entry.client);
        }
        Ok(changed)
    }

    fn announced_by(&self, connection: ConnectionId) -> usize {
        self.states.values().filter(|state| state.connection == connection).count()
    }

    /// Notes that a connection has gone. Others are told after a grace, unless its clients return by then.
    pub(super) fn leave(&mut self, connection: ConnectionId, now: Millis) {
        self.heard.remove(&connection);
        let grace = u64::try_from(limits::PRESENCE_GRACE.as_millis()).unwrap_or(u64::MAX);
        for state in self.states.values_mut().filter(|state| state.connection == connection) {
            state.leaves_at.get_or_insert(now + grace);
        }
    }

    /// When the next state is to be removed.
    #[must_use]
    pub(super) fn next_departure(&self) -> Option<Millis> {
        self.states.values().filter_map(|state| state.leaves_at).min()
    }

    /// Removes the states whose grace has ended, and answers the message that tells others: no state, at the same
    /// clock, so that a client that returns later is shown with its next one.
    pub(super) fn depart(&mut self, now: Millis) -> Option<Bytes> {
        let departed: Vec<ClientId> = self
            .states
            .iter()
            .filter(|(_, state)| state.leaves_at.is_some_and(|at| at <= now))
            .map(|(&client, _)| client)
            .collect();
        let mut told = Vec::new();
        for client in departed {
            self.announced.remove(&client);
            self.clocks.remove(client);
            if let Some(state) = self.states.remove(&client).filter(|state| state.json.is_some()) {
                told.push(awareness::Entry { client, clock: state.clock, state: None });
            }
        }
        (!told.is_empty()).then(|| protocol::awareness(&awareness::encode(told.into_iter())))
    }

    /// The message that tells the present state of these clients.
    #[must_use]
    pub(super) fn message(&self, clients: &BTreeSet<ClientId>) -> Option<Bytes> {
        let entries: Vec<awareness::Entry<'_>> =
            clients.iter().filter_map(|client| Some(entry(*client, self.states.get(client)?))).collect();
        (!entries.is_empty()).then(|| protocol::awareness(&awareness::encode(entries.into_iter())))
    }

    /// The message that tells a newcomer who is here.
    #[must_use]
    pub(super) fn everyone(&self) -> Option<Bytes> {
        let here = self.states.iter().filter(|(_, state)| state.json.is_some()).map(|(&client, _)| client);
        self.message(&here.collect())
    }
}

fn entry(client: ClientId, state: &State) -> awareness::Entry<'_> {
    awareness::Entry { client, clock: state.clock, state: state.json.as_deref() }
}

/// The state with the person written into it; `None` for one that is no object or too large.
fn stamped(json: &str, participant: &Participant) -> Option<String> {
    if json.len() > limits::PRESENCE_BYTES {
        return None;
    }
    let mut state: Map<String, Value> = serde_json::from_str(json).ok()?;
    participant.stamp(&mut state);
    serde_json::to_string(&state).ok()
}
