//! The spans that say where something happened: `node > tenant > call > leg > tx`, `rule` under `call`.
//!
//! A node, a call, a leg and a run keep their own: made once, entered whenever they are at work. A parent is named where
//! the span of the moment may be another, as when the response to one leg starts the next.

use tracing::{Span, debug_span, info_span};

use crate::names::{CallId, TenantId};
use crate::rule::ActiveRule;

/// A node, by its number.
pub(crate) fn node(number: u16) -> Span {
    info_span!(parent: None, "node", node = number)
}

/// A tenant, under the node at work.
pub(crate) fn tenant(id: &TenantId) -> Span {
    info_span!("tenant", tenant = %id)
}

/// A call, under the tenant at work.
pub(crate) fn call(id: &CallId) -> Span {
    info_span!("call", call = %id)
}

/// A leg of a call: `caller`, or the number of a callee's.
pub(crate) fn leg(call: &Span, leg: impl std::fmt::Display) -> Span {
    info_span!(parent: call, "leg", leg = %leg)
}

/// A rule's run for a call.
pub(crate) fn rule(call: &Span, rule: &ActiveRule) -> Span {
    info_span!(parent: call, "rule", rule = %rule.name, version = %rule.version)
}

/// A transaction, under the leg at work.
pub(crate) fn tx(tx: impl std::fmt::Display) -> Span {
    debug_span!("tx", tx = %tx)
}

/// A request that has no transaction of ours yet.
pub(crate) fn request(method: &callwright_sip::Method) -> Span {
    debug_span!("tx", %method)
}
