//! Bindings that the operator wrote down: they are made with the configuration and end with it, are in no store, and no
//! REGISTER changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::names::TenantId;
use crate::switchboard::{Switchboard, bindings_in};
use crate::view::{Binding, BindingKey};

/// Makes the fixed contacts of a configuration the only fixed bindings there are, of all tenants or of one.
pub(super) fn bind_all(board: &mut Switchboard, config: &Config, only: Option<&TenantId>) {
    let wanted = fixed_in(config, board.now.wall, only);
    let known = bindings_in(&board.picture, only);
    let gone = known.filter(|(key, binding)| binding.is_fixed() && !wanted.contains_key(key));
    let gone: Vec<BindingKey> = gone.map(|(key, _)| key.clone()).collect();
    let picture = board.repaint();
    for key in gone {
        picture.bindings.remove(&key);
    }
    for (key, binding) in wanted {
        let is_same = |known: &Arc<Binding>| known.flow == binding.flow && known.contact == binding.contact;
        if !picture.bindings.get(&key).is_some_and(is_same) {
            picture.gone.remove(&(key.tenant.clone(), key.device.clone()));
            picture.bindings.insert(key, Arc::new(binding));
        }
    }
}

fn fixed_in(config: &Config, now: Timestamp, only: Option<&TenantId>) -> BTreeMap<BindingKey, Binding> {
    let mut fixed = BTreeMap::new();
    let all = only.is_none().then(|| config.tenants.values()).into_iter().flatten();
    for tenant in all.chain(only.and_then(|tenant| config.tenants.get(tenant))) {
        for device in tenant.devices.values() {
            let Some(contact) = &device.contact else { continue };
            let (tenant, device) = (tenant.id.clone(), device.extension.clone());
            let key = BindingKey { tenant, device, phone: Binding::FIXED.to_owned() };
            let binding = Binding {
                key: key.clone(),
                contact: contact.uri.clone(),
                flow: contact.flow,
                call_id: String::new(),
                cseq: 0,
                registered: now,
                expires: Timestamp::MAX,
                user_agent: String::new(),
                behind_nat: false,
                suspect_since: None,
            };
            fixed.insert(key, binding);
        }
    }
    fixed
}
