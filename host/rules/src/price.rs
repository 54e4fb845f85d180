//! What things cost: the operator table `fuel-schedule/1` and the price list of the host's functions.
//!
//! Both are part of the contract with a rule: a change needs a new name and a line in the changelog.

use wasmtime::{OperatorCost, VariableOperatorCost};

/// The name of the fuel schedule, in journals and reports.
pub const FUEL_SCHEDULE: &str = "fuel-schedule/1";

/// Fuel for each handle or report that a list gives, on top of the call's price.
pub(crate) const PER_ITEM: u64 = 50;

/// Fuel for each byte of text that a rule gives to the host.
pub(crate) const PER_GUEST_BYTE: u64 = 1;

/// What kind of host function it is; each kind is counted on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answers from the view; at most `reads` of a run.
    Read,
    /// Changes the call or says something about it; at most `actions` of a run.
    Action,
    /// Neither: builds a ring, writes a log line, asks for the budget. Bounded by fuel alone.
    Free,
}

/// One function of the host with its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Interface and function, as in the WIT: `schedule.hours`, `call.ring`.
    pub import: &'static str,
    /// The interface in the WIT.
    pub interface: &'static str,
    /// The function's name in a component's import section.
    pub function: &'static str,
    /// How it is counted.
    pub kind: Kind,
    /// Fuel for one call.
    pub fuel: u64,
}

/// Makes one constant a function and the list of them all.
macro_rules! prices {
    ($($name:ident $interface:literal $function:literal $import:literal $kind:ident $fuel:literal;)*) => {
        $(pub(crate) const $name: Price =
            Price { import: $import, interface: $interface, function: $function, kind: Kind::$kind, fuel: $fuel };)*

        /// The price list: every function that the host offers, once.
        pub const PRICES: &[Price] = &[$($name),*];
    };
}

prices! {
    PARTY_NAME "types" "[method]party.name" "party.name" Read 100;
    PARTY_NUMBER "types" "[method]party.number" "party.number" Read 100;
    PARTY_USER_ID "types" "[method]party.user-id" "party.user-id" Read 100;
    PARTY_WITHHELD "types" "[method]party.withheld" "party.withheld" Read 100;
    DESTINATION_LABEL "types" "[method]destination.label" "destination.label" Read 200;
    DESTINATION_FULL_LABEL "types" "[method]destination.full-label" "destination.full-label" Read 200;
    DESTINATION_LASTS_MS "types" "[method]destination.lasts-ms" "destination.lasts-ms" Read 500;
    DESTINATION_PLACE "types" "[method]destination.place" "destination.place" Read 200;

    LEG_NEW "ring" "[constructor]leg" "leg.constructor" Free 200;
    LEG_START_AFTER "ring" "[method]leg.start-after" "leg.start-after" Free 100;
    LEG_RING_FOR "ring" "[method]leg.ring-for" "leg.ring-for" Free 100;
    LEG_LABEL "ring" "[method]leg.label" "leg.label" Free 100;
    RING_NEW "ring" "[constructor]ring" "ring.constructor" Free 200;
    RING_ADD "ring" "[method]ring.add" "ring.add" Free 200;
    RING_ADD_ALL "ring" "[method]ring.add-all" "ring.add-all" Free 200;
    RING_STOP_ON_DECLINE "ring" "[method]ring.stop-on-decline" "ring.stop-on-decline" Free 100;
    RING_RING_BUSY "ring" "[method]ring.ring-busy" "ring.ring-busy" Free 100;
    RING_KEEP_UNMISSED "ring" "[method]ring.keep-unmissed" "ring.keep-unmissed" Free 100;
    RING_SKIP_RUNG "ring" "[method]ring.skip-rung" "ring.skip-rung" Free 100;
    ANSWER_BY "ring" "[method]answer.by" "answer.by" Read 200;
    ANSWER_USER_ID "ring" "[method]answer.user-id" "answer.user-id" Read 100;
    REPORT_TO "ring" "[method]leg-report.to" "leg-report.to" Read 200;
    REPORT_ENDED "ring" "[method]leg-report.ended" "leg-report.ended" Read 100;
    REPORT_RANG_MS "ring" "[method]leg-report.rang-ms" "leg-report.rang-ms" Read 100;

    CALL_ID "call" "[method]call.id" "call.id" Read 100;
    CALL_CALLER "call" "[method]call.caller" "call.caller" Read 200;
    CALL_DIALLED "call" "[method]call.dialled" "call.dialled" Read 200;
    CALL_ENTERED "call" "[method]call.entered" "call.entered" Read 100;
    CALL_FOR_USER "call" "[method]call.for-user" "call.for-user" Read 100;
    CALL_FOR_GROUP "call" "[method]call.for-group" "call.for-group" Read 100;
    CALL_ELAPSED_MS "call" "[method]call.elapsed-ms" "call.elapsed-ms" Read 100;
    CALL_RING "call" "[method]call.ring" "call.ring" Action 10000;
    CALL_LAST_LEGS "call" "[method]call.last-legs" "call.last-legs" Read 200;
    CALL_STANDARD "call" "[method]call.standard" "call.standard" Action 5000;
    CALL_REFUSE "call" "[method]call.refuse" "call.refuse" Action 5000;
    CALL_CONCLUDE "call" "[method]call.conclude" "call.conclude" Action 5000;
    CALL_BECAUSE "call" "[method]call.because" "call.because" Action 500;

    USER_ID "directory" "[method]user.id" "user.id" Read 100;
    USER_NAME "directory" "[method]user.name" "user.name" Read 200;
    USER_ZONE "directory" "[method]user.zone" "user.zone" Read 200;
    USER_DEVICES "directory" "[method]user.devices" "user.devices" Read 300;
    USER_REACH "directory" "[method]user.reach" "user.reach" Read 100;
    GROUP_NAME "directory" "[method]group.name" "group.name" Read 100;
    GROUP_MEMBERS "directory" "[method]group.members" "group.members" Read 300;
    GROUP_ENTRIES "directory" "[method]group.entries" "group.entries" Read 300;
    GROUP_STAGGER_MS "directory" "[method]group.stagger-ms" "group.stagger-ms" Read 100;
    GROUP_WHOLE "directory" "[method]group.whole" "group.whole" Read 200;
    FIND_USER "directory" "find-user" "directory.find-user" Read 500;
    FIND_GROUP "directory" "find-group" "directory.find-group" Read 500;
    FIND_PLACE "directory" "find-place" "directory.find-place" Read 500;
    LISTED "directory" "listed" "directory.listed" Read 1000;

    GROUP_HUNTS "directory" "[method]group.hunts" "group.hunts" Read 200;
    GROUP_RING_MS "directory" "[method]group.ring-ms" "group.ring-ms" Read 100;
    GROUP_FOLLOWS_FORWARDING "directory" "[method]group.follows-forwarding" "group.follows-forwarding" Read 100;

    ROSTER_NEW "presence" "[constructor]roster" "roster.constructor" Free 200;
    ROSTER_ONLY "presence" "[method]roster.only" "roster.only" Free 100;
    ROSTER_SORT "presence" "[method]roster.sort" "roster.sort" Free 100;
    ROSTER_WITHOUT "presence" "[method]roster.without" "roster.without" Free 100;
    ROSTER_TAKE "presence" "[method]roster.take" "roster.take" Action 5000;
    STATUS_STATE "presence" "[method]status.state" "status.state" Read 100;
    STATUS_ACTIVITY "presence" "[method]status.activity" "status.activity" Read 100;
    STATUS_CALLS "presence" "[method]status.calls" "status.calls" Read 100;
    DEVICE_REGISTERED "presence" "[method]device-status.registered" "device-status.registered" Read 100;
    DEVICE_RINGING "presence" "[method]device-status.ringing" "device-status.ringing" Read 100;
    DEVICE_ON_CALL "presence" "[method]device-status.on-call" "device-status.on-call" Read 100;
    DEVICE_EXPIRES_IN_S "presence" "[method]device-status.expires-in-s" "device-status.expires-in-s" Read 100;
    OF_USER "presence" "of-user" "presence.of-user" Read 1500;
    OF_DEVICE "presence" "of-device" "presence.of-device" Read 800;
    REACHABLE "presence" "reachable" "presence.reachable" Read 1500;

    FORWARDING_OF_USER "forwarding" "of-user" "forwarding.of-user" Read 3000;
    FORWARDING_SELECTED "forwarding" "selected" "forwarding.selected" Read 3000;

    OPENING_IS_OPEN "schedule" "[method]opening.is-open" "opening.is-open" Read 100;
    OPENING_CHANGES_IN_S "schedule" "[method]opening.changes-in-s" "opening.changes-in-s" Read 100;
    OPENING_WHY "schedule" "[method]opening.why" "opening.why" Read 200;
    NOW "schedule" "now" "schedule.now" Read 500;
    NOW_IN "schedule" "now-in" "schedule.now-in" Read 1500;
    HOURS "schedule" "hours" "schedule.hours" Read 5000;
    ON_DUTY "schedule" "on-duty" "schedule.on-duty" Read 5000;

    LAST_AGENT "stats" "last-agent" "stats.last-agent" Read 1000;
    CALLS_FROM "stats" "calls-from" "stats.calls-from" Read 1000;
    IDLE_S "stats" "idle-s" "stats.idle-s" Read 1000;
    ANSWER_RATE "stats" "answer-rate" "stats.answer-rate" Read 10000;

    STORE_GET "store" "get" "store.get" Action 3000;
    STORE_SET "store" "set" "store.set" Action 5000;
    STORE_REMOVE "store" "remove" "store.remove" Action 5000;
    STORE_ADD "store" "add" "store.add" Action 5000;
    STORE_CLAIM "store" "claim" "store.claim" Action 5000;

    SETTING_TEXT "settings" "text" "settings.text" Read 200;
    SETTING_NUMBER "settings" "number" "settings.number" Read 200;
    SETTING_FLAG "settings" "flag" "settings.flag" Read 200;
    SETTING_PLACE "settings" "place" "settings.place" Read 300;

    LOG_WRITE "log" "write" "log.write" Free 500;

    BUDGET_FUEL "budget" "fuel" "budget.fuel" Free 100;
    BUDGET_READS "budget" "reads" "budget.reads" Free 100;
    BUDGET_ACTIONS "budget" "actions" "budget.actions" Free 100;
    BUDGET_LEGS "budget" "legs" "budget.legs" Free 100;
}

/// `fuel-schedule/1`: one unit an operator, none for what makes no code, bulk work by its size, a grown page 200.
pub(crate) fn operator_cost() -> OperatorCost {
    let mut cost = OperatorCost::new();
    // A fresh page is 64 KiB to map and zero.
    cost.variable = VariableOperatorCost { memory_grow_per_page: 200, ..VariableOperatorCost::new() };
    cost
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_operator_table_is_what_its_name_promises() {
        // An engine update that changes a cost changes this digest: then the schedule needs a new name.
        let table = format!("{:?}", operator_cost());
        let digest = crate::upload::hex(&Sha256::digest(table));
        assert_eq!((FUEL_SCHEDULE, &digest[..16]), ("fuel-schedule/1", "ba1648ef2c1e92fe"));
    }

    #[test]
    fn the_reads_of_a_run_cost_less_than_its_fuel() {
        let limits = crate::RunLimits::default();
        let getters =
            PRICES.iter().filter(|price| price.kind == Kind::Read && price.function.starts_with("[method]"));
        assert!(
            getters
                .map(|price| price.fuel)
                .max()
                .is_some_and(|most| most * u64::from(limits.reads) < limits.fuel)
        );
    }
}
