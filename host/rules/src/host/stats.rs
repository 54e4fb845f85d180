//! What happened before.

use callwright_core::names::UserId;
use callwright_core::presence as facts;
use callwright_core::stats::{AGENT_DAYS_MAX, HOURS_MAX, RATE_DAYS_MAX};
use wasmtime::component::Resource;

use super::{Host, Imports, host_call};
use crate::bindings::callwright::rules::stats::{self, StatsError};
use crate::handle::{Destination, Named as _, Party, User};
use crate::price;
use crate::state::{RunState, Stop};

impl stats::Host for &mut RunState {}

impl stats::HostWithStore<RunState> for Imports {
    fn last_agent(
        mut host: Host<'_>,
        who: Resource<Party>,
        days: u32,
    ) -> wasmtime::Result<Result<Option<Resource<User>>, StatsError>> {
        host_call(&mut host, &price::LAST_AGENT, &[&who, &days], |run| {
            if days > AGENT_DAYS_MAX {
                return Ok(Err(StatsError::LimitExceeded("days".to_owned())));
            }
            let facts = run.table.get(&who)?.facts.clone();
            let tenant = &run.call.tenant;
            let agent = run.view.stats.last_agent(tenant, &facts, days, run.now.wall).cloned();
            let agent = agent
                .filter(|agent| run.tenant.as_ref().is_some_and(|tenant| tenant.users.contains_key(agent)));
            let got = agent.as_ref().map_or("nobody", UserId::as_str).to_owned();
            run.note_read(format!("stats.last-agent({days} days)"), got);
            match agent.map(|agent| run.handle(User(agent))).transpose() {
                Ok(agent) => Ok(Ok(agent)),
                Err(Stop::Limit(name)) => Ok(Err(StatsError::LimitExceeded(name.to_owned()))),
                Err(stop @ (Stop::Fuel(_) | Stop::Internal(_))) => Err(stop),
            }
        })
    }

    fn calls_from(
        mut host: Host<'_>,
        who: Resource<Party>,
        hours: u32,
        only_unanswered: bool,
    ) -> wasmtime::Result<Result<u32, StatsError>> {
        host_call(&mut host, &price::CALLS_FROM, &[&who, &hours, &only_unanswered], |run| {
            if hours > HOURS_MAX {
                return Ok(Err(StatsError::LimitExceeded("hours".to_owned())));
            }
            let facts = &run.table.get(&who)?.facts;
            let tenant = &run.call.tenant;
            let calls = run.view.stats.calls_from(tenant, facts, hours, only_unanswered, run.now.wall);
            let kind = if only_unanswered { ", unanswered" } else { "" };
            run.note_read(format!("stats.calls-from({hours} h{kind})"), calls.to_string());
            Ok(Ok(calls))
        })
    }

    fn idle_s(mut host: Host<'_>, who: Resource<User>) -> wasmtime::Result<Result<u32, StatsError>> {
        host_call(&mut host, &price::IDLE_S, &[&who], |run| {
            let user = run.table.get(&who)?.0.clone();
            let tenant = &run.call.tenant;
            let is_on_call = facts::of_user(&run.view, tenant, &user).calls > 0;
            let idle_s = if is_on_call { 0 } else { run.view.stats.idle_s(tenant, &user, run.now.wall) };
            run.note_read(format!("stats.idle-s(\"{user}\")"), format!("{idle_s} s"));
            Ok(Ok(idle_s))
        })
    }

    fn answer_rate(
        mut host: Host<'_>,
        to: Resource<Destination>,
        days: u32,
    ) -> wasmtime::Result<Result<Option<u32>, StatsError>> {
        host_call(&mut host, &price::ANSWER_RATE, &[&to, &days], |run| {
            if days > RATE_DAYS_MAX {
                return Ok(Err(StatsError::LimitExceeded("days".to_owned())));
            }
            let to = run.table.get(&to)?.0.clone();
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(StatsError::Unavailable)) };
            let meant = run.meant(&to);
            let users = meant.map(|to| facts::people_behind(&run.view, &tenant.id, &to)).unwrap_or_default();
            let what = format!("stats.answer-rate(\"{}\", {days} days)", Destination(to).name());
            if users.is_empty() {
                run.note_read(what, "nobody is behind it");
                return Ok(Err(StatsError::Other("nobody is behind the destination".to_owned())));
            }
            let now = (run.now.wall, &tenant.zone);
            let rate = run.view.stats.answer_rate(&tenant.id, &users, days, now);
            run.note_read(what, rate.map_or("too few calls".to_owned(), |rate| format!("{rate} %")));
            Ok(Ok(rate))
        })
    }
}
