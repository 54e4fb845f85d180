//! What is used is not removed, and whoever wants to remove it hears by whom it is used.

use serde_json::{Value, json};

use super::people::EMPTY;
use super::*;

/// Who uses what a refused removal was about, in the order of the alphabet.
fn users(answer: &Value) -> Vec<String> {
    let what = answer["error"]["what"].as_str().unwrap_or_default();
    let (_, users) = what.split_once(" used by ").unwrap_or_default();
    let mut users: Vec<_> = users.split(", ").map(str::to_owned).collect();
    users.sort();
    users
}

#[test]
fn what_is_used_is_not_removed_and_its_users_are_named_for_every_kind() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    for (path, document) in [
        ("holidays/de-be", json!({ "2026-12-25": "Christmas" })),
        ("hours/office", json!({ "weekly": ["mon-fri 08:00-18:00"], "holidays": ["de-be"] })),
        ("rotas/duty", json!({ "members": ["ana", "bob"], "from": "2026-11-16" })),
        (
            "time-routes/desk",
            json!({ "routes": [{ "hours": "office", "to": "rota:duty" }], "otherwise": "user:bob" }),
        ),
        ("places/night", json!("user:bob")),
        ("sites/berlin", json!(["device:1001", "group:all"])),
        ("roles/phone", json!({ "held-by": "place:desk" })),
        ("tables/vip", json!({ "user:bob": "board" })),
        (
            "forwarding/ana",
            json!({ "mode": "no-answer", "to": ["place:night", "place:berlin", "place:phone"] }),
        ),
    ] {
        switch.put(&format!("/acme/{path}?save=true"), &document);
    }
    let of_bob = ["device 1011", "group all", "place night", "rota duty", "table vip", "time-route desk"];
    for (path, expected) in [
        ("users/bob", of_bob.as_slice()),
        ("users/bob?devices=true", &of_bob[1..]),
        ("devices/1001", &["site berlin"]),
        ("groups/all", &["site berlin"]),
        ("places/night", &["the forwarding of ana"]),
        ("sites/berlin", &["the forwarding of ana"]),
        ("roles/phone", &["the forwarding of ana"]),
        ("holidays/de-be", &["hours office"]),
        ("hours/office", &["time-route desk"]),
        ("rotas/duty", &["time-route desk"]),
        ("time-routes/desk", &["role phone"]),
    ] {
        let (status, answer) = switch.ask("DELETE", &format!("/acme/{path}"), None);
        assert_eq!(
            (status, users(&answer)),
            (422, expected.iter().map(ToString::to_string).collect()),
            "{path}: {answer}"
        );
        assert_eq!(answer["error"]["code"], "CW-0311");
        assert!(!answer["error"]["cause"].as_array().unwrap().is_empty(), "{answer}");
    }
    let refused = switch.cli(switch.operator(), &["user", "remove", "bob"]);
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.starts_with("error[CW-0311]: user `bob` is used by "), "{told}");
    assert!(
        told.contains("\n  at: groups.all.members[1]: no user `bob`") && told.contains("--with-devices"),
        "{told}"
    );
    assert_eq!(switch.ask("GET", "/acme/users/bob", None).0, 200, "nothing was changed");
    for path in [
        "tables/vip",
        "forwarding/ana",
        "roles/phone",
        "time-routes/desk",
        "rotas/duty",
        "hours/office",
        "holidays/de-be",
    ] {
        assert_eq!(
            switch.ask("DELETE", &format!("/acme/{path}"), None).0,
            204,
            "{path} is used by nobody any more"
        );
    }
}

#[test]
fn the_token_of_a_user_who_was_removed_opens_nothing_of_whoever_gets_their_name() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let cleo = json!({ "extension": "102" });
    switch.put("/acme/users/cleo?save=true", &cleo);
    let token = switch.token(&["--tenant", "acme", "--user", "cleo"]);
    let asks = || switch.asked(&token, "GET", "/acme/users/cleo/reach", None).0;
    assert_eq!(asks(), 200);
    assert_eq!(switch.ask("DELETE", "/acme/users/cleo", None).0, 204);
    assert_eq!(asks(), 401);
    switch.put("/acme/users/cleo?save=true", &cleo);
    assert_eq!(asks(), 401);
}
