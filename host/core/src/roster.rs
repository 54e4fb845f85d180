//! Picking people from a group at one moment: who is free, in which order, and for whom they are reserved.
//!
//! The node picks, so that no two calls of a tenant get the same person while one has them reserved. Whom it picks is a
//! function of the picture.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use imbl::OrdMap;

use crate::config::Tenant;
use crate::kept::{KeptAnswer, KeptAsk, KeptError};
use crate::names::{CallId, Extension, GroupName, TenantId, UserId};
use crate::presence::{self, Doing, State, UserStatus};
use crate::switchboard::Switchboard;
use crate::time::Now;
use crate::view::View;

/// For how long people are reserved at most.
pub const RESERVED_MAX: Duration = Duration::from_secs(300);
/// People whose being left out is told.
const TOLD_MAX: usize = 12;

/// In which order people are picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// As the tenant wrote them.
    #[default]
    Listed,
    /// As the tenant wrote them, beginning behind whoever was picked first the last time.
    Circular,
    /// Whose last call is over longest first.
    LongestIdle,
    /// Who answered the fewest calls within a day first.
    FewestCalls,
    /// By chance.
    Random,
}

/// Whom a rule wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterAsk {
    /// Of which group.
    pub group: GroupName,
    /// In one of these states; in any where it is none.
    pub only: Option<BTreeSet<State>>,
    /// In which order.
    pub order: Order,
    /// Not these.
    pub without: BTreeSet<UserId>,
    /// How many.
    pub count: u32,
    /// For how long no other call gets them.
    pub reserve: Duration,
    /// For [`Order::Random`].
    pub seed: u64,
}

/// Who was picked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// In order.
    pub picked: Vec<UserId>,
    /// Who of the group was not free, and why.
    pub left_out: Vec<(UserId, LeftOut)>,
}

/// Why somebody is not picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// The rule does not want them.
    Unwanted,
    /// The same, and the call has rung a device of theirs.
    Tried,
    /// They call themselves, and are engaged by that alone.
    Caller,
    /// They are in another state than is wanted.
    Is(State, Doing),
    /// Another call has reserved them.
    Reserved,
    /// A device of theirs rings already.
    Rings,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unwanted => "left out by the rule",
            Self::Tried => "tried already",
            Self::Caller => "the caller",
            Self::Is(_, Doing::DoNotDisturb) => "do not disturb",
            Self::Is(State::Available, _) => "available",
            Self::Is(State::Busy, _) => "busy",
            Self::Is(State::Offline, _) => "offline",
            Self::Reserved => "reserved by another call",
            Self::Rings => "rings for another call",
        })
    }
}

impl Taken {
    /// Tells those whom the call has rung, and who are left out for that, from whom the rule does not want at all; and whoever
    /// calls, where that is known, from who is on a call.
    #[must_use]
    pub fn knowing(
        mut self,
        tenant: &Tenant,
        caller: Option<&UserId>,
        has_rung: impl Fn(&Extension) -> bool,
    ) -> Self {
        let devices = |user| tenant.users.get(user).map(|user| user.devices.as_slice()).unwrap_or_default();
        for (user, why) in &mut self.left_out {
            if *why == LeftOut::Unwanted && devices(user).iter().any(&has_rung) {
                *why = LeftOut::Tried;
            }
            if matches!(why, LeftOut::Is(State::Busy, _)) && caller == Some(&*user) {
                *why = LeftOut::Caller;
            }
        }
        self
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.picked.as_slice() {
            [] => f.write_str("nobody")?,
            picked => f.write_str(&picked.iter().map(UserId::as_str).collect::<Vec<_>>().join(", "))?,
        }
        for (at, (user, why)) in self.left_out.iter().take(TOLD_MAX).enumerate() {
            write!(f, "{} {user} ({why})", if at == 0 { "; not" } else { "," })?;
        }
        match self.left_out.len().saturating_sub(TOLD_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Why nobody was picked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// The tenant does not have the group any more.
    #[error("no such group")]
    NoSuchGroup,
    /// The call is answered or over.
    #[error("the call is already decided")]
    Decided,
}

/// Who is reserved, for which call and until when.
#[derive(Clone, Debug, Default)]
pub struct Reserved(OrdMap<(TenantId, UserId), (CallId, Duration)>);

impl Reserved {
    /// Whether another call has reserved somebody.
    #[must_use]
    pub fn is_taken(&self, tenant: &TenantId, user: &UserId, call: &CallId, now: Duration) -> bool {
        let holder = self.0.get(&(tenant.clone(), user.clone()));
        holder.is_some_and(|(holder, until)| holder != call && *until > now)
    }

    /// Whether nobody is reserved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The key of the store under which the turn of a group is kept.
#[must_use]
pub fn turn_key(group: &GroupName) -> String {
    format!("roster.circular.{group}")
}

/// Picks people. `keep` reads and writes what rules keep, for whose turn it is.
///
/// # Errors
/// The tenant does not have the group.
pub fn pick(
    (view, tenant): (&View, &Tenant),
    call: &CallId,
    ask: &RosterAsk,
    now: Now,
    mut keep: impl FnMut(KeptAsk) -> Result<KeptAnswer, KeptError>,
) -> Result<Taken, TakeError> {
    let group = tenant.groups.get(&ask.group).ok_or(TakeError::NoSuchGroup)?;
    let (mut free, mut left_out) = (Vec::new(), Vec::new());
    for user in group.people() {
        match why_not(view, tenant, (user, call), ask, now) {
            None => free.push(user.clone()),
            Some(why) => left_out.push((user.clone(), why)),
        }
    }
    match ask.order {
        Order::Listed => {}
        Order::Circular => {
            let last = keep(KeptAsk::Get { key: turn_key(&ask.group) });
            let last = last.ok().and_then(|answer| match answer {
                KeptAnswer::Value(last) => last,
                KeptAnswer::Done | KeptAnswer::Sum(_) | KeptAnswer::Claimed(_) => None,
            });
            let place: BTreeMap<_, _> = group.people().zip(0..).collect();
            let behind = last.and_then(|last| place.get(&UserId::from(last)).copied());
            free.sort_by_key(|user| {
                let place = place.get(user).copied().unwrap_or(0);
                (behind.is_some_and(|behind: usize| place <= behind), place)
            });
        }
        Order::LongestIdle => free.sort_by_cached_key(|user| view.stats.last_call(&tenant.id, user)),
        Order::FewestCalls => {
            free.sort_by_cached_key(|user| view.stats.answered(&tenant.id, user, now.wall));
        }
        Order::Random => free.sort_by_cached_key(|user| {
            let mut hasher = DefaultHasher::new();
            (ask.seed, user).hash(&mut hasher);
            hasher.finish()
        }),
    }
    free.truncate(usize::try_from(ask.count).unwrap_or(usize::MAX));
    if let (Order::Circular, Some(first)) = (ask.order, free.first()) {
        let turn = KeptAsk::Set { key: turn_key(&ask.group), value: first.to_string(), ttl_s: 0 };
        if let Err(error) = keep(turn) {
            // Whoever calls is to reach somebody all the same.
            tracing::warn!(%error, group = %ask.group, "whose turn it is was not kept");
        }
    }
    Ok(Taken { picked: free, left_out })
}

fn why_not(
    view: &View,
    tenant: &Tenant,
    (user, call): (&UserId, &CallId),
    ask: &RosterAsk,
    now: Now,
) -> Option<LeftOut> {
    if ask.without.contains(user) {
        return Some(LeftOut::Unwanted);
    }
    let UserStatus { state, doing, .. } = presence::of_user(view, &tenant.id, user);
    if ask.only.as_ref().is_some_and(|only| !only.contains(&state)) {
        return Some(LeftOut::Is(state, doing));
    }
    if view.reserved.is_taken(&tenant.id, user, call, now.mono) {
        return Some(LeftOut::Reserved);
    }
    (!ask.reserve.is_zero() && doing == Doing::Ringing).then_some(LeftOut::Rings)
}

impl Switchboard {
    /// Picks people for a call, and reserves them for it where it wants that.
    pub(crate) fn take(
        &mut self,
        tenant: &Tenant,
        call: &CallId,
        ask: &RosterAsk,
    ) -> Result<Taken, TakeError> {
        let (view, now) = (self.picture.clone(), self.now);
        let taken = pick((&view, tenant), call, ask, now, |what| self.keep(&tenant.id, call, what))?;
        if !ask.reserve.is_zero() && !taken.picked.is_empty() {
            let until = now.mono.saturating_add(ask.reserve.min(RESERVED_MAX));
            let reserved = &mut self.repaint().reserved.0;
            for user in &taken.picked {
                reserved.insert((tenant.id.clone(), user.clone()), (call.clone(), until));
            }
        }
        Ok(taken)
    }

    /// People whom a call has reserved are free for all again.
    pub(crate) fn let_go<'a>(
        &mut self,
        tenant: &TenantId,
        call: &CallId,
        people: impl IntoIterator<Item = &'a UserId>,
    ) {
        for user in people {
            let key = (tenant.clone(), user.clone());
            if self.picture.reserved.0.get(&key).is_some_and(|(holder, _)| holder == call) {
                self.repaint().reserved.0.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::kept::Rehearsal;
    use crate::testing;
    use crate::view::Activity;

    /// Ana and Bob of sales, and what their devices do; nobody is registered, which only matters to states.
    fn view(active: &[(&str, Activity)]) -> View {
        let config = Config::new(BTreeSet::new(), None, vec![testing::tenant()]);
        let mut view = View { config: Arc::new(config), ..View::default() };
        for (device, activity) in active {
            view.activity.insert(("acme".into(), (*device).into()), *activity);
        }
        view
    }

    fn ask(order: Order) -> RosterAsk {
        RosterAsk {
            group: "sales".into(),
            only: None,
            order,
            without: BTreeSet::new(),
            count: 9,
            reserve: Duration::ZERO,
            seed: 7,
        }
    }

    const NOW: Now = Now { mono: Duration::from_secs(60), wall: jiff::Timestamp::UNIX_EPOCH };

    fn picked(view: &View, ask: &RosterAsk, kept: &mut Rehearsal) -> String {
        let tenant = &view.config.tenants["acme"];
        let call = CallId::from("c-1");
        let keep = |what| kept.keep(NOW.wall, &tenant.id, &call, what);
        pick((view, tenant), &call, ask, NOW, keep).unwrap().to_string()
    }

    #[test]
    fn who_is_left_out_is_named_with_the_reason() {
        let mut view = view(&[("1011", Activity { talking: 1, ..Activity::default() })]);
        let mut kept = Rehearsal::default();
        let mut wanted = RosterAsk { only: Some([State::Busy].into()), ..ask(Order::Listed) };
        assert_eq!(picked(&view, &wanted, &mut kept), "bob; not ana (offline)");
        wanted.only = Some([State::Available].into());
        assert_eq!(picked(&view, &wanted, &mut kept), "nobody; not ana (offline), bob (busy)");
        wanted.only = None;
        wanted.without = ["ana".into()].into();
        view.reserved.0.insert(("acme".into(), "bob".into()), ("c-2".into(), Duration::from_secs(61)));
        assert_eq!(
            picked(&view, &wanted, &mut kept),
            "nobody; not ana (left out by the rule), bob (reserved by another call)"
        );
        view.reserved.0.insert(("acme".into(), "bob".into()), ("c-2".into(), NOW.mono));
        assert_eq!(
            picked(&view, &wanted, &mut kept),
            "bob; not ana (left out by the rule)",
            "its time is over"
        );
        view.reserved.0.insert(("acme".into(), "bob".into()), ("c-1".into(), Duration::MAX));
        assert_eq!(
            picked(&view, &wanted, &mut kept),
            "bob; not ana (left out by the rule)",
            "it is this call's own"
        );
    }

    #[test]
    fn nobody_is_reserved_who_rings_already() {
        let view = view(&[("1001", Activity { ringing: 1, ..Activity::default() })]);
        let mut kept = Rehearsal::default();
        let mut wanted = ask(Order::Listed);
        assert_eq!(picked(&view, &wanted, &mut kept), "ana, bob");
        wanted.reserve = Duration::from_secs(1);
        assert_eq!(picked(&view, &wanted, &mut kept), "bob; not ana (rings for another call)");
    }

    #[test]
    fn in_a_circle_it_begins_behind_who_was_first_the_last_time() {
        let view = view(&[]);
        let mut kept = Rehearsal::default();
        let one = RosterAsk { count: 1, ..ask(Order::Circular) };
        let rounds: Vec<_> = (0..3).map(|_| picked(&view, &one, &mut kept)).collect();
        assert_eq!(rounds, ["ana", "bob", "ana"]);
        assert_eq!(picked(&view, &ask(Order::Circular), &mut kept), "bob, ana");
        let without = RosterAsk { without: ["ana".into()].into(), ..one.clone() };
        assert_eq!(picked(&view, &without, &mut kept), "bob; not ana (left out by the rule)");
        assert_eq!(picked(&view, &one, &mut kept), "ana");
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let view = view(&[]);
        let orders: BTreeSet<_> = (0..16)
            .map(|seed| picked(&view, &RosterAsk { seed, ..ask(Order::Random) }, &mut Rehearsal::default()))
            .collect();
        assert_eq!(orders, ["ana, bob".to_owned(), "bob, ana".to_owned()].into());
        let one = || picked(&view, &ask(Order::Random), &mut Rehearsal::default());
        assert_eq!(one(), one());
    }
}
