//! A tenant's rules: what is uploaded, what is active, and what was before.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callwright_core::names::{RuleName, TenantId, Version};
use callwright_core::rule::ActiveRule;
use callwright_store::{Activation, NewVersion, RuleError, RuleVersion, Store, VersionState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::{Caller, Handle, Upload, switch};

/// An upload: the component as Base64 (RFC 4648 §4) and the text of its `rule.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadBody {
    component: String,
    rule_toml: String,
    /// Makes the version active as well.
    #[serde(default)]
    activate: bool,
}

/// One version, as lists show it.
#[derive(Serialize)]
pub(crate) struct Shown {
    rule: RuleName,
    version: Version,
    /// `ready`, or why it cannot be used.
    state: String,
    active: bool,
    size: u64,
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

impl From<RuleVersion> for Shown {
    fn from(kept: RuleVersion) -> Self {
        Self::new(kept.uploaded, &kept.state, kept.active)
    }
}

/// `POST /v1/tenants/{tenant}/rules`
pub(crate) async fn upload(
    caller: Caller,
    State(switch): State<Handle>,
    Path(tenant): Path<String>,
    body: Result<Json<UploadBody>, JsonRejection>,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
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
    Ok((StatusCode::CREATED, Json(Shown::new(kept, &VersionState::Ready, body.activate))))
}

/// A rule of the tenant and what is active of it.
#[derive(Serialize)]
pub(crate) struct Listed {
    rule: RuleName,
    active: Option<Version>,
    bind: Vec<String>,
}

/// All rules of a tenant.
#[derive(Serialize)]
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
#[derive(Serialize)]
pub(crate) struct Versions {
    versions: Vec<Shown>,
}

/// `GET /v1/tenants/{tenant}/rules/{rule}/versions`
pub(crate) async fn versions(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, rule)): Path<(String, String)>,
) -> Result<Json<Versions>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?.id.clone();
    let name = RuleName::from(rule.as_str());
    let versions = switch::ask(&switch, move |store| store.versions(&tenant, &name)).await??;
    if versions.is_empty() {
        return Err(no_rule(&rule));
    }
    Ok(Json(Versions { versions: versions.into_iter().map(Shown::from).collect() }))
}

/// What was active when, newest first.
#[derive(Serialize)]
pub(crate) struct History {
    history: Vec<Activation>,
}

/// `GET /v1/tenants/{tenant}/rules/{rule}/history`
pub(crate) async fn history(
    caller: Caller,
    State(switch): State<Handle>,
    Path((tenant, rule)): Path<(String, String)>,
) -> Result<Json<History>, ApiError> {
    let tenant = caller.tenant(&switch, &tenant)?.id.clone();
    let name = RuleName::from(rule);
    let history = switch::ask(&switch, move |store| store.history(&tenant, &name)).await??;
    Ok(Json(History { history }))
}

/// What to activate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivateBody {
    /// The version, or a beginning of it that fits no other; `sha256:` may be left out.
    version: String,
}

/// What is active from now on.
#[derive(Serialize)]
pub(crate) struct Activated {
    rule: RuleName,
    version: Version,
    bind: Vec<String>,
}

impl From<ActiveRule> for Activated {
    fn from(active: ActiveRule) -> Self {
        let bind = active.bind.iter().map(ToString::to_string).collect();
        Self { rule: active.name, version: active.version, bind }
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
        store.activate(&owner, &rule, &version, at, &caller.label).map_err(ApiError::from)
    });
    let active = active.await??;
    switch.activated(tenant).await?;
    Ok(Json(active.into()))
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
    let active =
        switch::ask(&switch, move |store| store.roll_back(&owner, &name, at, &caller.label)).await??;
    switch.activated(tenant).await?;
    Ok(Json(active.into()))
}

fn no_rule(rule: &str) -> ApiError {
    ApiError::not_found(format!("no rule `{rule}` was uploaded"))
        .help("`callwright rule push DIR` uploads one")
}
