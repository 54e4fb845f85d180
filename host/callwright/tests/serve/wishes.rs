//! What people are told of their wishes: the same by whatever they ask.

use serde_json::{Value, json};

use super::people::EMPTY;
use super::*;

const NO_TRUNK: &str = "numbers outside need a trunk, and this switch has none.";

impl Switch {
    /// What a user's wishes come to.
    fn effect(&self, user: &str) -> Value {
        self.ask("GET", &format!("/acme/forwarding/{user}"), None).1["effect"].clone()
    }

    /// How the last of so many calls is explained.
    fn explains(&self, calls: usize) -> String {
        self.until("records", |shown| shown["records"].as_array().unwrap().len() == calls);
        self.does("call explain last")
    }
}

#[test]
fn a_route_that_cannot_be_reached_is_told_by_whatever_is_asked() {
    let switch = Switch::start_with(EMPTY);
    let [_, bob] = switch.with_acme();
    let soft = switch.does("device create 1002 --user ana --label soft");
    let soft = soft.trim().rsplit(' ').next().unwrap();
    let lost = "calls of Ana Alvarez are routed to 1002 (soft), which cannot be reached";
    let told = format!("warning: {lost}");
    let saved = switch.does("forwarding set ana --mode failover --to user:bob --cold-route device:1002");
    assert!(saved.contains(&told), "{saved}");
    assert_eq!(switch.effect("ana")["warnings"], json!([lost]));
    let draft = json!({ "mode": "forward-only", "to": ["user:bob"], "cold-route": "device:1002" });
    let draft = switch.put("/acme/forwarding/ana/draft", &draft);
    assert_eq!(draft["draft"]["effect"]["warnings"], json!([]), "with that no device would ring: {draft}");
    switch.does("forwarding discard ana");
    assert!(switch.does("forwarding show ana").contains(&told));
    assert!(switch.does("user show ana").ends_with(&format!("{told}\n")), "{}", switch.does("user show ana"));
    assert_eq!(switch.ask("GET", "/acme/users/ana/reach", None).1["warnings"], json!([lost]));
    assert!(switch.does("number show 100").contains(&format!("warns: {lost}")));
    switch.phone_says("1011", &bob, &["--call", "100", "--talk", "0"]);
    assert!(switch.explains(1).contains("only device:1002 rings"));
    switch.until("events", |shown| shown.to_string().contains(lost));

    let mut phone = switch.phone("1002", soft, &["--answer-after", "0"]);
    let is_there = |shown: &Value| shown.to_string().contains("1002");
    switch.until("registrations", is_there);
    assert_eq!(switch.effect("ana")["warnings"], json!([]));
    for shown in ["forwarding show ana", "user show ana", "number show 100"] {
        let shown = switch.does(shown);
        assert!(!shown.contains("cannot be reached"), "{shown}");
    }
    phone.kill().unwrap();
    phone.wait().unwrap();
}

#[test]
fn wishes_that_no_trunk_lets_come_true_are_blocked_whoever_asks() {
    let switch = Switch::start_with(EMPTY);
    let [_, bob] = switch.with_acme();
    let none = format!("No forwarding number can be called: {NO_TRUNK}");
    let said = switch.does("forwarding set ana --mode forward-only --to number:+4940999999");
    assert!(said.contains("now: blocked(no-trunk), mode forward-only") && said.contains(&none), "{said}");
    let effect = switch.effect("ana");
    assert_eq!((&effect["active"], &effect["reason"]), (&json!(false), &json!("blocked(no-trunk)")));
    switch.phone_says("1011", &bob, &["--call", "100", "--talk", "0"]);
    let standing = "forwarding.of-user(\"ana\"): blocked(no-trunk), forward-only";
    for told in [switch.does("number show 100"), switch.explains(1)] {
        assert!(told.contains(standing), "{told}");
    }
    assert!(switch.does("user show ana").contains(&format!("warning: {none}")));

    let some = format!("+49******99 cannot be called: {NO_TRUNK} The others are still used.");
    switch.does("forwarding set ana --to number:+4940999999 --to user:bob");
    let effect = switch.effect("ana");
    assert_eq!((&effect["reason"], &effect["warnings"]), (&json!("active"), &json!([some])));
    assert!(switch.does("number show 100").contains("forwarding.of-user(\"ana\"): active, forward-only"));
}

#[test]
fn a_code_that_comes_to_nothing_is_kept_and_says_so() {
    let switch = Switch::start_with(EMPTY);
    let [_, bob] = switch.with_acme();
    let dials = |code: &str| switch.phone_says("1011", &bob, &["--call", code, "--talk", "0"]);
    let why = "blocked(no-trunk), as no trunk leads outside";
    dials("**21*+4940999999#");
    let told = switch.explains(1);
    assert!(told.contains("forwarding always is set to number:+4940999999, and not active now: "), "{told}");
    assert!(told.contains(why), "{told}");
    assert_eq!(switch.effect("bob")["reason"], "blocked(no-trunk)", "it is kept");
    assert!(dials("*#21#").contains("was refused with 480"));
    assert!(switch.explains(2).contains(&format!("not active now: {why}")));
    dials("**21*100#");
    assert!(switch.explains(3).contains("forwarding always goes to user:ana"));
    dials("*#21#");
    assert!(switch.explains(4).contains("forwarding always is active"));
}

#[test]
fn a_ring_has_one_length_before_and_after_the_call() {
    let switch = Switch::start_with(EMPTY);
    let passwords = switch.with_acme();
    switch.does("forwarding set ana --mode no-answer --to user:bob");
    switch.call(&passwords, "100");
    let (before, after) = (switch.does("number show 100"), switch.does("call explain last"));
    assert!(before.contains("rings 1001 (desk) of ana for 25 s"), "{before}");
    assert!(after.contains("rings 1001, for up to 25 s"), "{after}");
}

#[test]
fn who_rings_in_their_place_and_who_is_not_to_be_disturbed_is_told_with_the_mode() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let shown = switch.does("forwarding set ana --mode no-answer --to user:bob --cold-route user:bob");
    assert!(shown.contains("\nnow: only user:bob rings"), "{shown}");
    switch.does("forwarding profile ana do-not-disturb");
    let shown = switch.does("forwarding show ana");
    assert!(
        shown.contains("\nnow: not to be disturbed, no device of theirs rings"),
        "of the profile: {shown}"
    );
    let effect = switch.effect("ana");
    assert_eq!((&effect["only"], &effect["do_not_disturb"]), (&json!("user:bob"), &json!(true)));
}

#[test]
fn a_person_is_shown_as_a_call_would_find_them_at_another_time() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let week = json!({ "weekly": ["mon-fri 08:00-18:00"] });
    switch.put("/acme/hours/office?save=true", &week);
    let desk = json!({ "routes": [{ "hours": "office", "to": "user:bob" }], "otherwise": "user:ana" });
    switch.put("/acme/time-routes/desk?save=true", &desk);
    let wishes = json!({ "mode": "forward-only", "to": ["place:desk"], "when": week });
    switch.put("/acme/forwarding/ana?save=true", &wishes);
    let shown = |at: &str| {
        let shown = switch.cli(switch.operator(), &["user", "show", "ana", "--at", at]);
        assert!(shown.status.success(), "{}", text(&shown.stderr));
        text(&shown.stdout)
    };
    let (thursday, saturday) = (shown("2099-12-24 12:00"), shown("2099-12-26 12:00"));
    assert!(thursday.contains("Thursday 2099-12-24 12:00") && thursday.contains("active, forward-only"));
    assert!(saturday.contains("inactive, outside-schedule"), "{saturday}");
    switch.does("forwarding set ana --to +4940999999 --until 1h");
    let of_now = switch.does("user show ana");
    assert!(of_now.contains("warning: No forwarding number can be called"), "{of_now}");
    let later = shown("2099-12-24 12:00");
    assert!(!later.contains("warning: "), "what ends before is not warned of: {later}");
    let wrong = switch.ask("GET", "/acme/users/ana/reach?at=someday", None);
    assert_eq!((wrong.0, wrong.1["error"]["what"].as_str()), (400, Some("`someday` is no moment")));
    let (status, used) = switch.ask("DELETE", "/acme/time-routes/desk", None);
    assert!(status == 422 && used.to_string().contains("is used by the forwarding of ana"), "{used}");
}
