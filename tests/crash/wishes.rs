//! People who save how they wish to be reached, one change after the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::kill::Losses;
use crate::switch::{RESTLESS, Switch};

/// What the API has acknowledged.
#[derive(Default)]
pub(crate) struct Wishes {
    /// The last that was acknowledged, by user; none where another was on its way when the switch died.
    saved: BTreeMap<String, Option<Value>>,
    changes: u64,
}

impl Wishes {
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Saves until the switch is dead. Nothing of it touches a call: it is suspended.
    pub(crate) fn go_on_until(&mut self, over: &AtomicBool, switch: &Switch, round: u32) {
        for number in 0_u64.. {
            if over.load(Ordering::Relaxed) {
                return;
            }
            let device = RESTLESS[usize::try_from(number).unwrap() % RESTLESS.len()];
            let user = format!("u{device}");
            let wishes = json!({ "enabled": false, "queues": [format!("q{round}-{number}")] });
            self.saved.insert(user.clone(), None);
            let Some(shown) = switch.put(&format!("forwarding/{user}?save=true"), &wishes) else { return };
            assert_eq!(shown["live"], wishes, "what is acknowledged is what was sent");
            self.saved.insert(user, Some(wishes));
            self.changes += 1;
        }
    }

    /// Compares what was acknowledged with what is there.
    pub(crate) fn look_for(&self, switch: &Switch, losses: &mut Losses) {
        for (user, wishes) in self.saved.iter().filter_map(|(user, wishes)| Some((user, wishes.as_ref()?))) {
            let live = switch.get(&format!("forwarding/{user}")).map(|mut shown| shown["live"].take());
            losses
                .wishes
                .expect(live.as_ref() == Some(wishes), || format!("{user} has {live:?} and not {wishes}"));
        }
    }
}
