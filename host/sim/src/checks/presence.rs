//! The reference model of presence: who talks is who was joined with somebody and has not hung up.

use callwright_core::{Now, View};

use super::wire::Wire;
use super::{Found, Invariant};

/// Compares with what the switch shows.
pub(super) fn compare(now: Now, wire: &Wire, view: &View, found: &mut Found) {
    let talking = wire.talking();
    for (device, activity) in &view.activity {
        let calls = talking.get(device).copied().unwrap_or(0);
        if activity.talking != calls {
            let (tenant, extension) = device;
            found.add(
                now,
                Invariant::PresenceIsAsModelled,
                format!("{extension} of {tenant} is shown with {} calls and has {calls}", activity.talking),
            );
        }
    }
    for (tenant, extension) in talking.keys().filter(|device| !view.activity.contains_key(*device)) {
        found.add(
            now,
            Invariant::PresenceIsAsModelled,
            format!("{extension} of {tenant} talks and is shown idle"),
        );
    }
}
