//! Which bindings outlive a restart.

use callwright_core::record::Gone;
use callwright_core::view::Binding;
use callwright_sip::Transport;
use jiff::Timestamp;

/// How a binding ended by a restart at `now`; none where the phone can still be rung.
///
/// A datagram finds its way back as long as the binding runs; a connection went down with the process.
pub(crate) fn ended(binding: &Binding, now: Timestamp) -> Option<(Timestamp, Gone)> {
    if binding.expires <= now {
        return Some((binding.expires, Gone::Expired));
    }
    match binding.flow.transport {
        Transport::Udp => None,
        Transport::Tcp => Some((now, Gone::FlowClosed)),
    }
}
