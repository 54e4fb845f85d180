//! The command line for people, and what settings are over time: drafts, ends, who may change them, and the log of it all.

use serde_json::{Value, json};

use super::people::EMPTY;
use super::*;

impl Switch {
    /// Runs a verb of the CLI with the operator's token; it must go well.
    pub(crate) fn does(&self, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        let output = self.cli(self.operator(), &words);
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Waits until what a path shows is as wanted.
    fn waits(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let (_, shown) = self.ask("GET", path, None);
            if wanted(&shown) {
                return shown;
            }
            assert!(Instant::now() < end, "{path} shows {shown}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn token(&self, words: &[&str]) -> String {
        let config = self.config();
        let made = self.cli("", &[&["token", "new", "--config", &config], words].concat());
        assert!(made.status.success(), "{}", text(&made.stderr));
        text(&made.stdout).trim().to_owned()
    }
}

#[test]
fn a_house_is_made_and_forwarded_by_the_command_line_alone() {
    let switch = Switch::start_with(EMPTY);
    switch.does("tenant create acme --domain acme.example --zone Europe/Berlin");
    switch.does("user create ana --display-name Ana --extension 100");
    switch.does("user create bob --extension 101");
    switch.does("user create cleo --extension 102");
    switch.does("group create all --extension 200 --member ana --member bob --member cleo");
    let made = switch.does("device create 1001 --user ana --label desk");
    let ana = made.trim().rsplit(' ').next().unwrap().to_owned();
    switch.does("device create 1011 --user bob --label desk --password b-secret");
    switch.does("place create night user:cleo");
    let hours =
        ["hours", "create", "office", "--weekly", "mon-fri 08:00-18:00", "--closed", "2026-12-25=Christmas"];
    assert!(switch.cli(switch.operator(), &hours).status.success());
    switch.does("forwarding set cleo --mode forward-only --to user:ana");
    let listed = switch.does("user list");
    assert_eq!(listed.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>(), ["ana", "Ana", "100"]);
    assert!(switch.does("hours list").contains("mon-fri 08:00-18:00"));
    assert!(
        switch.does("forwarding list").contains("forward-only  user:ana"),
        "{}",
        switch.does("forwarding list")
    );
    switch.call(&[ana, "b-secret".to_owned()], "102");
    let explained = switch.does("call explain last");
    assert!(explained.contains("1001 (desk)"), "{explained}");
    let cleo = switch.does("user show cleo");
    for told in [
        "cleo (cleo), 102: offline",
        "user:cleo answers for it; last changed ",
        ", by first start\n",
        "1001 (desk) of ana",
    ] {
        assert!(cleo.contains(told), "{told}: {cleo}");
    }
    let orphans = switch.does("orphans");
    let lost = "user:cleo: has no device; extension 102, group all and place night lead there";
    assert!(orphans.contains(lost), "{orphans}");
    switch.does("user set ana --extension 110");
    assert!(
        switch.does("audit --kind user --name ana").contains("extension 100 → 110"),
        "{}",
        switch.does("audit")
    );
    switch.does("forwarding set bob --key queues=[\"support\"] --key unanswered=group:all");
    let (_, bob) = switch.ask("GET", "/acme/forwarding/bob", None);
    assert_eq!(bob["live"], json!({ "queues": ["support"], "unanswered": "group:all" }));
    switch.does("forwarding remove bob");
    switch.does("group set all --member ana --member bob");
    switch.does("place set night user:bob");
    switch.does("user remove cleo");
    let refused = switch.cli(switch.operator(), &["user", "create", "dan", "--extension", "110"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("users.dan.extension: `110` is also a number of user `ana`"));
    let taken = switch.cli(switch.operator(), &["user", "set", "ana", "--extension", "101"]);
    assert!(
        text(&taken.stderr).contains("users.bob.extension: `101` is also a number of user `ana`"),
        "{taken:?}"
    );
    let twice = switch.cli(switch.operator(), &["user", "create", "ana"]);
    assert_eq!((twice.status.code(), text(&twice.stderr).contains("already")), (Some(6), true));
    let refused = switch.cli(switch.operator(), &["tenant", "remove", "acme"]);
    assert!(text(&refused.stderr).contains("--with-everything"), "{}", text(&refused.stderr));
    switch.does("tenant remove acme --with-everything");
    assert_eq!(switch.ask("GET", "", None).1["documents"], json!([]));
}

#[test]
fn a_change_that_says_nothing_is_refused() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    for (words, told) in [
        (["user", "set", "ana", "--unset", "extenson"].as_slice(), "user ana has no extenson"),
        (&["user", "set", "ana"], "nothing is said"),
        (&["user", "set", "ana", "--key", "zone"], "`zone` has no `=`"),
    ] {
        let refused = switch.cli(switch.operator(), words);
        assert!(
            !refused.status.success() && text(&refused.stderr).contains(told),
            "{}",
            text(&refused.stderr)
        );
    }
}

#[test]
fn the_end_of_a_change_is_told_in_the_tenants_zone() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let until = "until 2099-12-24 18:00:00 (Europe/Berlin)";
    let ends = "--until 2099-12-24T17:00:00Z";
    assert_eq!(
        switch.does(&format!("user set ana --extension 110 {ends}")).trim(),
        format!("user ana is changed {until}")
    );
    let wishes = switch.does(&format!("forwarding set ana --mode no-answer --to user:bob {ends}"));
    assert!(wishes.starts_with(&format!("forwarding ana is changed {until}\nnow: active")), "{wishes}");
    let shown = switch.does("forwarding show ana");
    assert!(shown.lines().nth(1) == Some(until), "{shown}");
    assert_eq!(
        switch.ask("GET", "/acme/users/ana", None).1["until"],
        "2099-12-24T17:00:00Z",
        "programs read UTC"
    );
}

#[test]
fn set_changes_what_is_there_and_create_makes_what_is_not() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    for (kind, keys) in [
        ("user", "--extension 300"),
        ("device", "--label desk"),
        ("group", "--extension 300"),
        ("place", "user:ana"),
        ("site", "--part user:ana"),
        ("holidays", "--day 2026-12-25=Christmas"),
        ("hours", "--zone UTC"),
        ("rota", "--member ana"),
        ("time-route", "--otherwise user:ana"),
        ("role", "--held-by user:ana"),
        ("table", "--row user:ana=board"),
    ] {
        let words = format!("{kind} set x {keys}");
        let refused = switch.cli(switch.operator(), &words.split(' ').collect::<Vec<_>>());
        let told = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(6), "{words}: {told}");
        let is = if ["hours", "holidays"].contains(&kind) { "are" } else { "is" };
        let hint = format!("there {is} no {kind} `x`\nhelp: `callwright {kind} create x` makes one");
        assert!(told.contains(&hint), "{words}: {told}");
    }
    let nobody = switch.cli(switch.operator(), &["forwarding", "set", "zoe", "--rings", "3"]);
    assert!(text(&nobody.stderr).contains("there is no user `zoe`"), "{nobody:?}");
    for (day, told) in [
        ("--closed 2026-12-25", "the day `2026-12-25` lacks a name\nhelp: write DATE=NAME"),
        (
            "--open 2026-12-24=Eve",
            "the day `2026-12-24=Eve` lacks a name or hours\nhelp: write DATE=NAME=SPAN",
        ),
    ] {
        let words: Vec<_> = ["hours", "create", "office"].into_iter().chain(day.split(' ')).collect();
        let refused = switch.cli(switch.operator(), &words);
        assert!(text(&refused.stderr).contains(told), "{refused:?}");
    }
    switch.does("forwarding set ana --rings 3");
}

#[test]
fn a_draft_changes_nothing_until_it_is_saved() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    switch.does("user set ana --extension 110 --draft");
    let (_, staged) = switch.ask("GET", "/acme/users/ana", None);
    assert_eq!(
        (&staged["live"]["extension"], &staged["draft"]["value"]["extension"]),
        (&json!("100"), &json!("110"))
    );
    assert!(switch.does("number show 100").contains("ana"));
    switch.does("user discard ana");
    assert_eq!(switch.ask("POST", "/acme/users/ana/save", None).0, 404, "there is no draft any more");
    switch.does("user set ana --extension 120 --draft");
    switch.does("user save ana");
    let (_, saved) = switch.ask("GET", "/acme/users/ana", None);
    assert_eq!((&saved["live"]["extension"], &saved["draft"]), (&json!("120"), &Value::Null));
    let (_, log) = switch.ask("GET", "/acme/audit?kind=user&name=ana", None);
    let actions: Vec<_> =
        log["entries"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["changed", "staged", "discarded", "staged", "created"]);
    assert_eq!(log["entries"][0]["who"], "first start");
    let (status, wrong) = switch.ask("PUT", "/acme/users/ana/draft", Some(&json!({ "extension": "101" })));
    assert_eq!((status, &wrong["error"]["code"]), (422, &json!("CW-0311")), "{wrong}");
    let stale = switch.ask("PUT", "/acme/users/ana?save=true&revision=1", Some(&json!({})));
    assert_eq!(stale.0, 409, "{}", stale.1);
}

#[test]
fn a_temporary_change_is_foretold_to_its_end_and_outlives_what_is_saved_over_it() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    switch.does("user create cleo --extension 102");
    switch.does("forwarding set ana --mode forward-only --to user:cleo --until 2h");
    assert!(switch.does("number show 100").contains("cleo has"));
    let tomorrow = switch.cli(switch.operator(), &["number", "show", "100", "--at", "2099-12-24 18:00"]);
    let tomorrow = text(&tomorrow.stdout);
    assert!(!tomorrow.contains("cleo") && tomorrow.contains("1001 "), "{tomorrow}");
    let said = switch.does("forwarding set ana --do-not-disturb true");
    assert!(said.starts_with("forwarding ana is changed for good; an earlier change of it ends "), "{said}");
    let last = |log: String| log.lines().nth(1).unwrap_or_default().to_owned();
    let logged = last(switch.does("audit --kind forwarding --name ana"));
    assert!(logged.contains("do-not-disturb none → true") && !logged.contains("until"), "{logged}");
    let (_, shown) = switch.ask("GET", "/acme/forwarding/ana", None);
    assert!(shown["until"].is_string(), "{shown}");
    let said = switch.does("forwarding set ana --do-not-disturb true --until 3h");
    assert!(said.starts_with("forwarding ana is changed until "), "{said}");
    let logged = last(switch.does("audit --kind forwarding --name ana"));
    assert!(logged.contains("changed until ") && logged.contains("as it was, until then"), "{logged}");
    let (_, shown) = switch.ask("GET", "/acme/forwarding/ana", None);
    assert_eq!(shown["then"], json!({ "do-not-disturb": true }));
    assert_eq!(shown["live"]["mode"], "forward-only");
    let ended = json!({ "do-not-disturb": true });
    switch.put("/acme/forwarding/ana?save=true", &ended);
    let (_, shown) = switch.ask("GET", "/acme/forwarding/ana", None);
    assert_eq!((&shown["until"], &shown["live"]), (&Value::Null, &ended), "what comes back is there already");
    assert!(switch.does("number show *50").contains("dialled as a code"));
}

#[test]
fn wishes_that_are_taken_away_do_not_come_back() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let to = |name: &str| switch.does(&format!("forwarding set ana --mode forward-only --to user:{name}"));
    let rings = |number: &str| switch.does(&format!("number show {number}"));
    to("bob");
    // A change of the tenant, which is made anew with what ana wishes.
    switch.does("user create cleo --display-name Cleo");
    to("cleo");
    assert!(rings("100").contains("cleo"), "{}", rings("100"));
    switch.does("forwarding remove ana");
    assert!(!rings("100").contains("cleo") && !rings("100").contains("bob has"), "{}", rings("100"));
    switch.put(
        "/acme/forwarding/ana?save=true&until=1s",
        &json!({ "mode": "forward-only", "to": ["user:bob"] }),
    );
    switch.waits("/acme/audit?kind=forwarding&name=ana&limit=1", |log| {
        log["entries"][0]["action"] == "expired"
    });
    let end = Instant::now() + PATIENCE;
    while rings("100").contains("bob has") {
        assert!(Instant::now() < end, "{}", rings("100"));
        std::thread::sleep(Duration::from_millis(20));
    }
    let (status, refused) = switch.ask("PUT", "/nobody/forwarding/ana?save=true", Some(&json!({})));
    assert_eq!(status, 404, "{refused}");
}

#[test]
fn a_temporary_change_ends_by_itself_also_after_a_restart() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let (status, refused) =
        switch.ask("PUT", "/acme/users/ana?save=true&until=2020-01-01T00:00:00Z", Some(&json!({})));
    assert_eq!(status, 400, "{refused}");
    switch.put("/acme/users/ana?save=true&until=1s", &json!({ "extension": "110" }));
    let back = switch.waits("/acme/users/ana", |shown| shown["live"]["extension"] == "100");
    assert_eq!((&back["until"], &back["then"]), (&Value::Null, &Value::Null));
    assert!(switch.does("number show 100").contains("ana"), "the node knows it too");
    let long = switch.put("/acme/users/bob?save=true&until=3%20days", &json!({ "extension": "111" }));
    assert_eq!(long["then"]["extension"], "101");
    let (status, clash) =
        switch.ask("PUT", "/acme/users/cleo?save=true", Some(&json!({ "extension": "101" })));
    assert_eq!(status, 422, "{clash}");
    assert!(
        clash.to_string().contains("when temporary changes have ended"),
        "bob's number is his again: {clash}"
    );
    switch.put("/acme/users/ana?save=true&until=2s", &json!({ "extension": "110" }));
    switch.signal(Signal::KILL);
    let (switch, _) = switch.again();
    switch.waits("/acme/users/ana", |shown| shown["live"]["extension"] == "100");
    assert_eq!(switch.ask("GET", "/acme/users/bob", None).1["live"]["extension"], "111", "it goes on");
    let (_, log) = switch.ask("GET", "/acme/audit?name=ana&limit=1", None);
    let entry = &log["entries"][0];
    assert_eq!(
        (&entry["action"], &entry["after"]["extension"]),
        (&json!("expired"), &json!("100")),
        "{entry}"
    );
}

#[test]
fn a_user_may_change_their_own_settings_and_see_nothing_of_others() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let ana = switch.token(&["--tenant", "acme", "--user", "ana", "--label", "ana's phone"]);
    let asks = |method: &str, path: &str, body: Option<&Value>| switch.asked(&ana, method, path, body);
    let wishes = json!({ "mode": "no-answer", "to": ["user:bob"] });
    assert_eq!(asks("PUT", "/acme/forwarding/ana?save=true", Some(&wishes)).0, 201);
    assert_eq!(asks("GET", "/acme/forwarding/ana", None).1["live"], wishes);
    assert_eq!(asks("GET", "/acme/users/ana", None).0, 200);
    for (method, path) in [
        ("GET", "/acme/users/bob"),
        ("GET", "/acme/users"),
        ("GET", "/acme/forwarding"),
        ("GET", "/acme/devices/1001"),
        ("GET", "/acme/audit"),
        ("GET", "/acme/records"),
        ("GET", "/acme/rules"),
        ("PUT", "/acme/users/ana?save=true"),
        ("PUT", "/acme/forwarding/bob?save=true"),
        ("DELETE", "/acme/forwarding/bob"),
        ("POST", "/acme/forwarding/bob/save"),
        ("PUT", "/acme/groups/all"),
    ] {
        let (status, answer) = asks(method, path, Some(&json!({})).filter(|_| method == "PUT"));
        let what = answer["error"]["what"].as_str().unwrap_or_default();
        assert!(
            status == 403 && what.contains("`admin`") && what.contains("`user:ana`"),
            "{method} {path}: {answer}"
        );
        let hint = answer["error"]["hint"].as_str().unwrap_or_default();
        let opened = ["`callwright forwarding show ana`", "`user show ana`", "`events --user ana`"];
        assert!(opened.iter().all(|verb| hint.contains(verb)) && !hint.contains("token new"), "{hint}");
    }
    let (status, answer) = asks("PUT", "/zeta", Some(&json!({})));
    assert!(status == 403 && answer.to_string().contains("`operator`"), "{answer}");
    assert_eq!(asks("GET", "/zeta/users/ana", None).0, 404, "whether there is another tenant is not told");
    switch.put("/acme/forwarding/ana?save=true", &json!({ "mode": "off" }));
    let (_, log) = switch.ask("GET", "/acme/audit?kind=forwarding", None);
    let who: Vec<_> =
        log["entries"].as_array().unwrap().iter().map(|it| it["who"].as_str().unwrap()).collect();
    assert_eq!(who, ["first start", "ana's phone"], "an admin may override, and the log says so");
}

#[test]
fn people_of_the_file_save_their_own_settings_too() {
    let switch = Switch::start();
    let goes_to_ana = |switch: &Switch| switch.does("number show 101").contains("ana");
    assert!(!goes_to_ana(&switch));
    let (_, shown) = switch.ask("GET", "/acme/forwarding/bob", None);
    assert_eq!((&shown["live"], &shown["managed"]), (&Value::Null, &json!("file")));
    let (status, refused) = switch.ask(
        "PUT",
        "/acme/forwarding/bob?save=true",
        Some(&json!({ "mode": "forward-only", "to": ["user:zoe"] })),
    );
    assert!(status == 422 && refused.to_string().contains("no user `zoe`"), "{refused}");
    switch.does("forwarding set bob --mode forward-only --to user:ana");
    assert!(goes_to_ana(&switch));
    switch.signal(Signal::KILL);
    let (switch, _) = switch.again();
    assert!(goes_to_ana(&switch), "after a restart too");
    switch.signal(Signal::HUP);
    switch.logs(&["INFO", "reloaded"]);
    assert!(goes_to_ana(&switch), "and after a reload");
    switch.does("forwarding remove bob");
    assert!(!goes_to_ana(&switch));
}

#[test]
fn what_wishes_come_to_is_told_in_the_exact_texts() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let (_, never) = switch.ask("GET", "/acme/forwarding/ana", None);
    assert_eq!((&never["live"], &never["revision"]), (&Value::Null, &json!(0)));
    assert_eq!(
        (&never["effect"]["reason"], &never["effect"]["warnings"]),
        (&json!("no-numbers"), &json!([]))
    );
    assert_eq!(switch.ask("GET", "/acme/forwarding/zoe", None).0, 404);
    let texts = [
        ("off", "mode-off", "Only your devices will ring, no calls will be forwarded."),
        ("ring-all", "active", "Ring your Devices & Forwarding Numbers at the same time."),
        ("no-answer", "active", "If none of your devices answer, forward all calls."),
        ("failover", "active", "When your Devices go offline, forward all calls."),
        ("forward-only", "active", "Do not ring your Devices, forward all calls."),
    ];
    for (mode, reason, text) in texts {
        let wishes = json!({ "mode": mode, "to": ["user:bob"] });
        let told = json!({
            "active": reason == "active", "reason": reason, "mode": mode, "text": text, "warnings": [],
            "do_not_disturb": false, "profiles": ["do-not-disturb", "office", "travel"],
        });
        let draft = switch.put("/acme/forwarding/ana/draft", &wishes);
        assert_eq!(draft["draft"]["effect"], told, "{draft}");
        let saved = switch.put("/acme/forwarding/ana?save=true", &wishes);
        assert_eq!(saved["effect"], told, "{saved}");
        assert_eq!(switch.ask("GET", "/acme/forwarding/ana", None).1["effect"], told);
    }
    let no_numbers = "You have No Forwarding Numbers. Call forwarding is enabled, but you have no forwarding numbers to \
        forward calls to.";
    let queue = "Queue sign-in pauses call forwarding. Resume call forwarding by signing out of queues.";
    let never = json!({ "weekly": [], "exceptions": {} });
    for (wishes, reason, warnings) in [
        (json!({ "mode": "no-answer" }), "no-numbers", vec![no_numbers]),
        (
            json!({ "mode": "no-answer", "to": ["user:bob"], "queues": ["sales"] }),
            "queue-sign-in",
            vec![queue],
        ),
        (json!({ "mode": "no-answer", "queues": ["sales"] }), "no-numbers", vec![no_numbers, queue]),
        (json!({ "mode": "no-answer", "enabled": false }), "suspended", vec![]),
        (json!({ "mode": "no-answer", "to": ["user:bob"], "when": never }), "outside-schedule", vec![]),
    ] {
        let saved = switch.put("/acme/forwarding/ana?save=true", &wishes);
        let effect = &saved["effect"];
        assert_eq!((&effect["reason"], &effect["warnings"]), (&json!(reason), &json!(warnings)), "{wishes}");
        assert_eq!(effect["active"], false);
    }
    let outside = json!({ "mode": "no-answer", "to": ["number:+4930999999"] });
    let blocked = switch.put("/acme/forwarding/ana?save=true", &outside)["effect"].clone();
    assert_eq!((&blocked["reason"], &blocked["active"]), (&json!("blocked(no-trunk)"), &json!(false)));
    let said = switch.does("forwarding set ana --unset to --mode failover");
    assert!(
        said.contains("now: not in effect (no-numbers), mode failover: When your Devices go offline"),
        "{said}"
    );
    assert!(said.contains(&format!("warning: {no_numbers}")), "{said}");
    assert!(
        switch.does("forwarding show ana").starts_with("now: not in effect (no-numbers), mode failover: ")
    );
}

#[test]
fn who_is_meant_when_is_managed_and_holes_and_circles_are_warned_of() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    let does = |words: &[&str]| {
        let output = switch.cli(switch.operator(), words);
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    };
    assert_eq!(
        does(&["holidays", "create", "de-be", "--day", "2099-12-25=Christmas"]),
        "holidays de-be is made"
    );
    let week = ["hours", "create", "office", "--weekly", "mon-sun 00:00-24:00", "--holidays", "de-be"];
    assert_eq!(does(&week), "hours office is made");
    let rota = ["rota", "create", "duty", "--member", "ana", "--member", "bob", "--from", "2020-01-06"];
    assert_eq!(does(&rota), "rota duty is made");
    let route = ["time-route", "create", "desk", "--route", "office=rota:duty"];
    assert_eq!(does(&route), "time-route desk is made");
    assert_eq!(does(&["table", "create", "vip", "--row", "user:bob=board"]), "table vip is made");
    assert!(does(&["time-route", "list"]).contains("office = rota:duty"));
    let (_, shown) = switch.ask("GET", "/acme/rotas/duty", None);
    assert_eq!(shown["live"], json!({ "members": ["ana", "bob"], "from": "2020-01-06" }));
    let (status, wrong) =
        switch.ask("PUT", "/acme/rotas/duty?save=true", Some(&json!({ "members": ["zoe"] })));
    assert!(status == 422 && wrong.to_string().contains("rotas.duty.members[0]: no user `zoe`"), "{wrong}");
    let tomorrow = jiff::Zoned::now().date().tomorrow().unwrap().to_string();
    let swapped = does(&["rota", "set", "duty", "--swap", &format!("{tomorrow}=nobody")]);
    assert!(
        swapped.contains("warning: rotas.duty: ") && swapped.contains("warning: time-routes.desk: "),
        "{swapped}"
    );
    let unused = ["holidays", "create", "bank", "--day", "2099-12-25=Christmas"];
    assert_eq!(does(&unused), "holidays bank is made", "no hours have them");
    let used = does(&["holidays", "set", "de-be", "--day", "2099-12-26=Boxing Day"]);
    assert!(used.contains("warning: time-routes.desk: "), "{used}");
    let open = switch.put("/acme/hours/office?save=true", &json!({ "weekly": ["mon-fri 08:00-18:00"] }));
    let warnings = open["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|it| it.as_str().unwrap().contains("more Mondays until")), "{open}");
    assert_eq!(
        switch.ask("GET", "/acme/hours/office", None).1.get("warnings"),
        None,
        "told when it is saved"
    );
    let (status, used) = switch.ask("DELETE", "/acme/hours/office", None);
    assert!(status == 422 && used.to_string().contains("no hours `office`"), "{used}");
    switch.does("forwarding set bob --mode no-answer --to person:ana");
    let circle = "calls may go in a circle, which ends them there: ana → bob → ana";
    let wishes = json!({ "mode": "no-answer", "to": ["person:bob"] });
    assert_eq!(switch.put("/acme/forwarding/ana/draft", &wishes)["warnings"], json!([circle]));
    assert_eq!(switch.put("/acme/forwarding/ana?save=true", &wishes)["warnings"], json!([circle]));
    let (switch, _) = {
        switch.signal(Signal::KILL);
        switch.again()
    };
    assert_eq!(switch.ask("GET", "/acme/time-routes/desk", None).1["live"]["routes"][0]["to"], "rota:duty");
    assert!(switch.does("audit --kind rota").contains("swaps"), "{}", switch.does("audit --kind rota"));
}

#[test]
fn a_profile_is_switched_for_a_while_and_lists_are_kept() {
    let switch = Switch::start_with(EMPTY);
    switch.with_acme();
    switch.put(
        "/acme",
        &json!({ "domains": ["acme.example"], "zone": "Europe/Berlin", "profiles": { "away": { "mode": "ring-all" } } }),
    );
    switch.does("forwarding set ana --mode no-answer --to user:bob --busy-to group:all");
    let said = switch.does("forwarding profile ana travel --until 1s");
    assert!(
        said.contains("now: active, profile travel, mode forward-only: Do not ring your Devices"),
        "{said}"
    );
    let (_, shown) = switch.ask("GET", "/acme/forwarding/ana", None);
    assert_eq!(
        (&shown["live"]["mode"], &shown["effect"]["mode"]),
        (&json!("no-answer"), &json!("forward-only"))
    );
    assert_eq!(shown["effect"]["profiles"], json!(["away", "do-not-disturb", "office", "travel"]));
    let back = switch.waits("/acme/forwarding/ana", |shown| shown["until"].is_null());
    assert_eq!((&back["live"]["profile"], &back["effect"]["mode"]), (&Value::Null, &json!("no-answer")));
    let away = switch.does("forwarding profile ana away");
    assert!(away.contains("mode ring-all"), "{away}");
    switch.does("forwarding profile ana none");
    assert_eq!(switch.ask("GET", "/acme/forwarding/ana", None).1["effect"]["mode"], "no-answer");
    let log = switch.does("audit --kind forwarding --name ana");
    assert!(log.contains("profile none → travel") && log.contains("profile away → none"), "{log}");
    let wrong = switch.cli(switch.operator(), &["forwarding", "profile", "ana", "holiday"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
    assert!(
        text(&wrong.stderr).contains("none of away, do-not-disturb, office, travel"),
        "{}",
        text(&wrong.stderr)
    );
    let lists = [
        "forwarding",
        "set",
        "ana",
        "--callers",
        "vip=user:bob,withheld=group:all",
        "--times",
        "lunch=mon-sun 00:00-24:00=user:bob",
    ];
    assert!(switch.cli(switch.operator(), &lists).status.success());
    let (_, kept) = switch.ask("GET", "/acme/forwarding/ana", None);
    assert_eq!(
        kept["live"]["callers"],
        json!([{ "name": "vip", "from": ["user:bob", "withheld"], "to": ["group:all"] }])
    );
    assert_eq!(kept["live"]["times"][0]["when"], json!({ "weekly": ["mon-sun 00:00-24:00"] }));
    assert_eq!(kept["live"]["busy-to"], json!(["group:all"]));
    assert!(
        switch.does("number show 100").contains("time-target(lunch)"),
        "{}",
        switch.does("number show 100")
    );
    let queue =
        switch.does("forwarding set ana --queue sales --unanswered group:all --silent 1001 --takes-for bob");
    assert!(queue.contains("warning: Queue sign-in pauses call forwarding."), "{queue}");
    assert!(queue.contains("now: not in effect (queue-sign-in), mode no-answer"), "{queue}");
    let shown = switch.does("user show ana");
    assert!(shown.contains("1001 (desk): never registered, set silent\n"), "{shown}");
    let (_, kept) = switch.ask("GET", "/acme/forwarding/ana", None);
    assert_eq!((&kept["live"]["queues"], &kept["live"]["silent"]), (&json!(["sales"]), &json!(["1001"])));
    assert!(switch.does("forwarding set ana --unset queues").contains("now: active"));
    let bad = switch.cli(switch.operator(), &["forwarding", "set", "ana", "--callers", "vip=user:bob"]);
    assert_eq!(bad.status.code(), Some(2), "{}", text(&bad.stderr));
}

#[test]
fn what_holds_for_a_while_and_what_has_ended_is_known_where_calls_are_decided() {
    for of_file in [true, false] {
        let switch = if of_file { Switch::start() } else { Switch::start_with(EMPTY) };
        if !of_file {
            switch.with_acme();
        }
        let decides = |switch: &Switch, number: &str| switch.does(&format!("number show {number}"));
        switch.does("forwarding set ana --mode forward-only --to user:bob --until 2h");
        switch.does("forwarding set bob --mode forward-only --to user:ana --until 1s");
        assert!(decides(&switch, "100").contains("active, forward-only; until "), "{of_file}");
        switch.waits("/acme/forwarding/bob", |shown| shown["until"].is_null());
        let mut switch = switch;
        for life in 0..2 {
            let (ana, bob) = (decides(&switch, "100"), decides(&switch, "101"));
            assert!(ana.contains("active, forward-only; until "), "{of_file} {life}: {ana}");
            assert!(!bob.contains("forward-only"), "{of_file} {life}: {bob}");
            assert!(bob.contains("nothing is forwarded; a change has ended "), "{of_file} {life}: {bob}");
            assert!(![&ana, &bob].iter().any(|told| told.contains('Z')), "no time of UTC: {ana} {bob}");
            switch.signal(Signal::KILL);
            (switch, _) = switch.again();
        }
        switch.does("forwarding set bob --mode off --to user:ana");
        switch.does("forwarding set ana --mode off");
        let (ana, bob) = (decides(&switch, "100"), decides(&switch, "101"));
        assert!(!bob.contains("a change has ended"), "{of_file}: {bob}");
        assert!(ana.contains("; until "), "the rest of it ends when it was to: {ana}");
    }
}
