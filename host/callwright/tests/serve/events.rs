//! What rules warn of, as an admin and as the person whom it is about read it.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

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
    let said = "calls of Ana Alvarez are forwarded to +49******99, which cannot be called: it is a number outside, and this \
        switch has no trunk";
    for _ in 0..2 {
        let heard = switch.phone_says("1011", &bob, &["--call", "100", "--talk", "0"]);
        assert!(heard.contains("was refused"), "{heard}");
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
    let words = format!("rule standard (version {short}) warned about ana in call {call}: {said}");
    assert_eq!(event["text"], words);
    assert_eq!(switch.ask("GET", &format!("/acme/records/{call}"), None).0, 200);

    let token = switch.token(&["--tenant", "acme", "--user", "ana"]);
    let (status, own) = switch.asked(&token, "GET", "/acme/users/ana/events?limit=9", None);
    let in_person = format!("{said} (rule standard)");
    assert_eq!((status, texts(&own)), (200, vec![in_person.as_str()]), "they may open neither call nor rule");
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
    assert!(shown.status.success() && text(&shown.stdout).ends_with(&format!("{in_person}\n")), "{shown:?}");
    let time = text(&shown.stdout).find(" calls of Ana Alvarez");
    assert_eq!(time, Some("2026-11-20 18:02:11".len()), "the time, and then what");
    assert!(!switch.cli(&token, &["events"]).status.success());
    assert!(switch.does("events").contains("warned about bob"));
    assert_eq!(switch.does("events --user bob").lines().count(), 1);

    switch.signal(Signal::TERM);
    let (switch, _) = switch.again();
    assert_eq!(texts(&switch.ask("GET", "/acme/users/ana/events", None).1), [words], "also after a restart");
}

/// An address that stays while the switch behind it restarts. Closed, it takes connections and says nothing.
struct Door {
    address: SocketAddr,
    to: Arc<Mutex<Option<String>>>,
}

impl Door {
    fn of(switch: &Switch) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = Self { address: listener.local_addr().unwrap(), to: Arc::default() };
        door.leads_to(switch);
        let to = Arc::clone(&door.to);
        std::thread::spawn(move || {
            for outer in listener.incoming().map_while(Result::ok) {
                let inner = to.lock().unwrap().as_ref().and_then(|to| TcpStream::connect(to).ok());
                let Some(inner) = inner else { continue };
                for (from, to) in [(&outer, &inner), (&inner, &outer)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || {
                        // Whichever side goes takes the other with it.
                        let _copied = std::io::copy(&mut from, &mut to);
                        let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                    });
                }
            }
        });
        door
    }

    fn leads_to(&self, switch: &Switch) {
        *self.to.lock().unwrap() = Some(switch.started["http"].as_str().unwrap().to_owned());
    }

    fn closes(&self) {
        *self.to.lock().unwrap() = None;
    }

    /// Follows ana's events through this door.
    fn follow(&self, token: &str) -> (Child, Receiver<String>, Receiver<String>) {
        let mut command = Command::new(PROGRAM);
        command.args(["events", "--follow", "--user", "ana"]).env("NO_COLOR", "1");
        command.env("CALLWRIGHT_SERVER", format!("http://{}", self.address));
        command.env("CALLWRIGHT_TOKEN", token).env("CALLWRIGHT_TENANT", "acme");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, errors) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        (child, said, errors)
    }
}

#[test]
fn following_goes_on_over_a_restart_until_it_is_refused_or_interrupted() {
    let switch = Switch::start_with(EMPTY);
    let [_, bob] = switch.with_acme();
    // Each to another number, so that each is another warning.
    let happens = |switch: &Switch, number: &str| {
        let wishes = json!({ "mode": "forward-only", "to": [format!("number:{number}")] });
        switch.put("/acme/forwarding/ana?save=true", &wishes);
        switch.phone_says("1011", &bob, &["--call", "100", "--talk", "0"]);
    };
    let token = switch.token(&["--tenant", "acme", "--user", "ana", "--label", "follower"]);
    happens(&switch, "+4930000011");
    switch.until("events", |shown| texts(shown).len() == 1);
    let door = Door::of(&switch);
    let (mut follower, said, errors) = door.follow(&token);
    let (mut other, of_other, errors_of_other) = door.follow(&token);
    for said in [&said, &of_other] {
        assert!(said.recv_timeout(PATIENCE).unwrap().contains("+49******11"));
    }
    door.closes();
    switch.signal(Signal::TERM);
    let (switch, _) = switch.again();
    for errors in [&errors, &errors_of_other] {
        let warned = errors.recv_timeout(PATIENCE).unwrap();
        assert!(
            warned.starts_with(&format!("warning: no switch answers at http://{}", door.address)),
            "{warned}"
        );
    }
    // As Ctrl-C would, which whoever is started in the background does not hear.
    kill_process(Pid::from_child(&other), Signal::TERM).unwrap();
    assert_eq!(other.wait().unwrap().signal(), Some(Signal::TERM.as_raw()), "a signal ends it");
    happens(&switch, "+4930000022");
    switch.until("events", |shown| texts(shown).len() == 2);
    door.leads_to(&switch);
    assert!(said.recv_timeout(PATIENCE).unwrap().contains("+49******22"), "what it has missed");
    let listed = text(&switch.cli("", &["token", "list", "--config", &switch.config()]).stdout);
    let id =
        listed.lines().find(|line| line.contains("follower")).unwrap().split_whitespace().next().unwrap();
    let revoked = switch.cli("", &["token", "revoke", "--config", &switch.config(), id]);
    assert!(revoked.status.success(), "{revoked:?}");
    // The question that is open is answered, and the next one refused.
    happens(&switch, "+4930000033");
    assert_eq!(follower.wait().unwrap().code(), Some(6));
    let rest: Vec<_> = said.iter().collect();
    assert!(rest.len() == 1 && rest[0].contains("+49******33"), "{rest:?}");
    let errors: Vec<_> = errors.iter().collect();
    assert!(
        errors[0].starts_with("error[CW-0301]: the token is not known"),
        "told once that it was away: {errors:?}"
    );
}
