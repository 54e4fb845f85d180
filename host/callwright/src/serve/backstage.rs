//! What the API asks of the running switch, done where waiting hurts nobody.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use callwright_api::{
    ChangeError, DocumentChange, Meters, Overloaded, Pending, Query, Switch, Upload, UploadError,
    WITHDRAWN_BY,
};
use callwright_core::config::Tenant;
use callwright_core::names::{TenantId, Version};
use callwright_core::route::Route;
use callwright_core::{Input, View, Withdrawal};
use callwright_rules::foretell::{Question, foretell};
use callwright_store::{Document, Happened, NewVersion, RuleError, Store};
use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use super::nodes::Nodes;
use super::office::Office;
use super::shelf::Shelf;
use super::uploads::Uploads;
use crate::data::{self, Data};

/// How many calls that nobody made are followed at once, each on a thread of its own for as long as its rule computes.
const FORETOLD_AT_ONCE: usize = 4;
/// How many questions may wait for the store.
const QUERIES_MAX: usize = 256;

/// How long a password of ours is: 20 letters of 32 are 100 bits.
const PASSWORD_BYTES: usize = 20;
/// What it is made of: a person may have to type it into a phone, so nothing looks like something else.
const PASSWORD_LETTERS: [u8; 32] = *b"abcdefghijkmnpqrstuvwxyz23456789";

/// The API's side of the switch.
pub(super) struct Backstage {
    nodes: Arc<Nodes>,
    meters: Meters,
    queries: SyncSender<Query>,
    uploads: Arc<Uploads>,
    activations: Arc<Activations>,
    foretelling: Arc<Semaphore>,
    office: Arc<Office>,
    happened: watch::Receiver<()>,
}

impl Backstage {
    /// Starts the thread that asks the store.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        data: &Data,
        shelf: Arc<Shelf>,
        nodes: Arc<Nodes>,
        office: Arc<Office>,
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
        let (happens, happened) = watch::channel(());
        let activations = Arc::new(Activations {
            store: Arc::clone(&data.store),
            shelf,
            nodes: Arc::clone(&nodes),
            one_at_a_time: Mutex::default(),
            happens,
            meters: meters.clone(),
        });
        let foretelling = Arc::new(Semaphore::new(FORETOLD_AT_ONCE));
        Ok(Self { nodes, meters, queries, uploads, activations, foretelling, office, happened })
    }
}

impl Switch for Backstage {
    fn view_of(&self, tenant: &TenantId) -> Arc<View> {
        self.nodes.view_of(tenant)
    }

    fn views(&self) -> Vec<Arc<View>> {
        self.nodes.views()
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

    fn foretell(
        &self,
        tenant: Arc<Tenant>,
        number: String,
        at: Timestamp,
    ) -> Pending<Result<Route, Overloaded>> {
        let (view, shelf) = (self.view_of(&tenant.id), Arc::clone(&self.activations.shelf));
        let place = Arc::clone(&self.foretelling).try_acquire_owned();
        let office = (at > self.now()).then(|| Arc::clone(&self.office));
        Box::pin(async move {
            let place = place.map_err(|_| Overloaded)?;
            let followed = tokio::task::spawn_blocking(move || {
                let (view, tenant) = match office {
                    Some(office) => office.later(view, tenant, at).map_err(|error| {
                        warn!(%error, "what will hold then is not known");
                        Overloaded
                    })?,
                    None => (view, tenant),
                };
                let ready = |version: &Version| shelf.ready(version).ok().map(|shelved| shelved.rule);
                let question = Question { view: &view, tenant: &tenant, number: &number, at, ready: &ready };
                let route = foretell(&question);
                drop(place);
                Ok(route)
            });
            followed.await.map_err(|error| {
                error!(%error, "a route was not followed to its end");
                Overloaded
            })?
        })
    }

    fn change(&self, change: DocumentChange) -> Pending<Result<Vec<Option<Document>>, ChangeError>> {
        let (office, activations) = (Arc::clone(&self.office), Arc::clone(&self.activations));
        let now = self.now();
        Box::pin(async move {
            let tenant = change.tenant.clone();
            let documents = Arc::clone(&office).change(change, now).await?;
            if !activations.nodes.view_of(&tenant).config.tenants.contains_key(&tenant) {
                let gone = activations.publish(tenant).await;
                gone.map_err(|error| ChangeError::Outside(error.to_string()))?;
            }
            Ok(documents)
        })
    }

    fn happened(&self, within: Duration) -> Pending<Option<Duration>> {
        let mut happened = self.happened.clone();
        happened.mark_unchanged();
        Box::pin(async move {
            let until = Instant::now() + within;
            let woken = timeout_at(until, happened.changed()).await;
            // An error: the switch ends, and nothing will happen any more.
            woken.ok()?.ok()?;
            Some(until.saturating_duration_since(Instant::now()))
        })
    }

    fn is_of_file(&self, tenant: &TenantId) -> bool {
        self.office.is_of_file(tenant)
    }

    fn new_password(&self) -> Result<String, ChangeError> {
        let bytes =
            data::random::<PASSWORD_BYTES>().map_err(|error| ChangeError::Outside(error.to_string()))?;
        Ok(bytes.iter().map(|byte| char::from(PASSWORD_LETTERS[usize::from(byte % 32)])).collect())
    }

    fn activated(&self, tenant: TenantId) -> Pending<Result<(), UploadError>> {
        Box::pin(Arc::clone(&self.activations).publish(tenant))
    }
}

impl Backstage {
    /// Follows the nodes' wishes to withdraw a version, until the nodes have ended.
    pub(super) fn withdraw_all(
        &self,
        mut withdrawals: mpsc::Receiver<Withdrawal>,
    ) -> impl Future<Output = std::io::Result<()>> + Send + use<> {
        let activations = Arc::clone(&self.activations);
        async move {
            while let Some(withdrawal) = withdrawals.recv().await {
                Arc::clone(&activations).withdraw(withdrawal).await;
            }
            Ok(())
        }
    }

    /// Keeps what the nodes have to tell tenants, until the nodes have ended.
    pub(super) fn keep_events(
        &self,
        mut told: mpsc::Receiver<(TenantId, Happened)>,
    ) -> impl Future<Output = std::io::Result<()>> + Send + use<> {
        let activations = Arc::clone(&self.activations);
        async move {
            while let Some((tenant, what)) = told.recv().await {
                activations.tell(tenant, what).await;
            }
            Ok(())
        }
    }
}

/// Gives a tenant's node what the store says is active.
struct Activations {
    store: Arc<dyn Store>,
    shelf: Arc<Shelf>,
    nodes: Arc<Nodes>,
    /// Held from reading the store until the node has it, so that the last activation is the last to arrive.
    one_at_a_time: Mutex<()>,
    /// Changes with every event.
    happens: watch::Sender<()>,
    meters: Meters,
}

impl Activations {
    /// Makes active again what was active before a version that keeps failing, and tells the tenant.
    async fn withdraw(self: Arc<Self>, withdrawal: Withdrawal) {
        let Withdrawal { rule, failed, runs, last } = withdrawal;
        let (tenant, name, version) = (&rule.tenant, &rule.name, &rule.version);
        let gone_back = self
            .with_store({
                let rule = Arc::clone(&rule);
                move |store| store.withdraw(&rule, Timestamp::now(), WITHDRAWN_BY)
            })
            .await;
        let back_to = match gone_back {
            Some(Ok(Some(before))) => {
                let to = &before.version;
                warn!(%tenant, rule = %name, %version, %to, "a version that keeps failing gives way to the one before");
                if let Err(error) = Arc::clone(&self).publish(tenant.clone()).await {
                    warn!(%tenant, rule = %name, %error, "the version before does not load");
                }
                Some(before.version)
            }
            Some(Err(RuleError::NothingBefore(_))) => {
                warn!(%tenant, rule = %name, %version, "a version keeps failing, and nothing was active before it");
                None
            }
            // Somebody has chosen another meanwhile.
            Some(Ok(None)) | None => return,
            Some(Err(error)) => {
                warn!(%tenant, rule = %name, %version, %error, "a version keeps failing and cannot be rolled back");
                return;
            }
        };
        let (rule, version) = (name.clone(), version.clone());
        let what = Happened::VersionWithdrawn { rule, version, back_to, failed, runs, last };
        self.tell(tenant.clone(), what).await;
    }

    /// Keeps what happened, and wakes whoever waits for it.
    async fn tell(&self, tenant: TenantId, what: Happened) {
        let kept = self.with_store(move |store| store.add_event(&tenant, &what, Timestamp::now())).await;
        match kept {
            Some(Ok(())) => self.happens.send_modify(|()| {}),
            Some(Err(error)) => {
                self.meters.event_lost();
                warn!(%error, "an event is not kept");
            }
            None => self.meters.event_lost(),
        }
    }

    /// Does work on the store where waiting hurts nobody; none where it did not end well.
    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> T + Send + 'static,
    ) -> Option<T> {
        let store = Arc::clone(&self.store);
        let done = tokio::task::spawn_blocking(move || work(store.as_ref())).await;
        done.inspect_err(|error| error!(%error, "work on the store did not end well")).ok()
    }

    async fn publish(self: Arc<Self>, tenant: TenantId) -> Result<(), UploadError> {
        let _turn = self.one_at_a_time.lock().await;
        let (desk, owner) = (Arc::clone(&self), tenant.clone());
        let read = tokio::task::spawn_blocking(move || {
            let active = desk.store.active_rules(&owner)?;
            desk.shelf.activated(&owner, &active);
            let loaded: Vec<_> = active.iter().map(|rule| desk.shelf.load(&rule.version)).collect();
            Ok((active, loaded))
        });
        let read: Result<_, callwright_store::StoreError> =
            read.await.map_err(|error| UploadError::Outside(error.to_string()))?;
        let (active, loaded) = read.map_err(|error| UploadError::Store(error.into()))?;
        let owner = tenant.clone();
        if self.nodes.settle(&owner, Input::Rules { tenant, active }).await.is_err() {
            error!("the node has ended");
            return Err(Overloaded.into());
        }
        // Calls of a rule that does not load reach its fallback; whoever activated it must know all the same.
        loaded.into_iter().collect()
    }
}
