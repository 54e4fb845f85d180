//! Tenants that are in no file: made of their documents at the start, and anew whenever one of those changes.
//!
//! One change at a time: what a tenant comes to is looked at, then kept, then given to its node, so that nothing is ever kept
//! that could not be served, and the last change is the last to arrive.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use callwright_api::{ChangeError, DocumentChange, Expects, Overloaded};
use callwright_config::{assemble, wishes};
use callwright_core::config::{Config, Tenant};
use callwright_core::forwarding::Term;
use callwright_core::names::{TenantId, UserId};
use callwright_core::{Input, Kind, View};
use callwright_store::{Document, Edit, Step, Store, StoreError};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Mutex, Notify};
use tracing::{error, info, warn};

use self::next::{Wrong, becoming, expect, made, sections};
use self::people::{Wished, saved_in, saved_wishes, wished};
use super::node::Refused;
use super::nodes::Nodes;

mod next;
mod people;

/// Who ends a change, in audit logs.
const EXPIRED_BY: &str = "the switch, because its time was over";
/// Who makes documents of what were keys of the tenant, in audit logs.
const MOVED_BY: &str = "the switch, as it is a document of its own";
/// How long the switch sleeps at most before it looks whether a change is over: a wall clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The tenants of the file and those that are kept, and the way to change the latter.
pub(super) struct Office {
    store: Arc<dyn Store>,
    nodes: Arc<Nodes>,
    file: RwLock<Arc<Config>>,
    /// Everybody; held from looking at a change until the node has it.
    all: Mutex<Arc<Config>>,
    /// Told when there may be another end to wait for.
    ends: Notify,
}

/// Everybody: the tenants of the file, and those that are kept and fit beside them.
///
/// # Errors
/// The store failed.
pub(super) fn everybody(file: &Config, store: &dyn Store) -> Result<Config, StoreError> {
    let mut all = file.clone();
    for tenant in store.documented_tenants()? {
        let mut documents = store.documents(&tenant)?;
        if file.tenants.contains_key(&tenant) {
            // Settings of its people may be kept all the same.
            if documents.iter().any(|document| document.kind == Kind::Tenant) {
                warn!(%tenant, "a kept tenant is left out: the file has one of that name");
            }
            continue;
        }
        let edits = moved(&documents);
        if !edits.is_empty() {
            match store.edit_documents(&tenant, &edits, Timestamp::now(), MOVED_BY) {
                Ok(_) => documents = store.documents(&tenant)?,
                Err(error) => warn!(%tenant, %error, "keys that are documents of their own were not moved"),
            }
        }
        match assemble(&tenant, sections(&documents), &all) {
            Ok(made) => all.add(Arc::new(made)),
            Err(problems) => {
                for problem in problems {
                    warn!(%tenant, %problem, "a kept tenant is left out");
                }
            }
        }
    }
    Ok(all)
}

/// Keys of a tenant's own document that have become documents of their own, made so; they stay what they were.
fn moved(documents: &[Document]) -> Vec<Edit> {
    let own = documents.iter().find(|document| document.kind == Kind::Tenant);
    let Some((own, Some(Value::Object(live)))) = own.map(|own| (own, &own.live)) else { return Vec::new() };
    let (mut rest, mut edits) = (live.clone(), Vec::new());
    for kind in Kind::managed().filter(|kind| ![Kind::User, Kind::Device].contains(kind)) {
        let Some(Value::Object(section)) = live.get(kind.words()) else { continue };
        rest.remove(kind.words());
        let save = |(name, value): (&String, &Value)| Edit {
            kind,
            name: name.clone(),
            what: Step::Save { value: value.clone(), until: None },
        };
        edits.extend(section.iter().map(save));
    }
    if rest.len() < live.len() {
        let what = Step::Save { value: Value::Object(rest), until: None };
        edits.push(Edit { kind: Kind::Tenant, name: own.name.clone(), what });
    }
    edits
}

impl Office {
    /// An office for what was read at the start.
    pub(super) fn new(store: Arc<dyn Store>, nodes: Arc<Nodes>, file: Arc<Config>, all: Arc<Config>) -> Self {
        Self { store, nodes, file: RwLock::new(file), all: Mutex::new(all), ends: Notify::new() }
    }

    /// A tenant and the picture of its node as they will be when every temporary change has ended that ends until then.
    ///
    /// # Errors
    /// The store failed, or what is kept does not fit together any more.
    pub(super) fn later(
        &self,
        view: Arc<View>,
        tenant: Arc<Tenant>,
        at: Timestamp,
    ) -> Result<(Arc<View>, Arc<Tenant>), ChangeError> {
        let mut documents = self.store.documents(&tenant.id).map_err(outside)?;
        let is_over = |document: &Document| document.temporary.as_ref().is_some_and(|it| it.until <= at);
        let ended: Vec<_> =
            documents.iter().filter(|it| is_over(it)).map(|it| (it.kind, it.name.clone())).collect();
        if ended.is_empty() {
            return Ok((view, tenant));
        }
        for document in documents.iter_mut().filter(|it| is_over(it)) {
            document.live = document.temporary.take().and_then(|temporary| temporary.before);
        }
        let tenant = if self.is_of_file(&tenant.id) {
            tenant
        } else {
            Arc::new(assemble(&tenant.id, sections(&documents), &view.config).map_err(Wrong::now)?)
        };
        let mut later = View::clone(&view);
        later.config = Arc::new(view.config.with(Arc::clone(&tenant)));
        for (_, user) in ended.into_iter().filter(|(kind, _)| *kind == Kind::Forwarding) {
            let live = documents.iter().find(|it| it.kind == Kind::Forwarding && it.name == user);
            let live = live.and_then(|document| document.live.as_ref());
            let read = live.map(|live| wishes(&tenant, &user, live)).transpose().map_err(Wrong::now)?;
            let key = (tenant.id.clone(), user.as_str().into());
            match read {
                Some(wishes) => later.wishes.insert(key, wishes),
                None => later.wishes.remove(&key),
            };
        }
        Ok((Arc::new(later), tenant))
    }

    /// Whether the tenant stands in the file.
    pub(super) fn is_of_file(&self, tenant: &TenantId) -> bool {
        self.file().tenants.contains_key(tenant)
    }

    fn file(&self) -> Arc<Config> {
        Arc::clone(&self.file.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a new file over; kept tenants stay.
    ///
    /// # Errors
    /// [`ChangeError`]: the store failed, or a node has ended.
    pub(super) async fn reload(&self, file: &Arc<Config>) -> Result<usize, ChangeError> {
        let mut all = self.all.lock().await;
        let (fresh, store) = (Arc::clone(file), Arc::clone(&self.store));
        let everybody = in_background(move || everybody(&fresh, store.as_ref()).map_err(outside)).await?;
        let everybody = Arc::new(everybody);
        self.nodes.configure(&everybody).await.map_err(|Refused| Overloaded)?;
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(file);
        *all = everybody;
        let tenants = all.tenants.len();
        drop(all);
        self.wish_all().await?;
        Ok(tenants)
    }

    /// Changes documents of a tenant, as the API's `Switch::change` promises.
    pub(super) async fn change(
        self: Arc<Self>,
        change: DocumentChange,
        at: Timestamp,
    ) -> Result<Vec<Option<Document>>, ChangeError> {
        let mut all = self.all.lock().await;
        let (desk, among) = (Arc::clone(&self), Arc::clone(&all));
        let tenant = change.tenant.clone();
        let decided = in_background(move || desk.decide(&change, &among, at)).await?;
        let told = match decided.effect {
            Effect::Nothing => Ok(()),
            Effect::Tenant(made, saved) => {
                let wishes = saved_in(made.as_ref().as_ref(), &saved);
                let fresh = match *made {
                    Some(made) => all.with(Arc::new(made)),
                    None => all.without(&tenant),
                };
                let fresh = Arc::new(fresh);
                let told = self.nodes.configure_tenant(&tenant, &fresh).await;
                // What was before is dropped here, and not on the node's thread.
                *all = fresh;
                match told {
                    // What was dialled goes before what the tenant says, so it must be the same.
                    Ok(()) => self.wish(&tenant, wishes).await,
                    refused => refused,
                }
            }
            Effect::Wishes(wishes) => self.wish(&tenant, wishes).await,
        };
        if told.is_err() {
            error!("the node has ended");
            return Err(Overloaded.into());
        }
        self.ends.notify_one();
        Ok(decided.documents)
    }

    async fn wish(&self, tenant: &TenantId, wishes: Vec<Wished>) -> Result<(), Refused> {
        for (user, wishes) in wishes {
            self.nodes.settle(tenant, Input::Wished { tenant: tenant.clone(), user, wishes }).await?;
        }
        Ok(())
    }

    /// Gives the nodes what people of the file's tenants have saved, and of other people what they have not saved for good.
    ///
    /// # Errors
    /// The store failed, or a node has ended.
    pub(super) async fn wish_all(&self) -> Result<(), ChangeError> {
        let (file, store) = (self.file(), Arc::clone(&self.store));
        let all = Arc::clone(&*self.all.lock().await);
        let saved = in_background(move || saved_wishes(&file, &all, store.as_ref()).map_err(outside)).await?;
        for (tenant, wishes) in saved {
            self.wish(&tenant, wishes).await.map_err(|Refused| Overloaded)?;
        }
        Ok(())
    }

    /// Looks at a change, and keeps it where nothing is wrong with what comes of it.
    fn decide(&self, change: &DocumentChange, among: &Config, at: Timestamp) -> Result<Decided, ChangeError> {
        let DocumentChange { tenant, edits, expects, by } = change;
        let is_of_file = self.is_of_file(tenant);
        if is_of_file && edits.iter().any(|edit| edit.kind != Kind::Forwarding) {
            return Err(ChangeError::OfFile(tenant.clone()));
        }
        // Wishes alone change nothing else of a tenant, which may have ten thousand people, and what is taken away must
        // not come back from what the tenant was made of.
        let is_of_wishes =
            edits.iter().all(|edit| edit.kind == Kind::Forwarding && edit.what != Step::Remove);
        let mut documents = Vec::new();
        if is_of_wishes {
            for edit in edits {
                documents.extend(self.store.document(tenant, edit.kind, &edit.name).map_err(outside)?);
            }
        }
        let mut next = becoming(&documents, edits, at);
        let holds = |edit: &Edit| next.iter().any(|next| next.name == edit.name && next.live.is_some());
        let is_small = is_of_file || (among.tenants.contains_key(tenant) && edits.iter().all(holds));
        if !(is_of_wishes && is_small) {
            documents = self.store.documents(tenant).map_err(outside)?;
            next = becoming(&documents, edits, at);
        }
        if let Some(first) = edits.first() {
            expect(*expects, &documents, first)?;
        }
        let is_live = edits.iter().any(|edit| match edit.what {
            Step::Save { .. } | Step::Remove | Step::Expire => true,
            Step::Stage(_) | Step::Discard => false,
        });
        // What was right before is wrong for what is done to it.
        let was_right = among.tenants.contains_key(tenant);
        let why = |wrong: Wrong| if was_right { wrong.because_of(edits) } else { wrong.into() };
        let effect = if is_of_file || (is_of_wishes && is_small) {
            Effect::Wishes(wished(tenant, edits, &next, among).map_err(why)?)
        } else {
            let wishes = edits.iter().filter(|edit| edit.kind == Kind::Forwarding);
            let term = |edit: &Edit| next.iter().find(|it| it.is_of(edit)).and_then(|it| it.term);
            let saved = wishes.map(|edit| (edit.name.as_str().into(), term(edit))).collect();
            Effect::Tenant(Box::new(made(tenant, &next, among).map_err(why)?), saved)
        };
        let kept = self.store.edit_documents(tenant, edits, at, by)?;
        if matches!(&effect, Effect::Tenant(made, _) if made.is_none()) {
            self.close(tenant, at, by)?;
        }
        Ok(Decided { documents: kept, effect: if is_live { effect } else { Effect::Nothing } })
    }

    /// A tenant is gone: whoever makes another of that name begins with no rules of this one.
    fn close(&self, tenant: &TenantId, at: Timestamp, by: &str) -> Result<(), ChangeError> {
        for rule in self.store.active_rules(tenant).map_err(outside)? {
            let off = self.store.deactivate(tenant, &rule.name, at, by);
            off.map_err(|error| ChangeError::Outside(error.to_string()))?;
        }
        Ok(())
    }

    /// Ends the changes whose time is over, and says when the next one ends.
    pub(super) async fn expire(self: &Arc<Self>, now: Timestamp) -> Result<Option<Timestamp>, ChangeError> {
        let store = Arc::clone(&self.store);
        let ending = in_background(move || store.temporary_documents().map_err(outside)).await?;
        let mut due: BTreeMap<TenantId, Vec<Edit>> = BTreeMap::new();
        let mut next = None;
        for (tenant, document) in ending {
            let Some(until) = document.temporary.as_ref().map(|temporary| temporary.until) else { continue };
            if until > now {
                next = Some(until);
                break;
            }
            let edit = Edit { kind: document.kind, name: document.name, what: Step::Expire };
            due.entry(tenant).or_default().push(edit);
        }
        for (tenant, edits) in due {
            let (id, by) = (tenant.clone(), EXPIRED_BY.to_owned());
            let change = DocumentChange { tenant, edits, expects: Expects::Nothing, by };
            // What was before was right once, and may not be beside what came since: then it is tried again.
            match Arc::clone(self).change(change, now).await {
                Ok(ended) => info!(tenant = %id, changes = ended.len(), "changes have ended by themselves"),
                Err(error) => warn!(tenant = %id, %error, "a change is over and cannot be taken back"),
            }
        }
        Ok(next)
    }

    /// Ends changes at their time, until the program ends.
    pub(super) async fn keep_time(self: Arc<Self>) -> std::io::Result<()> {
        loop {
            let next = match self.expire(Timestamp::now()).await {
                Ok(next) => next,
                Err(error) => {
                    warn!(%error, "cannot look for changes that are over");
                    None
                }
            };
            let left = next.map(|next| next.duration_since(Timestamp::now()));
            let sleep = left.map_or(LOOK_EVERY, |left| left.try_into().unwrap_or_default());
            tokio::select! {
                () = tokio::time::sleep(sleep.min(LOOK_EVERY)) => {}
                () = self.ends.notified() => {}
            }
        }
    }
}

/// What comes of a change.
struct Decided {
    documents: Vec<Option<Document>>,
    effect: Effect,
}

/// What the tenant's node has to hear.
enum Effect {
    Nothing,
    /// The tenant as it is now, or none where it is gone; and whose wishes are among what was changed.
    Tenant(Box<Option<Tenant>>, Vec<(UserId, Option<Term>)>),
    /// What people of a tenant of the file have saved.
    Wishes(Vec<Wished>),
}

/// Does what may wait for the disk where waiting hurts nobody.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ChangeError> + Send + 'static,
) -> Result<T, ChangeError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ChangeError::Outside(error.to_string()))?
}

fn outside(error: StoreError) -> ChangeError {
    ChangeError::Documents(error.into())
}

#[cfg(test)]
mod tests {
    use callwright_store::Memory;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_a_kept_tenant_become_documents_of_their_own() {
        let (store, acme) = (Memory::new(), TenantId::from("acme"));
        let save = |kind, name: &str, value| {
            let what = Step::Save { value, until: None };
            let edits = [Edit { kind, name: name.to_owned(), what }];
            store.edit_documents(&acme, &edits, Timestamp::UNIX_EPOCH, "ops").unwrap();
        };
        let tenant = json!({
            "domains": ["acme.example"], "zone": "UTC",
            "roles": { "phone": { "held-by": "user:ana", "extension": "300" } },
            "sites": { "berlin": ["user:ana"] },
        });
        save(Kind::Tenant, "acme", tenant);
        save(Kind::User, "ana", json!({}));
        let all = everybody(&Config::default(), &store).unwrap();
        assert_eq!(all.tenants["acme"].roles["phone"].held_by.to_string(), "user:ana");
        assert_eq!(all.tenants["acme"].sites["berlin"].parts.len(), 1);
        let own = store.document(&acme, Kind::Tenant, "acme").unwrap().unwrap();
        assert_eq!(own.live, Some(json!({ "domains": ["acme.example"], "zone": "UTC" })));
        let role = store.document(&acme, Kind::Role, "phone").unwrap().unwrap();
        assert_eq!(role.live, Some(json!({ "held-by": "user:ana", "extension": "300" })));
        everybody(&Config::default(), &store).unwrap();
        let again = store.document(&acme, Kind::Role, "phone").unwrap().unwrap();
        assert_eq!(again.revision, role.revision, "what is moved is moved once");
    }
}
