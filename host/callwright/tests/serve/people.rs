//! Tenants and people that are in no file: made through the API, called, kept over restarts, changed and ended.

use serde_json::{Value, json};

use super::*;

/// A switch whose tenants are all made later.
pub(crate) const EMPTY: &str = "listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\ndata = \"data\"\n";

impl Switch {
    /// The status and the answer of a request with a token.
    pub(crate) fn asked(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let config = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(self.url(&format!("/v1/tenants{path}")))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(body.map(ToString::to_string).unwrap_or_default())
            .unwrap();
        let mut answer = ureq::Agent::from(config).run(request).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.asked(self.operator(), method, path, body)
    }

    /// Makes or changes something, which must go well.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("PUT", path, Some(body));
        assert!(status == 200 || status == 201, "{path}: {status} {answer}");
        answer
    }

    /// Acme with ana, bob and a group of both, and the passwords of their phones.
    pub(crate) fn with_acme(&self) -> [String; 2] {
        self.put("/acme?new=true", &json!({ "domains": ["acme.example"], "zone": "Europe/Berlin" }));
        self.put("/acme/users/ana?save=true", &json!({ "name": "Ana Alvarez", "extension": "100" }));
        self.put("/acme/users/bob?save=true", &json!({ "extension": "101" }));
        self.put("/acme/groups/all?save=true", &json!({ "extension": "200", "members": ["ana", "bob"] }));
        ["ana", "bob"].map(|user| {
            let device = if user == "ana" { "1001" } else { "1011" };
            let made = self
                .put(&format!("/acme/devices/{device}?save=true"), &json!({ "user": user, "label": "desk" }));
            made["password"].as_str().unwrap().to_owned()
        })
    }

    /// Bob calls a number, and ana answers; the record of it is there afterwards.
    pub(crate) fn call(&self, [ana, bob]: &[String; 2], number: &str) {
        let registered = |shown: &Value| shown["registrations"][0]["registered"].clone();
        let before = registered(&self.shows("registrations"));
        let records = |shown: &Value| shown["records"].as_array().map_or(0, Vec::len);
        let known = records(&self.shows("records"));
        let mut phone = self.phone("1001", ana, &["--answer-after", "0"]);
        self.until("registrations", |shown| registered(shown) != before);
        let said = self.phone_says("1011", bob, &["--call", number, "--talk", "0"]);
        phone.kill().unwrap();
        phone.wait().unwrap();
        assert!(said.contains("talks"), "{said}");
        self.until("records", |shown| records(shown) > known);
    }
}

#[test]
fn people_made_through_the_api_call_each_other_before_and_after_a_restart() {
    let switch = Switch::start_with(EMPTY);
    assert_eq!(switch.started["tenants"], json!([]));
    let passwords = switch.with_acme();
    switch.call(&passwords, "100");
    let explained = switch.cli(switch.operator(), &["call", "explain", "last"]);
    assert!(
        text(&explained.stdout).starts_with("ana answered on 1001 (desk)"),
        "{}",
        text(&explained.stdout)
    );
    for entry in std::fs::read_dir(switch.folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let holds = |secret: &String| path.is_file() && text(&std::fs::read(&path).unwrap()).contains(secret);
        assert!(!passwords.iter().any(holds), "a password is kept in {}", path.display());
    }
    switch.signal(Signal::KILL);
    let (switch, _) = switch.again();
    assert_eq!(switch.started["tenants"], json!(["acme"]));
    switch.call(&passwords, "200");
    switch.signal(Signal::HUP);
    switch.logs(&["INFO", "reloaded", "tenants=1"]);
    switch.call(&passwords, "100");
}

#[test]
fn a_change_is_refused_as_a_whole_with_everything_that_is_wrong() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let (status, answer) = switch.ask(
        "PUT",
        "/acme/users/cleo?save=true",
        Some(&json!({ "extension": "100", "colour": "red" })),
    );
    assert_eq!((status, answer["error"]["code"].as_str()), (422, Some("CW-0311")));
    let causes = answer["error"]["cause"].to_string();
    assert!(
        causes.contains("users.cleo.extension: `100` is also a number of user `ana`")
            && causes.contains("users.cleo.colour"),
        "{causes}"
    );
    assert_eq!(switch.ask("GET", "/acme/users/cleo", None).0, 404);
    let (status, answer) = switch.ask("DELETE", "/acme/users/ana", None);
    let causes = answer["error"]["cause"].to_string();
    assert!(status == 422 && causes.contains("devices.1001.user: no user `ana`"), "{answer}");
    assert!(causes.contains("groups.all.members[0]: no user `ana`"), "{answer}");
    switch.put("/acme/groups/all?save=true", &json!({ "members": ["bob"] }));
    assert_eq!(switch.ask("DELETE", "/acme/users/ana?devices=true", None).0, 204);
    assert_eq!(switch.ask("GET", "/acme/devices/1001", None).0, 404);
    let (_, users) = switch.ask("GET", "/acme/users", None);
    assert_eq!(users["documents"].as_array().unwrap().len(), 1, "{users}");
}

#[test]
fn the_files_tenants_are_shown_and_stay_the_files() {
    let switch = Switch::start();
    let (status, answer) =
        switch.ask("PUT", "/acme/users/ana?save=true", Some(&json!({ "extension": "100" })));
    assert_eq!((status, answer["error"]["code"].as_str()), (409, Some("CW-0306")), "{answer}");
    assert!(answer["error"]["hint"].as_str().unwrap().contains("SIGHUP"), "{answer}");
    assert_eq!(switch.ask("PUT", "/acme", Some(&json!({}))).0, 409);
    assert_eq!(switch.ask("DELETE", "/acme", None).0, 409);
    let (_, ana) = switch.ask("GET", "/acme/users/ana", None);
    assert_eq!((&ana["managed"], &ana["live"]["extension"]), (&json!("file"), &json!("100")), "{ana}");
    let (_, devices) = switch.ask("GET", "/acme/devices?limit=2", None);
    assert_eq!((devices["documents"].as_array().unwrap().len(), &devices["next"]), (2, &json!("1011")));
    assert!(!devices.to_string().contains("secret"), "{devices}");
}

#[test]
fn a_tenant_is_removed_with_its_phones_and_a_call_goes_on_meanwhile() {
    let switch = Switch::start_with(EMPTY);
    let [ana, bob] = switch.with_acme();
    let mut waiting = switch.phone("1001", &ana, &["--answer-after", "0"]);
    switch.until("registrations", |shown| !shown["registrations"].as_array().unwrap().is_empty());
    let mut calling = switch.phone("1011", &bob, &["--call", "100", "--talk", "3"]);
    switch.until("calls", |shown| shown["calls"][0]["phase"] == "talking");
    let token = switch.cli("", &["token", "new", "--config", &switch.config(), "--tenant", "acme"]);
    let token = text(&token.stdout).trim().to_owned();
    assert_eq!(switch.asked(&token, "GET", "/acme/users", None).0, 200);
    assert_eq!(switch.asked(&token, "DELETE", "/acme", None).0, 403);
    let (status, answer) = switch.ask("DELETE", "/acme", None);
    assert_eq!(status, 204, "{answer}");
    assert_eq!(switch.get("/v1/tenants/acme/calls"), 404);
    assert!(calling.wait().unwrap().success(), "the call went on to its end");
    let refused = switch.phone_says("1011", &bob, &["--call", "100"]);
    assert!(!refused.contains("talks"), "{refused}");
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    switch.signal(Signal::TERM);
    let (switch, _) = switch.again();
    assert_eq!(switch.started["tenants"], json!([]));
    assert_eq!(switch.asked(&token, "GET", "/acme/users", None).0, 401, "its tokens open nothing any more");
}

#[test]
fn several_nodes_each_serve_the_tenants_that_are_made_for_them() {
    let switch = Switch::start_with(&format!("nodes = 3\n{EMPTY}"));
    for tenant in ["t1", "t2", "t3", "t4"] {
        let domain = format!("{tenant}.example");
        switch.put(&format!("/{tenant}"), &json!({ "domains": [domain], "zone": "UTC" }));
        switch.put(&format!("/{tenant}/users/ana?save=true"), &json!({ "extension": "100" }));
        switch.put(
            &format!("/{tenant}/devices/1001?save=true"),
            &json!({ "user": "ana", "label": "desk", "password": "a-secret" }),
        );
        let mut phone =
            switch.phone_of(&domain, "1001", "a-secret", &[]).stdout(Stdio::null()).spawn().unwrap();
        switch.until_of(tenant, "registrations", |shown| shown["registrations"][0]["user"] == "ana");
        phone.kill().unwrap();
        phone.wait().unwrap();
    }
    let (_, all) = switch.ask("GET", "?limit=3", None);
    assert_eq!((all["documents"].as_array().unwrap().len(), &all["next"]), (3, &json!("t3")), "{all}");
}
