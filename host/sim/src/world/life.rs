//! The lives of the switch: each begins from the configuration, the active rules and what the store has kept, and may end
//! at any moment without a word.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::forwarding::{Term, Wishes, saved};
use callwright_core::names::{TenantId, UserId};
use callwright_core::rule::ActiveRule;
use callwright_core::{Config, Input, Now, Setup};
use callwright_sip::Transport;
use callwright_store::Restored;
use jiff::Timestamp;

use super::switch::{self, Dead};
use super::{Due, Happening, World, WorldSetup};
use crate::fault::Fault;
use crate::phone::manner::PhoneInput;
use crate::runs::Runs as _;
use crate::trace::SWITCH;

/// What a switch begins its next life with, and whether it lives.
pub(super) struct Life {
    pub(super) config: Arc<Config>,
    pub(super) rules: Vec<Arc<ActiveRule>>,
    /// What people have saved.
    pub(super) wishes: Vec<((TenantId, UserId), Arc<Wishes>)>,
    pub(super) is_up: bool,
    fault: Option<Fault>,
    /// How often it has died.
    deaths: u32,
}

impl Life {
    pub(super) fn first(setup: &WorldSetup) -> Self {
        let (config, rules) = (Arc::clone(&setup.config), setup.rules.clone());
        Self { config, rules, wishes: Vec::new(), is_up: true, fault: setup.fault, deaths: 0 }
    }

    /// What the node is made of; what it mints is not what it minted in an earlier life.
    pub(super) fn setup(&self, address: SocketAddr, seed: u64, restored: Restored, now: Now) -> Setup {
        let name = match self.deaths {
            0 => "switch".to_owned(),
            deaths => format!("switch after {deaths} deaths"),
        };
        Setup {
            node: 1,
            host: address.ip().to_string(),
            port: address.port(),
            seed: crate::dice::seed_bytes(seed, &name),
            config: Arc::clone(&self.config),
            rules: self.rules.clone(),
            bindings: restored.bindings,
            gone: restored.gone,
            kept: restored.kept,
            past: restored.past,
            now,
        }
    }
}

impl World {
    /// Everything that the switch had in hand is gone, and every connection with it.
    pub(super) fn kill(&mut self) {
        if !std::mem::replace(&mut self.life.is_up, false) {
            return;
        }
        self.life.deaths += 1;
        self.trace.note(self.mono, SWITCH, "killed".to_owned());
        let before = std::mem::replace(&mut self.switch, Box::new(Dead::of(&self.life.config)));
        self.agenda.retain(|due| match due {
            Due::Commit(..) | Due::Wish(..) | Due::Said(_) | Due::SwitchLoses(_) => false,
            Due::Planned(_) | Due::ToSwitch(..) | Due::ToPhone(..) | Due::PhoneLoses(..) => true,
        });
        for run in std::mem::take(&mut self.runs_alive) {
            // Its end is nobody's to hear.
            let _unheard = self.runs.stop(run);
        }
        self.runs_over.clear();
        self.checks.killed(&before.view());
        let connected = self.seats.iter().filter(|(_, seat)| seat.flow.transport == Transport::Tcp);
        for (name, connection) in
            connected.map(|(name, seat)| (name.clone(), seat.flow.connection)).collect::<Vec<_>>()
        {
            if self.seats.get_mut(&name).is_some_and(|seat| seat.disconnect(connection)) {
                self.drive_phone(&name, PhoneInput::Closed);
            }
        }
    }

    /// A new life, from what the store has kept.
    pub(super) fn start_again(&mut self) {
        if std::mem::replace(&mut self.life.is_up, true) {
            return;
        }
        let now = self.now();
        self.trace.note(self.mono, SWITCH, "starts".to_owned());
        let restored = self.ledger.restored(now.wall);
        self.checks.restored(now, &self.life.config, &restored.bindings);
        let setup = self.life.setup(self.address, self.seed, restored, now);
        let Self { alarm, life, .. } = self;
        self.switch = alarm.listen(|| switch::built(setup, life.fault));
        for ((tenant, user), wishes) in self.life.wishes.clone() {
            self.drive_switch(Input::Wished { tenant, user, wishes: Some(wishes) });
        }
        // What it has to say of what ended while it was dead.
        self.drive_switch(Input::Tick);
    }

    /// A user wishes something for a while: then what they had saved before is there again.
    pub(super) fn wish_for(&mut self, tenant: &TenantId, user: &UserId, wishes: &Wishes, time: Duration) {
        let end = self.now().wall.saturating_add(time).unwrap_or(Timestamp::MAX);
        let view = self.switch.view();
        let known = view.config.tenants.get(tenant).and_then(|it| saved(&view, it, user).cloned());
        let before = Wishes { term: Some(Term::Ended(end)), ..known.as_deref().cloned().unwrap_or_default() };
        let wishes = Wishes { term: Some(Term::Until(end)), ..wishes.clone() };
        let saves = |wishes| Happening::Wished(tenant.clone(), user.clone(), Some(Arc::new(wishes)));
        self.schedule(self.mono + time, saves(before));
        self.happen(saves(wishes));
    }
}
