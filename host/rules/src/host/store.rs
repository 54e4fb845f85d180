//! Values that outlive the call. Each function asks the core and waits, as another call may have written in between.

use callwright_core::kept::{KeptAnswer, KeptAsk, KeptError};
use callwright_core::rule::{Answer, Ask};

use super::{Entered, Host, Imports, ask, enter, leave};
use crate::bindings::callwright::rules::store::{self, StoreError};
use crate::price;
use crate::state::{RunState, Stop, plain};
use crate::wave::Wave;

/// Bytes of a value that an explanation shows.
const SHOWN_BYTES_MAX: usize = 80;

impl store::Host for &mut RunState {}

impl store::HostWithStore<RunState> for Imports {
    async fn get(mut host: Host<'_>, key: String) -> wasmtime::Result<Result<Option<String>, StoreError>> {
        let entered = enter(&mut host, &price::STORE_GET, &[&key])?;
        let said = format!("store.get({key:?})");
        let kept = keep(&mut host, &entered, KeptAsk::Get { key }).await?;
        let answer = read(kept, |kept| match kept {
            KeptAnswer::Value(value) => Some(value),
            KeptAnswer::Done | KeptAnswer::Sum(_) | KeptAnswer::Claimed(_) => None,
        })?;
        let got = |value: &Option<String>| value.as_deref().map_or("nothing".to_owned(), shown);
        tell(host.data_mut(), said, answer.as_ref().map(got));
        leave(&mut host, entered, &answer)?;
        Ok(answer)
    }

    async fn set(
        mut host: Host<'_>,
        key: String,
        value: String,
        ttl_s: u32,
    ) -> wasmtime::Result<Result<(), StoreError>> {
        let entered = enter(&mut host, &price::STORE_SET, &[&key, &value, &ttl_s])?;
        done(host, entered, KeptAsk::Set { key, value, ttl_s }).await
    }

    async fn remove(mut host: Host<'_>, key: String) -> wasmtime::Result<Result<(), StoreError>> {
        let entered = enter(&mut host, &price::STORE_REMOVE, &[&key])?;
        done(host, entered, KeptAsk::Remove { key }).await
    }

    async fn add(
        mut host: Host<'_>,
        key: String,
        by: i32,
        ttl_s: u32,
    ) -> wasmtime::Result<Result<i32, StoreError>> {
        let entered = enter(&mut host, &price::STORE_ADD, &[&key, &by, &ttl_s])?;
        let said = format!("store.add({key:?}, {by})");
        let kept = keep(&mut host, &entered, KeptAsk::Add { key, by, ttl_s }).await?;
        let answer = read(kept, |kept| match kept {
            KeptAnswer::Sum(sum) => Some(sum),
            KeptAnswer::Value(_) | KeptAnswer::Done | KeptAnswer::Claimed(_) => None,
        })?;
        tell(host.data_mut(), said, answer.as_ref().map(ToString::to_string));
        leave(&mut host, entered, &answer)?;
        Ok(answer)
    }

    async fn claim(
        mut host: Host<'_>,
        key: String,
        ttl_s: u32,
    ) -> wasmtime::Result<Result<bool, StoreError>> {
        let entered = enter(&mut host, &price::STORE_CLAIM, &[&key, &ttl_s])?;
        let said = format!("store.claim({key:?})");
        let kept = keep(&mut host, &entered, KeptAsk::Claim { key, ttl_s }).await?;
        let answer = read(kept, |kept| match kept {
            KeptAnswer::Claimed(is_ours) => Some(is_ours),
            KeptAnswer::Value(_) | KeptAnswer::Done | KeptAnswer::Sum(_) => None,
        })?;
        let got = |is_ours: &bool| if *is_ours { "this call has it" } else { "another call has it" };
        tell(host.data_mut(), said, answer.as_ref().map(|is_ours| got(is_ours).to_owned()));
        leave(&mut host, entered, &answer)?;
        Ok(answer)
    }
}

/// Asks something whose answer is that it was done.
async fn done(
    mut host: Host<'_>,
    entered: Entered,
    what: KeptAsk,
) -> wasmtime::Result<Result<(), StoreError>> {
    let kept = keep(&mut host, &entered, what).await?;
    let answer = read(kept, |kept| match kept {
        KeptAnswer::Done => Some(()),
        KeptAnswer::Value(_) | KeptAnswer::Sum(_) | KeptAnswer::Claimed(_) => None,
    })?;
    leave(&mut host, entered, &answer)?;
    Ok(answer)
}

async fn keep(
    host: &mut Host<'_>,
    entered: &Entered,
    what: KeptAsk,
) -> wasmtime::Result<Result<KeptAnswer, StoreError>> {
    match ask(host, entered, Ask::Keep(what)).await? {
        Answer::Kept(answer) => Ok(answer.map_err(|error| store_error(&error))),
        Answer::Rang(_) | Answer::Done(_) | Answer::Taken(_) => {
            Err(Stop::Internal("the store was answered as if it were the call").into())
        }
    }
}

/// The answer of the kind that was asked for.
fn read<T>(
    kept: Result<KeptAnswer, StoreError>,
    value: impl FnOnce(KeptAnswer) -> Option<T>,
) -> Result<Result<T, StoreError>, Stop> {
    kept.map(|kept| value(kept).ok_or(Stop::Internal("the store was answered with another's answer")))
        .map_or_else(|error| Ok(Err(error)), |value| value.map(Ok))
}

/// Keeps what was read for the explanation.
fn tell(run: &mut RunState, what: String, got: Result<String, &StoreError>) {
    let got = got.unwrap_or_else(|error| {
        let mut text = String::new();
        error.wave(run, &mut text);
        text
    });
    run.note_read(what, got);
}

fn shown(value: &str) -> String {
    plain(value, SHOWN_BYTES_MAX)
}

fn store_error(error: &KeptError) -> StoreError {
    match error {
        KeptError::TooLarge => StoreError::TooLarge,
        KeptError::TooManyKeys => StoreError::LimitExceeded("keys".to_owned()),
        KeptError::NotANumber | KeptError::OutOfRange => StoreError::Other(error.to_string()),
    }
}
