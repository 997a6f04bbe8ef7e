//! What a room keeps in memory.

use super::Machine;

/// What a connection's place takes, in bytes, but for what waits in it, which counts as unsettled.
const SEAT_BYTES: usize = 512;

/// What was found by going through all clients and people, and of what room.
#[derive(Debug, Default)]
pub(super) struct Counted {
    bytes: usize,
    document: usize,
    seats: usize,
}

impl Machine {
    /// What the room keeps, in bytes, but for its ring. Clients and people are gone through only when the document, or how
    /// many are here, has changed by an eighth since; so each is an estimate in between, and a turn costs little.
    pub fn memory(&mut self) -> usize {
        let (document, seats) = (self.committed.bytes(), self.seats.len());
        if has_changed(document, self.counted.document) || has_changed(seats, self.counted.seats) {
            let clients = self.state.memory() + self.committed.clocks.memory();
            let implied = self.implied.as_ref().map_or(0, |(_, implied)| implied.memory());
            let people = self.presence.memory() + seats * SEAT_BYTES;
            self.counted = Counted { bytes: clients + implied + people, document, seats };
        }
        let catch_ups: usize = self.catch_ups.values().map(bytes::Bytes::len).sum();
        let answers = self.answers_bytes + catch_ups + self.question.as_ref().map_or(0, bytes::Bytes::len);
        self.counted.bytes + self.committed.memory() + answers + self.pending_bytes
    }
}

fn has_changed(now: usize, before: usize) -> bool {
    now.abs_diff(before) * 8 > before
}
