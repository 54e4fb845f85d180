//! No queue or list grows over its bound.

use callwright_core::{Now, View};
use callwright_sip::TRANSACTIONS_MAX;

use super::{Found, Invariant};

/// Effects that one input may have: the legs of a ring, their ends, and what goes with them.
const EFFECTS_MAX: usize = 200;
/// Calls in a virtual world at once, far above what any scenario begins.
const CALLS_MAX: usize = 1_000;
/// Phones of one device (two on one credential are two bindings, TELEPHONY T6).
const BINDINGS_OF_A_DEVICE_MAX: usize = 8;

/// Subscriptions of a device.
const SUBSCRIPTIONS_OF_A_DEVICE_MAX: usize = 8;

/// Looks at what a step left behind.
pub(super) fn check(now: Now, effects: usize, view: &View, found: &mut Found) {
    let mut bound = |what: &str, is: usize, max: usize| {
        if is > max {
            found.add(now, Invariant::BoundsHold, format!("{is} {what}, at most {max}"));
        }
    };
    bound("effects of one input", effects, EFFECTS_MAX);
    bound("calls", view.calls.len(), CALLS_MAX);
    bound(
        "transactions",
        usize::try_from(view.counters.transactions).unwrap_or(usize::MAX),
        TRANSACTIONS_MAX,
    );
    let mut of_device = 0;
    let mut last = None;
    for key in view.bindings.keys() {
        let device = Some((&key.tenant, &key.device));
        of_device = if device == last { of_device + 1 } else { 1 };
        last = device;
        bound("bindings of one device", of_device, BINDINGS_OF_A_DEVICE_MAX);
    }
    let mut of_device = 0;
    let mut last = None;
    for (device, _) in view.subscriptions.keys() {
        of_device = if Some(device) == last { of_device + 1 } else { 1 };
        last = Some(device);
        bound("subscriptions of one device", of_device, SUBSCRIPTIONS_OF_A_DEVICE_MAX);
    }
}
