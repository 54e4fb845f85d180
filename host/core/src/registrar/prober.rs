//! Keeps bindings behind NAT alive and notices when they are dead (TELEPHONY T5).
//!
//! CRLF on streams (RFC 5626 §4.4.1), OPTIONS on UDP, every 30 s in random phase. On UDP two missed probes make a binding
//! suspect and one answered probe clears it. On a stream few phones answer the CRLF, so nothing follows from their
//! silence; but bytes that nobody acknowledges make the transport close the connection, and with it the binding.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callwright_sip::{Message, Method, Name, Transport};

use crate::seam::Effect;
use crate::spans;
use crate::switchboard::{Asker, Switchboard};
use crate::time::{Deadline, Timer};
use crate::view::{Binding, BindingKey};

/// Time between two probes of a binding.
const EVERY: Duration = Duration::from_secs(30);
/// Missed probes after which a binding is suspect.
const MISSED_MAX: u32 = 2;

#[derive(Default)]
pub(super) struct Prober {
    due: BTreeSet<(Duration, BindingKey)>,
    watched: BTreeMap<BindingKey, Watched>,
}

struct Watched {
    next: Duration,
    missed: u32,
}

impl Prober {
    /// Begins to probe a binding that is behind NAT or on a stream, or goes on in the same phase.
    pub(super) fn watch(&mut self, board: &Switchboard, binding: &Binding) {
        // A connection needs it even without NAT: only bytes on their way tell that the other end is gone.
        if !binding.behind_nat && binding.flow.transport == Transport::Udp {
            return;
        }
        let next = board.now.mono + phase(&binding.key);
        self.due.insert((next, binding.key.clone()));
        self.watched.insert(binding.key.clone(), Watched { next, missed: 0 });
    }

    pub(super) fn forget(&mut self, key: &BindingKey) {
        if let Some(watched) = self.watched.remove(key) {
            self.due.remove(&(watched.next, key.clone()));
        }
    }

    pub(super) fn tick(&mut self, board: &mut Switchboard) {
        let now = board.now.mono;
        while let Some((at, key)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.due.remove(&(at, key.clone()));
            let Some(watched) = self.watched.get_mut(&key) else { continue };
            watched.next = now + EVERY;
            self.due.insert((watched.next, key.clone()));
            if let Some(binding) = board.picture.bindings.get(&key).cloned() {
                probe(board, &binding);
            }
        }
    }

    pub(super) fn probed(&mut self, board: &mut Switchboard, key: &BindingKey, answered: bool) {
        let Some(watched) = self.watched.get_mut(key) else { return };
        watched.missed = if answered { 0 } else { watched.missed + 1 };
        let Some(binding) = board.picture.bindings.get(key) else { return };
        let suspect = watched.missed >= MISSED_MAX;
        if suspect != binding.suspect_since.is_some() {
            let mut changed = Binding::clone(binding);
            changed.suspect_since = suspect.then_some(board.now.wall);
            spans::tenant(&key.tenant)
                .in_scope(|| tracing::debug!(aor = %key.device, suspect, "binding probed"));
            board.repaint().bindings.insert(key.clone(), Arc::new(changed));
        }
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.due.first().map(|(at, _)| Deadline { at: *at, why: Timer::Probe })
    }
}

fn probe(board: &mut Switchboard, binding: &Binding) {
    match binding.flow.transport {
        Transport::Tcp => {
            board.emit(Effect::Transmit { flow: binding.flow, bytes: Bytes::from_static(b"\r\n\r\n") });
        }
        Transport::Udp => {
            let domain = board.tenant(&binding.key.tenant).map(|t| t.domain().to_owned()).unwrap_or_default();
            let tag = board.sip.mint();
            let options = Message::request(Method::Options, binding.request_uri())
                .with(Name::MaxForwards, "70")
                .with(Name::From, format!("<sip:{domain}>;tag={}", tag.lossy()))
                .with(Name::To, format!("<{}>", binding.request_uri()))
                .with(Name::CallId, board.sip.mint())
                .with(Name::CSeq, "1 OPTIONS");
            if let Ok(tx) = board.sip.request(board.now.mono, binding.flow, options) {
                board.clients.insert(tx, Asker::Probe(binding.key.clone()));
            }
        }
    }
}

/// A wait between nothing and a whole interval, spread over bindings and the same in every replay.
fn phase(key: &BindingKey) -> Duration {
    let mut hasher = DefaultHasher::new();
    (key.tenant.as_str(), key.device.as_str(), key.phone.as_str()).hash(&mut hasher);
    let spread = u32::try_from(hasher.finish() % 1_000).unwrap_or(0);
    EVERY * spread / 1_000
}
