//! One schedule: a room, its people, its database, and what is done to them.

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

use coterie::gate::Refusal;
use coterie::ids::{ConnectionId, UserId};
use coterie::journal::Outcome;
use coterie::limits;
use coterie::protocol::{ClientMessage, yjs};
use coterie::room::machine::{EditKind, Input, Message};
use coterie::update::{implied_deletions, is_empty_update};

use super::client::{Client, Link};
use super::replica::Replica;
use crate::machine::database::{POISON, extent};
use crate::machine::random::Random;
use crate::machine::room::{Room, person};

const STEPS: u64 = 70;
const SERVER: UserId = UserId(Uuid::from_u128(900));

pub(super) struct World {
    room: Room,
    random: Random,
    clients: Vec<Client>,
    /// Another server's replica, and how many rows it has.
    elsewhere: (Replica, usize),
    met: BTreeMap<&'static str, u64>,
    next_id: u64,
    /// Whether edits are sent that the database refuses, logins change, and readers write: else nobody is ever refused.
    hostile: bool,
    trace: bool,
}

fn user(number: u64) -> UserId {
    UserId(Uuid::from_u128(u128::from(number)))
}

impl World {
    pub(super) fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let hostile = random.below(2) == 0;
        let mut world = Self {
            room: Room::new(),
            random,
            clients: Vec::new(),
            elsewhere: (Replica::new(9_000), 0),
            met: BTreeMap::new(),
            next_id: 100,
            hostile,
            trace,
        };
        for number in 0..2 + world.random.below(3) {
            // The second is another tab of the first; the last reads.
            let user = user(if number == 1 { 10 } else { 10 + number });
            let sloppy = world.random.below(3) == 0;
            world.person(user, true, sloppy);
        }
        world.person(user(50), false, false);
        world
    }

    fn person(&mut self, user: UserId, may_write: bool, sloppy: bool) {
        self.next_id += 1;
        let replica = Replica::new(self.next_id);
        self.clients.push(Client { user, guest: None, may_write, sloppy, replica, link: None, suspect: false });
    }

    fn meet(&mut self, name: &'static str) {
        *self.met.entry(name).or_default() += 1;
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{}", what());
        }
    }

    pub(super) fn play(mut self) -> BTreeMap<&'static str, u64> {
        for at in 0..self.clients.len() {
            self.connect(at);
        }
        for _ in 0..STEPS {
            let at = self.random.below(self.clients.len() as u64) as usize;
            self.step(at);
        }
        self.rest();
        let tally = self.room.tally.read();
        self.met.extend(tally.into_iter().filter(|(name, _)| !["rows", "loads", "failed_loads"].contains(name)));
        self.met
    }

    fn step(&mut self, at: usize) {
        match self.random.below(100) {
            0..=24 => self.edit(at),
            25..=49 => self.deliver(at),
            50..=61 => self.read(at),
            62..=69 => {
                self.room.dispatch();
                self.collect();
            }
            70..=81 => self.settle(),
            82..=85 => {
                if self.clients[at].link.is_some() {
                    self.leave(at);
                } else {
                    self.connect(at);
                }
            }
            86 | 87 => self.append_elsewhere(),
            88 | 89 => self.repeat(at),
            90 | 91 => self.relay(),
            92 => self.pass(1_000),
            93 => self.pass(limits::PARKED_TIME.as_millis() as u64 + 1),
            94 => self.room.database.folded = self.room.database.rows.len(),
            95 => self.sign_in(at),
            96..=98 if self.hostile => self.wrong(at),
            _ => self.answer(),
        }
    }

    fn edit(&mut self, at: usize) {
        if !self.clients[at].may_write {
            return;
        }
        let update = self.clients[at].replica.edit(&mut self.random);
        if is_empty_update(&update) {
            return;
        }
        self.say(|| format!("client {at} edits"));
        if self.clients[at].link.is_none() {
            self.meet("edits offline");
        }
        self.clients[at].send(update);
    }

    fn connect(&mut self, at: usize) {
        let client = &self.clients[at];
        let mut participant = person(client.user);
        participant.merged = client.guest.iter().copied().collect::<Vec<_>>().into();
        let connection = self.room.join(&participant, client.may_write);
        self.say(|| format!("client {at} joins as {connection:?}, {}", self.clients[at].replica.client()));
        let client = &mut self.clients[at];
        client.link = Some(Link::new(connection));
        self.room.announce(connection, client.replica.client(), self.room.now + 1, Some("{}"));
        let vector = client.replica.vector();
        self.room.handle(Input::Ask(connection, vector));
        self.collect();
    }

    fn leave(&mut self, at: usize) {
        if let Some(link) = self.clients[at].link.take() {
            self.say(|| format!("client {at} leaves"));
            self.room.handle(Input::Leave(link.connection));
            self.meet("left");
            self.collect();
        }
    }

    /// A frame reaches the room.
    fn deliver(&mut self, at: usize) {
        let sloppy = self.clients[at].sloppy;
        let Some(link) = &mut self.clients[at].link else { return };
        if link.queue.is_empty() {
            return;
        }
        let index = if sloppy { self.random.below(link.queue.len() as u64) as usize } else { 0 };
        let (kind, update) = link.queue.remove(index).expect("it is there");
        if kind == EditKind::Sync && link.unowed > 0 {
            link.unowed -= 1;
        } else {
            link.owed.push_back(update.clone());
        }
        let connection = link.connection;
        self.say(|| format!("client {at} is heard: {kind:?} {:?}", extent(&update)));
        self.room.handle(Input::Update(connection, kind, update));
        self.collect();
    }

    fn read(&mut self, at: usize) {
        while let Some(request) = self.clients[at].read(&self.room) {
            self.room.handle(request);
            self.collect();
        }
    }

    fn settle(&mut self) {
        if self.room.reloading {
            self.meet("reloads");
            self.room.reload();
        } else if let Some(append) = self.room.append.clone() {
            for row in &append.rows {
                let readers = self.clients.iter().any(|client| client.user == row.author && !client.may_write);
                assert!(!readers, "a reader writes");
            }
            match self.random.below(10) {
                0 | 1 => self.meet("failed tries"),
                2 => {
                    // It may be in the log; the committer will find out.
                    if self.room.database.attempt(&append) != Outcome::Refused {
                        self.meet("unknown outcomes");
                    }
                }
                _ => {
                    let outcome = self.room.attempt();
                    self.say(|| format!("settled: {outcome:?}"));
                }
            }
        }
        self.collect();
    }

    fn append_elsewhere(&mut self) {
        let head = self.room.database.head;
        match &self.room.append {
            // The same edit, by way of another server.
            Some(append) if append.expected == head && append.claims.is_empty() && self.random.below(3) == 0 => {
                let row = append.rows[0].clone();
                self.room.database.write_elsewhere(row.author, row.update);
                self.meet("the same appended elsewhere");
            }
            _ => {
                for row in &self.room.database.rows[self.elsewhere.1..] {
                    self.elsewhere.0.apply(&row.update);
                }
                let update = self.elsewhere.0.edit(&mut self.random);
                self.elsewhere.1 = self.room.database.rows.len();
                if is_empty_update(&update) {
                    return;
                }
                self.room.database.write_elsewhere(SERVER, update);
                self.meet("appends elsewhere");
            }
        }
        self.say(|| "another server appends".into());
        if self.random.below(2) == 0 {
            self.room.handle(Input::Look);
        }
        self.collect();
    }

    /// What the room has already comes once more.
    fn repeat(&mut self, at: usize) {
        let everything = self.clients[at].replica.since(&[0]);
        self.clients[at].send(everything);
    }

    /// One tab of a person gets what another has, and sends it on, as tabs of one browser do.
    fn relay(&mut self) {
        let vector = self.clients[1].replica.vector();
        let update = self.clients[0].replica.since(&vector);
        if self.clients[0].user != self.clients[1].user || is_empty_update(&update) {
            return;
        }
        self.say(|| "client 0 is relayed by 1".into());
        // Without its own connection another tab's edits may come as part of an unknown history.
        self.clients[1].suspect = true;
        self.clients[0].suspect = true;
        self.clients[1].replica.apply(&update);
        self.clients[1].send(update);
        self.meet("relays between tabs");
    }

    fn pass(&mut self, millis: u64) {
        let now = self.room.now + millis;
        self.room.wait_until(now);
        self.collect();
    }

    /// A guest becomes a user and keeps the page open.
    fn sign_in(&mut self, at: usize) {
        if self.clients[at].guest.is_some() || at < 2 || !self.clients[at].may_write {
            return;
        }
        self.leave(at);
        let guest = self.clients[at].user;
        let signed_in = user(1_000 + at as u64);
        self.room.database.merge_user(guest, signed_in);
        self.clients[at].guest = Some(guest);
        self.clients[at].user = signed_in;
        self.meet("guests signed in");
        self.connect(at);
    }

    /// Something that must be refused, at least in part.
    fn wrong(&mut self, at: usize) {
        self.clients[at].suspect = true;
        if !self.clients[at].may_write {
            let update = self.clients[at].replica.edit(&mut self.random);
            self.clients[at].send(update);
        } else if self.random.below(3) > 0 {
            self.say(|| format!("client {at} writes what cannot be stored"));
            let update = self.clients[at].replica.paste(POISON);
            self.clients[at].send(update);
        } else if at > 1 && self.clients[at].guest.is_none() {
            // Somebody else at the same page.
            self.say(|| format!("client {at} is somebody else now"));
            self.leave(at);
            self.next_id += 1;
            self.clients[at].user = user(2_000 + self.next_id);
            self.meet("logins changed");
            self.connect(at);
        }
    }

    fn answer(&mut self) {
        if !self.room.questions.is_empty() {
            self.room.answer();
        }
        if self.room.implying.is_some() {
            self.room.imply();
        }
        self.collect();
    }

    /// Takes what the room said just now, and holds its promises against the log.
    fn collect(&mut self) {
        for at in 0..self.clients.len() {
            let Some(connection) = self.clients[at].link.as_ref().map(|link| link.connection) else { continue };
            for (position, message) in self.room.told(connection) {
                let Some(link) = &mut self.clients[at].link else { break };
                match message {
                    Message::Saved => {
                        let update = link.owed.pop_front().expect("one answer a frame");
                        self.check_saved(at, &update);
                    }
                    Message::Refused(refusal) => {
                        let update = link.owed.pop_front().expect("one answer a frame");
                        self.check_refused(at, &update, &refusal);
                        self.start_over(at, connection);
                    }
                    Message::Ended(close) => panic!("the room ended: {close:?}"),
                    Message::Other(ref bytes) => {
                        let asks = matches!(yjs::decode(bytes).unwrap()[..], [ClientMessage::SyncStep1(_)]);
                        link.unowed += usize::from(asks);
                        link.inbox.push_back((position, message));
                    }
                    other => link.inbox.push_back((position, other)),
                }
            }
        }
    }

    fn check_saved(&mut self, at: usize, update: &Bytes) {
        let mut extent = extent(update);
        self.meet("saved");
        if !self.clients[at].may_write {
            self.meet("readers known");
            let state = self.room.database.state(0);
            let lost = extent.deletions.subtract(&state.deleted).subtract(&state.formats);
            if !lost.is_empty() {
                let implied = implied_deletions(&self.room.database.whole()).expect("well-formed");
                assert!(implied.contains_all(&lost), "a reader's deletion is called saved");
                self.meet("readers' deletions implied");
            }
            extent.deletions = Default::default();
        }
        assert!(self.room.database.holds(&extent), "client {at} was told that it is saved: {extent:?}");
    }

    fn check_refused(&mut self, at: usize, update: &Bytes, refusal: &Refusal) {
        let client = &self.clients[at];
        self.say(|| format!("client {at} is refused: {refusal:?}"));
        let relayed = at < 2 && (self.clients[0].suspect || self.clients[1].suspect);
        assert!(client.suspect || relayed, "client {at} did nothing wrong: {refusal:?}");
        if client.may_write {
            assert!(!self.room.database.holds(&extent(update)), "client {at} was refused what is saved: {refusal:?}");
        } else {
            self.meet("readers refused");
        }
    }

    /// Reloads the page: a fresh replica under an id of its own.
    fn start_over(&mut self, at: usize, connection: ConnectionId) {
        self.next_id += 1;
        self.clients[at].replica = Replica::new(self.next_id);
        self.clients[at].link = None;
        self.room.handle(Input::Leave(connection));
    }

    /// Everything that is on its way arrives, the database works, everyone comes back and reads.
    fn rest(&mut self) {
        self.say(|| "rest".into());
        for round in 0.. {
            assert!(round < 12, "it never comes to rest");
            for at in 0..self.clients.len() {
                if round == 1 {
                    self.leave(at);
                }
                if self.clients[at].link.is_none() {
                    self.connect(at);
                }
            }
            self.flush();
            let quiet = |client: &Client| {
                client.link.as_ref().is_some_and(|link| link.queue.is_empty() && link.owed.is_empty())
            };
            if round > 1 && self.clients.iter().all(quiet) {
                break;
            }
            self.pass(limits::PARKED_TIME.as_millis() as u64 + 1);
            // Whoever appended beside the room tells it, sooner or later.
            self.room.handle(Input::Look);
        }
        let state = self.room.machine.state();
        assert_eq!(*state, self.room.database.state(state.bytes), "the room's state is the log's");
        let log = Replica::new(1);
        log.apply(&self.room.database.whole());
        let facts = log.facts();
        for (at, client) in self.clients.iter().enumerate() {
            assert_eq!(client.replica.facts(), facts, "client {at}, {}", client.replica.client());
        }
    }

    fn flush(&mut self) {
        for _ in 0..8 {
            for at in 0..self.clients.len() {
                while !self.room.questions.is_empty() || self.room.implying.is_some() {
                    self.answer();
                }
                self.read(at);
                while self.clients[at].link.as_ref().is_some_and(|link| !link.queue.is_empty()) {
                    self.deliver(at);
                }
            }
            self.room.commit();
            self.collect();
        }
    }
}
