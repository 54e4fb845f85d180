//! Rules that want the same calls: only one of them gets them.

use callwright_core::names::RuleName;
use callwright_core::rule::ActiveRule;
use callwright_store::{Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

/// Another rule of the tenant that is active and bound to the same.
#[derive(Serialize, ToSchema)]
pub(crate) struct AlsoBound {
    /// To what.
    to: String,
    #[schema(value_type = String)]
    rule: RuleName,
    /// Whether the other gets the calls: of two equal bindings the first by the rules' names wins.
    goes_first: bool,
}

/// What else is bound to what this rule is bound to.
///
/// # Errors
/// The outside failed.
pub(crate) fn of(store: &dyn Store, rule: &ActiveRule) -> Result<Vec<AlsoBound>, StoreError> {
    let mut found = Vec::new();
    for other in store.active_rules(&rule.tenant)?.iter().filter(|other| other.name != rule.name) {
        found.extend(rule.bind.iter().filter(|to| other.bind.contains(to)).map(|to| AlsoBound {
            to: to.to_string(),
            rule: other.name.clone(),
            goes_first: other.name < rule.name,
        }));
    }
    Ok(found)
}
