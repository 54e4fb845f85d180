//! Time and opening hours.

use callwright_core::rota;
use callwright_core::schedule::{self as clock, LocalTime as Civil};
use jiff::civil;
use jiff::tz::TimeZone;
use wasmtime::component::Resource;

use super::{Host, Imports, host_call};
use crate::bindings::callwright::rules::schedule::{self, LocalTime, ScheduleError, Weekday};
use crate::handle::{Hours, User};
use crate::price;
use crate::state::{RunState, Stop};

impl schedule::Host for &mut RunState {}
impl schedule::HostOpening for &mut RunState {}

impl schedule::HostWithStore<RunState> for Imports {
    fn now(mut host: Host<'_>) -> wasmtime::Result<LocalTime> {
        host_call(&mut host, &price::NOW, &[], |run| {
            let zone = run.tenant.as_ref().map_or(TimeZone::UTC, |tenant| tenant.zone.clone());
            Ok(look(run, "schedule.now()".to_owned(), &zone))
        })
    }

    fn now_in(mut host: Host<'_>, zone: String) -> wasmtime::Result<Result<LocalTime, ScheduleError>> {
        host_call(&mut host, &price::NOW_IN, &[&zone], |run| {
            let Ok(known) = TimeZone::get(&zone) else { return Ok(Err(ScheduleError::NoSuchZone)) };
            Ok(Ok(look(run, format!("schedule.now-in({zone:?})"), &known)))
        })
    }

    fn hours(mut host: Host<'_>, name: String) -> wasmtime::Result<Result<Resource<Hours>, ScheduleError>> {
        host_call(&mut host, &price::HOURS, &[&name], |run| {
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(ScheduleError::Unavailable)) };
            let what = format!("schedule.hours({name:?})");
            let Some(hours) = tenant.hours.get(name.as_str()) else {
                run.note_read(what, "no such opening hours");
                return Ok(Err(ScheduleError::NoSuchEntry));
            };
            let opening = clock::opening(hours, &tenant.zone, run.now.wall);
            let state = if opening.is_open { "open" } else { "closed" };
            run.note_read(what, format!("{state}: {}", opening.why));
            let left = opening.changes_at.map(|at| at.duration_since(run.now.wall).as_secs());
            let changes_in_s = left.map(|left| u32::try_from(left.max(0)).unwrap_or(u32::MAX));
            handle(run, Hours { name: name.clone(), opening, changes_in_s })
        })
    }

    fn on_duty(
        mut host: Host<'_>,
        rota: String,
        turn: u32,
    ) -> wasmtime::Result<Result<Resource<User>, ScheduleError>> {
        host_call(&mut host, &price::ON_DUTY, &[&rota, &turn], |run| {
            let Some(tenant) = run.tenant.clone() else { return Ok(Err(ScheduleError::Unavailable)) };
            let what = format!("schedule.on-duty({rota:?}, {turn})");
            let Some(rota) = tenant.rotas.get(rota.as_str()) else {
                run.note_read(what, "no such rota");
                return Ok(Err(ScheduleError::NoSuchEntry));
            };
            let duty = rota::on_duty(rota, &tenant.zone, run.now.wall, turn);
            run.note_read(what, duty.why);
            match duty.user {
                Some(user) => handle(run, User(user)),
                None => Ok(Err(ScheduleError::NoSuchEntry)),
            }
        })
    }
}

impl schedule::HostOpeningWithStore<RunState> for Imports {
    fn is_open(mut host: Host<'_>, hours: Resource<Hours>) -> wasmtime::Result<bool> {
        host_call(&mut host, &price::OPENING_IS_OPEN, &[&hours], |run| {
            Ok(run.table.get(&hours)?.opening.is_open)
        })
    }

    fn changes_in_s(mut host: Host<'_>, hours: Resource<Hours>) -> wasmtime::Result<Option<u32>> {
        host_call(&mut host, &price::OPENING_CHANGES_IN_S, &[&hours], |run| {
            Ok(run.table.get(&hours)?.changes_in_s)
        })
    }

    fn why(mut host: Host<'_>, hours: Resource<Hours>) -> wasmtime::Result<String> {
        host_call(&mut host, &price::OPENING_WHY, &[&hours], |run| {
            Ok(run.table.get(&hours)?.opening.why.clone())
        })
    }

    fn drop(mut host: Host<'_>, hours: Resource<Hours>) -> wasmtime::Result<()> {
        host.data_mut().table.delete(hours)?;
        Ok(())
    }
}

/// Makes a handle. A full table is an error that the rule can see here.
fn handle<T: Send + 'static>(
    run: &mut RunState,
    value: T,
) -> Result<Result<Resource<T>, ScheduleError>, Stop> {
    match run.handle(value) {
        Ok(handle) => Ok(Ok(handle)),
        Err(Stop::Limit(limit)) => Ok(Err(ScheduleError::LimitExceeded(limit.to_owned()))),
        Err(stop @ (Stop::Fuel(_) | Stop::Internal(_))) => Err(stop),
    }
}

/// Reads the clock that stands still, and says so.
fn look(run: &mut RunState, what: String, zone: &TimeZone) -> LocalTime {
    let local = clock::local_time(run.now.wall, zone);
    run.note_read(what, format!("{} {}", clock::weekday_name(local.weekday), local.time.strftime("%H:%M")));
    guest_time(&local)
}

fn guest_time(local: &Civil) -> LocalTime {
    // The calendar's own bounds are far inside of these types, but for years before our era.
    let small = |number: i8| u8::try_from(number).unwrap_or(0);
    LocalTime {
        year: u16::try_from(local.date.year()).unwrap_or(0),
        month: small(local.date.month()),
        day: small(local.date.day()),
        hour: small(local.time.hour()),
        minute: small(local.time.minute()),
        second: small(local.time.second()),
        weekday: match local.weekday {
            civil::Weekday::Monday => Weekday::Monday,
            civil::Weekday::Tuesday => Weekday::Tuesday,
            civil::Weekday::Wednesday => Weekday::Wednesday,
            civil::Weekday::Thursday => Weekday::Thursday,
            civil::Weekday::Friday => Weekday::Friday,
            civil::Weekday::Saturday => Weekday::Saturday,
            civil::Weekday::Sunday => Weekday::Sunday,
        },
        offset_min: local.offset_min,
    }
}
