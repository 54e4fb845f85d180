//! What the API needs of the running switch, as the binary provides it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::config::Tenant;
use callwright_core::names::{TenantId, Version};
use callwright_core::route::Route;
use callwright_core::{Kind, View};
use callwright_store::{Document, DocumentError, Edit, NewVersion, Store};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::Handle;
use crate::error::ApiError;
use crate::metrics::Meters;

/// An answer that takes a while.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work on the store, which may wait for the disk.
pub type Query = Box<dyn FnOnce(&dyn Store) + Send>;

/// The running switch.
pub trait Switch: Send + Sync + 'static {
    /// The latest picture of the node that owns a tenant, whether or not there is such a tenant.
    fn view_of(&self, tenant: &TenantId) -> Arc<View>;

    /// The latest pictures of all nodes.
    fn views(&self) -> Vec<Arc<View>>;

    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// What the driver counts.
    fn meters(&self) -> &Meters;

    /// Does work on the store where waiting hurts nobody.
    ///
    /// # Errors
    /// Too much is waiting already; the work was not and will not be done.
    fn query(&self, work: Query) -> Result<(), Overloaded>;

    /// Checks, compiles and keeps a version of a rule. It is ready then, and not active.
    fn upload(&self, upload: Upload) -> Pending<Result<NewVersion, UploadError>>;

    /// Follows a call to a number, at a moment, as if nobody answered it.
    fn foretell(
        &self,
        tenant: Arc<Tenant>,
        number: String,
        at: Timestamp,
    ) -> Pending<Result<Route, Overloaded>>;

    /// Changes documents of a tenant: looks at what the tenant comes to, keeps it where that is right, and gives it to the
    /// tenant's node. Every call that begins after the answer is decided by it.
    fn change(&self, change: DocumentChange) -> Pending<Result<Vec<Option<Document>>, ChangeError>>;

    /// Waits until something has happened to any tenant that its events tell, from this call on. What is left of the time
    /// then; none where it is over.
    fn happened(&self, within: Duration) -> Pending<Option<Duration>>;

    /// Whether a tenant's people stand in the operator's file.
    fn is_of_file(&self, tenant: &TenantId) -> bool;

    /// A password that nobody can guess.
    ///
    /// # Errors
    /// The system has no random numbers to give.
    fn new_password(&self) -> Result<String, ChangeError>;

    /// Gives the tenant's node its active rules as they are in the store now; every call that begins after the answer is
    /// decided by them.
    fn activated(&self, tenant: TenantId) -> Pending<Result<(), UploadError>>;
}

/// A rule as it was sent.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Whose rule it shall be.
    pub tenant: Arc<Tenant>,
    /// The component, or a core module with a component-type section.
    pub component: Vec<u8>,
    /// The text of `rule.toml`.
    pub manifest: String,
    /// Label of the token.
    pub by: String,
}

/// A change of a tenant's documents, all or none.
#[derive(Clone, Debug)]
pub struct DocumentChange {
    /// Whose they are.
    pub tenant: TenantId,
    /// What becomes of each.
    pub edits: Vec<Edit>,
    /// How the first of them must be for this to happen.
    pub expects: Expects,
    /// Label of the token.
    pub by: String,
}

/// How a document must be for a change to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    /// As it may be.
    Nothing,
    /// Not there.
    New,
    /// There.
    There,
    /// Not changed since.
    Revision(u64),
}

/// Why documents stayed as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// Everything that would be wrong with the tenant.
    #[error("the change is refused: the tenant would not be right")]
    Refused(Vec<String>),
    /// What was to be removed is needed.
    #[error("{kind} `{name}` {} used by {}", kind.is(), by.join(", "))]
    InUse {
        /// What.
        kind: Kind,
        /// Which.
        name: String,
        /// The documents that name it, as `group sales`; of many the first, and how many more.
        by: Vec<String>,
        /// Everything that would be wrong without it.
        problems: Vec<String>,
    },
    /// The tenant is the operator's.
    #[error("tenant `{0}` stands in the configuration file")]
    OfFile(TenantId),
    /// Something has that name.
    #[error("{}", kind.already(name))]
    Exists {
        /// What.
        kind: Kind,
        /// Which.
        name: String,
    },
    /// Nothing has that name.
    #[error("{}", kind.nothing(name))]
    NotThere {
        /// What.
        kind: Kind,
        /// Which.
        name: String,
    },
    /// Somebody else was faster.
    #[error("somebody has changed {kind} `{name}` meanwhile, to revision {revision}")]
    Stale {
        /// What.
        kind: Kind,
        /// Which.
        name: String,
        /// The revision it has.
        revision: u64,
    },
    /// The store.
    #[error(transparent)]
    Documents(#[from] DocumentError),
    /// Too much is waiting, or the switch ends.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The outside failed.
    #[error("{0}")]
    Outside(String),
}

/// Too much is waiting already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the switch is busy")]
pub struct Overloaded;

/// A tenant has used its share of uploads up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tenant may have {per_hour} versions compiled an hour")]
pub struct TooOften {
    /// Its share.
    pub per_hour: u32,
    /// How long until there is room for one more.
    pub again_in: Duration,
}

/// Why a version was not kept, or does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The rule is at fault: everything that is wrong with it.
    #[error("the rule is refused")]
    Refused(Vec<String>),
    /// A version that is kept cannot be made to run by this engine.
    #[error("version {version} cannot be loaded: {why}")]
    Unusable {
        /// Which.
        version: Version,
        /// Why.
        why: String,
    },
    /// Too many uploads at once.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// Too many uploads of one tenant.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// The outside failed: disk, database, compiler process.
    #[error("{0}")]
    Outside(String),
    /// A bound of the store.
    #[error(transparent)]
    Store(#[from] callwright_store::RuleError),
}

/// Asks the store and waits for its answer.
pub(crate) async fn ask<T: Send + 'static>(
    switch: &Handle,
    work: impl FnOnce(&dyn Store) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let (reply, answer) = oneshot::channel();
    switch.query(Box::new(move |store| {
        // The asker may have hung up meanwhile; then nobody wants the answer.
        let _unheard = reply.send(work(store));
    }))?;
    answer.await.map_err(|_| Overloaded.into())
}
