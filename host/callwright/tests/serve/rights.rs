//! What a user's own token may route their calls to: what their phone could, and what somebody with more rights has saved.

use serde_json::{Value, json};

use super::people::EMPTY;
use super::*;

impl Switch {
    /// Runs a verb of the CLI with a token: whether it went well, and what it said.
    fn tries(&self, token: &str, words: &str) -> (bool, String) {
        let words: Vec<&str> = words.split_whitespace().collect();
        let output = self.cli(token, &words);
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    fn cold_route(&self, user: &str) -> Value {
        self.ask("GET", &format!("/acme/forwarding/{user}"), None).1["live"]["cold-route"].clone()
    }
}

#[test]
fn a_users_own_token_routes_calls_to_nobody_who_does_not_take_them() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    switch.does("device create 1002 --user ana --label soft");
    let ana = switch.token(&["--tenant", "acme", "--user", "ana"]);
    for to in ["device:1011", "user:bob", "person:bob"] {
        let routed = json!({ "cold-route": to });
        for wishes in [routed.clone(), json!({ "profiles": { "away": routed } })] {
            for way in ["?save=true", "?save=true&until=2h", "", "/draft"] {
                let path = format!("/acme/forwarding/ana{way}");
                let (status, answer) = switch.asked(&ana, "PUT", &path, Some(&wishes));
                assert_eq!((status, &answer["error"]["code"]), (403, &json!("CW-0312")), "{path} {wishes}");
                assert!(answer["error"]["hint"].to_string().contains("takes-for"), "{answer}");
            }
        }
    }
    assert_eq!(switch.ask("GET", "/acme/forwarding/ana", None).1["revision"], 0, "nothing was kept");
    let (went_well, said) = switch.tries(&ana, "forwarding set ana --cold-route device:1011");
    assert!(!went_well && said.contains("; `device:1011` is a phone of bob"), "{said}");
    assert!(said.contains("`user:bob` is possible once bob has `ana` in `takes-for`"), "{said}");
    let (_, said) = switch.tries(&ana, "forwarding set ana --cold-route user:bob");
    assert!(said.contains("; bob does not take those of ana"), "{said}");
    assert!(switch.tries(&ana, "forwarding set ana --cold-route device:1002").0, "a phone of her own");
    switch.does("forwarding set bob --takes-for ana");
    assert!(switch.tries(&ana, "forwarding set ana --cold-route user:bob").0, "he takes them");
    assert!(!switch.tries(&ana, "forwarding set ana --cold-route device:1011").0, "as by phone");
    assert_eq!(switch.cold_route("ana"), "user:bob");
}

#[test]
fn what_an_admin_has_routed_stays_as_the_admin_meant_it() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let ana = switch.token(&["--tenant", "acme", "--user", "ana"]);
    let said = switch.does("forwarding set ana --cold-route device:1011");
    assert!(said.contains("are routed to 1011 (desk) of bob,"), "it says whose phone it is: {said}");
    let (went_well, said) = switch.tries(&ana, "forwarding set ana --rings 3");
    assert!(went_well, "{said}");
    assert_eq!(switch.cold_route("ana"), "device:1011");
    assert!(switch.tries(&ana, "forwarding set ana --unset cold-route").0);
    assert!(!switch.tries(&ana, "forwarding set ana --cold-route device:1011").0, "it was taken away");

    switch.does("forwarding set ana --cold-route device:1011 --draft");
    let (went_well, said) = switch.tries(&ana, "forwarding save ana");
    assert!(!went_well && said.contains("CW-0312"), "{said}");
    switch.does("forwarding discard ana");

    switch.does("forwarding set ana --cold-route device:1011 --until 2h");
    assert!(!switch.tries(&ana, "forwarding set ana --rings 4 --until 3h").0, "for longer than it was to be");
    let (_, shown) = switch.ask("GET", "/acme/forwarding/ana", None);
    let again = switch.asked(&ana, "PUT", "/acme/forwarding/ana?save=true", Some(&shown["live"]));
    assert_eq!(again.0, 403, "nor for good: {}", again.1);
    let stale = switch.asked(&ana, "PUT", "/acme/forwarding/ana?save=true&revision=1", Some(&json!({})));
    assert_eq!(stale.0, 409, "{}", stale.1);
    assert!(switch.tries(&ana, "forwarding set ana --rings 4 --until 1h").0);
    assert!(switch.tries(&ana, "forwarding set ana --rings 5").0);
    let (_, shown) = switch.ask("GET", "/acme/forwarding/ana", None);
    assert_eq!((&shown["then"]["cold-route"], &shown["then"]["rings"]), (&Value::Null, &json!(5)), "{shown}");
}

#[test]
fn what_the_file_has_routed_is_kept_with_what_its_people_save() {
    let routed =
        CONFIG.replace("users.ana = { ", "users.ana = { forwarding = { cold-route = \"device:1011\" }, ");
    let switch = Switch::start_with(&routed);
    let ana = switch.token(&["--tenant", "acme", "--user", "ana"]);
    let (went_well, said) = switch.tries(&ana, "forwarding set ana --rings 3");
    assert!(went_well, "{said}");
    assert_eq!(switch.cold_route("ana"), "device:1011");
    assert!(!switch.tries(&ana, "forwarding set ana --cold-route device:1012").0);
}
