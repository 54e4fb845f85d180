//! All nodes of this switch, as everybody but a node itself sees them: where to tell them something, and their pictures.
//!
//! Each node owns whole tenants and is a thread of its own (ADR 0008). With one node nothing here reads a message.

use std::sync::{Arc, PoisonError, RwLock};

use callwright_core::config::Config;
use callwright_core::names::{TenantId, Ticket};
use callwright_core::{Input, View};

use super::node::{self, Inbox, Letters, Picture, Refused};

mod directory;
mod neighbours;
mod owner;

pub(super) use directory::Directory;
pub(super) use neighbours::Neighbours;
pub(super) use owner::owner;

/// The nodes of one switch.
#[derive(Debug)]
pub(super) struct Nodes {
    all: Vec<Desk>,
    directory: RwLock<Arc<Directory>>,
}

/// One node from outside.
#[derive(Debug)]
struct Desk {
    inbox: Inbox,
    picture: Arc<Picture>,
}

impl Nodes {
    /// As many nodes as are asked for, at least one; each is about to start with its letters.
    pub(super) fn new(count: u16, config: &Arc<Config>) -> (Self, Vec<Letters>) {
        let (all, letters): (Vec<_>, Vec<_>) = (0..count.max(1))
            .map(|_| {
                let (inbox, letters) = node::inbox();
                (Desk { inbox, picture: Arc::default() }, letters)
            })
            .unzip();
        let directory = Directory::new(count.max(1), Arc::clone(config));
        (Self { all, directory: RwLock::new(Arc::new(directory)) }, letters)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.all.len()).unwrap_or(u16::MAX)
    }

    /// The queue of a node; none where no node has that number.
    pub(super) fn inbox(&self, node: u16) -> Option<&Inbox> {
        self.desk(node).map(|desk| &desk.inbox)
    }

    /// Where a node publishes its pictures.
    pub(super) fn picture(&self, node: u16) -> Option<&Arc<Picture>> {
        self.desk(node).map(|desk| &desk.picture)
    }

    /// The latest picture of the node that owns a tenant.
    pub(super) fn view_of(&self, tenant: &TenantId) -> Arc<View> {
        self.picture(owner(tenant, self.count())).map(|picture| picture.latest()).unwrap_or_default()
    }

    /// The latest picture of every node.
    pub(super) fn views(&self) -> Vec<Arc<View>> {
        self.all.iter().map(|desk| desk.picture.latest()).collect()
    }

    /// Calls in progress.
    pub(super) fn calls(&self) -> usize {
        self.views().iter().map(|view| view.calls.len()).sum()
    }

    /// Whose message it is, by the configuration of now.
    pub(super) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the node that owns a tenant, and waits until its picture shows it.
    ///
    /// # Errors
    /// [`Refused`]: the node has ended.
    pub(super) async fn settle(&self, tenant: &TenantId, input: Input) -> Result<(), Refused> {
        self.inbox(owner(tenant, self.count())).ok_or(Refused)?.settle(input).await
    }

    /// Tells every node, and waits until each picture shows it.
    ///
    /// # Errors
    /// [`Refused`]: a node has ended.
    pub(super) async fn settle_all(&self, input: &Input) -> Result<(), Refused> {
        for desk in &self.all {
            desk.inbox.settle(input.clone()).await?;
        }
        Ok(())
    }

    /// Tells every node.
    pub(super) async fn deliver_all(&self, input: &Input) {
        for desk in &self.all {
            desk.inbox.deliver(input.clone()).await;
        }
    }

    /// Gives every node its part of a new configuration, and from then on new tenants their messages.
    ///
    /// # Errors
    /// [`Refused`]: a node has ended.
    pub(super) async fn configure(&self, config: &Arc<Config>) -> Result<(), Refused> {
        let directory = Directory::new(self.count(), Arc::clone(config));
        for (number, desk) in (1..).zip(&self.all) {
            desk.inbox.settle(Input::Configured(directory.part_of(number))).await?;
        }
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
        Ok(())
    }

    /// Gives the node that owns a tenant a configuration that differs in that tenant alone, and from then on its messages.
    ///
    /// # Errors
    /// [`Refused`]: the node has ended.
    pub(super) async fn configure_tenant(
        &self,
        tenant: &TenantId,
        config: &Arc<Config>,
    ) -> Result<(), Refused> {
        let directory = Directory::new(self.count(), Arc::clone(config));
        let owner = owner(tenant, self.count());
        let input = Input::Tenant { id: tenant.clone(), config: directory.part_of(owner) };
        self.inbox(owner).ok_or(Refused)?.settle(input).await?;
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
        Ok(())
    }

    /// Brings a node an answer that it waits for.
    pub(super) async fn answer(&self, ticket: Ticket, answer: Input) {
        if let Some(inbox) = self.inbox(ticket.node()) {
            inbox.deliver(answer).await;
        }
    }

    /// Brings a node the answer of the store; from a thread of its own.
    pub(super) fn answer_blocking(&self, ticket: Ticket, answer: Input) {
        if let Some(inbox) = self.inbox(ticket.node()) {
            inbox.deliver_blocking(answer);
        }
    }

    /// Nodes are counted from 1.
    fn desk(&self, node: u16) -> Option<&Desk> {
        self.all.get(usize::from(node).checked_sub(1)?)
    }
}
