//! What waits to be taken by the outside.

use super::{Event, Transmit};
use crate::flow::Flow;
use bytes::Bytes;
use std::collections::VecDeque;

/// Filled by one call of the endpoint and drained before the next, so that its length is bounded by the bytes that
/// one call was given, or by the timers that were due.
#[derive(Default, Debug)]
pub(super) struct Outbox {
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    closes: VecDeque<Flow>,
}

impl Outbox {
    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes) {
        tracing::trace!(peer = %flow, length = bytes.len(), "message goes out");
        self.transmits.push_back(Transmit { flow, bytes });
    }

    pub(super) fn report(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) fn close(&mut self, flow: Flow) {
        self.closes.push_back(flow);
    }

    pub(super) fn next_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn next_close(&mut self) -> Option<Flow> {
        self.closes.pop_front()
    }
}
