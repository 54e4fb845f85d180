//! What phones dial is kept as if their users had saved it, by the same way and with the same log.

use std::sync::Arc;

use callwright_api::{DocumentChange, Expects};
use callwright_config::forwarding_document;
use callwright_core::forwarding::Wishes;
use callwright_core::names::{TenantId, Ticket, UserId};
use callwright_core::seam::StoreRefused;
use callwright_core::{Input, Kind};
use callwright_store::{Edit, Step};
use jiff::Timestamp;
use tokio::sync::mpsc::Receiver;
use tracing::warn;

use super::nodes::Nodes;
use super::office::Office;

/// How many codes may wait to be kept.
pub(super) const DIALLED_MAX: usize = 256;

/// What a user has dialled.
#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) ticket: Ticket,
    pub(super) tenant: TenantId,
    pub(super) user: UserId,
    pub(super) wishes: Arc<Wishes>,
    pub(super) by: String,
}

/// Keeps what is dialled, until the nodes have ended.
pub(super) async fn keep_all(
    office: Arc<Office>,
    nodes: Arc<Nodes>,
    mut dialled: Receiver<Dialled>,
) -> std::io::Result<()> {
    while let Some(Dialled { ticket, tenant, user, wishes, by }) = dialled.recv().await {
        let value = forwarding_document(&wishes);
        let what = Step::Save { value, until: None };
        let edit = Edit { kind: Kind::Forwarding, name: user.to_string(), what };
        let change =
            DocumentChange { tenant: tenant.clone(), edits: vec![edit], expects: Expects::Nothing, by };
        let result = match Arc::clone(&office).change(change, Timestamp::now()).await {
            Ok(_) => Ok(()),
            Err(error) => {
                warn!(%tenant, %error, "what was dialled is not kept");
                Err(StoreRefused::Unavailable(error.to_string()))
            }
        };
        nodes.answer(ticket, Input::Stored { ticket, result }).await;
    }
    Ok(())
}
