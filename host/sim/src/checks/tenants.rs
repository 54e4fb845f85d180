//! Nothing of one tenant names anything of another.

use std::collections::{BTreeMap, BTreeSet};

use callwright_core::names::TenantId;
use callwright_core::record::CallRecord;
use callwright_core::{Config, Now};

use super::reassembly::Heard;
use super::{Found, Invariant};
use crate::glance::Glance;

/// The names of each tenant that no other may see: its domains.
#[derive(Default)]
pub(super) struct Tenants {
    names: BTreeMap<TenantId, Vec<String>>,
    /// Dialogs in which a phone itself named a stranger: it may hear its own words again.
    said: BTreeSet<String>,
}

impl Tenants {
    pub(super) fn new(config: &Config) -> Self {
        let mut tenants = Self::default();
        tenants.configured(config);
        tenants
    }

    pub(super) fn configured(&mut self, config: &Config) {
        for (id, tenant) in &config.tenants {
            self.names.insert(id.clone(), tenant.domains.clone());
        }
    }

    /// A phone of `tenant` says something.
    pub(super) fn heard(&mut self, tenant: &TenantId, message: &Heard) {
        if self.stranger_in(tenant, &String::from_utf8_lossy(&message.bytes)).is_some() {
            self.said.insert(message.glance.call_id.clone());
        }
    }

    /// A phone of `tenant` is told something.
    pub(super) fn told(
        &self,
        now: Now,
        tenant: &TenantId,
        message: &Glance,
        bytes: &[u8],
        found: &mut Found,
    ) {
        if self.said.contains(&message.call_id) {
            return;
        }
        if let Some(stranger) = self.stranger_in(tenant, &String::from_utf8_lossy(bytes)) {
            found.add(
                now,
                Invariant::TenantsAreApart,
                format!("a phone of {tenant} was told `{stranger}` in {}", message.label()),
            );
        }
    }

    /// A record of a tenant is written.
    pub(super) fn recorded(&self, now: Now, record: &CallRecord, journal: &[String], found: &mut Found) {
        let text = format!("{record:?} {}", journal.join("\n"));
        if let Some(stranger) = self.stranger_in(&record.tenant, &text)
            && !record.number.contains(stranger)
        {
            found.add(
                now,
                Invariant::TenantsAreApart,
                format!("the record of {} of {} names `{stranger}`", record.id, record.tenant),
            );
        }
    }

    fn stranger_in(&self, tenant: &TenantId, text: &str) -> Option<&str> {
        let others = self.names.iter().filter(|(id, _)| *id != tenant);
        others.flat_map(|(_, names)| names).map(String::as_str).find(|name| text.contains(name))
    }
}
