//! Profiles: some wishes under a name, which hold in place of what the user has saved for as long as they are chosen.

use std::collections::{BTreeMap, BTreeSet};

use super::{CallerList, Condition, Mode, TimeTarget, When, Wish, Wishes};
use crate::config::Tenant;
use crate::names::{Extension, ProfileName};
use crate::rule::DestinationRef;

/// Some wishes: what is said here goes before what is wished otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partial {
    /// [`Wishes::enabled`]
    pub enabled: Option<bool>,
    /// [`Wishes::when`]
    pub when: Option<When>,
    /// [`Wishes::numbers`]
    pub numbers: Option<Vec<DestinationRef>>,
    /// [`Wishes::conditions`]
    pub conditions: Option<BTreeMap<Condition, Wish>>,
    /// [`Wishes::busy_to`]
    pub busy_to: Option<Vec<DestinationRef>>,
    /// [`Wishes::callers`]
    pub callers: Option<Vec<CallerList>>,
    /// [`Wishes::times`]
    pub times: Option<Vec<TimeTarget>>,
    /// [`Wishes::in_order`]
    pub in_order: Option<bool>,
    /// [`Wishes::rings`]
    pub rings: Option<u32>,
    /// [`Wishes::unanswered`]
    pub unanswered: Option<DestinationRef>,
    /// [`Wishes::cold_route`]
    pub cold_route: Option<DestinationRef>,
    /// [`Wishes::do_not_disturb`]
    pub do_not_disturb: Option<bool>,
    /// [`Wishes::silent`]
    pub silent: Option<BTreeSet<Extension>>,
}

/// The profiles that everybody has, unless the tenant or the user has one of that name.
pub const BUILT_IN: [&str; 3] = ["office", "travel", "do-not-disturb"];

impl Partial {
    /// What a built-in profile says.
    fn built_in(name: &str) -> Option<Self> {
        let choose = |mode: Mode| Some(mode.wishes());
        match name {
            // As saved, and ready to be disturbed.
            "office" => Some(Self { do_not_disturb: Some(false), ..Self::default() }),
            "travel" => Some(Self {
                conditions: choose(Mode::ForwardOnly),
                do_not_disturb: Some(false),
                ..Self::default()
            }),
            "do-not-disturb" => Some(Self { do_not_disturb: Some(true), ..Self::default() }),
            _ => None,
        }
    }

    /// These wishes, and for the rest the others.
    #[must_use]
    pub fn over(&self, base: &Wishes) -> Wishes {
        let mut wishes = base.clone();
        let Self {
            enabled,
            when,
            numbers,
            conditions,
            busy_to,
            callers,
            times,
            in_order,
            rings,
            unanswered,
            cold_route,
            do_not_disturb,
            silent,
        } = self;
        put(&mut wishes.enabled, enabled);
        put(&mut wishes.when, when);
        put(&mut wishes.numbers, numbers);
        put(&mut wishes.conditions, conditions);
        put(&mut wishes.busy_to, busy_to);
        put(&mut wishes.callers, callers);
        put(&mut wishes.times, times);
        put(&mut wishes.in_order, in_order);
        put(&mut wishes.do_not_disturb, do_not_disturb);
        put(&mut wishes.silent, silent);
        wishes.rings = rings.or(wishes.rings);
        wishes.unanswered = unanswered.clone().or(wishes.unanswered);
        wishes.cold_route = cold_route.clone().or(wishes.cold_route);
        wishes
    }
}

fn put<T: Clone>(to: &mut T, said: &Option<T>) {
    if let Some(said) = said {
        to.clone_from(said);
    }
}

impl Wishes {
    /// What is wished in the profile that is chosen; none where none is, or nobody has it any more.
    #[must_use]
    pub fn in_profile(&self, tenant: &Tenant) -> Option<Self> {
        let name = self.profile.as_ref()?;
        let own = self.profiles.get(name).or_else(|| tenant.profiles.get(name));
        match own {
            Some(own) => Some(own.over(self)),
            None => Some(Partial::built_in(name.as_str())?.over(self)),
        }
    }

    /// The profiles that the user can choose, by name.
    #[must_use]
    pub fn choices(&self, tenant: &Tenant) -> BTreeSet<ProfileName> {
        let built_in = BUILT_IN.into_iter().map(ProfileName::from);
        built_in.chain(tenant.profiles.keys().cloned()).chain(self.profiles.keys().cloned()).collect()
    }
}
