//! What people, wires and stores do to a random town while it is not left in peace.

use std::sync::Arc;
use std::time::Duration;

use callwright_core::Config;
use callwright_core::rule::ActiveRule;
use callwright_core::seam::StoreRefused;
use callwright_sip::Transport;
use jiff::SignedDuration;

use super::city::{City, Resident, wire};
use super::keys;
use crate::dice::Dice;
use crate::phone::manner::{Dial, Manner, Offer, OnCancel, Order, Sign, Then, Which};
use crate::runs::{HostCall, Moment, TrapAt};
use crate::world::{Happening, Unplugged, World};

/// When phones have registered and may be called.
const FIRST_CALL: Duration = Duration::from_secs(2);
/// How far the calendar's clock is set at most, in seconds: two days.
const CLOCK_MAX_S: u64 = 172_800;
/// How long the store has its worst trouble.
const STORE_RECOVERS: Duration = Duration::from_secs(25);
/// How late the last call may begin before the mayhem ends.
const LAST_CALL: Duration = Duration::from_secs(20);

/// Plans everything that happens until `end`.
pub(super) fn plan(seed: u64, city: &mut City, end: Duration) {
    let mut dice = Dice::new(seed, "mayhem");
    let City { world, phones, plan: notes, configs, rules } = city;
    office(&mut dice, world, configs, rules, end, notes);
    let phones = phones.as_slice();
    for phone in phones {
        let manner = manner(&mut dice, phone);
        world.schedule(Duration::ZERO, Happening::Order(phone.name.clone(), Order::Manner(manner)));
    }
    for number in 0..=dice.below(5) {
        let Some(from) = dice.pick(phones).cloned() else { return };
        let at = dice.between(FIRST_CALL, end - LAST_CALL);
        call(&mut dice, world, phones, &from, number, at, notes);
    }
    for _ in 0..dice.below(6) {
        let Some(phone) = dice.pick(phones).cloned() else { return };
        trouble(&mut dice, world, &phone, end, notes);
    }
    if dice.chance(200) {
        let at = dice.between(Duration::ZERO, end);
        world.schedule(
            at,
            Happening::StoreDelay(dice.between(Duration::from_millis(1), Duration::from_millis(400))),
        );
    }
    let is_full = dice.chance(100);
    if is_full {
        let at = dice.between(Duration::ZERO, end);
        world.schedule(at, Happening::StoreRefuses(Some(StoreRefused::Full)));
        world.schedule(at + Duration::from_secs(10), Happening::StoreRefuses(None));
    }
    drain(Dice::new(seed, "drain"), world, end, notes);
    jump(Dice::new(seed, "jump"), world, end, notes);
    // A refresh is accepted without the store, and then nobody can say what a switch has kept that dies.
    if !is_full {
        kill(Dice::new(seed, "kill"), world, end, notes);
    }
    if dice.chance(150) {
        world.schedule(
            Duration::ZERO,
            Happening::RulesTake(dice.between(Duration::from_millis(1), Duration::from_millis(300))),
        );
    }
    // From dice of their own: without them a seed's world is what it was.
    store(&mut Dice::new(seed, "store"), world, end, notes);
    rules_fail(&mut Dice::new(seed, "rules"), world, notes);
    keys::plan(&mut Dice::new(seed, "keys"), world, phones, end, notes);
}

/// A store that nobody can wait for, and one that fails again and again.
fn store(dice: &mut Dice, world: &mut World, end: Duration, notes: &mut Vec<String>) {
    // When all phones come for the first time, or whenever.
    let at =
        if dice.chance(300) { Duration::ZERO } else { dice.between(Duration::ZERO, end - STORE_RECOVERS) };
    if dice.chance(80) {
        let delay = dice.between(Duration::from_secs(1), Duration::from_secs(4));
        notes.push(format!("{at:?}: the store takes {delay:?}"));
        world.schedule(at, Happening::StoreDelay(delay));
        world.schedule(at + STORE_RECOVERS, Happening::StoreDelay(Duration::ZERO));
    }
    if dice.chance(80) {
        notes.push(format!("{at:?}: the store fails again and again"));
        let why = StoreRefused::Unavailable("the disk does not answer".to_owned());
        for _ in 0..=dice.below(6) {
            let fails = at + dice.between(Duration::ZERO, STORE_RECOVERS / 5);
            let works = fails + dice.between(Duration::from_millis(1), Duration::from_secs(3));
            world.schedule(fails, Happening::StoreRefuses(Some(why.clone())));
            world.schedule(works, Happening::StoreRefuses(None));
        }
    }
}

/// Rules that trap at one of their host calls, that are late, and whose words arrive when nobody wants them any more.
fn rules_fail(dice: &mut Dice, world: &mut World, notes: &mut Vec<String>) {
    if dice.chance(500) {
        // Fewer rules refuse than ring.
        let calls = [
            HostCall::Ring,
            HostCall::Standard,
            HostCall::Keep,
            HostCall::Refuse,
            HostCall::Refuse,
            HostCall::Refuse,
        ];
        let call = dice.pick(&calls).copied().unwrap_or(HostCall::Ring);
        let at = TrapAt { call, moment: if dice.chance(500) { Moment::Before } else { Moment::After } };
        notes.push(format!("rules trap: {at:?}"));
        world.schedule(Duration::ZERO, Happening::RulesTrap(Some(at)));
    }
    if dice.chance(200) {
        let late = dice.between(Duration::from_millis(500), Duration::from_secs(7));
        notes.push(format!("rules take {late:?}"));
        world.schedule(Duration::ZERO, Happening::RulesTake(late));
    }
    if dice.chance(700) {
        notes.push("words outlive their runs".to_owned());
        world.schedule(Duration::ZERO, Happening::WordsOutlive);
    }
}

/// What operators and tenants do: a reload without somebody and back, a roll back to no rule and back, the end.
fn office(
    dice: &mut Dice,
    world: &mut World,
    configs: &[Arc<Config>; 2],
    rules: &[Arc<ActiveRule>],
    end: Duration,
    notes: &mut Vec<String>,
) {
    let at = dice.between(FIRST_CALL, end - LAST_CALL);
    let later = at + dice.between(Duration::from_secs(1), LAST_CALL);
    if dice.chance(80) {
        notes.push(format!("{at:?}: a reload without somebody, until {later:?}"));
        world.schedule(at, Happening::Configured(Arc::clone(&configs[1])));
        world.schedule(later, Happening::Configured(Arc::clone(&configs[0])));
    }
    if let Some(rule) = dice.pick(rules).filter(|_| dice.chance(80)) {
        notes.push(format!("{at:?}: {} has no rule, until {later:?}", rule.tenant));
        world.schedule(at, Happening::Rules(rule.tenant.clone(), Vec::new()));
        world.schedule(later, Happening::Rules(rule.tenant.clone(), vec![Arc::clone(rule)]));
    }
    if dice.chance(30) {
        notes.push(format!("{end:?}: the switch shuts down"));
        world.schedule(end - Duration::from_secs(1), Happening::ShutDown);
    }
}

/// Somebody sets the calendar's clock, and most of them set it right again.
fn jump(mut dice: Dice, world: &mut World, end: Duration, notes: &mut Vec<String>) {
    if !dice.chance(60) {
        return;
    }
    let at = dice.between(Duration::ZERO, end);
    let seconds = i64::try_from(dice.below(2 * CLOCK_MAX_S)).unwrap_or_default();
    let by = SignedDuration::from_secs(seconds - i64::try_from(CLOCK_MAX_S).unwrap_or_default());
    notes.push(format!("{at:?}: the calendar's clock jumps by {by:?}"));
    world.schedule(at, Happening::ClockJumps(by));
    if dice.chance(700) {
        let later = at + dice.between(Duration::ZERO, LAST_CALL);
        notes.push(format!("{later:?}: and back"));
        world.schedule(later, Happening::ClockJumps(-by));
    }
}

/// The switch dies, and starts again soon or at once.
fn kill(mut dice: Dice, world: &mut World, end: Duration, notes: &mut Vec<String>) {
    if !dice.chance(60) {
        return;
    }
    let at = dice.between(FIRST_CALL, end - LAST_CALL);
    let later = at + dice.between(Duration::ZERO, Duration::from_secs(8));
    notes.push(format!("{at:?}: the switch is killed, and starts at {later:?}"));
    world.schedule(at, Happening::Kill);
    world.schedule(later, Happening::Start);
}

/// The switch takes no new calls; half of those that drain are ended before all of theirs are over.
fn drain(mut dice: Dice, world: &mut World, end: Duration, notes: &mut Vec<String>) {
    if !dice.chance(40) {
        return;
    }
    let at = dice.between(end - LAST_CALL, end);
    notes.push(format!("{at:?}: the switch drains"));
    world.schedule(at, Happening::Drain);
    if dice.chance(500) {
        let later = at + dice.between(Duration::ZERO, LAST_CALL);
        notes.push(format!("{later:?}: the switch shuts down"));
        world.schedule(later, Happening::ShutDown);
    }
}

fn call(
    dice: &mut Dice,
    world: &mut World,
    phones: &[Resident],
    from: &Resident,
    number: u64,
    at: Duration,
    notes: &mut Vec<String>,
) {
    let name = format!("c{number}");
    let to = dice.pick(&from.numbers).cloned().unwrap_or_default();
    let mut dial = Dial::new(&name, &to);
    if dice.chance(150) {
        dial.offer = Offer::Late;
    }
    if dice.chance(20) {
        dial.headers.push(("Require".to_owned(), "100rel".to_owned()));
    }
    notes.push(format!("{at:?}: {name} from {} to {to} {:?}", from.name, dial.offer));
    let caller = |order| Happening::Order(from.name.clone(), order);
    world.schedule(at, caller(Order::Call(dial)));
    let named = || Which::Named(name.clone());
    if dice.chance(600) {
        let hangs_up = at + dice.between(Duration::ZERO, Duration::from_secs(40));
        world.schedule(hangs_up, caller(Order::HangUp(named())));
    }
    if dice.chance(150) {
        everybody_holds(dice, world, phones, at);
    }
    if let Some(called) = phones
        .iter()
        .find(|phone| phone.house == from.house && phone.number == to)
        .filter(|_| dice.chance(300))
    {
        ring_in_vain(world, called, at);
    }
    for _ in 0..dice.below(3) {
        let when = at + dice.between(Duration::from_secs(1), Duration::from_secs(30));
        let order = match dice.below(3) {
            0 => Order::Hold(named()),
            1 => Order::Resume(named()),
            _ => Order::Refresh(named()),
        };
        world.schedule(when, caller(order));
    }
}

/// Both sides of a call at the same moment: a glare, where they talk to each other.
fn everybody_holds(dice: &mut Dice, world: &mut World, phones: &[Resident], after: Duration) {
    let when = after + dice.between(Duration::from_secs(5), Duration::from_secs(15));
    for phone in phones {
        world.schedule(when, Happening::Order(phone.name.clone(), Order::Hold(Which::Latest)));
    }
}

/// A phone rings and is cut off: its binding runs out while the caller waits.
fn ring_in_vain(world: &mut World, called: &Resident, at: Duration) {
    world.schedule(at, Happening::Order(called.name.clone(), Order::Manner(Manner::default())));
    world.schedule(
        at + Duration::from_millis(400),
        Happening::Unplug(called.name.clone(), Some(Unplugged::Silently)),
    );
    world.schedule(at + Duration::from_secs(40), Happening::Unplug(called.name.clone(), None));
}

fn trouble(dice: &mut Dice, world: &mut World, phone: &Resident, end: Duration, notes: &mut Vec<String>) {
    let at = dice.between(FIRST_CALL, end - Duration::from_secs(1));
    let later = at + dice.between(Duration::from_secs(1), Duration::from_secs(30));
    let name = || phone.name.clone();
    let kind = dice.below(8);
    notes.push(format!("{at:?}: trouble {kind} at {}", phone.name));
    match kind {
        0 => world.schedule(at, Happening::Order(name(), Order::HangUp(Which::Latest))),
        1 | 2 => world.schedule(at, Happening::Order(name(), Order::Hold(Which::Latest))),
        3 => {
            let how = if dice.chance(500) { Unplugged::Silently } else { Unplugged::WithIcmp };
            world.schedule(at, Happening::Unplug(name(), Some(how)));
            world.schedule(later, Happening::Unplug(name(), None));
        }
        4 if phone.transport == Transport::Tcp => {
            world.schedule(at, Happening::CloseConnection(name()));
            world.schedule(later, Happening::Order(name(), Order::Register));
        }
        5 => {
            world.schedule(at, Happening::Order(name(), Order::Unregister));
            world.schedule(later, Happening::Order(name(), Order::Register));
        }
        6 => {
            let manner = manner(dice, phone);
            world.schedule(at, Happening::Order(name(), Order::Manner(manner)));
        }
        _ => {
            let link = wire(dice);
            world.schedule(at, Happening::Rewire(name(), link));
        }
    }
}

fn manner(dice: &mut Dice, phone: &Resident) -> Manner {
    let rings = Manner::default();
    let soon = dice.between(Duration::ZERO, Duration::from_secs(10));
    let talks_for = dice.chance(600).then(|| dice.between(Duration::ZERO, Duration::from_secs(20)));
    let answers = Manner { then: Then::Answer, then_after: soon, talks_for, ..rings.clone() };
    match dice.below(100) {
        0..=19 => rings,
        20..=49 => answers,
        50..=54 => Manner { then_after: Duration::ZERO, sign: Sign::Trying, ..answers },
        55..=58 => Manner { then: Then::AnswerTwice, ..answers },
        59..=64 => Manner { sign: Sign::Progress, ..answers },
        65..=74 => Manner { then: Then::Nothing, on_cancel: OnCancel::Answers, ..answers },
        75..=79 => Manner { sign: Sign::Trying, then: Then::Refuse(486), ..rings },
        80..=84 => Manner { then: Then::Refuse(603), then_after: soon, ..rings },
        85..=87 => Manner { sign: Sign::Trying, then: Then::Refuse(480), ..rings },
        88..=91 => Manner { sign: Sign::Silent, ..rings },
        92..=94 => Manner { sign: Sign::Trying, ..rings },
        95..=96 => Manner { sign_after: soon, ..rings },
        97 => Manner {
            sign: Sign::Trying,
            then: Then::Deflect(phone.numbers.first().cloned().unwrap_or_default()),
            ..rings
        },
        _ => {
            let status = [404, 500, 503, 606][usize::try_from(dice.below(4)).unwrap_or(0)];
            Manner { sign: Sign::Trying, then: Then::Refuse(status), then_after: soon, ..rings }
        }
    }
}
