//! A user's own forwarding wishes and what they come to now: pure functions of the wishes and a moment.
//!
//! There is one model of five conditions, each with destinations of its own or the user's list of numbers. The modes that
//! people choose are presets over it; what codes and single settings make of it has no mode and is called by condition.

mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use self::standing::{NoStanding, Standing};
use crate::config::{Hours, Tenant};
use crate::dial::is_busy;
use crate::names::{Extension, ProfileName, UserId};
use crate::rule::DestinationRef;
use crate::schedule;
use crate::view::View;

mod circle;
mod cold_route;
mod outlook;
mod outside;
mod profile;
mod selective;

pub use circle::{circle, persons};
pub use cold_route::{may_route, takes_for};
pub use outlook::{Outlook, zone_of};
pub use profile::{BUILT_IN, Partial};
pub use selective::{
    CALLERS_MAX, CallerList, CallerMatch, NotACaller, SELECTIONS_MAX, Selection, TimeTarget,
};

/// How often devices may ring at most before a call moves on.
pub const RINGS_MAX: u32 = 20;
/// How many numbers a user may have.
pub const NUMBERS_MAX: usize = 10;

/// What a user wishes.
#[derive(Clone, Debug, PartialEq)]
pub struct Wishes {
    /// The main toggle. Off suspends everything and forgets nothing.
    pub enabled: bool,
    /// When calls are forwarded at all.
    pub when: When,
    /// The forwarding numbers, in the user's order: people of the tenant, and numbers.
    pub numbers: Vec<DestinationRef>,
    /// Those of the numbers that ring the user themselves: they are silent while the user is not to be disturbed.
    pub own: BTreeSet<String>,
    /// What each condition does; one that is absent does nothing.
    pub conditions: BTreeMap<Condition, Wish>,
    /// Where calls go while the user is engaged, in whatever mode; none: as the mode says.
    pub busy_to: Vec<DestinationRef>,
    /// Callers whose calls go elsewhere: the first list that has one counts.
    pub callers: Vec<CallerList>,
    /// Times at which calls go elsewhere: the first that is now counts.
    pub times: Vec<TimeTarget>,
    /// Destinations are tried one after the other, and not together.
    pub in_order: bool,
    /// How often the user's devices ring before a call moves on; none: as long as the tenant's do.
    pub rings: Option<u32>,
    /// Where a call goes that nobody took; none: it ends with what became of it.
    pub unanswered: Option<DestinationRef>,
    /// Whose devices ring as if they were the user's own: one device of theirs, or a colleague.
    pub cold_route: Option<DestinationRef>,
    /// Colleagues who may let their calls ring here, by a code of their own phone.
    pub takes_for: BTreeSet<UserId>,
    /// Nothing of theirs rings, and they count as busy.
    pub do_not_disturb: bool,
    /// Devices that are silent by themselves.
    pub silent: BTreeSet<Extension>,
    /// The queues that they are signed in to.
    pub queues: BTreeSet<String>,
    /// What is chosen in place of some of this.
    pub profile: Option<ProfileName>,
    /// The user's own profiles; they go before the tenant's and the built-in ones.
    pub profiles: BTreeMap<ProfileName, Partial>,
    /// Whether a change of theirs holds for a while, or has held.
    pub term: Option<Term>,
}

/// A change of wishes that was not made for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// It holds until then.
    Until(Timestamp),
    /// It held until then, and nothing has been saved since.
    Ended(Timestamp),
}

/// When wishes hold.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Every day, all day.
    Always,
    /// Only in these hours, in the user's zone where they have none of their own.
    Custom(Hours),
}

/// What must be so for a call to be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Nothing: devices do not ring.
    Always,
    /// Nothing: devices ring too.
    Together,
    /// The user is engaged, or not to be disturbed.
    Busy,
    /// Devices rang and nobody answered.
    NoAnswer,
    /// No device can be reached.
    Unreachable,
}

/// What one condition does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Whether it does anything.
    pub active: bool,
    /// Its own destinations; none: the user's numbers.
    pub to: Vec<DestinationRef>,
    /// Of no answer: how long devices ring, where it is not the user's rings.
    pub after: Option<Duration>,
}

/// What people choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Devices ring, nothing is forwarded.
    Off,
    /// Devices and numbers ring together.
    RingAll,
    /// Devices ring first.
    NoAnswer,
    /// Numbers ring when no device can be reached.
    Failover,
    /// Devices do not ring.
    ForwardOnly,
    /// None of these: conditions were set one by one.
    ByCondition,
}

/// What the wishes come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Calls are forwarded in this mode.
    Active(Mode),
    /// They are to be, in this mode, and nothing that they would go to can be called: numbers outside need a trunk.
    Blocked(Mode),
    /// They are not.
    Inactive(WhyNot),
}

/// Why nothing is forwarded: of several reasons the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyNot {
    /// The toggle is off.
    Suspended,
    /// There is no destination at all.
    NoNumbers,
    /// The user is signed in to a queue.
    QueueSignIn,
    /// No condition is active.
    ModeOff,
    /// The hours say that it is not the time.
    OutsideSchedule,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            enabled: true,
            when: When::Always,
            numbers: Vec::new(),
            own: BTreeSet::new(),
            conditions: BTreeMap::new(),
            busy_to: Vec::new(),
            callers: Vec::new(),
            times: Vec::new(),
            in_order: false,
            rings: None,
            unanswered: None,
            cold_route: None,
            takes_for: BTreeSet::new(),
            do_not_disturb: false,
            silent: BTreeSet::new(),
            queues: BTreeSet::new(),
            profile: None,
            profiles: BTreeMap::new(),
            term: None,
        }
    }
}

impl Mode {
    /// The modes that can be chosen.
    pub const CHOICES: [Self; 5] =
        [Self::Off, Self::RingAll, Self::NoAnswer, Self::Failover, Self::ForwardOnly];

    /// Its word in settings, scenarios and explanations.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::RingAll => "ring-all",
            Self::NoAnswer => "no-answer",
            Self::Failover => "failover",
            Self::ForwardOnly => "forward-only",
            Self::ByCondition => "by-condition",
        }
    }

    /// What a person is told of it; none where it has no text of its own.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::Off => Some("Only your devices will ring, no calls will be forwarded."),
            Self::RingAll => Some("Ring your Devices & Forwarding Numbers at the same time."),
            Self::NoAnswer => Some("If none of your devices answer, forward all calls."),
            Self::Failover => Some("When your Devices go offline, forward all calls."),
            Self::ForwardOnly => Some("Do not ring your Devices, forward all calls."),
            Self::ByCondition => None,
        }
    }

    /// The conditions that it stands for.
    fn conditions(self) -> &'static [Condition] {
        match self {
            Self::Off | Self::ByCondition => &[],
            Self::RingAll => &[Condition::Together],
            Self::NoAnswer => &[Condition::Busy, Condition::NoAnswer, Condition::Unreachable],
            Self::Failover => &[Condition::Unreachable],
            Self::ForwardOnly => &[Condition::Always],
        }
    }

    /// The conditions as they are wished.
    #[must_use]
    pub fn wishes(self) -> BTreeMap<Condition, Wish> {
        let active = |condition: &Condition| (*condition, Wish { active: true, ..Wish::default() });
        self.conditions().iter().map(active).collect()
    }

    /// The mode that conditions amount to.
    #[must_use]
    pub fn of(conditions: &BTreeMap<Condition, Wish>) -> Self {
        let active: Vec<_> = conditions.iter().filter(|(_, wish)| wish.active).collect();
        if active.is_empty() {
            return Self::Off;
        }
        let conditions: Vec<_> = active.iter().map(|(condition, _)| **condition).collect();
        let preset = Self::CHOICES.into_iter().find(|mode| mode.conditions() == conditions);
        let is_plain = active.iter().all(|(_, wish)| wish.to.is_empty() && wish.after.is_none());
        preset.filter(|_| is_plain).unwrap_or(Self::ByCondition)
    }
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Always, Self::Together, Self::Busy, Self::NoAnswer, Self::Unreachable];

    /// Its word in settings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Together => "together",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Effect {
    /// The reason code of wishes that lead to numbers outside alone.
    pub const BLOCKED: &'static str = "blocked(no-trunk)";

    /// Its word, the reason code.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active(_) => "active",
            Self::Blocked(_) => Self::BLOCKED,
            Self::Inactive(why) => why.word(),
        }
    }

    /// The same with why, where the word alone does not say it.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Self::Blocked(_) => "blocked(no-trunk), as no trunk leads outside",
            Self::Active(_) | Self::Inactive(_) => self.word(),
        }
    }
}

impl WhyNot {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] =
        [Self::Suspended, Self::NoNumbers, Self::QueueSignIn, Self::ModeOff, Self::OutsideSchedule];

    /// Its word, the reason code.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::NoNumbers => "no-numbers",
            Self::QueueSignIn => "queue-sign-in",
            Self::ModeOff => "mode-off",
            Self::OutsideSchedule => "outside-schedule",
        }
    }

    /// What a person is warned of; none where nobody needs a warning.
    #[must_use]
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::NoNumbers => Some(
                "You have No Forwarding Numbers. Call forwarding is enabled, but you have no forwarding numbers to forward calls to.",
            ),
            Self::QueueSignIn => {
                Some("Queue sign-in pauses call forwarding. Resume call forwarding by signing out of queues.")
            }
            Self::Suspended | Self::ModeOff | Self::OutsideSchedule => None,
        }
    }
}

impl Wishes {
    /// Chooses a mode; numbers stay as they are. [`Mode::ByCondition`] is nothing to choose and changes nothing.
    pub fn choose(&mut self, mode: Mode) {
        if mode != Mode::ByCondition {
            self.conditions = mode.wishes();
        }
    }

    /// The mode that the conditions amount to; by condition too where only some calls go elsewhere, and no mode says it.
    #[must_use]
    pub fn mode(&self) -> Mode {
        let mode = Mode::of(&self.conditions);
        if mode == Mode::Off && self.is_selective() { Mode::ByCondition } else { mode }
    }

    /// What they come to at a moment, or why to nothing; `zone` is the user's.
    #[must_use]
    pub fn effect(&self, tenant: &Tenant, zone: &TimeZone, at: Timestamp) -> Effect {
        let mode = self.mode();
        let reasons = [
            (!self.enabled, WhyNot::Suspended),
            (!self.has_destinations(), WhyNot::NoNumbers),
            (!self.queues.is_empty(), WhyNot::QueueSignIn),
            (mode == Mode::Off, WhyNot::ModeOff),
            (!self.when.is_now(zone, at), WhyNot::OutsideSchedule),
        ];
        match reasons.into_iter().find_map(|(applies, why)| applies.then_some(why)) {
            Some(why) => Effect::Inactive(why),
            None if self.leads_outside_alone(tenant, at) => Effect::Blocked(mode),
            None => Effect::Active(mode),
        }
    }

    /// What one condition comes to at a moment; the mode is off for one that does nothing.
    #[must_use]
    pub fn effect_under(
        &self,
        condition: Condition,
        tenant: &Tenant,
        zone: &TimeZone,
        at: Timestamp,
    ) -> Effect {
        let to = self.under(condition);
        let is_set = self.conditions.get(&condition).is_some_and(|wish| wish.active);
        let reasons = [
            (to.is_empty() && !is_set, WhyNot::ModeOff),
            (!self.enabled, WhyNot::Suspended),
            (to.is_empty(), WhyNot::NoNumbers),
            (!self.queues.is_empty(), WhyNot::QueueSignIn),
            (!self.when.is_now(zone, at), WhyNot::OutsideSchedule),
        ];
        match reasons.into_iter().find_map(|(applies, why)| applies.then_some(why)) {
            Some(why) => Effect::Inactive(why),
            None if to.iter().all(|to| outside::is_outside(tenant, to, at)) => Effect::Blocked(self.mode()),
            None => Effect::Active(self.mode()),
        }
    }

    /// Where calls go at that moment under a condition, in the user's order; nowhere where nothing is in effect.
    #[must_use]
    pub fn to(&self, condition: Condition, zone: &TimeZone, at: Timestamp) -> Vec<DestinationRef> {
        if !self.holds(zone, at) {
            return Vec::new();
        }
        self.under(condition).iter().filter(|to| !self.is_silenced(to)).cloned().collect()
    }

    /// Where calls are to go under a condition, whether or not anything is in effect now.
    fn under(&self, condition: Condition) -> &[DestinationRef] {
        match self.conditions.get(&condition).filter(|wish| wish.active) {
            Some(wish) if !wish.to.is_empty() => &wish.to,
            Some(_) | None if condition == Condition::Busy && !self.busy_to.is_empty() => &self.busy_to,
            Some(_) => &self.numbers,
            None => &[],
        }
    }

    /// The conditions under which calls were to be forwarded at that moment, and that have no destination at all.
    #[must_use]
    pub fn nowhere(&self, zone: &TimeZone, at: Timestamp) -> Vec<Condition> {
        if !self.numbers.is_empty() || self.conditions.is_empty() || !self.holds(zone, at) {
            return Vec::new();
        }
        let has_none = |(condition, wish): &(&Condition, &Wish)| {
            let instead = **condition == Condition::Busy && !self.busy_to.is_empty();
            wish.active && wish.to.is_empty() && !instead
        };
        self.conditions.iter().filter(has_none).map(|(condition, _)| *condition).collect()
    }

    /// Everybody whom a call may be sent to under any of these wishes, whether or not they hold now.
    pub fn targets(&self) -> impl Iterator<Item = &DestinationRef> {
        let conditional = self.conditions.values().flat_map(|wish| &wish.to);
        self.numbers.iter().chain(conditional).chain(&self.busy_to).chain(self.without_condition())
    }

    /// Everything that calls may go to at some time, by conditions that are set.
    fn may_go_to(&self) -> impl Iterator<Item = &DestinationRef> {
        let by_condition = Condition::ALL.into_iter().flat_map(|condition| self.under(condition));
        by_condition.chain(self.without_condition())
    }

    /// Where calls go in whatever mode.
    fn without_condition(&self) -> impl Iterator<Item = &DestinationRef> {
        let callers = self.callers.iter().flat_map(|list| &list.to);
        let times = self.times.iter().flat_map(|time| &time.to);
        callers.chain(times).chain(&self.unanswered).chain(&self.cold_route)
    }

    /// Whether calls are forwarded at all, if there is anywhere to go.
    #[must_use]
    pub fn holds(&self, zone: &TimeZone, at: Timestamp) -> bool {
        self.enabled && self.queues.is_empty() && self.when.is_now(zone, at)
    }

    /// Whether there is anything at all that calls could go to.
    fn has_destinations(&self) -> bool {
        let of_conditions = self.conditions.values().any(|wish| !wish.to.is_empty());
        !self.numbers.is_empty() || of_conditions || self.is_selective()
    }

    /// How long devices ring before a call moves on.
    #[must_use]
    pub fn ring_time(&self, tenant: &Tenant) -> Duration {
        let no_answer = self.conditions.get(&Condition::NoAnswer).filter(|wish| wish.active);
        let rings = || self.rings.map(|rings| tenant.cadence.saturating_mul(rings));
        no_answer.and_then(|wish| wish.after).or_else(rings).unwrap_or(tenant.ring_time)
    }

    /// As they are while the user talks: numbers that ring the user themselves stay silent then, as for whoever is not to be
    /// disturbed.
    #[must_use]
    pub fn while_talking(&self) -> Self {
        Self { do_not_disturb: true, ..self.clone() }
    }

    /// A number of the user's own does not ring while they are not to be disturbed.
    fn is_silenced(&self, to: &DestinationRef) -> bool {
        match to {
            DestinationRef::Number(number) => self.do_not_disturb && self.own.contains(number),
            DestinationRef::Device(_)
            | DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_) => false,
        }
    }
}

impl When {
    fn is_now(&self, zone: &TimeZone, at: Timestamp) -> bool {
        match self {
            Self::Always => true,
            Self::Custom(hours) => schedule::opening(hours, zone, at).is_open,
        }
    }
}

/// Whether somebody is on a call, held and early outgoing ones included (TELEPHONY T11).
#[must_use]
pub fn talks(view: &View, tenant: &Tenant, user: &UserId) -> bool {
    tenant.users.get(user).is_some_and(|user| is_busy(view, tenant, &user.devices))
}

/// What a user wishes now: what they have saved, else what the configuration says, in the profile that they have chosen;
/// else nothing at all.
#[must_use]
pub fn of_user(view: &View, tenant: &Tenant, user: &UserId) -> Option<Arc<Wishes>> {
    let saved = saved(view, tenant, user)?;
    Some(saved.in_profile(tenant).map_or_else(|| Arc::clone(saved), Arc::new))
}

/// What a user has saved, else what the configuration says, whatever profile they have chosen.
#[must_use]
pub fn saved<'a>(view: &'a View, tenant: &'a Tenant, user: &UserId) -> Option<&'a Arc<Wishes>> {
    let saved = view.wishes.get(&(tenant.id.clone(), user.clone()));
    let configured = || tenant.users.get(user).and_then(|user| user.forwarding.as_ref());
    saved.or_else(configured)
}

/// The devices that ring when a user is called: their own, or what they were routed to.
///
/// Where the one that they chose is offline it is still the one that counts, unless the tenant has its calls ring all of
/// them again.
#[must_use]
pub fn devices(view: &View, tenant: &Tenant, user: &UserId) -> Vec<DestinationRef> {
    let all = || {
        let devices = tenant.users.get(user).map(|user| user.devices.as_slice()).unwrap_or_default();
        devices.iter().cloned().map(DestinationRef::Device).collect()
    };
    let routed = of_user(view, tenant, user).and_then(|wishes| wishes.cold_route.clone());
    match routed.filter(|to| tenant.lacks(to).is_none()) {
        Some(to) if tenant.cold_route_falls_back && !crate::presence::reachable(view, &tenant.id, &to) => {
            all()
        }
        Some(to) => vec![to],
        None => all(),
    }
}

#[cfg(test)]
mod tests;
