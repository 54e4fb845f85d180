//! A tenant's rules: what is uploaded, what is active, and what was before.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callwright_core::config::Tenant;
use callwright_core::names::{RuleName, TenantId, Version};
use callwright_core::rule::ActiveRule;
use callwright_store::{
    Activation, How, NewVersion, RuleError, RuleVersion, Store, StoreError, VersionState,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::openapi::{Described, Does};
use crate::overlap::{self, AlsoBound};
use crate::{Caller, Handle, UPLOAD_MAX, Upload, switch};

/// Who made an activation that nobody asked for, in histories.
pub const WITHDRAWN_BY: &str = "the switch, because the version kept failing";

/// The paths of rules.
pub(crate) fn describe(described: Described) -> Described {
    let uploads = get(list).post(upload).layer(DefaultBodyLimit::max(UPLOAD_MAX));
    let put = Does::post("uploads a version").takes::<UploadBody>().answers::<Uploaded>();
    let again = Does::post("makes active again what was active before").answers::<Activated>();
    let choose = Does::post("makes a version the active one").takes::<ActivateBody>().answers::<Activated>();
    described
        .at("/v1/tenants/{tenant}/rules", [Does::get("the tenant's rules").answers::<Rules>(), put], uploads)
        .at(
            "/v1/tenants/{tenant}/rules/{rule}/versions",
            [Does::get("all versions, last uploaded first").answers::<Versions>()],
            get(versions),
        )
        .at(
            "/v1/tenants/{tenant}/rules/{rule}/history",
            [Does::get("what was active when, newest first").answers::<History>()],
            get(history),
        )
        .at("/v1/tenants/{tenant}/rules/{rule}/activate", [choose], post(activate))
        .at("/v1/tenants/{tenant}/rules/{rule}/rollback", [again], post(roll_back))
        .at(
            "/v1/tenants/{tenant}/rules/{rule}/deactivate",
            [Does::post("switches the rule off").answers::<Deactivated>()],
            post(deactivate),
        )
}

/// An upload: the component as Base64 (RFC 4648 §4) and the text of its `rule.toml`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadBody {
    component: String,
    rule_toml: String,
    /// Makes the version active as well.
    #[serde(default)]
    activate: bool,
}

/// One version, as lists show it.
#[derive(Serialize, ToSchema)]
#[schema(as = RuleVersion)]
pub(crate) struct Shown {
    #[schema(value_type = String)]
    rule: RuleName,
    #[schema(value_type = String)]
    version: Version,
    /// `ready`, or why it cannot or should not be used.
    state: String,
    active: bool,
    size: u64,
    #[schema(value_type = String)]
    uploaded: Timestamp,
    uploaded_by: String,
    bind: Vec<String>,
    rule_toml: String,
}

impl Shown {
    fn new(version: NewVersion, state: &VersionState, active: bool) -> Self {
        Self {
            rule: version.rule.name,
            version: version.rule.version,
            state: match state {
                VersionState::Ready => "ready".to_owned(),
                VersionState::Unusable(why) => format!("unusable: {why}"),
            },
            active,
            size: version.size,
            uploaded: version.uploaded,
            uploaded_by: version.uploaded_by,
            bind: version.rule.bind.iter().map(ToString::to_string).collect(),
            rule_toml: version.manifest,
        }
    }
}

impl Shown {
    /// A version that is kept, with what became of it.
    fn kept(kept: RuleVersion, history: &[Activation]) -> Self {
        let is_withdrawn = !kept.active && was_withdrawn(&kept.uploaded.rule.version, history);
        let mut shown = Self::new(kept.uploaded, &kept.state, kept.active);
        if is_withdrawn && kept.state == VersionState::Ready {
            "withdrawn: it kept failing".clone_into(&mut shown.state);
        }
        shown
    }
}

/// Whether the switch itself put an end to the version's last activation; the history has the newest first.
fn was_withdrawn(version: &Version, history: &[Activation]) -> bool {
    let last = history.iter().position(|step| step.version == *version);
    let after = last.and_then(|last| history.get(last.checked_sub(1)?));
    after.is_some_and(|after| after.how == How::RolledBack && after.by == WITHDRAWN_BY)
}

/// What an upload is answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Uploaded {
    #[serde(flatten)]
    version: Shown,
    also_bound: Vec<AlsoBound>,
}

/// `POST /v1/tenants/{tenant}/rules`
pub(crate) async fn upload(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
    body: Result<Json<UploadBody>, JsonRejection>,
) -> Result<(StatusCode, Json<Uploaded>), ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?;
    let Json(body) = body?;
    let component = STANDARD
        .decode(body.component)
        .map_err(|error| ApiError::bad_request(format!("`component` is not Base64: {error}")))?;
    let upload =
        Upload { tenant: Arc::clone(&tenant), component, manifest: body.rule_toml, by: caller.label.clone() };
    let kept = switch.upload(upload).await?;
    if body.activate {
        let (rule, version) = (kept.rule.name.clone(), kept.rule.version.clone());
        let (at, by) = (switch.now(), caller.label);
        let owner = tenant.id.clone();
        switch::ask(&switch, move |store| store.activate(&owner, &rule, &version, at, &by)).await??;
        switch.activated(tenant.id.clone()).await?;
    }
    let rule = kept.rule.clone();
    let also_bound = switch::ask(&switch, move |store| overlap::of(store, &rule)).await??;
    let version = Shown::new(kept, &VersionState::Ready, body.activate);
    Ok((StatusCode::CREATED, Json(Uploaded { version, also_bound })))
}

/// A rule of the tenant and what is active of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed {
    #[schema(value_type = String)]
    rule: RuleName,
    #[schema(value_type = Option<String>)]
    active: Option<Version>,
    bind: Vec<String>,
}

/// All rules of a tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rules {
    rules: Vec<Listed>,
}

/// `GET /v1/tenants/{tenant}/rules`
pub(crate) async fn list(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
) -> Result<Json<Rules>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?.id.clone();
    let owner = tenant.clone();
    let names = switch::ask(&switch, move |store| store.rules(&owner)).await??;
    let view = switch.view_of(&tenant);
    let rules = names.into_iter().map(|rule| {
        let active = view.rules.get(&(tenant.clone(), rule.clone()));
        let bind = active.iter().flat_map(|active| &active.bind).map(ToString::to_string).collect();
        Listed { active: active.map(|active| active.version.clone()), rule, bind }
    });
    Ok(Json(Rules { rules: rules.collect() }))
}

/// All versions of a rule, last uploaded first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Versions {
    versions: Vec<Shown>,
    zone: Option<String>,
}

/// `GET /v1/tenants/{tenant}/rules/{rule}/versions`
pub(crate) async fn versions(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, rule)): Path<(String, String)>,
) -> Result<Json<Versions>, ApiError> {
    let owner = caller.tenant(&switch, &tenant)?;
    let name = RuleName::from(rule.as_str());
    let zone = zone(&owner);
    let read = move |store: &dyn Store| {
        Ok::<_, StoreError>((store.versions(&owner.id, &name)?, store.history(&owner.id, &name)?))
    };
    let (versions, history) = switch::ask(&switch, read).await??;
    if versions.is_empty() {
        return Err(no_rule(&rule));
    }
    let versions = versions.into_iter().map(|kept| Shown::kept(kept, &history));
    Ok(Json(Versions { versions: versions.collect(), zone }))
}

/// What was active when, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    #[schema(value_type = Vec<Object>)]
    history: Vec<Activation>,
    zone: Option<String>,
}

/// `GET /v1/tenants/{tenant}/rules/{rule}/history`
pub(crate) async fn history(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, rule)): Path<(String, String)>,
) -> Result<Json<History>, ApiError> {
    let owner = caller.tenant(&switch, &tenant)?;
    let (zone, name) = (zone(&owner), RuleName::from(rule.as_str()));
    let read = move |store: &dyn Store| store.history(&owner.id, &name);
    let history = switch::ask(&switch, read).await??;
    if history.is_empty() {
        return Err(ApiError::not_found(format!("no version of rule `{rule}` was ever active")));
    }
    Ok(Json(History { history, zone }))
}

/// What to activate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivateBody {
    /// The version, or a beginning of it that fits no other; `sha256:` may be left out.
    version: String,
}

/// What is active from now on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Activated {
    #[schema(value_type = String)]
    rule: RuleName,
    #[schema(value_type = String)]
    version: Version,
    bind: Vec<String>,
    also_bound: Vec<AlsoBound>,
}

impl Activated {
    fn new(store: &dyn Store, active: ActiveRule) -> Result<Self, ApiError> {
        let also_bound = overlap::of(store, &active)?;
        let bind = active.bind.iter().map(ToString::to_string).collect();
        Ok(Self { rule: active.name, version: active.version, bind, also_bound })
    }
}

/// `POST /v1/tenants/{tenant}/rules/{rule}/activate`
pub(crate) async fn activate(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, rule)): Path<(String, String)>,
    body: Result<Json<ActivateBody>, JsonRejection>,
) -> Result<Json<Activated>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?.id.clone();
    let Json(body) = body?;
    let at = switch.now();
    let owner = tenant.clone();
    let active = switch::ask(&switch, move |store| {
        let rule = RuleName::from(rule);
        let version = resolve(store, &owner, &rule, &body.version)?;
        Activated::new(store, store.activate(&owner, &rule, &version, at, &caller.label)?)
    });
    let active = active.await??;
    switch.activated(tenant).await?;
    Ok(Json(active))
}

/// The one version that begins so.
fn resolve(store: &dyn Store, tenant: &TenantId, rule: &RuleName, prefix: &str) -> Result<Version, ApiError> {
    let digits = prefix.strip_prefix("sha256:").unwrap_or(prefix);
    let whole = Version::from(format!("sha256:{digits}"));
    let versions = store.versions(tenant, rule)?;
    let mut fitting = versions
        .iter()
        .map(|kept| &kept.uploaded.rule.version)
        .filter(|version| version.as_str().starts_with(whole.as_str()));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some(_), Some(_)) => {
            Err(ApiError::bad_request(format!("several versions of rule `{rule}` begin with {prefix}"))
                .help("write more of it"))
        }
        (None, _) if versions.is_empty() => Err(no_rule(rule.as_str())),
        (None, _) => Err(RuleError::NoSuchVersion { rule: rule.clone(), version: whole }.into()),
    }
}

/// `POST /v1/tenants/{tenant}/rules/{rule}/rollback`
pub(crate) async fn roll_back(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, rule)): Path<(String, String)>,
) -> Result<Json<Activated>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?.id.clone();
    let (at, owner, name) = (switch.now(), tenant.clone(), RuleName::from(rule));
    let active = switch::ask(&switch, move |store| {
        Activated::new(store, store.roll_back(&owner, &name, at, &caller.label)?)
    });
    let active = active.await??;
    switch.activated(tenant).await?;
    Ok(Json(active))
}

/// What is not active any more.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deactivated {
    #[schema(value_type = String)]
    rule: RuleName,
    /// What was active.
    #[schema(value_type = String)]
    version: Version,
}

/// `POST /v1/tenants/{tenant}/rules/{rule}/deactivate`
pub(crate) async fn deactivate(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, rule)): Path<(String, String)>,
) -> Result<Json<Deactivated>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?.id.clone();
    let (at, owner, name) = (switch.now(), tenant.clone(), RuleName::from(rule.as_str()));
    let was = switch::ask(&switch, move |store| {
        if store.versions(&owner, &name)?.is_empty() {
            return Err(no_rule(&rule));
        }
        store.deactivate(&owner, &name, at, &caller.label).map_err(ApiError::from)
    });
    let was = was.await??;
    switch.activated(tenant).await?;
    Ok(Json(Deactivated { rule: was.name, version: was.version }))
}

/// The name of the tenant's time zone, for whoever shows times to people.
pub(crate) fn zone(tenant: &Tenant) -> Option<String> {
    tenant.zone.iana_name().map(str::to_owned)
}

fn no_rule(rule: &str) -> ApiError {
    ApiError::not_found(format!("no rule `{rule}` was uploaded"))
        .help("`callwright rule push DIR` uploads one")
}
