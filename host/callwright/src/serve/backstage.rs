//! What the API asks of the running switch, done where waiting hurts nobody.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use callwright_api::{Meters, Overloaded, Pending, Query, Switch, Upload, UploadError};
use callwright_core::names::TenantId;
use callwright_core::{Input, View};
use callwright_store::{NewVersion, Store};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tracing::error;

use super::node::{Inbox, Picture};
use super::shelf::Shelf;
use super::uploads::Uploads;
use crate::data::Data;

/// How many questions may wait for the store.
const QUERIES_MAX: usize = 256;

/// The API's side of the switch.
pub(super) struct Backstage {
    picture: Arc<Picture>,
    meters: Meters,
    inbox: Inbox,
    queries: SyncSender<Query>,
    uploads: Arc<Uploads>,
    activations: Arc<Activations>,
}

impl Backstage {
    /// Starts the thread that asks the store.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        data: &Data,
        shelf: Arc<Shelf>,
        picture: Arc<Picture>,
        inbox: Inbox,
        meters: Meters,
    ) -> std::io::Result<Self> {
        let (queries, waiting) = sync_channel::<Query>(QUERIES_MAX);
        let store = Arc::clone(&data.store);
        std::thread::Builder::new().name("callwright-query".to_owned()).spawn(move || {
            for work in waiting {
                work(store.as_ref());
            }
        })?;
        let uploads = Arc::new(Uploads::new(data, Arc::clone(&shelf)));
        let activations =
            Arc::new(Activations { store: Arc::clone(&data.store), shelf, one_at_a_time: Mutex::default() });
        Ok(Self { picture, meters, inbox, queries, uploads, activations })
    }
}

impl Switch for Backstage {
    fn view(&self) -> Arc<View> {
        self.picture.latest()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn meters(&self) -> &Meters {
        &self.meters
    }

    fn query(&self, work: Query) -> Result<(), Overloaded> {
        self.queries.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Overloaded,
        })
    }

    fn upload(&self, upload: Upload) -> Pending<Result<NewVersion, UploadError>> {
        Box::pin(Arc::clone(&self.uploads).keep(upload))
    }

    fn activated(&self, tenant: TenantId) -> Pending<Result<(), UploadError>> {
        Box::pin(Arc::clone(&self.activations).publish(tenant, self.inbox.clone()))
    }
}

/// Gives the node what the store says is active.
struct Activations {
    store: Arc<dyn Store>,
    shelf: Arc<Shelf>,
    /// Held from reading the store until the node has it, so that the last activation is the last to arrive.
    one_at_a_time: Mutex<()>,
}

impl Activations {
    async fn publish(self: Arc<Self>, tenant: TenantId, inbox: Inbox) -> Result<(), UploadError> {
        let _turn = self.one_at_a_time.lock().await;
        let (desk, owner) = (Arc::clone(&self), tenant.clone());
        let read = tokio::task::spawn_blocking(move || {
            let active = desk.store.active_rules(&owner)?;
            let loaded: Vec<_> = active.iter().map(|rule| desk.shelf.load(&rule.version)).collect();
            Ok((active, loaded))
        });
        let read: Result<_, callwright_store::StoreError> =
            read.await.map_err(|error| UploadError::Outside(error.to_string()))?;
        let (active, loaded) = read.map_err(|error| UploadError::Store(error.into()))?;
        if inbox.settle(Input::Rules { tenant, active }).await.is_err() {
            error!("the node has ended");
            return Err(Overloaded.into());
        }
        // Calls of a rule that does not load reach its fallback; whoever activated it must know all the same.
        loaded.into_iter().collect()
    }
}
