//! Roles, sites and groups within groups: made by the command line and the API, warned of, kept and foretold.

use serde_json::{Value, json};

use super::people::EMPTY;
use super::*;

#[test]
fn roles_and_sites_are_documents_like_any_other() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    switch.does("rota create duty --member ana --member bob --from 2020-01-06");
    assert_eq!(
        switch.does("role add duty-phone --extension 300 --held-by rota:duty").trim(),
        "role duty-phone is made"
    );
    assert_eq!(
        switch.does("site add berlin --part device:1001 --part user:bob").trim(),
        "site berlin is made"
    );
    assert!(switch.does("role list").contains("rota:duty"), "{}", switch.does("role list"));
    assert!(switch.does("site list").contains("device:1001, user:bob"), "{}", switch.does("site list"));
    switch.does("role set duty-phone --follow-forwarding true");
    let live = json!({ "extension": "300", "held-by": "rota:duty", "follow-forwarding": true });
    assert_eq!(switch.ask("GET", "/acme/roles/duty-phone", None).1["live"], live);
    let foretold = switch.does("number show 300");
    assert!(foretold.contains("rota:duty"), "{foretold}");
    let (status, wrong) =
        switch.ask("PUT", "/acme/sites/berlin?save=true", Some(&json!(["device:1001", "place:x"])));
    assert!(status == 422 && wrong.to_string().contains("sites.berlin[1]"), "{status} {wrong}");
    let (status, used) = switch.ask("DELETE", "/acme/rotas/duty", None);
    assert!(status == 422 && used.to_string().contains("roles.duty-phone.held-by: no rota `duty`"), "{used}");
    let keys = json!({ "domains": ["acme.example"], "zone": "UTC", "roles": {} });
    let (status, wrong) = switch.ask("PUT", "/acme", Some(&keys));
    assert!(status == 422 && wrong.to_string().contains("roles are made by themselves"), "{wrong}");
    assert!(switch.does("audit --kind role").contains("held-by"), "{}", switch.does("audit --kind role"));
    let orphans = switch.does("orphans");
    assert!(orphans.contains("role:duty-phone: is held by ana and bob, whom no phone reaches"), "{orphans}");
    switch.does("site set berlin --part user:ana --draft");
    assert_eq!(switch.ask("GET", "/acme/sites/berlin", None).1["draft"]["value"], json!(["user:ana"]));
    let (switch, _) = {
        switch.signal(Signal::KILL);
        switch.again()
    };
    assert_eq!(switch.ask("GET", "/acme/roles/duty-phone", None).1["live"], live);
    switch.does("site save berlin");
    assert_eq!(switch.ask("GET", "/acme/sites/berlin", None).1["live"], json!(["user:ana"]));
    switch.does("role remove duty-phone");
    assert_eq!(switch.ask("GET", "/acme/roles/duty-phone", None).0, 404);
}

#[test]
fn drafts_are_warned_of_before_they_hold() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let always = json!({ "weekly": ["mon-sun 00:00-24:00"] });
    switch.put("/acme/hours/office?save=true", &always);
    let rota = json!({ "members": ["ana"], "from": "2020-01-06" });
    switch.put("/acme/rotas/duty?save=true", &rota);
    let route = json!({ "routes": [{ "hours": "office", "to": "rota:duty" }] });
    assert_eq!(switch.put("/acme/time-routes/desk?save=true", &route).get("warnings"), None);
    let held = json!({ "held-by": "place:desk" });
    assert_eq!(switch.put("/acme/roles/phone/draft", &held).get("warnings"), None);
    switch.put("/acme/roles/phone?save=true", &held);
    let warned = |path: &str, value: &Value, names: &[&str]| {
        let shown = switch.put(path, value);
        let told = shown["warnings"].to_string();
        assert!(names.iter().all(|name| told.contains(&format!("{name}: "))), "{path}: {shown}");
        assert!(shown["draft"].is_object(), "{shown}");
    };
    let tomorrow = jiff::Zoned::now().date().tomorrow().unwrap().to_string();
    let both = ["time-routes.desk", "roles.phone"];
    warned("/acme/hours/office/draft", &json!({ "weekly": ["mon-fri 08:00-18:00"] }), &both);
    let swapped = json!({ "members": ["ana"], "from": "2020-01-06", "swaps": { tomorrow: "nobody" } });
    warned("/acme/rotas/duty/draft", &swapped, &["rotas.duty", "time-routes.desk", "roles.phone"]);
    switch.put("/acme/hours/never?save=true", &json!({ "weekly": ["mon 08:00-09:00"] }));
    let seldom = json!({ "routes": [{ "hours": "never", "to": "user:ana" }] });
    warned("/acme/time-routes/desk/draft", &seldom, &both);
    switch.put("/acme/time-routes/other?save=true", &seldom);
    warned("/acme/roles/phone/draft", &json!({ "held-by": "place:other" }), &["roles.phone"]);
}

#[test]
fn a_group_within_a_group_is_foretold_and_a_circle_is_refused() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    switch.does("group create night --member bob --hunt linear --ring-time-s 8");
    let made =
        switch.does("group create desk --extension 210 --member ana --member group:night --hunt linear");
    assert!(made.contains("group desk is made"), "{made}");
    let foretold = switch.does("number show 210");
    assert!(foretold.contains("group night is next") && foretold.contains("for group night: "), "{foretold}");
    let output = switch
        .cli(switch.operator(), &["group", "set", "night", "--member", "bob", "--member", "group:desk"]);
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("night → desk → night"), "{said}");
    let (status, wrong) = switch.ask(
        "PUT",
        "/acme/groups/night?save=true",
        Some(&json!({ "members": ["bob", "group:desk"], "stagger-s": 3 })),
    );
    assert!(
        status == 422 && wrong.to_string().contains("groups.night.members: the group would be in itself"),
        "{wrong}"
    );
}

#[test]
fn the_first_domain_changes_and_passwords_stay_good() {
    let switch = Switch::start_with(EMPTY);
    let passwords = switch.with_acme();
    let moved = json!({ "domains": ["new.example", "acme.example"], "zone": "Europe/Berlin" });
    let (status, refused) = switch.ask("PUT", "/acme", Some(&moved));
    assert!(status == 422 && refused.to_string().contains("say realm ="), "{refused}");
    switch.does("tenant set acme --domain new.example --domain acme.example --realm acme.example");
    assert_eq!(switch.ask("GET", "/acme", None).1["live"]["domains"][0], "new.example");
    switch.call(&passwords, "100");
}
