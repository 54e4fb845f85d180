//! What people do with the keys of desk phones that subscribe, sensibly and not.

use std::time::Duration;

use super::city::Resident;
use crate::dice::Dice;
use crate::phone::manner::{OnNotify, Order, Subscribe};
use crate::world::{Happening, World};

/// When phones have registered.
const FIRST_KEY: Duration = Duration::from_secs(1);
/// Of a thousand worlds so many have such phones.
const WORLDS: u16 = 250;

/// Plans some keys until `end`.
pub(super) fn plan(
    dice: &mut Dice,
    world: &mut World,
    phones: &[Resident],
    end: Duration,
    notes: &mut Vec<String>,
) {
    if !dice.chance(WORLDS) {
        return;
    }
    for phone in phones.iter().take(3) {
        let order = Order::Subscribe(Subscribe { expires_s: 60, ..Subscribe::default() });
        world.schedule(FIRST_KEY, Happening::Order(phone.name.clone(), order));
    }
    for _ in 0..=dice.below(8) {
        let Some(phone) = dice.pick(phones).cloned() else { return };
        let at = dice.between(FIRST_KEY, end - Duration::from_secs(1));
        let order = order(dice, &phone);
        notes.push(format!("{at:?}: {} presses {order:?}", phone.name));
        world.schedule(at, Happening::Order(phone.name, order));
    }
}

fn order(dice: &mut Dice, phone: &Resident) -> Order {
    let set = |root: &str, fields: &str| Order::SetFeature(format!("<{root}>{fields}</{root}>"));
    match dice.below(9) {
        0 => Order::Subscribe(Subscribe::default()),
        1 => Order::Subscribe(Subscribe { expires_s: 10, ..Subscribe::default() }),
        2 => Order::Unsubscribe,
        3 | 4 => {
            let is_on = dice.chance(300);
            set("SetDoNotDisturb", &format!("<doNotDisturbOn>{is_on}</doNotDisturbOn>"))
        }
        5 => {
            let to = dice.pick(&phone.numbers).cloned().unwrap_or_default();
            let kind = "<forwardingType>forwardNoAns</forwardingType><activateForward>true</activateForward>";
            set("SetForwarding", &format!("{kind}<forwardDN>{to}</forwardDN>"))
        }
        6 => set("SetForwarding", "<forwardingType>forwardBusy"),
        7 => Order::OnNotify(OnNotify::Refuses(if dice.chance(500) { 481 } else { 503 })),
        _ => Order::OnNotify(if dice.chance(500) { OnNotify::Silent } else { OnNotify::Takes }),
    }
}
