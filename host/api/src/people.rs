//! Tenants and what they consist of: one document each, made, changed, prepared, saved and removed here.
//!
//! What stands in a document is for `callwright-config` to judge, together with all others of the tenant, before anything is
//! kept. Tenants of the operator's file are shown and not changed.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Extension, Json};
use callwright_config::shape;
use callwright_core::Kind;
use callwright_core::config::Tenant;
use callwright_core::names::TenantId;
use callwright_store::{DOCUMENTS_PAGE_MAX, Document, Edit, Step, StoreError, shown};
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::openapi::{Described, Does};
use crate::rules::zone;
use crate::switch::{ChangeError, DocumentChange, Expects};
use crate::{Caller, DOCUMENT_MAX, Handle, routes, switch};

mod device;
mod file;
mod outlook;
mod routed;
mod warned;

pub(crate) use outlook::Judge;
use outlook::Outlook;

/// How many documents a page holds when nobody asks for another number.
const PAGE: usize = 50;

/// The paths of tenants and of what is in them.
pub(crate) fn describe(described: Described) -> Described {
    let large = || DefaultBodyLimit::max(DOCUMENT_MAX);
    let tenants = Does::get("the tenants that the token opens").query::<Wanted>().answers::<Documents>();
    let make = Does::put("makes a tenant or changes it").query::<Meant>().takes::<shape::Tenant>();
    let one = get(show_tenant).put(replace_tenant).delete(remove_tenant).layer(large());
    let mut described = described.at("/v1/tenants", [tenants], get(list_tenants)).at(
        "/v1/tenants/{tenant}",
        [
            Does::get("a tenant").answers::<Shown>(),
            make.answers::<Shown>(),
            Does::delete("removes a tenant with everything in it"),
        ],
        one,
    );
    for kind in Kind::managed() {
        let path = format!("/v1/tenants/{{tenant}}/{}", kind.words());
        let one =
            get(show).put(replace).delete(remove).layer::<_, Infallible>(Extension(kind)).layer(large());
        let all = Does::get(format!("documents of the kind {kind}, by name")).query::<Wanted>();
        let make = Does::put(format!("prepares a {kind}, or makes it live")).query::<Meant>();
        let draft = taking(kind, Does::put(format!("prepares a {kind}"))).answers::<One>();
        let save_it = Does::post("makes what is prepared live").query::<Meant>().answers::<One>();
        let is = [
            Does::get(format!("one document of the kind {kind}")).answers::<One>(),
            taking(kind, make).answers::<One>(),
            Does::delete("removes it").query::<Removal>(),
        ];
        described = described
            .at(&path, [all.answers::<Documents>()], get(list).layer(Extension(kind)))
            .at(&format!("{path}/{{name}}"), is, one)
            .at(
                &format!("{path}/{{name}}/draft"),
                [draft, Does::delete("forgets what is prepared")],
                put(stage).delete(discard).layer::<_, Infallible>(Extension(kind)).layer(large()),
            )
            .at(&format!("{path}/{{name}}/save"), [save_it], post(save).layer(Extension(kind)));
    }
    described
}

/// What a document of a kind looks like.
fn taking(kind: Kind, does: Does) -> Does {
    match kind {
        Kind::Tenant => does.takes::<shape::Tenant>(),
        Kind::User => does.takes::<shape::User>(),
        Kind::Device => does.takes::<shape::Device>(),
        Kind::Group => does.takes::<shape::Group>(),
        Kind::Place => does.takes::<shape::Place>(),
        Kind::Site => does.takes::<shape::Site>(),
        Kind::Holidays => does.takes::<shape::Holidays>(),
        Kind::Hours => does.takes::<shape::Hours>(),
        Kind::Rota => does.takes::<shape::Rota>(),
        Kind::TimeRoute => does.takes::<shape::TimeRoute>(),
        Kind::Role => does.takes::<shape::Role>(),
        Kind::Table => does.takes::<shape::Table>(),
        Kind::Forwarding => does.takes::<shape::Forwarding>(),
    }
}

/// One document, with what is prepared of it and when it ends.
#[derive(Serialize, ToSchema)]
#[schema(as = Document)]
pub(crate) struct Shown {
    #[schema(value_type = String)]
    kind: Kind,
    name: String,
    /// What holds; none where there is a draft alone.
    live: Option<Value>,
    /// Of a user's wishes: what they come to now.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Outlook>,
    /// Of what was saved or prepared just now: what is allowed and may not be meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// What somebody has prepared.
    draft: Option<ShownDraft>,
    /// When what holds ends by itself.
    #[schema(value_type = Option<String>)]
    until: Option<Timestamp>,
    /// What holds again then; none where there was nothing.
    then: Option<Value>,
    revision: u64,
    /// `store`, or `file` where it stands in the operator's configuration.
    managed: &'static str,
    /// A password that the switch has made, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// One document by itself.
#[derive(Serialize, ToSchema)]
#[schema(as = OneDocument)]
struct One {
    #[serde(flatten)]
    document: Shown,
    /// The zone in which its tenant reads times.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
}

impl One {
    fn of(document: Shown, tenant: &Tenant) -> Self {
        Self { document, zone: zone(tenant) }
    }
}

/// What somebody has prepared.
#[derive(Serialize, ToSchema)]
#[schema(as = Draft)]
struct ShownDraft {
    value: Value,
    /// Of a user's wishes: what they would come to now.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Outlook>,
    by: String,
    #[schema(value_type = String)]
    at: Timestamp,
}

impl From<Document> for Shown {
    fn from(document: Document) -> Self {
        let kind = document.kind;
        let shown = |value: Value| shown(kind, &value);
        let (until, then) = document.temporary.map(|it| (it.until, it.before)).unzip();
        Self {
            kind,
            name: document.name,
            live: document.live.map(shown),
            effect: None,
            warnings: Vec::new(),
            draft: document.draft.map(|it| ShownDraft {
                value: shown(it.value),
                effect: None,
                by: it.by,
                at: it.at,
            }),
            until,
            then: then.flatten().map(shown),
            revision: document.revision,
            managed: "store",
            password: None,
        }
    }
}

/// Documents by name, and where to go on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Documents {
    documents: Vec<Shown>,
    /// For `after` of the next page; none at the end.
    next: Option<String>,
    zone: Option<String>,
}

/// Which page is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    after: Option<String>,
    limit: Option<usize>,
}

/// How a change is meant.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meant {
    /// Makes it live at once; without this it is a draft.
    #[serde(default)]
    save: bool,
    /// Only where there is nothing of that name.
    #[serde(default)]
    new: bool,
    /// Only where nobody changed it since.
    revision: Option<u64>,
    /// Until when it holds: a time of RFC 3339, or a duration as `2h` or `3 days`.
    until: Option<String>,
}

/// What goes with a document that is removed.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    /// A user's devices too.
    #[serde(default)]
    devices: bool,
}

type Asked<T> = Result<Query<T>, QueryRejection>;
type Body = Result<Json<Value>, JsonRejection>;

/// `GET /v1/tenants/{tenant}/users` and its like.
async fn list(
    caller: Caller,
    State(switch): State<Handle>,
    Extension(kind): Extension<Kind>,
    Path(tenant): Path<String>,
    wanted: Asked<Wanted>,
) -> Result<Json<Documents>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let Query(wanted) = wanted?;
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, DOCUMENTS_PAGE_MAX);
    let documents = if is_in_file(&switch, &tenant, kind) {
        file::page(&tenant, kind, wanted.after.as_deref(), limit)
    } else {
        let (id, after) = (tenant.id.clone(), wanted.after);
        let read = move |store: &dyn callwright_store::Store| {
            store.documents_of_kind(&id, kind, after.as_deref(), limit)
        };
        let found = switch::ask(&switch, read).await??;
        let view = switch.view_of(&tenant.id);
        let by = Judge { view: &view, tenant: &tenant, now: switch.now() };
        found.into_iter().map(|it| Shown::from(it).judged(by)).collect()
    };
    Ok(Json(page(documents, limit, zone(&tenant))))
}

/// Whether that stands in the operator's file; settings of people never do.
fn is_in_file(switch: &Handle, tenant: &Tenant, kind: Kind) -> bool {
    kind != Kind::Forwarding && switch.is_of_file(&tenant.id)
}

/// The tenant in which the caller may write that.
fn writable(
    caller: &Caller,
    switch: &Handle,
    tenant: &str,
    kind: Kind,
    name: &str,
) -> Result<Arc<Tenant>, ApiError> {
    if kind == Kind::Forwarding {
        caller.own(switch, tenant, (kind, name))
    } else {
        caller.tenant(switch, tenant)
    }
}

fn page(documents: Vec<Shown>, limit: usize, zone: Option<String>) -> Documents {
    let next = documents.last().filter(|_| documents.len() == limit).map(|last| last.name.clone());
    Documents { documents, next, zone }
}

/// `GET /v1/tenants/{tenant}/users/{name}` and its like.
async fn show(
    caller: Caller,
    State(switch): State<Handle>,
    Extension(kind): Extension<Kind>,
    Path((tenant, name)): Path<(String, String)>,
) -> Result<Json<One>, ApiError> {
    let tenant = caller.own(&switch, &tenant, (kind, &name))?;
    if is_in_file(&switch, &tenant, kind) {
        let shown = file::one(&tenant, kind, &name).ok_or_else(|| not_there(kind, &name))?;
        return Ok(Json(One::of(shown, &tenant)));
    }
    let found = find(&switch, &tenant.id, kind, &name).await?;
    let view = switch.view_of(&tenant.id);
    let by = Judge { view: &view, tenant: &tenant, now: switch.now() };
    let shown = match found {
        Some(document) => Some(Shown::from(document).judged(by)),
        None if kind == Kind::Forwarding => {
            let managed = if switch.is_of_file(&tenant.id) { "file" } else { "store" };
            Shown::unsaved(by, &name, managed)
        }
        None => None,
    };
    // Everybody has wishes, if only empty ones: it is the person who is not there.
    let missing = if kind == Kind::Forwarding { Kind::User } else { kind };
    let shown = shown.ok_or_else(|| not_there(missing, &name))?;
    Ok(Json(One::of(shown, &tenant)))
}

/// `PUT /v1/tenants/{tenant}/users/{name}` and its like.
async fn replace(
    caller: Caller,
    State(switch): State<Handle>,
    Extension(kind): Extension<Kind>,
    Path((tenant, name)): Path<(String, String)>,
    meant: Asked<Meant>,
    body: Body,
) -> Result<(StatusCode, Json<One>), ApiError> {
    let tenant = writable(&caller, &switch, &tenant, kind, &name)?;
    let Query(meant) = meant?;
    let Json(value) = body?;
    let write = Write { switch, tenant: Among::Tenant(tenant), kind, name, by: caller };
    write.put(value, meant).await
}

/// `PUT /v1/tenants/{tenant}/users/{name}/draft` and its like.
async fn stage(
    caller: Caller,
    State(switch): State<Handle>,
    Extension(kind): Extension<Kind>,
    Path((tenant, name)): Path<(String, String)>,
    body: Body,
) -> Result<(StatusCode, Json<One>), ApiError> {
    let tenant = writable(&caller, &switch, &tenant, kind, &name)?;
    let Json(value) = body?;
    let write = Write { switch, tenant: Among::Tenant(tenant), kind, name, by: caller };
    write.put(value, Meant::default()).await
}

/// `DELETE /v1/tenants/{tenant}/users/{name}/draft` and its like.
async fn discard(
    caller: Caller,
    State(switch): State<Handle>,
    Extension(kind): Extension<Kind>,
    Path((tenant, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let tenant = writable(&caller, &switch, &tenant, kind, &name)?;
    let write = Write { switch, tenant: Among::Tenant(tenant), kind, name, by: caller };
    write.commit(Step::Discard, Expects::There).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/tenants/{tenant}/users/{name}/save` and its like: the draft holds from now on.
async fn save(
    caller: Caller,
    State(switch): State<Handle>,
    Extension(kind): Extension<Kind>,
    Path((tenant, name)): Path<(String, String)>,
    meant: Asked<Meant>,
) -> Result<Json<One>, ApiError> {
    let tenant = writable(&caller, &switch, &tenant, kind, &name)?;
    let Query(meant) = meant?;
    let document = find(&switch, &tenant.id, kind, &name).await?.ok_or_else(|| not_there(kind, &name))?;
    let draft = document.draft.clone();
    let draft = draft.ok_or_else(|| ApiError::not_found(format!("{kind} `{name}` has no draft")))?;
    let until = meant.until.as_deref().map(|text| moment(text, switch.now(), &tenant)).transpose()?;
    let write = Write { switch, tenant: Among::Tenant(tenant), kind, name, by: caller };
    let revision = Expects::Revision(meant.revision.unwrap_or(document.revision));
    let what = Step::Save { value: draft.value, until };
    write.may_route(Some(&document), &what, revision)?;
    write.commit(what, revision).await.map(Json)
}

/// `DELETE /v1/tenants/{tenant}/users/{name}` and its like.
async fn remove(
    caller: Caller,
    State(switch): State<Handle>,
    Extension(kind): Extension<Kind>,
    Path((tenant, name)): Path<(String, String)>,
    with: Asked<Removal>,
) -> Result<StatusCode, ApiError> {
    let tenant = writable(&caller, &switch, &tenant, kind, &name)?;
    let Query(with) = with?;
    let mut edits = vec![Edit { kind, name: name.clone(), what: Step::Remove }];
    if kind == Kind::User {
        let devices = tenant.users.get(name.as_str()).filter(|_| with.devices).map(|user| &user.devices);
        let devices = devices.into_iter().flatten();
        edits.extend(devices.map(|it| Edit { kind: Kind::Device, name: it.to_string(), what: Step::Remove }));
        if find(&switch, &tenant.id, Kind::Forwarding, &name).await?.is_some() {
            edits.push(Edit { kind: Kind::Forwarding, name, what: Step::Remove });
        }
    }
    let (tenant, by) = (tenant.id.clone(), caller.label);
    switch.change(DocumentChange { tenant, edits, expects: Expects::There, by }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/tenants`: those that the token opens.
async fn list_tenants(
    caller: Caller,
    State(switch): State<Handle>,
    wanted: Asked<Wanted>,
) -> Result<Json<Documents>, ApiError> {
    let Query(wanted) = wanted?;
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, DOCUMENTS_PAGE_MAX);
    let mut names: Vec<TenantId> = Vec::new();
    for view in switch.views() {
        let after = |name: &TenantId| wanted.after.as_deref().is_none_or(|after| name.as_str() > after);
        names.extend(view.config.tenants.keys().filter(|it| caller.may_see(it) && after(it)).cloned());
    }
    names.sort();
    names.truncate(limit);
    let mut documents = Vec::new();
    for name in names {
        documents.extend(tenant_document(&switch, &name).await?);
    }
    Ok(Json(page(documents, limit, None)))
}

/// `GET /v1/tenants/{tenant}`
async fn show_tenant(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
) -> Result<Json<Shown>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let shown = tenant_document(&switch, &tenant.id).await?;
    shown.map(Json).ok_or_else(|| not_there(Kind::Tenant, tenant.id.as_str()))
}

async fn tenant_document(switch: &Handle, name: &TenantId) -> Result<Option<Shown>, ApiError> {
    if switch.is_of_file(name) {
        let view = switch.view_of(name);
        return Ok(view.config.tenants.get(name).and_then(|it| file::one(it, Kind::Tenant, name.as_str())));
    }
    Ok(find(switch, name, Kind::Tenant, name.as_str()).await?.map(Shown::from))
}

/// `PUT /v1/tenants/{tenant}`: its limits are the operator's to set.
async fn replace_tenant(
    caller: Caller,
    State(switch): State<Handle>,
    Path(name): Path<String>,
    meant: Asked<Meant>,
    body: Body,
) -> Result<(StatusCode, Json<One>), ApiError> {
    caller.operator()?;
    let Query(meant) = meant?;
    let Json(value) = body?;
    let tenant = Among::Named(name.as_str().into());
    let write = Write { switch, tenant, kind: Kind::Tenant, name, by: caller };
    write.put(value, Meant { save: true, ..meant }).await
}

/// `DELETE /v1/tenants/{tenant}`: with everything that is in it.
async fn remove_tenant(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
) -> Result<StatusCode, ApiError> {
    caller.operator()?;
    let tenant = caller.tenant(&switch, &tenant)?;
    if switch.is_of_file(&tenant.id) {
        return Err(ChangeError::OfFile(tenant.id.clone()).into());
    }
    let (id, by) = (tenant.id.clone(), caller.label);
    let all = switch::ask(&switch, move |store| store.documents(&id)).await??;
    let edits = all.into_iter().map(|it| Edit { kind: it.kind, name: it.name, what: Step::Remove }).collect();
    let change = DocumentChange { tenant: tenant.id.clone(), edits, expects: Expects::Nothing, by };
    switch.change(change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// In which tenant something is written; one that is being made has no more than a name.
enum Among {
    Tenant(Arc<Tenant>),
    Named(TenantId),
}

impl Among {
    fn id(&self) -> &TenantId {
        match self {
            Self::Tenant(tenant) => &tenant.id,
            Self::Named(name) => name,
        }
    }
}

/// One document that somebody writes.
struct Write {
    switch: Handle,
    tenant: Among,
    kind: Kind,
    name: String,
    by: Caller,
}

impl Write {
    async fn put(self, value: Value, meant: Meant) -> Result<(StatusCode, Json<One>), ApiError> {
        let known = find(&self.switch, self.tenant.id(), self.kind, &self.name).await?;
        let (value, password) = match &self.tenant {
            Among::Tenant(tenant) if self.kind == Kind::Device && !self.switch.is_of_file(&tenant.id) => {
                device::with_secret(&self.switch, tenant, &self.name, value, known.as_ref())?
            }
            Among::Tenant(_) | Among::Named(_) => (value, None),
        };
        let expects = match (&known, meant.new, meant.revision) {
            // A user who has saved no wishes is shown with revision 0.
            (_, true, _) | (None, false, None) | (_, false, Some(0)) => Expects::New,
            (_, false, Some(revision)) => Expects::Revision(revision),
            (Some(known), false, None) => Expects::Revision(known.revision),
        };
        let status = if known.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        let until = match (&meant.until, &self.tenant) {
            (None, _) => None,
            (Some(text), Among::Tenant(tenant)) if meant.save => {
                Some(moment(text, self.switch.now(), tenant)?)
            }
            (Some(_), Among::Tenant(_)) => {
                return Err(ApiError::bad_request("`until` is said when a draft is saved"));
            }
            (Some(_), Among::Named(_)) => {
                return Err(ApiError::bad_request("a tenant does not end by itself"));
            }
        };
        let what = if meant.save { Step::Save { value, until } } else { Step::Stage(value) };
        self.may_route(known.as_ref(), &what, expects)?;
        let One { document, zone } = self.commit(what, expects).await?;
        Ok((status, Json(One { document: Shown { password, ..document }, zone })))
    }

    async fn commit(self, what: Step, expects: Expects) -> Result<One, ApiError> {
        let Self { switch, tenant: among, kind, name, by } = self;
        let edits = vec![Edit { kind, name: name.clone(), what }];
        let tenant = among.id().clone();
        let mut documents = switch.change(DocumentChange { tenant, edits, expects, by: by.label }).await?;
        let gone = Document { kind, name, live: None, draft: None, temporary: None, revision: 0 };
        let shown = Shown::from(documents.pop().flatten().unwrap_or(gone));
        match &among {
            Among::Tenant(tenant) => {
                let view = switch.view_of(&tenant.id);
                let by = Judge { view: &view, tenant, now: switch.now() };
                let shown = shown.judged(by).warned(&switch, tenant).await?;
                Ok(One::of(shown, tenant))
            }
            Among::Named(_) => Ok(One { document: shown, zone: None }),
        }
    }
}

async fn find(
    switch: &Handle,
    tenant: &TenantId,
    kind: Kind,
    name: &str,
) -> Result<Option<Document>, ApiError> {
    let (tenant, name) = (tenant.clone(), name.to_owned());
    let found: Result<_, StoreError> =
        switch::ask(switch, move |store| store.document(&tenant, kind, &name)).await?;
    Ok(found?)
}

fn not_there(kind: Kind, name: &str) -> ApiError {
    ApiError::not_found(kind.nothing(name))
}

/// When a change ends: at a time, or after a while, in which a day is a day of the tenant's zone.
fn moment(text: &str, now: Timestamp, tenant: &Tenant) -> Result<Timestamp, ApiError> {
    let after = || {
        let span: Span = text.parse().ok()?;
        Some(now.to_zoned(tenant.zone.clone()).checked_add(span).ok()?.timestamp())
    };
    let until = after().or_else(|| routes::moment(text, &tenant.zone, now)).ok_or_else(|| {
        ApiError::bad_request(format!(
            "`{text}` is no time: write 2026-12-24T18:00:00+01:00, `2026-12-24 18:00`, `18:00`, `2h` or `3 days`"
        ))
    })?;
    if until <= now {
        return Err(ApiError::bad_request(format!("`{text}` is over already")));
    }
    Ok(until)
}
