//! What connections ask the machine, and what it answers: once for all who ask the same at one head.

use std::collections::hash_map::Entry;

use bytes::Bytes;

use super::{Asked, Effect, Machine, Message};
use crate::ids::ConnectionId;
use crate::limits;
use crate::protocol;
use crate::protocol::close::Close;
use crate::room::committed::Answer;
use crate::update::StateVector;

impl Machine {
    /// What a follower lacks that was shown everything up to a row, encoded once for all of them at one head.
    pub(super) fn catch_up(&mut self, shown: i64) -> Bytes {
        // Those who are shown everything are all alike.
        let shown = if self.committed.has_rows_after(shown) { shown } else { -1 };
        if let Some(update) = self.catch_ups.get(&shown) {
            return update.clone();
        }
        let update = protocol::update(&self.committed.since(shown));
        if self.catch_ups.len() < limits::ANSWERS {
            self.catch_ups.insert(shown, update.clone());
        }
        update
    }

    /// The server's SyncStep1, encoded once for each head.
    pub(super) fn question(&mut self) -> Bytes {
        let clocks = &self.committed.clocks;
        self.question.get_or_insert_with(|| protocol::sync_step_1(&clocks.encode())).clone()
    }

    pub(super) fn ask(&mut self, connection: ConnectionId, remote: Bytes, effects: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get(&connection) else { return };
        if let Some(answer) = self.answers.get(&remote).cloned() {
            effects.push(Effect::Send(connection, Message::Answer(self.question(), answer)));
            return;
        }
        let Ok(vector) = StateVector::decode(&remote) else {
            effects.push(Effect::Send(connection, Message::Ended(Close::Malformed)));
            return;
        };
        let asked = self.asking.entry(remote.clone()).or_default();
        if let Some(asked) = asked.iter_mut().find(|asked| asked.seq >= seat.joined) {
            asked.waiting.push(connection);
            return;
        }
        asked.push(Asked { seq: self.committed.head.seq, waiting: vec![connection] });
        effects.push(Effect::Answer(remote, self.committed.question(vector)));
    }

    pub(super) fn answered(&mut self, remote: Bytes, answer: Answer, effects: &mut Vec<Effect>) {
        let question = self.question();
        if let Entry::Occupied(mut asked) = self.asking.entry(remote.clone()) {
            for asked in asked.get_mut().extract_if(.., |asked| asked.seq == answer.seq) {
                for connection in asked.waiting {
                    effects.push(Effect::Send(connection, Message::Answer(question.clone(), answer.clone())));
                }
            }
            if asked.get().is_empty() {
                asked.remove();
            }
        }
        let bytes = self.answers_bytes + answer.bytes();
        let fits = self.answers.len() < limits::ANSWERS && bytes <= limits::ANSWERS_BYTES;
        if answer.seq == self.committed.head.seq && fits {
            self.answers_bytes = bytes;
            self.answers.insert(remote, answer);
        }
    }
}
