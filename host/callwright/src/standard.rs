//! The standard rule, which this program carries: what decides calls that no rule of their tenant is bound to.

use callwright_core::names::Version;
use callwright_rules::upload::version_of;

/// The component, as `build.rs` built it from `rules-examples/standard`.
pub(crate) const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/standard.wasm"));

/// Its version.
pub(crate) fn version() -> Version {
    version_of(COMPONENT)
}
