//! Compiled code on its way through a folder: sealed by this switch, and loaded only with its seal unbroken.
//!
//! The one place with `unsafe`: wasmtime trusts what it deserialises. What a tenant sent never gets here; what does was
//! compiled by our own child for one version and one engine, and sealed with a key that only this host has.

use callwright_core::names::Version;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmtime::component::Component;

use crate::engine::{Engine, LoadError, Rule};
use crate::upload::Problem;

/// Bytes of the seal in front of the code.
const SEAL_BYTES: usize = 32;

/// The host's secret that seals artefacts. Made once by the operator's switch, kept in its store.
#[derive(Clone)]
pub struct ArtefactKey([u8; 32]);

/// Why a sealed artefact is not loaded. The remedy is always to compile the version again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtefactError {
    /// It is cut short, of another version, of another engine, or not ours at all.
    #[error("the compiled code of {version} has no valid seal of this host and engine")]
    Seal {
        /// The version that was asked for.
        version: Version,
    },
    /// Our own code does not fit.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl ArtefactKey {
    /// A key from 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The seal of code for one version and one engine.
    fn mac(&self, engine: &Engine, version: &Version, compiled: &[u8]) -> Hmac<Sha256> {
        // A key shorter than the hash's block is filled up with zeros (RFC 2104 §2).
        let mut block = [0; 64];
        block[..self.0.len()].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        // Lengths keep one field from running into the next.
        for field in [engine.fingerprint().as_bytes(), version.as_str().as_bytes(), compiled] {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        mac
    }
}

impl Engine {
    /// Seals what the compile child made of a version.
    #[must_use]
    pub fn seal(&self, key: &ArtefactKey, version: &Version, compiled: &[u8]) -> Vec<u8> {
        let mut sealed = key.mac(self, version, compiled).finalize().into_bytes().to_vec();
        sealed.extend_from_slice(compiled);
        sealed
    }

    /// Loads a version's compiled code, as sealed by [`Engine::seal`].
    ///
    /// # Errors
    /// [`ArtefactError::Seal`] for anything that this host has not sealed for this version and this engine.
    pub fn load_artefact(
        &self,
        key: &ArtefactKey,
        version: Version,
        sealed: &[u8],
    ) -> Result<Rule, ArtefactError> {
        let broken = || ArtefactError::Seal { version: version.clone() };
        let (seal, compiled) = sealed.split_at_checked(SEAL_BYTES).ok_or_else(broken)?;
        key.mac(self, &version, compiled).verify_slice(seal).map_err(|_| broken())?;
        let component = deserialise(self.wasmtime(), compiled);
        let component = component.map_err(|error| LoadError::Compile(error.into_boxed_dyn_error()))?;
        Ok(self.ready(version, &component)?)
    }

    /// What is left of the upload's checks once there is code: linking with all types, and one instance under fuel.
    ///
    /// # Errors
    /// The [`Problem`] that the uploader is told.
    pub fn prove(&self, rule: &Rule) -> Result<(), Problem> {
        crate::run::prove(rule)
            .map_err(|outcome| Problem::component(format!("cannot be started: {}", outcome_words(&outcome))))
    }
}

#[expect(unsafe_code, reason = "wasmtime offers no other way to load compiled code")]
fn deserialise(engine: &wasmtime::Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the only caller has verified the HMAC over these bytes, so they are what `precompile_component` of the
    // same wasmtime and the same settings wrote in our own child process, unaltered.
    unsafe { Component::deserialize(engine, compiled) }
}

fn outcome_words(outcome: &callwright_core::rule::RunOutcome) -> String {
    use callwright_core::rule::RunOutcome;
    match outcome {
        RunOutcome::InstantiateFailed(why) => format!("instantiate-failed: {why}"),
        RunOutcome::FuelExhausted(place) => format!("fuel-exhausted in {place}"),
        RunOutcome::Trap(kind) => format!("trap: {kind}"),
        RunOutcome::LimitExceeded(name) => format!("limit-exceeded: {name}"),
        RunOutcome::Ok
        | RunOutcome::Declined(_)
        | RunOutcome::DeadlineExceeded
        | RunOutcome::MemoryLimit
        | RunOutcome::TableLimit
        | RunOutcome::StackOverflow
        | RunOutcome::BadOutput
        | RunOutcome::PermissionDenied(_)
        | RunOutcome::HostBusy
        | RunOutcome::TenantThrottled
        | RunOutcome::BreakerOpen
        | RunOutcome::CallerGone
        | RunOutcome::Internal(_) => outcome.word().to_owned(),
    }
}
