//! The standard rule: what becomes of a call that no rule of the tenant decides. A person is rung as they wish to be
//! reached, a group as the tenant said: together or one by one. Whatever else was dialled is rung as a whole.
//!
//! | wish | what happens |
//! |---|---|
//! | caller lists, then times | who is meant by one goes where it says, and no condition is looked at |
//! | always | the devices stay silent, the call goes on |
//! | together | devices and destinations ring at once |
//! | busy, no-answer, unreachable | the devices ring first, and their outcome says where the call goes on |
//!
//! What keeps a person's wishes from coming true is a warning, which they and whoever is responsible for the tenant are told of:
//! a destination that may not be called, a route to devices that cannot be reached, and all calls forwarded to no number.
//!
//! A call that was declined, and one that nobody took anywhere, goes to the person's unanswered destination, else it ends
//! with the best outcome of its rings.
//!
//! Of a group that hunts one member rings at a time, in the group's order: people who are free, whom no other call rings or
//! has reserved, and a group or a place that stands in it where the tenant has put it, behind the people where another order
//! than the tenant's is wanted. With `follow-forwarding` their own rule decides where each person is rung, unless they are on
//! a call. A group within rings as it is set itself. No phone rings twice. When nobody is free because all are engaged the
//! caller hears busy.

use callwright_guest::forwarding::{Condition, Effect, Selector, WhyNot, Wishes};
use callwright_guest::log::Level;
use callwright_guest::prelude::*;

/// What a destination gets to begin ringing, before its rings are counted.
const POST_DIAL_S: u32 = 10;
/// Outside a phone needs some time to ring at all.
const OUTSIDE_RINGS_S: u32 = 15;

fn handle_call(call: &Call) -> Result<(), String> {
    if let Some(person) = call.dialled().user_id() {
        return personal(call, &directory::find_user(&person)?);
    }
    match call.for_group() {
        Some(name) => grouped(call, &directory::find_group(&name)?),
        None => Ok(call.standard()?),
    }
}

fn grouped(call: &Call, group: &Group) -> Result<(), String> {
    let time = group.ring_ms();
    let rang = match (group.hunts(), group.stagger_ms()) {
        (Some(order), _) => hunt(call, group, &order, time)?,
        (None, 0) => Some(call.ring(once(&[group.whole()])?, time)?),
        (None, step) => Some(stagger(call, group, step, time)?),
    };
    match rang {
        Some(Outcome::Answered(_)) => Ok(()),
        None if is_engaged(call, group)? => Ok(call.refuse(&Refusal::Busy)?),
        _ => Ok(call.conclude()?),
    }
}

/// A ring of which no phone rings that has rung in this call already.
fn once(to: &[Destination]) -> Result<Ring, String> {
    let ring = Ring::of(to)?;
    ring.skip_rung();
    Ok(ring)
}

/// Everything in a group one by one: people as they are free, a group within it as it is set. The last outcome; none where
/// nobody was rung.
fn hunt(call: &Call, group: &Group, order: &Order, time: u32) -> Result<Option<Outcome>, String> {
    let entries = group.entries();
    let is_person = |member: &Member| matches!(member, Member::Person(_));
    // In any other order than the tenant's own people come first.
    let mut runs: Vec<&[Member]> = match order {
        Order::Listed => entries.chunk_by(|one, next| is_person(one) && is_person(next)).collect(),
        _ => entries.chunks(1).filter(|one| !one.iter().any(is_person)).collect(),
    };
    if !matches!(order, Order::Listed) {
        runs.insert(0, &entries);
    }
    let mut last = None;
    for run in runs {
        let rang = match run {
            [Member::Group(inner)] => {
                call.because(&format!("group {} is next", inner.name()));
                ring_next(call, &inner.whole(), inner.ring_ms())?
            }
            [Member::Place(place)] => {
                call.because(&format!("{} is next", place.label()));
                ring_next(call, place, time)?
            }
            people => hunt_people(call, group, order, (people, time))?,
        };
        match rang {
            Rang::Came(Outcome::Answered(answer)) => return Ok(Some(Outcome::Answered(answer))),
            Rang::Came(outcome) => last = Some(outcome),
            Rang::Nobody => {}
            Rang::NoMore => break,
        }
    }
    Ok(last)
}

/// What came of a turn.
enum Rang {
    Came(Outcome),
    Nobody,
    /// A call has legs for some thirty phones, and they have had their time.
    NoMore,
}

fn hunt_people(
    call: &Call,
    group: &Group,
    order: &Order,
    (run, time): (&[Member], u32),
) -> Result<Rang, String> {
    let is_of_run = |person: &User| {
        run.iter().any(|member| matches!(member, Member::Person(one) if one.id() == person.id()))
    };
    let mut left_out: Vec<User> = match order {
        Order::Listed => group.members().into_iter().filter(|person| !is_of_run(person)).collect(),
        _ => Vec::new(),
    };
    let mut rang = Rang::Nobody;
    while let Some(person) = next(group, order, &left_out, time)? {
        call.because(&format!("{} is next", person.name()));
        let to = match group.follows_forwarding() {
            true => vec![person.reach()],
            false => person.devices(),
        };
        match ring(call, &to, time)? {
            Rang::Came(Outcome::Answered(answer)) => return Ok(Rang::Came(Outcome::Answered(answer))),
            Rang::NoMore => return Ok(Rang::NoMore),
            came => rang = came,
        }
        left_out.push(person);
    }
    Ok(rang)
}

/// A group within has its own time, and whatever a name stands for that of the group around it.
fn ring_next(call: &Call, to: &Destination, time: u32) -> Result<Rang, String> {
    let ring = Ring::new();
    ring.skip_rung();
    ring.add(Leg::new(to))?;
    came(call.ring(ring, to.lasts_ms().unwrap_or(time)))
}

fn ring(call: &Call, to: &[Destination], time: u32) -> Result<Rang, String> {
    came(call.ring(once(to)?, time))
}

fn came(rang: Result<Outcome, CallError>) -> Result<Rang, String> {
    match rang {
        Ok(outcome) => Ok(Rang::Came(outcome)),
        Err(CallError::LimitExceeded(_)) => Ok(Rang::NoMore),
        Err(error) => Err(error.into()),
    }
}

/// Everything in a group in one ring, each some time after the one before it and then as long as it takes.
fn stagger(call: &Call, group: &Group, step: u32, time: u32) -> Result<Outcome, String> {
    let ring = Ring::new();
    ring.skip_rung();
    let (mut begins, mut ends) = (0_u32, time);
    for member in group.entries() {
        let to = match member {
            Member::Person(person) if group.follows_forwarding() => vec![person.reach()],
            // A group does not ring people on a call.
            Member::Person(person) if presence::of_user(&person)?.state() == State::Busy => continue,
            Member::Person(person) => person.devices(),
            Member::Group(inner) => vec![inner.whole()],
            Member::Place(place) => vec![place],
        };
        for to in &to {
            let leg = Leg::new(to);
            let own = to.lasts_ms().unwrap_or(time);
            leg.start_after(begins);
            leg.ring_for(own);
            ends = ends.max(begins.saturating_add(own));
            if ring.add(leg).is_err() {
                // No room for more.
                break;
            }
        }
        begins = begins.saturating_add(step);
    }
    Ok(call.ring(ring, ends)?)
}

/// Whoever of a group is to be rung next. Somebody without a phone may still be reached elsewhere.
fn next(group: &Group, order: &Order, tried: &[User], time: u32) -> Result<Option<User>, String> {
    let roster = Roster::new(group);
    match group.follows_forwarding() {
        true => roster.only(&[State::Available, State::Away, State::Offline]),
        false => roster.only(&[State::Available]),
    }
    roster.sort(order);
    for person in tried {
        roster.without(person);
    }
    Ok(roster.take(1, time)?.pop())
}

/// Whether anybody of a group could be reached and is engaged, be it by a phone that rings for another call. Whoever calls is
/// engaged by this one alone.
fn is_engaged(call: &Call, group: &Group) -> Result<bool, String> {
    let caller = call.caller().user_id();
    for person in group.members().into_iter().filter(|person| Some(person.id()) != caller) {
        if let State::Busy | State::Available = presence::of_user(&person)?.state() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn personal(call: &Call, person: &User) -> Result<(), String> {
    let wishes = forwarding::of_user(person)?;
    if let Some(profile) = &wishes.profile {
        call.because(&format!("profile {profile}"));
    }
    match &wishes.effect {
        // Nobody has to be told that there is nothing to forward to where nobody wants it.
        Effect::Active(_) | Effect::Inactive(WhyNot::ModeOff | WhyNot::NoNumbers) => {}
        Effect::Inactive(why) => call.because(&format!("forwarding is inactive: {why}")),
    }
    let outcome = match selected(call, person, &wishes)? {
        Some(to) => forward(call, person, &wishes, &to)?,
        None => by_condition(call, person, &wishes)?,
    };
    match outcome {
        Outcome::Answered(_) => Ok(()),
        _ => unanswered(call, person, &wishes),
    }
}

/// Where this call goes, whatever becomes of others: by who calls, else by the time.
fn selected(call: &Call, person: &User, wishes: &Wishes) -> Result<Option<Vec<Destination>>, String> {
    if !wishes.selective {
        return Ok(None);
    }
    let Some(selection) = forwarding::selected(person, &call.caller())? else { return Ok(None) };
    let by = match &selection.by {
        Selector::CallerList => "caller-list",
        Selector::TimeTarget => "time-target",
        Selector::Other(by) => by,
    };
    call.because(&format!("forwarded: {by}({})", selection.name));
    Ok(Some(selection.to))
}

fn by_condition(call: &Call, person: &User, wishes: &Wishes) -> Result<Outcome, String> {
    let always = wishes.to(&Condition::Always);
    if always.is_empty() {
        if wishes.nowhere.iter().any(|condition| matches!(condition, Condition::Always)) {
            warn(&format!("{} forwards all calls and has no number for it: the devices ring", person.name()));
        }
        return devices_first(call, person, wishes);
    }
    call.because("all calls are forwarded");
    forward(call, person, wishes, always)
}

/// The devices, and where the call goes on by what came of them.
fn devices_first(call: &Call, person: &User, wishes: &Wishes) -> Result<Outcome, String> {
    let also = wishes.to(&Condition::Together);
    let first: Vec<_> = wishes.devices.iter().chain(also).collect();
    let outcome = if first.is_empty() { Outcome::Unreachable } else { together(call, wishes, &first)? };
    if !also.is_empty() {
        warn_of_blocked(call, person, wishes.devices.len(), &outcome);
    }
    if let Some(route) = wishes.route.as_ref().filter(|route| route.offline || is_unreachable(&outcome)) {
        let (name, to, which) = (person.name(), route.to.full_label(), which(&route.to));
        warn(&format!("calls of {name} are routed to {to}, {which} cannot be reached"));
    }
    let (condition, because) = match &outcome {
        Outcome::Busy => (Condition::Busy, "forwarded, as no device was free"),
        Outcome::NoAnswer => (Condition::NoAnswer, "forwarded, as nobody answered"),
        Outcome::Unreachable => (Condition::Unreachable, "forwarded, as no device could be reached"),
        // Taken, or declined by the person themselves: nobody else rings.
        _ => return Ok(outcome),
    };
    let next = wishes.to(&condition);
    if next.is_empty() {
        return Ok(outcome);
    }
    call.because(because);
    forward(call, person, wishes, next)
}

fn is_unreachable(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unreachable)
}

/// Rings where calls are forwarded to.
fn forward(call: &Call, person: &User, wishes: &Wishes, to: &[Destination]) -> Result<Outcome, String> {
    let outcome = match wishes.in_order {
        true => one_by_one(call, wishes, to)?,
        false => together(call, wishes, &to.iter().collect::<Vec<_>>())?,
    };
    warn_of_blocked(call, person, 0, &outcome);
    Ok(outcome)
}

/// Destinations each when the one before it is over.
fn one_by_one(call: &Call, wishes: &Wishes, to: &[Destination]) -> Result<Outcome, String> {
    let ring = Ring::new();
    let mut sum = 0_u32;
    for destination in to {
        let (leg, time) = leg(wishes, destination);
        leg.start_after(sum);
        sum = sum.saturating_add(time);
        ring.add(leg)?;
    }
    Ok(call.ring(ring, sum)?)
}

fn together(call: &Call, wishes: &Wishes, to: &[&Destination]) -> Result<Outcome, String> {
    let ring = Ring::new();
    if wishes.ring_ms >= secs(OUTSIDE_RINGS_S) && !wishes.lasting {
        // Inside and outside alike.
        ring.add_all(to, Some(wishes.ring_ms))?;
        return Ok(call.ring(ring, wishes.ring_ms.saturating_add(secs(POST_DIAL_S)))?);
    }
    let mut longest = 0;
    for destination in to {
        let (leg, time) = leg(wishes, destination);
        longest = longest.max(time);
        ring.add(leg)?;
    }
    Ok(call.ring(ring, longest)?)
}

/// A leg that rings as often as the person wishes, and the time that it needs at most.
fn leg(wishes: &Wishes, to: &Destination) -> (Leg, u32) {
    let leg = Leg::new(to);
    let own = if wishes.lasting { to.lasts_ms() } else { None };
    let rings = match (own, to.place()) {
        // A group that is not rung all at once has a time of its own.
        (Some(own), _) => own,
        (None, Place::Outside) => wishes.ring_ms.max(secs(OUTSIDE_RINGS_S)),
        (None, _) => wishes.ring_ms,
    };
    leg.ring_for(rings);
    (leg, rings.saturating_add(secs(POST_DIAL_S)))
}

/// Nobody took the call.
fn unanswered(call: &Call, person: &User, wishes: &Wishes) -> Result<(), String> {
    if let Some(last) = &wishes.unanswered {
        call.because("nobody took the call");
        let outcome = together(call, wishes, &[last])?;
        if let Outcome::Answered(_) = outcome {
            return Ok(());
        }
        warn_of_blocked(call, person, 0, &outcome);
    }
    Ok(call.conclude()?)
}

/// Warns of destinations of the last ring that may not be called, behind the person's own devices. Where somebody answered
/// nobody has missed them.
fn warn_of_blocked(call: &Call, person: &User, devices: usize, outcome: &Outcome) {
    if let Outcome::Answered(_) = outcome {
        return;
    }
    for leg in call.last_legs().iter().skip(devices) {
        let ended = leg.ended();
        // A circle is how this one call went: whoever calls the person themselves may not meet it.
        if let Some(limit) = ended.strip_prefix("blocked(").filter(|_| ended != "blocked(loop)") {
            let (name, to) = (person.name(), leg.to());
            let (to, which) = (to.full_label(), which(&to));
            let why = blocked(limit.trim_end_matches(')'));
            warn(&format!("calls of {name} are forwarded to {to}, {which} cannot be called: {why}"));
        }
    }
}

/// What forbade a leg, for people who know no codes; those are in the call's journal.
fn blocked(limit: &str) -> String {
    match limit {
        "no-trunk" => "it is a number outside, and this switch has no trunk".to_owned(),
        "hops" => "phones have sent the call on too often".to_owned(),
        "legs" => "the call has rung too many phones already".to_owned(),
        "nesting" => "too many rules stand behind each other".to_owned(),
        other => format!("the limit `{other}` is reached"),
    }
}

/// A person is `who`, anything else `which`.
fn which(to: &Destination) -> &'static str {
    match to.place() {
        Place::User => "who",
        _ => "which",
    }
}

fn warn(text: &str) {
    log::write(Level::Warn, text);
}

callwright_guest::rule!(handle_call);
