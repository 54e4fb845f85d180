//! Settings, log and budget: the small interfaces.

use callwright_core::rule::Setting;
use wasmtime::AsContextMut;
use wasmtime::component::Resource;

use super::{Host, Imports, enter, host_call, leave};
use crate::bindings::callwright::rules::log::Level;
use crate::bindings::callwright::rules::{budget, log, settings};
use crate::handle::Destination;
use crate::price;
use crate::state::{RunState, plain};
use crate::wave::Wave;

/// Bytes of a log line that the journal shows.
const SHOWN_BYTES_MAX: usize = 200;

/// Text of the guest that is not counted: the beginning of a log line.
struct Shown(String);

impl Wave for Shown {
    fn wave(&self, run: &RunState, out: &mut String) {
        self.0.wave(run, out);
    }
}

impl settings::Host for &mut RunState {}
impl log::Host for &mut RunState {}
impl budget::Host for &mut RunState {}

impl settings::HostWithStore<RunState> for Imports {
    fn text(mut host: Host<'_>, key: String) -> wasmtime::Result<Option<String>> {
        host_call(&mut host, &price::SETTING_TEXT, &[&key], |run| {
            Ok(match run.rule.settings.get(&key) {
                Some(Setting::Text(text)) => Some(text.clone()),
                Some(Setting::Number(_) | Setting::Flag(_) | Setting::Place(_)) | None => None,
            })
        })
    }

    fn number(mut host: Host<'_>, key: String) -> wasmtime::Result<Option<i32>> {
        host_call(&mut host, &price::SETTING_NUMBER, &[&key], |run| {
            Ok(match run.rule.settings.get(&key) {
                Some(Setting::Number(number)) => Some(*number),
                Some(Setting::Text(_) | Setting::Flag(_) | Setting::Place(_)) | None => None,
            })
        })
    }

    fn flag(mut host: Host<'_>, key: String) -> wasmtime::Result<Option<bool>> {
        host_call(&mut host, &price::SETTING_FLAG, &[&key], |run| {
            Ok(match run.rule.settings.get(&key) {
                Some(Setting::Flag(flag)) => Some(*flag),
                Some(Setting::Text(_) | Setting::Number(_) | Setting::Place(_)) | None => None,
            })
        })
    }

    fn place(mut host: Host<'_>, key: String) -> wasmtime::Result<Option<Resource<Destination>>> {
        host_call(&mut host, &price::SETTING_PLACE, &[&key], |run| {
            let to = match run.rule.settings.get(&key) {
                Some(Setting::Place(to)) => Some(to.clone()),
                Some(Setting::Text(_) | Setting::Number(_) | Setting::Flag(_)) | None => None,
            };
            to.map(|to| run.handle(Destination(to))).transpose()
        })
    }
}

impl log::HostWithStore<RunState> for Imports {
    fn write(mut host: Host<'_>, level: Level, message: String) -> wasmtime::Result<()> {
        // Text that finds no room in the log is not text that the host keeps: the log's own limit counts it, not `bytes`.
        let shown = Shown(plain(&message, SHOWN_BYTES_MAX));
        let entered = enter(&mut host, &price::LOG_WRITE, &[&level, &shown])?;
        let word = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
        };
        let run = host.data_mut();
        run.log(word, &message);
        if level == Level::Warn {
            run.warn(&message);
        }
        run.surcharge =
            run.surcharge.saturating_add(price::PER_GUEST_BYTE.saturating_mul(message.len() as u64));
        leave(&mut host, entered, &())
    }
}

impl budget::HostWithStore<RunState> for Imports {
    fn fuel(mut host: Host<'_>) -> wasmtime::Result<u32> {
        let entered = enter(&mut host, &price::BUDGET_FUEL, &[])?;
        let left = u32::try_from(host.as_context_mut().get_fuel()?).unwrap_or(u32::MAX);
        leave(&mut host, entered, &left)?;
        Ok(left)
    }

    fn reads(mut host: Host<'_>) -> wasmtime::Result<u32> {
        host_call(&mut host, &price::BUDGET_READS, &[], |run| Ok(run.limits.reads.saturating_sub(run.reads)))
    }

    fn actions(mut host: Host<'_>) -> wasmtime::Result<u32> {
        host_call(&mut host, &price::BUDGET_ACTIONS, &[], |run| {
            Ok(run.limits.actions.saturating_sub(run.actions))
        })
    }

    fn legs(mut host: Host<'_>) -> wasmtime::Result<u32> {
        host_call(&mut host, &price::BUDGET_LEGS, &[], |run| Ok(run.limits.legs.saturating_sub(run.legs)))
    }
}
