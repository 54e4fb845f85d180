//! What is checked of an upload before anybody compiles it: size, shape, rights, and the `rule.toml` beside it.
//!
//! Nothing here runs or compiles what a tenant sent. Every check goes on after a problem, so the answer lists them all.

mod manifest;
mod shape;
mod world;

use std::collections::BTreeMap;

use callwright_core::config::{Fallback, Tenant};
use callwright_core::names::{RuleName, Version};
use callwright_core::rule::{ActiveRule, BindTarget, Care, Setting};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The world that rules target.
pub const WORLD: &str = "callwright:rules/call-policy@0.1.0";

/// Bytes of a component, as uploaded.
pub const COMPONENT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes of a `rule.toml`.
pub const RULE_TOML_BYTES_MAX: usize = 64 * 1024;

/// Problems that are listed; whoever has more has enough to begin with.
const PROBLEMS_MAX: usize = 100;

/// A rule as somebody sends it.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    /// A component, or a core module with a component-type section.
    pub component: &'a [u8],
    /// What the host must know when the component cannot run.
    pub rule_toml: &'a str,
}

/// An upload that may be compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// Digest of the component as uploaded.
    pub version: Version,
    /// The `rule.toml`.
    pub manifest: Manifest,
}

/// What a `rule.toml` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The rule's name.
    pub name: RuleName,
    /// What happens when the rule does not decide; the tenant's own where there is none.
    pub fallback: Option<Fallback>,
    /// The calls it decides.
    pub bind: Vec<BindTarget>,
    /// Its parameters.
    pub settings: BTreeMap<String, Setting>,
    /// Who answers for it.
    pub care: Care,
}

/// One thing that is wrong with an upload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Problem {
    /// Where: `component`, or the key in `rule.toml`.
    pub at: String,
    /// What, with what to do about it where that is known.
    pub what: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }

    /// A problem of the component as a whole.
    pub(crate) fn component(what: impl Into<String>) -> Self {
        Self::new("component", what)
    }
}

impl Manifest {
    /// The rule as the switch uses it.
    #[must_use]
    pub fn activate(&self, tenant: &Tenant, version: Version) -> ActiveRule {
        ActiveRule {
            tenant: tenant.id.clone(),
            name: self.name.clone(),
            version,
            bind: self.bind.clone(),
            fallback: self.fallback.clone(),
            settings: self.settings.clone().into(),
            care: self.care.clone(),
        }
    }
}

/// Checks an upload for a tenant.
///
/// # Errors
/// Every [`Problem`] that was found, component first.
pub fn admit(upload: &Upload<'_>, tenant: &Tenant) -> Result<Admitted, Vec<Problem>> {
    let mut problems = Vec::new();
    if let Some(shape) = shape::inspect(upload.component, &mut problems) {
        world::check(&shape, &mut problems);
    }
    let manifest = manifest::parse(upload.rule_toml, &mut problems);
    if let Some(manifest) = &manifest {
        manifest::check_names(manifest, tenant, &mut problems);
    }
    problems.truncate(PROBLEMS_MAX);
    match manifest {
        Some(manifest) if problems.is_empty() => {
            Ok(Admitted { version: version_of(upload.component), manifest })
        }
        Some(_) | None => Err(problems),
    }
}

/// The version of a component: the digest of its bytes as uploaded.
#[must_use]
pub fn version_of(component: &[u8]) -> Version {
    Version::from(format!("sha256:{}", hex(&Sha256::digest(component))))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}
