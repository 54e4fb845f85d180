//! Starts every node with what it owns: its part of the configuration, its bindings, its rules, its threads.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread::JoinHandle;

use callwright_api::Meters;
use callwright_config::Settings;
use callwright_core::names::TenantId;
use callwright_core::rule::ActiveRule;
use callwright_core::{Node, Setup};
use callwright_store::Restored;

use super::clock::Clock;
use super::errands::Errands;
use super::network::{Connections, Network};
use super::no_resource;
use super::node::{self, Letters, Outside};
use super::nodes::{Neighbours, Nodes, owner};
use super::pool::Pool;
use super::shelf::Shelf;
use super::writer::Changes;
use crate::data;
use crate::error::UserError;

/// What all nodes start with.
pub(super) struct Crew<'a> {
    pub(super) settings: &'a Settings,
    pub(super) nodes: &'a Arc<Nodes>,
    pub(super) shelf: &'a Arc<Shelf>,
    pub(super) changes: Changes,
    pub(super) clock: Clock,
    pub(super) port: u16,
    pub(super) meters: &'a Meters,
    pub(super) errands: Errands,
}

/// What a node owns at the start.
#[derive(Default)]
struct Own {
    rules: Vec<Arc<ActiveRule>>,
    restored: Restored,
}

impl Crew<'_> {
    /// Starts the thread of each node, with one of the sockets.
    ///
    /// # Errors
    /// The system gives no thread or socket.
    pub(super) fn start(
        &self,
        sockets: Vec<UdpSocket>,
        letters: Vec<Letters>,
        connections: &Connections,
        rules: Vec<Arc<ActiveRule>>,
        restored: Restored,
    ) -> Result<Vec<JoinHandle<()>>, UserError> {
        let mut owned = self.share_out(rules, restored);
        let mut threads = Vec::with_capacity(letters.len());
        for ((number, letters), udp) in (1..).zip(letters).zip(sockets) {
            let own = owned.remove(&number).unwrap_or_default();
            threads.push(self.start_one(number, own, udp, letters, connections)?);
        }
        Ok(threads)
    }

    /// Gives everything to the node that owns its tenant.
    fn share_out(&self, rules: Vec<Arc<ActiveRule>>, restored: Restored) -> BTreeMap<u16, Own> {
        let nodes = self.nodes.count();
        let mut owned = BTreeMap::new();
        for rule in rules {
            of(&mut owned, &rule.tenant, nodes).rules.push(Arc::clone(&rule));
        }
        for binding in restored.bindings {
            of(&mut owned, &binding.key.tenant, nodes).restored.bindings.push(Arc::clone(&binding));
        }
        for gone in restored.gone {
            of(&mut owned, &gone.0.0, nodes).restored.gone.push(gone.clone());
        }
        for past in restored.past {
            of(&mut owned, &past.tenant, nodes).restored.past.push(Arc::clone(&past));
        }
        for kept in restored.kept {
            of(&mut owned, &kept.0.0, nodes).restored.kept.push(kept);
        }
        owned
    }

    fn start_one(
        &self,
        number: u16,
        own: Own,
        udp: UdpSocket,
        letters: Letters,
        connections: &Connections,
    ) -> Result<JoinHandle<()>, UserError> {
        let nodes = self.nodes;
        let (Some(inbox), Some(picture)) = (nodes.inbox(number), nodes.picture(number)) else {
            return Err(UserError::outside("a node has no queue"));
        };
        let node = Node::new(Setup {
            node: number,
            host: self.settings.advertise.clone(),
            port: self.port,
            seed: data::random()?,
            config: nodes.directory().part_of(number),
            rules: own.rules,
            bindings: own.restored.bindings,
            gone: own.restored.gone,
            kept: own.restored.kept,
            past: own.restored.past,
            now: self.clock.now(),
        });
        let meters = self.meters.for_node();
        let pool = Pool::start_threads(inbox, self.shelf, &meters, nodes.count())
            .map_err(|error| no_resource(&error))?;
        let way_out = udp.try_clone().map_err(|error| no_resource(&error))?;
        let outside = Outside {
            clock: self.clock,
            network: Network::new(way_out, connections.clone(), meters.clone()),
            pool,
            changes: self.changes.clone(),
            picture: Arc::clone(picture),
            neighbours: Neighbours::of(number, nodes, &meters),
            meters,
            errands: self.errands.clone(),
        };
        node::start(number, node, udp, letters, outside).map_err(|error| no_resource(&error))
    }
}

/// What the node owns that owns this tenant.
fn of<'a>(owned: &'a mut BTreeMap<u16, Own>, tenant: &TenantId, nodes: u16) -> &'a mut Own {
    owned.entry(owner(tenant, nodes)).or_default()
}
