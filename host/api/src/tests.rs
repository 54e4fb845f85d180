use std::sync::Mutex;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use callwright_core::config::{Config, Expiry, Fallback, NumberPlan, Tenant};
use callwright_core::names::TenantId;
use callwright_core::record::{CallRecord, Cause, Disposition};
use callwright_core::route::{self, Route};
use callwright_core::rule::{ActiveRule, BindTarget, Care, Party, RunOutcome};
use callwright_core::view::Counters;
use callwright_core::{Change, View};
use callwright_sip::digest::Algorithm;
use callwright_store::{Document, Happened, Memory, NewVersion, Scope, Store, TokenHash};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::ServiceExt;

use super::*;

/// A switch with two tenants and nothing running; uploads are taken as they are.
struct Desk {
    store: Memory,
    meters: Meters,
    activated: Mutex<Vec<TenantId>>,
    happened: Arc<Notify>,
}

fn tenant(name: &str) -> Tenant {
    Tenant {
        id: name.into(),
        domains: vec![format!("{name}.example")],
        realm: None,
        trusted: Vec::new(),
        zone: TimeZone::UTC,
        digest: Algorithm::Md5,
        expiry: Expiry { min_s: 60, max_s: 3_600, default_s: 600 },
        users: [].into(),
        devices: [].into(),
        groups: [].into(),
        places: [].into(),
        hours: [].into(),
        holidays: [].into(),
        rotas: [].into(),
        time_routes: [].into(),
        roles: [].into(),
        sites: [].into(),
        tables: [].into(),
        profiles: [].into(),
        emergency: [].into(),
        fallback: Fallback::RingDialled,
        ring_time: Duration::from_secs(25),
        cadence: Duration::from_secs(5),
        codes: callwright_core::codes::CodePlan::default(),
        cold_route_falls_back: false,
        follow_deflections: true,
        response_timeout: Duration::from_secs(4),
        session_expires_s: 1_800,
        runs_max: 10,
        fuel_per_s: 1_000_000,
        uploads_per_hour: 30,
        plan: NumberPlan::default(),
    }
}

impl Switch for Desk {
    fn view_of(&self, _tenant: &TenantId) -> Arc<View> {
        let config = Config::new([].into(), None, vec![tenant("acme"), tenant("zeta")]);
        Arc::new(View { config: Arc::new(config), ..View::default() })
    }

    fn views(&self) -> Vec<Arc<View>> {
        let view = |calls, answered: u64| {
            let legs = [("answered", answered)].into_iter().collect();
            Arc::new(View { counters: Counters { calls, legs, ..Counters::default() }, ..View::default() })
        };
        vec![view(1, 1), view(2, 3)]
    }

    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn meters(&self) -> &Meters {
        &self.meters
    }

    fn happened(&self, within: Duration) -> Pending<Option<Duration>> {
        let happened = Arc::clone(&self.happened);
        Box::pin(async move {
            happened.notified().await;
            Some(within)
        })
    }

    fn query(&self, work: Query) -> Result<(), Overloaded> {
        work(&self.store);
        Ok(())
    }

    fn upload(&self, upload: Upload) -> Pending<Result<NewVersion, UploadError>> {
        let kept = self.keep(&upload);
        Box::pin(async { kept })
    }

    fn foretell(
        &self,
        tenant: Arc<Tenant>,
        number: String,
        _: Timestamp,
    ) -> Pending<Result<Route, Overloaded>> {
        let decider = route::decider(&self.view_of(&tenant.id), &tenant, &number);
        let route = Route { decider, steps: Vec::new(), lasts: Duration::ZERO };
        Box::pin(async { Ok(route) })
    }

    fn change(&self, change: DocumentChange) -> Pending<Result<Vec<Option<Document>>, ChangeError>> {
        let DocumentChange { tenant, edits, by, .. } = change;
        let kept = self.store.edit_documents(&tenant, &edits, self.now(), &by);
        Box::pin(async { Ok(kept?) })
    }

    fn is_of_file(&self, tenant: &TenantId) -> bool {
        tenant.as_str() == "zeta"
    }

    fn new_password(&self) -> Result<String, ChangeError> {
        Ok("made".to_owned())
    }

    fn activated(&self, tenant: TenantId) -> Pending<Result<(), UploadError>> {
        self.activated.lock().unwrap().push(tenant);
        Box::pin(async { Ok(()) })
    }
}

impl Desk {
    fn keep(&self, upload: &Upload) -> Result<NewVersion, UploadError> {
        if upload.component.is_empty() {
            return Err(UploadError::Refused(vec!["component: is empty".into(), "bind: is missing".into()]));
        }
        let rule = ActiveRule {
            tenant: upload.tenant.id.clone(),
            name: "follow-me".into(),
            version: format!("sha256:{}", String::from_utf8_lossy(&upload.component)).as_str().into(),
            bind: vec![BindTarget::Tenant],
            fallback: None,
            settings: Arc::default(),
            care: Care::default(),
        };
        let kept = NewVersion {
            rule,
            manifest: upload.manifest.clone(),
            size: 1,
            uploaded: self.now(),
            uploaded_by: upload.by.clone(),
        };
        self.store.add_version(&kept)?;
        Ok(kept)
    }

    fn call(&self, tenant: &str, id: &str) {
        let at = Timestamp::UNIX_EPOCH;
        let record = CallRecord {
            id: id.into(),
            tenant: tenant.into(),
            caller: Party::default(),
            from_device: Some("1011".into()),
            number: "100".into(),
            dialled_user: None,
            began: at,
            answered: None,
            ended: at,
            setup_ms: 0,
            talk_ms: 0,
            disposition: Disposition::Rejected,
            cause: Cause::UnknownNumber,
            status: 404,
            legs: Vec::new(),
            runs: Vec::new(),
            missed: Vec::new(),
            facts: Vec::new(),
            log: Vec::new(),
        };
        let journal = vec!["{\"line\":1}".to_owned(), "{\"line\":2}".to_owned()];
        let committed = self.store.commit(&[&[Change::Ended { record: Arc::new(record), journal }]]).unwrap();
        assert!(committed.into_iter().all(|answer| answer.is_ok()));
    }
}

/// The desk, with the operator's token `op` and acme's token `acme`.
fn desk() -> Arc<Desk> {
    let desk = Desk {
        store: Memory::default(),
        meters: Meters::default(),
        activated: Mutex::default(),
        happened: Arc::default(),
    };
    let at = Timestamp::UNIX_EPOCH;
    desk.store.add_token(&TokenHash::of("op"), &Scope::Operator, "", at).unwrap();
    desk.store.add_token(&TokenHash::of("acme"), &Scope::Tenant("acme".into()), "ci", at).unwrap();
    Arc::new(desk)
}

async fn send(desk: &Arc<Desk>, token: &str, method: &str, path: &str, body: Body) -> (StatusCode, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap();
    let response = router(Arc::<Desk>::clone(desk)).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(desk: &Arc<Desk>, token: &str, path: &str) -> (StatusCode, Value) {
    let (status, body) = send(desk, token, "GET", path, Body::empty()).await;
    (status, serde_json::from_str(&body).unwrap())
}

async fn post(desk: &Arc<Desk>, path: &str, body: Value) -> (StatusCode, Value) {
    let (status, body) = send(desk, "acme", "POST", path, Body::from(body.to_string())).await;
    (status, serde_json::from_str(&body).unwrap())
}

async fn push(desk: &Arc<Desk>, digits: &str, activate: bool) -> (StatusCode, Value) {
    use base64::Engine as _;
    let component = base64::engine::general_purpose::STANDARD.encode(digits);
    let body = json!({ "component": component, "rule_toml": "name = \"follow-me\"", "activate": activate });
    post(desk, "/v1/tenants/acme/rules", body).await
}

#[tokio::test]
async fn without_a_token_that_works_nothing_is_shown() {
    let desk = desk();
    for token in ["", "wrong", &"x".repeat(10_000)] {
        let (status, body) = get(&desk, token, "/v1/tenants/acme/rules").await;
        assert_eq!((status, body["error"]["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("CW-0301")));
    }
}

#[tokio::test]
async fn to_a_tenants_token_another_tenant_looks_like_none() {
    let desk = desk();
    desk.call("zeta", "z-1");
    for path in
        ["rules", "registrations", "subscriptions", "calls", "records", "records/z-1", "records/z-1/explain"]
    {
        let (foreign, mut there) = get(&desk, "acme", &format!("/v1/tenants/zeta/{path}")).await;
        let (absent, mut nowhere) = get(&desk, "acme", &format!("/v1/tenants/zeto/{path}")).await;
        assert_eq!((foreign, absent), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND), "{path}");
        there["error"]["what"] = Value::Null;
        nowhere["error"]["what"] = Value::Null;
        assert_eq!(there, nowhere);
        assert_eq!(get(&desk, "op", &format!("/v1/tenants/zeta/{path}")).await.0, StatusCode::OK, "{path}");
    }
    assert_eq!(get(&desk, "acme", "/v1/tenants/acme/records/z-1").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_token_says_what_it_opens() {
    let desk = desk();
    let (_, who) = get(&desk, "acme", "/v1/token").await;
    assert_eq!(who, json!({ "scope": "tenant", "tenant": "acme", "user": null, "label": "ci" }));
    assert_eq!(get(&desk, "op", "/v1/token").await.1["scope"], "operator");
}

#[tokio::test]
async fn every_path_is_described_with_the_methods_that_it_takes() {
    let desk = desk();
    let (status, document) = get(&desk, "", "/openapi.json").await;
    assert_eq!((status, document["openapi"].as_str()), (StatusCode::OK, Some("3.1.0")));
    let paths = document["paths"].as_object().unwrap();
    for path in ["/healthz", "/openapi.json", "/v1/tenants", "/v1/tenants/{tenant}/hours/{name}/save"] {
        assert!(paths.contains_key(path), "{path}");
    }
    for (path, described) in paths {
        let mut real = path.replace("{tenant}", "acme");
        for name in ["{rule}", "{id}", "{name}", "{number}"] {
            real = real.replace(name, "x");
        }
        assert!(!real.contains('{'), "{real}");
        for method in ["get", "put", "post", "delete"] {
            let (status, _) = send(&desk, "", &method.to_uppercase(), &real, Body::empty()).await;
            let is_taken = status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(is_taken, described.get(method).is_some(), "{method} {path}: {status}");
            let wants_token = described[method]["security"].is_array();
            assert!(
                !is_taken || (status == StatusCode::UNAUTHORIZED) == wants_token,
                "{method} {path}: {status}"
            );
        }
    }
    let text = document.to_string();
    for (at, _) in text.match_indices("\"$ref\":\"#") {
        let pointer = text[at + 9..].split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
}

#[tokio::test]
async fn versions_are_uploaded_activated_by_a_beginning_and_rolled_back() {
    let desk = desk();
    let (status, kept) = push(&desk, "aa11", true).await;
    assert_eq!(
        (status, kept["active"].as_bool(), kept["uploaded_by"].as_str()),
        (StatusCode::CREATED, Some(true), Some("ci"))
    );
    assert_eq!(push(&desk, "aa22", false).await.0, StatusCode::CREATED);
    let rule = "/v1/tenants/acme/rules/follow-me";
    let (status, several) = post(&desk, &format!("{rule}/activate"), json!({ "version": "aa" })).await;
    assert_eq!(
        (status, several["error"]["hint"].as_str()),
        (StatusCode::BAD_REQUEST, Some("write more of it"))
    );
    let (_, active) = post(&desk, &format!("{rule}/activate"), json!({ "version": "sha256:aa2" })).await;
    assert_eq!(active["version"], "sha256:aa22");
    let (_, back) = post(&desk, &format!("{rule}/rollback"), json!({})).await;
    assert_eq!(back["version"], "sha256:aa11");
    let (status, end) = post(&desk, &format!("{rule}/rollback"), json!({})).await;
    assert_eq!((status, end["error"]["code"].as_str()), (StatusCode::CONFLICT, Some("CW-0306")));
    let (_, versions) = get(&desk, "acme", &format!("{rule}/versions")).await;
    let active: Vec<_> =
        versions["versions"].as_array().unwrap().iter().map(|version| version["active"].clone()).collect();
    assert_eq!(active, [false, true], "last uploaded first");
    let (_, history) = get(&desk, "acme", &format!("{rule}/history")).await;
    assert_eq!(history["history"].as_array().unwrap().len(), 3);
    assert_eq!(desk.activated.lock().unwrap().len(), 3, "the node hears of every change");
}

#[tokio::test]
async fn a_rule_is_switched_off_and_its_history_says_so() {
    let desk = desk();
    let rule = "/v1/tenants/acme/rules/follow-me";
    let off = || post(&desk, "/v1/tenants/acme/rules/follow-me/deactivate", json!({}));
    assert_eq!(off().await.0, StatusCode::NOT_FOUND);
    push(&desk, "aa11", true).await;
    let (_, back) = post(&desk, &format!("{rule}/rollback"), json!({})).await;
    assert_eq!(back["error"]["hint"], "`callwright rule deactivate follow-me` switches it off");
    assert_eq!(off().await, (StatusCode::OK, json!({ "rule": "follow-me", "version": "sha256:aa11" })));
    let (status, again) = off().await;
    assert_eq!((status, again["error"]["code"].as_str()), (StatusCode::CONFLICT, Some("CW-0306")));
    assert!(desk.store.active_rules(&"acme".into()).unwrap().is_empty());
    assert_eq!(desk.activated.lock().unwrap().len(), 2, "the node hears of it");
    let (_, history) = get(&desk, "acme", &format!("{rule}/history")).await;
    assert_eq!(
        (&history["history"][0]["how"], &history["history"][0]["by"]),
        (&json!("deactivated"), &json!("ci"))
    );
    assert_eq!(get(&desk, "acme", "/v1/tenants/acme/rules/none/history").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn whoever_uploads_or_activates_hears_which_rules_want_the_same_calls() {
    let desk = desk();
    let (_, alone) = push(&desk, "aa11", true).await;
    assert_eq!(alone["also_bound"], json!([]));
    for name in ["after-hours", "zebra"] {
        let rule = ActiveRule {
            tenant: "acme".into(),
            name: name.into(),
            version: "sha256:bb".into(),
            bind: vec![BindTarget::Tenant, BindTarget::User("ana".into())],
            fallback: None,
            settings: Arc::default(),
            care: Care::default(),
        };
        let manifest = String::new();
        let kept = NewVersion { rule, manifest, size: 1, uploaded: desk.now(), uploaded_by: String::new() };
        desk.store.add_version(&kept).unwrap();
        desk.store.activate(&"acme".into(), &name.into(), &"sha256:bb".into(), desk.now(), "ci").unwrap();
    }
    let both = json!([
        { "to": "tenant", "rule": "after-hours", "goes_first": true },
        { "to": "tenant", "rule": "zebra", "goes_first": false },
    ]);
    assert_eq!(push(&desk, "aa22", false).await.1["also_bound"], both);
    let path = "/v1/tenants/acme/rules/follow-me/activate";
    assert_eq!(post(&desk, path, json!({ "version": "aa22" })).await.1["also_bound"], both);
}

#[tokio::test]
async fn a_version_that_the_switch_withdrew_is_listed_as_that_until_it_is_chosen_again() {
    let desk = desk();
    push(&desk, "aa11", true).await;
    push(&desk, "aa22", true).await;
    let rule = "/v1/tenants/acme/rules/follow-me";
    let failed = desk.store.active_rules(&"acme".into()).unwrap().remove(0);
    desk.store.withdraw(&failed, desk.now(), WITHDRAWN_BY).unwrap();
    let state =
        async || get(&desk, "acme", &format!("{rule}/versions")).await.1["versions"][0]["state"].clone();
    assert_eq!(state().await, "withdrawn: it kept failing");
    post(&desk, &format!("{rule}/activate"), json!({ "version": "aa22" })).await;
    assert_eq!(state().await, "ready");
    post(&desk, &format!("{rule}/rollback"), json!({})).await;
    assert_eq!(state().await, "ready", "somebody went back, and not the switch");
}

#[tokio::test]
async fn events_are_listed_and_waited_for() {
    let desk = desk();
    let path = "/v1/tenants/acme/events";
    let failed = |back_to: Option<&str>| Happened::VersionWithdrawn {
        rule: "follow-me".into(),
        version: "sha256:bb".into(),
        back_to: back_to.map(Into::into),
        failed: 5,
        runs: 6,
        last: RunOutcome::Trap("unreachable".to_owned()),
    };
    let nothing = json!({ "events": [], "next": null, "zone": "UTC" });
    assert_eq!(get(&desk, "acme", path).await, (StatusCode::OK, nothing));
    desk.store.add_event(&"acme".into(), &failed(Some("sha256:aa")), desk.now()).unwrap();
    let (_, all) = get(&desk, "acme", path).await;
    let event = &all["events"][0];
    assert_eq!(
        event["text"],
        "version bb of rule follow-me is withdrawn: 5 of its 6 runs failed within a minute, the last as trap; \
         aa decides again"
    );
    assert_eq!(
        [&event["what"], &event["back_to"], &event["at"]],
        ["version-withdrawn", "sha256:aa", "1970-01-01T00:00:00Z"]
    );
    let after = format!("{path}?after={}", all["next"]);
    let (_, none) = get(&desk, "acme", &after).await;
    assert_eq!((&none["events"], &none["next"]), (&json!([]), &all["next"]));
    let waiting = tokio::spawn({
        let (desk, path) = (Arc::clone(&desk), format!("{after}&wait-s=30"));
        async move { get(&desk, "acme", &path).await.1 }
    });
    let wake = async |tenant: &str| {
        tokio::task::yield_now().await;
        desk.store.add_event(&tenant.into(), &failed(None), desk.now()).unwrap();
        desk.happened.notify_waiters();
        tokio::task::yield_now().await;
    };
    wake("zeta").await;
    assert!(!waiting.is_finished(), "that was another tenant's");
    wake("acme").await;
    let woken = waiting.await.unwrap();
    assert!(
        woken["events"][0]["text"].as_str().unwrap().ends_with("its calls go to the fallback for a minute")
    );
    assert_eq!(get(&desk, "zeta", path).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_rule_is_listed() {
    let desk = desk();
    let (status, refused) = push(&desk, "", false).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused["error"]["cause"], json!(["component: is empty", "bind: is missing"]));
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_json_is_an_ordinary_error() {
    let desk = desk();
    let path = "/v1/tenants/acme/rules/follow-me/activate";
    let long = json!({ "version": "a".repeat(BODY_MAX) });
    assert_eq!(post(&desk, path, long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, body) = send(&desk, "acme", "POST", path, Body::from("{")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    let upload = json!({ "component": "*", "rule_toml": "" });
    let (_, refused) = post(&desk, "/v1/tenants/acme/rules", upload).await;
    assert!(refused["error"]["what"].as_str().unwrap().contains("Base64"), "{refused}");
    let whole = json!({ "component": "A".repeat(3 * 1024 * 1024), "rule_toml": "" });
    assert_eq!(
        post(&desk, "/v1/tenants/acme/rules", whole).await.0,
        StatusCode::CREATED,
        "an upload may be longer"
    );
}

#[tokio::test]
async fn records_come_in_pages_and_with_their_reasons() {
    let desk = desk();
    for id in ["c-1", "c-2", "c-3"] {
        desk.call("acme", id);
    }
    let (_, page) = get(&desk, "acme", "/v1/tenants/acme/records?limit=2").await;
    assert_eq!(page["records"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let (_, rest) = get(&desk, "acme", &format!("/v1/tenants/acme/records?limit=2&after={next}")).await;
    assert_eq!((rest["records"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    let (status, wrong) = get(&desk, "acme", "/v1/tenants/acme/records?ended=maybe").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    assert_eq!(get(&desk, "acme", "/v1/tenants/acme/records?colour=red").await.0, StatusCode::BAD_REQUEST);
    let (_, explained) = get(&desk, "acme", "/v1/tenants/acme/records/c-1/explain").await;
    let text = explained["text"].as_str().unwrap();
    assert!(text.starts_with(explained["sentence"].as_str().unwrap()) && text.contains("100"), "{text}");
    let (_, journal) =
        send(&desk, "acme", "GET", "/v1/tenants/acme/records/c-1/journal", Body::empty()).await;
    assert_eq!(journal, "{\"line\":1}\n{\"line\":2}\n");
    let (status, several) = get(&desk, "acme", "/v1/tenants/acme/records/c").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{several}");
}

#[tokio::test]
async fn metrics_name_what_the_driver_and_all_nodes_count() {
    let desk = desk();
    desk.meters.committed(Duration::from_millis(3));
    desk.meters.event_lost();
    desk.meters.runs_waiting(7);
    desk.meters.for_node().runs_waiting(2);
    desk.meters.runs_waiting(2);
    let (status, text) = send(&desk, "", "GET", "/metrics", Body::empty()).await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "callwright_commit_seconds_count 1",
        "callwright_runs_waiting 4",
        "callwright_events_lost_total 1",
        "callwright_calls_total 3",
        "callwright_legs_total{outcome=\"answered\"} 4",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn health_needs_no_token_and_other_paths_say_what_is_wrong() {
    let desk = desk();
    assert_eq!(send(&desk, "", "GET", "/healthz", Body::empty()).await, (StatusCode::OK, "ok\n".to_owned()));
    assert_eq!(get(&desk, "op", "/v1/tenant").await.1["error"]["code"], "CW-0302");
    let (status, body) = send(&desk, "op", "DELETE", "/v1/token", Body::empty()).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{body}");
}
