//! Picking people from a group. The core picks at one moment for all calls, so the run is suspended meanwhile.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use callwright_core::presence::State as Class;
use callwright_core::roster::{self, RosterAsk, TakeError, Taken};
use callwright_core::rule::{Answer, Ask};
use wasmtime::component::Resource;

use super::presence::limited;
use super::{Host, Imports, ask, enter, host_call, leave};
use crate::bindings::callwright::rules::directory::Order;
use crate::bindings::callwright::rules::presence::{self, PresenceError, State};
use crate::handle::{Group, Roster, User};
use crate::limits::BECAUSE_BYTES_MAX;
use crate::price;
use crate::state::{RunState, Stop, plain};

impl presence::HostRoster for &mut RunState {}

impl presence::HostRosterWithStore<RunState> for Imports {
    fn new(mut host: Host<'_>, of_group: Resource<Group>) -> wasmtime::Result<Resource<Roster>> {
        host_call(&mut host, &price::ROSTER_NEW, &[&of_group], |run| {
            let group = run.table.get(&of_group)?.0.clone();
            run.made = run.made.saturating_add(1);
            let (number, without) = (run.made, BTreeSet::new());
            run.handle(Roster { number, group, only: None, order: Order::Listed, without })
        })
    }

    fn only(mut host: Host<'_>, roster: Resource<Roster>, states: Vec<State>) -> wasmtime::Result<()> {
        host_call(&mut host, &price::ROSTER_ONLY, &[&roster, &states], |run| {
            let classes = states.iter().filter_map(|state| match state {
                State::Available => Some(Class::Available),
                State::Busy => Some(Class::Busy),
                State::Offline => Some(Class::Offline),
                // Nothing says yet that somebody is.
                State::Away => None,
            });
            run.table.get_mut(&roster)?.only = Some(classes.collect());
            Ok(())
        })
    }

    fn sort(mut host: Host<'_>, roster: Resource<Roster>, by: Order) -> wasmtime::Result<()> {
        host_call(&mut host, &price::ROSTER_SORT, &[&roster, &by], |run| {
            run.table.get_mut(&roster)?.order = by.clone();
            Ok(())
        })
    }

    fn without(mut host: Host<'_>, roster: Resource<Roster>, who: Resource<User>) -> wasmtime::Result<()> {
        host_call(&mut host, &price::ROSTER_WITHOUT, &[&roster, &who], |run| {
            let user = run.table.get(&who)?.0.clone();
            run.table.get_mut(&roster)?.without.insert(user);
            Ok(())
        })
    }

    async fn take(
        mut host: Host<'_>,
        roster: Resource<Roster>,
        count: u32,
        reserve_ms: u32,
    ) -> wasmtime::Result<Result<Vec<Resource<User>>, PresenceError>> {
        let entered = enter(&mut host, &price::ROSTER_TAKE, &[&roster, &count, &reserve_ms])?;
        let answer = match wanted(host.data_mut(), &roster, count, reserve_ms)? {
            Err(error) => Err(error),
            Ok((what, said)) => match ask(&mut host, &entered, Ask::Take(what)).await? {
                Answer::Taken(taken) => picked(host.data_mut(), &said, taken)?,
                Answer::Rang(_) | Answer::Done(_) | Answer::Kept(_) => {
                    return Err(Stop::Internal("people were asked for, and something else came").into());
                }
            },
        };
        leave(&mut host, entered, &answer)?;
        Ok(answer)
    }

    fn drop(mut host: Host<'_>, roster: Resource<Roster>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(roster)?;
        Ok(())
    }
}

/// What is asked of the core, and how an explanation names it.
fn wanted(
    run: &RunState,
    roster: &Resource<Roster>,
    count: u32,
    reserve_ms: u32,
) -> Result<Result<(RosterAsk, String), PresenceError>, Stop> {
    let roster = run.table.get(roster)?;
    let (order, word) = match &roster.order {
        Order::Listed => (roster::Order::Listed, "listed"),
        Order::Circular => (roster::Order::Circular, "circular"),
        Order::LongestIdle => (roster::Order::LongestIdle, "longest idle"),
        Order::FewestCalls => (roster::Order::FewestCalls, "fewest calls"),
        Order::Random => (roster::Order::Random, "by chance"),
        // Nobody has skills yet.
        Order::BestSkill => return Ok(Err(PresenceError::Unavailable)),
        Order::Other(name) => {
            let name = plain(name, BECAUSE_BYTES_MAX);
            return Ok(Err(PresenceError::Other(format!("no order `{name}`"))));
        }
    };
    let mut seed = DefaultHasher::new();
    (run.seed, run.asks).hash(&mut seed);
    let what = RosterAsk {
        group: roster.group.clone(),
        only: roster.only.clone(),
        order,
        without: roster.without.clone(),
        count,
        reserve: Duration::from_millis(reserve_ms.into()),
        seed: seed.finish(),
    };
    let said = format!("roster.take(\"{}\", {word}, {count})", roster.group);
    Ok(Ok((what, said)))
}

fn picked(
    run: &mut RunState,
    said: &str,
    taken: Result<Taken, TakeError>,
) -> Result<Result<Vec<Resource<User>>, PresenceError>, Stop> {
    match taken {
        Ok(taken) => {
            run.note_read(said, taken.to_string());
            limited(run.handles(taken.picked.into_iter().map(User)))
        }
        Err(error) => {
            run.note_read(said, error.to_string());
            Ok(Err(PresenceError::Unavailable))
        }
    }
}
