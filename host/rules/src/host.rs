//! The host's side of the WIT: one function each, all through the same gate.
//!
//! The gate counts a call, takes its price, answers it from the view and writes it into the journal.

mod action;
mod directory;
mod forwarding;
mod plan;
mod presence;
mod roster;
mod said;
mod schedule;
mod stats;
mod store;
mod talk;
mod types;

use callwright_core::rule::{Answer, Ask};
use wasmtime::component::{Access, HasData};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::door::Asked;
use crate::journal::HostCall;
use crate::price::{PER_GUEST_BYTE, Price};
use crate::state::{RunState, Stop};
use crate::wave::{self, Wave};

/// Marks the implementation of the imports.
pub(crate) struct Imports;

impl HasData for Imports {
    type Data<'a> = &'a mut RunState;
}

/// What a host function gets of its run.
pub(crate) type Host<'a> = Access<'a, RunState, Imports>;

/// A host call that is paid for and not yet answered.
struct Entered {
    import: &'static str,
    args: String,
    fuel_before: u64,
}

/// Answers a call from what the host knows.
fn host_call<R: Wave>(
    host: &mut Host<'_>,
    price: &Price,
    args: &[&dyn Wave],
    answer: impl FnOnce(&mut RunState) -> Result<R, Stop>,
) -> wasmtime::Result<R> {
    let entered = enter(host, price, args)?;
    let answer = answer(host.data_mut())?;
    leave(host, entered, &answer)?;
    Ok(answer)
}

/// Counts a call and takes its price.
fn enter(host: &mut Host<'_>, price: &Price, args: &[&dyn Wave]) -> wasmtime::Result<Entered> {
    let mut store = host.as_context_mut();
    let fuel_before = store.get_fuel()?;
    let run = store.data_mut();
    run.inside = Some(price.import);
    let text_bytes = args.iter().map(|value| value.text_bytes()).sum();
    run.count(price, text_bytes)?;
    let mut text = run.journal.paper();
    wave::tuple(run, args, &mut text);
    pay(
        &mut store,
        price.import,
        price.fuel.saturating_add(PER_GUEST_BYTE.saturating_mul(text_bytes as u64)),
    )?;
    Ok(Entered { import: price.import, args: text, fuel_before })
}

/// Writes an answered call into the journal.
fn leave(host: &mut Host<'_>, entered: Entered, answer: &dyn Wave) -> wasmtime::Result<()> {
    let mut store = host.as_context_mut();
    let surcharge = std::mem::take(&mut store.data_mut().surcharge);
    pay(&mut store, entered.import, surcharge)?;
    let fuel_after = store.get_fuel()?;
    let run = store.data_mut();
    let mut ret = run.journal.paper();
    answer.wave(run, &mut ret);
    let ms = run.elapsed_ms();
    let call = HostCall { import: entered.import, args: &entered.args, fuel_before: entered.fuel_before, ms };
    run.journal.call(&call, &ret, fuel_after);
    run.journal.take_back(ret);
    run.journal.take_back(entered.args);
    run.inside = None;
    Ok(())
}

/// Asks the call and waits; the run is suspended meanwhile.
async fn ask(host: &mut Host<'_>, entered: &Entered, what: Ask) -> wasmtime::Result<Answer> {
    let mut store = host.as_context_mut();
    let fuel = store.data().limits.fuel.saturating_sub(store.get_fuel()?);
    let run = store.data_mut();
    let ask = run.next_ask();
    let ms = run.elapsed_ms();
    run.journal.ask(&HostCall {
        import: entered.import,
        args: &entered.args,
        fuel_before: entered.fuel_before,
        ms,
    });
    let spent = run.take_spent(fuel, true);
    let door = run.door.clone();
    let answered = door.ask(Asked { ask, what, spent }).await;
    // The deadline has been counting while the phones rang: the time that the guest gets starts anew.
    store.set_epoch_deadline(1);
    store.data_mut().see(answered.view, answered.now);
    Ok(answered.answer)
}

fn pay(store: &mut StoreContextMut<'_, RunState>, import: &'static str, price: u64) -> wasmtime::Result<()> {
    if price == 0 {
        return Ok(());
    }
    match store.get_fuel()?.checked_sub(price) {
        Some(left) => store.set_fuel(left),
        None => {
            store.set_fuel(0)?;
            Err(Stop::Fuel(import).into())
        }
    }
}
