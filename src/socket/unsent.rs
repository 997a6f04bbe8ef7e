//! What a socket was told and its rooms have no place for yet. While there is any, the socket is not read.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;

use super::inflow::LargePlace;
use crate::room::machine::Input;
use crate::room::{Charge, Handle, Unsent as Why};

/// The inputs, in order.
#[derive(Default)]
pub(super) struct Unsent {
    queue: VecDeque<(Arc<Handle>, Input)>,
    /// Whether the first was counted as unsettled.
    charged: bool,
    /// The first edit's wait until it can be.
    charging: Option<Pin<Box<dyn Future<Output = Option<Charge>> + Send>>>,
    /// The place of the large frame that the inputs came in, kept until the rooms have them.
    place: Option<LargePlace>,
}

impl Unsent {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Hands an input to its room, unless others wait or it has no place: then it waits.
    pub(super) fn push(&mut self, room: &Arc<Handle>, input: Input) {
        let waits = if self.queue.is_empty() { self.hand_over(room, input) } else { Some(input) };
        self.queue.extend(waits.map(|input| (room.clone(), input)));
    }

    /// Keeps the place of the frame that inputs came in.
    pub(super) fn keep(&mut self, place: Option<LargePlace>) {
        self.place = place.or_else(|| self.place.take());
    }

    /// Waits until the first may find a place.
    pub(super) async fn first(&mut self) {
        let Some((room, input)) = self.queue.front_mut() else { return pending().await };
        if let Some(charging) = &mut self.charging {
            let charge = charging.await;
            self.charging = None;
            self.charged = true;
            if let (Some(charge), Input::Update(_, _, update)) = (charge, input) {
                *update = charge.on(std::mem::take(update));
            }
            return;
        }
        room.has_place().await;
    }

    /// Hands inputs to their rooms, until one has no place.
    pub(super) fn send(&mut self) {
        while self.charging.is_none() {
            let Some((room, input)) = self.queue.pop_front() else { break };
            if let Some(input) = self.hand_over(&room, input) {
                self.queue.push_front((room, input));
                return;
            }
        }
        if self.queue.is_empty() {
            // Most sockets never have any waiting.
            self.queue = VecDeque::new();
            self.place = None;
        }
    }

    /// Hands the first of the inputs to its room; gives it back when that has no place.
    fn hand_over(&mut self, room: &Handle, mut input: Input) -> Option<Input> {
        if let (Input::Update(_, _, update), false) = (&mut input, self.charged) {
            match room.charge(update.len()) {
                Some(charge) => *update = charge.on(std::mem::take(update)),
                None => {
                    self.charging = Some(Box::pin(room.charge_later(update.len())));
                    return Some(input);
                }
            }
        }
        match room.try_send(input) {
            Err(Why::Full(input)) => {
                self.charged = true;
                Some(input)
            }
            // The room's last word is in the outbox; what cannot reach one that has ended is not acknowledged.
            Ok(()) | Err(Why::Ended) => {
                self.charged = false;
                None
            }
        }
    }
}
