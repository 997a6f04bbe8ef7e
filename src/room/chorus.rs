//! Presence as a room tells it: what changes in quick succession goes out together, the latest of each client, so that a
//! room of many people wakes everyone some times a second and not once for each movement of each.
//!
//! The first after a quiet time goes at once. How long the next is held grows with the room: with how much would be told,
//! and to how many.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::presence::Millis;
use super::ring::Frame;
use crate::ids::ConnectionId;
use crate::limits;
use crate::protocol::{self, ClientMessage, awareness, yjs};
use crate::update::ClientId;

/// What waits to be told, and when the next may be.
#[derive(Debug, Default)]
pub(super) struct Chorus {
    waiting: BTreeMap<ClientId, (u64, Option<String>)>,
    /// Whose all of it is, if it is one connection's.
    from: Option<ConnectionId>,
    free_at: Millis,
}

impl Chorus {
    /// Takes in a frame that tells of presence; answers what is to be told now, to so many.
    pub(super) fn take(&mut self, frame: Frame, now: Millis, seats: usize) -> Option<Frame> {
        if self.waiting.is_empty() && self.free_at <= now {
            self.rest(now, frame.message.len(), seats);
            return Some(frame);
        }
        let alone = self.waiting.is_empty() || self.from == frame.from;
        self.from = frame.from.filter(|_| alone);
        for body in bodies(&frame.message) {
            for entry in awareness::decode(&body).unwrap_or_default() {
                self.waiting.insert(entry.client, (entry.clock, entry.state.map(str::to_owned)));
            }
        }
        self.due(now, seats)
    }

    /// When what waits is to be told.
    pub(super) fn next(&self) -> Option<Millis> {
        (!self.waiting.is_empty()).then_some(self.free_at)
    }

    /// What is to be told by now.
    pub(super) fn due(&mut self, now: Millis, seats: usize) -> Option<Frame> {
        if self.waiting.is_empty() || self.free_at > now {
            return None;
        }
        let told = std::mem::take(&mut self.waiting);
        let entries = told.iter().map(|(&client, (clock, state))| awareness::Entry {
            client,
            clock: *clock,
            state: state.as_deref(),
        });
        let message = protocol::awareness(&awareness::encode(entries));
        self.rest(now, message.len(), seats);
        Some(Frame::new(self.from.take(), None, message))
    }

    fn rest(&mut self, now: Millis, bytes: usize, seats: usize) {
        let shortest = millis(limits::PRESENCE_INTERVAL);
        let fair = (bytes * seats / limits::PRESENCE_BYTES_PER_MILLI) as Millis;
        self.free_at = now + fair.clamp(shortest, millis(limits::PRESENCE_INTERVAL_MAX));
    }
}

/// What is in a message of presence; nothing for any other.
fn bodies(message: &Bytes) -> Vec<Bytes> {
    let bodies = yjs::decode(message).unwrap_or_default().into_iter();
    bodies.filter_map(|message| if let ClientMessage::Awareness(body) = message { Some(body) } else { None }).collect()
}

fn millis(time: std::time::Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(from: u64, client: u64, clock: u64, state: Option<&str>) -> Frame {
        let entry = awareness::Entry { client: ClientId(client), clock, state };
        let message = protocol::awareness(&awareness::encode([entry].into_iter()));
        Frame::new(Some(ConnectionId(from)), None, message)
    }

    fn told(frame: &Frame) -> Vec<(u64, u64, bool)> {
        let bodies = bodies(&frame.message);
        let entries = awareness::decode(&bodies[0]).unwrap().into_iter();
        entries.map(|entry| (entry.client.0, entry.clock, entry.state.is_some())).collect()
    }

    #[test]
    fn the_first_goes_at_once_and_the_latest_of_the_others_together() {
        let mut chorus = Chorus::default();
        assert_eq!(told(&chorus.take(frame(1, 1, 1, Some("{}")), 1_000, 3).unwrap()), [(1, 1, true)]);
        for clock in 2..=20 {
            assert!(chorus.take(frame(1, 1, clock, Some("{}")), 1_000 + clock, 3).is_none());
        }
        assert_eq!(chorus.next(), Some(1_100));
        let alone = chorus.due(1_100, 3).unwrap();
        assert_eq!((told(&alone), alone.from), (vec![(1, 20, true)], Some(ConnectionId(1))));
        assert!(chorus.take(frame(1, 1, 21, Some("{}")), 1_150, 3).is_none());
        assert!(chorus.take(frame(2, 2, 5, Some("{}")), 1_160, 3).is_none());
        assert!(chorus.take(frame(1, 1, 21, None), 1_170, 3).is_none());
        let both = chorus.due(1_200, 3).unwrap();
        assert_eq!((told(&both), both.from), (vec![(1, 21, false), (2, 5, true)], None));
        assert_eq!(chorus.next(), None);
        assert!(chorus.take(frame(2, 2, 6, Some("{}")), 1_300, 3).is_some(), "after a quiet time at once again");
    }

    #[test]
    fn a_large_room_is_told_less_often_but_in_the_end() {
        let mut chorus = Chorus::default();
        let state = format!("{{\"a\":\"{}\"}}", "x".repeat(3_000));
        chorus.take(frame(1, 1, 1, Some(&state)), 0, 100_000);
        assert!(chorus.take(frame(1, 1, 2, Some(&state)), 200, 100_000).is_none());
        let next = chorus.next().unwrap();
        assert!(next > 1_000, "{next}");
        assert_eq!(told(&chorus.due(next, 100_000).unwrap()), [(1, 2, true)]);
    }
}
