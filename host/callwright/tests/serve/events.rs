//! What rules warn of, as an admin and as the person whom it is about read it.

use serde_json::{Value, json};

use super::people::EMPTY;
use super::*;

/// The events of an answer in words.
fn texts(shown: &Value) -> Vec<&str> {
    shown["events"].as_array().unwrap().iter().map(|event| event["text"].as_str().unwrap()).collect()
}

#[test]
fn a_warning_is_read_by_the_admin_and_by_the_person_it_is_about() {
    let switch = Switch::start_with(EMPTY);
    let [ana, bob] = switch.with_acme();
    for user in ["ana", "bob"] {
        let wishes = json!({ "mode": "forward-only", "to": ["number:+4940999999"] });
        switch.put(&format!("/acme/forwarding/{user}?save=true"), &wishes);
    }
    let of_ana = "+49******99 was blocked(no-trunk)";
    for _ in 0..2 {
        let said = switch.phone_says("1011", &bob, &["--call", "100", "--talk", "0"]);
        assert!(said.contains("was refused"), "{said}");
    }
    switch.phone_says("1001", &ana, &["--call", "101", "--talk", "0"]);
    switch.until("records", |shown| shown["records"].as_array().unwrap().len() == 3);
    switch.until("events", |shown| texts(shown).len() == 2);
    let (_, all) = switch.ask("GET", "/acme/events", None);
    let event = &all["events"][0];
    assert_eq!([&event["what"], &event["rule"], &event["about"]], ["rule-warned", "standard", "ana"]);
    let (version, call) = (event["version"].as_str().unwrap(), event["call"].as_str().unwrap());
    assert_eq!(version.len(), "sha256:".len() + 64, "the whole of it");
    let short = &version["sha256:".len()..][..8];
    let words = format!(
        "rule standard (version {short}) warned about ana in call {call}: forwarding of Ana Alvarez to {of_ana}"
    );
    assert_eq!(event["text"], words);
    assert_eq!(switch.ask("GET", &format!("/acme/records/{call}"), None).0, 200);

    let token = switch.token(&["--tenant", "acme", "--user", "ana"]);
    let (status, own) = switch.asked(&token, "GET", "/acme/users/ana/events?limit=9", None);
    assert_eq!((status, texts(&own)), (200, vec![words.as_str()]));
    let (_, later) =
        switch.asked(&token, "GET", &format!("/acme/users/ana/events?after={}", own["next"]), None);
    assert_eq!(texts(&later), [""; 0]);
    for others in ["/acme/events", "/acme/users/bob/events"] {
        let (status, refused) = switch.asked(&token, "GET", others, None);
        assert!(status == 403 && refused.to_string().contains("`admin`"), "{refused}");
    }
    assert_eq!(switch.asked(&token, "GET", "/zeta/users/ana/events", None).0, 404);
    assert_eq!(switch.ask("GET", "/acme/users/nobody/events", None).0, 404);

    let shown = switch.cli(&token, &["events", "--user", "ana"]);
    assert!(shown.status.success() && text(&shown.stdout).ends_with(&format!("{words}\n")), "{shown:?}");
    assert!(!switch.cli(&token, &["events"]).status.success());
    assert!(switch.does("events").contains("warned about bob"));
    assert_eq!(switch.does("events --user bob").lines().count(), 1);

    switch.signal(Signal::TERM);
    let (switch, _) = switch.again();
    assert_eq!(texts(&switch.ask("GET", "/acme/users/ana/events", None).1), [words], "also after a restart");
}
