//! A closure of the host's own, and what the host offers to it and to scripts: functions that read the picture.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use callwright_core::config::Tenant;
use callwright_core::names::UserId;
use callwright_core::rule::{DestinationRef, LegPlan, RingPlan, Setting};

use crate::Decider;
use crate::town::TOWN;

/// A closure of the host's own.
pub(crate) struct Native;

impl Decider for Native {
    fn name(&self) -> &'static str {
        "native_closure"
    }

    fn decide(&mut self) -> anyhow::Result<RingPlan> {
        let wait_s = number("mobile-after-s").unwrap_or(10);
        let mut plan = RingPlan { time: seconds(wait_s + 20), ..RingPlan::default() };
        for device in devices(dialled_user().context("nobody was dialled")?) {
            let after_s = if label(&device).as_deref() == Some("mobile") { wait_s } else { 0 };
            plan.legs.push(leg(&device, after_s));
        }
        Ok(plan)
    }
}

fn tenant() -> Option<&'static Arc<Tenant>> {
    TOWN.tenant()
}

pub(crate) fn number(key: &str) -> Option<i32> {
    match TOWN.rule.settings.get(key)? {
        Setting::Number(number) => Some(*number),
        Setting::Text(_) | Setting::Flag(_) | Setting::Place(_) => None,
    }
}

pub(crate) fn dialled_user() -> Option<&'static UserId> {
    TOWN.call.dialled.user.as_ref()
}

pub(crate) fn devices(user: &UserId) -> Vec<String> {
    let user = tenant().and_then(|tenant| tenant.users.get(user));
    user.iter().flat_map(|user| &user.devices).map(ToString::to_string).collect()
}

pub(crate) fn label(device: &str) -> Option<String> {
    Some(tenant()?.devices.get(device)?.label.clone())
}

pub(crate) fn leg(device: &str, after_s: i32) -> LegPlan {
    let to = DestinationRef::Device(device.into());
    LegPlan { to, start_after: seconds(after_s), ring_for: None, label: None }
}

pub(crate) fn seconds(seconds: i32) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
