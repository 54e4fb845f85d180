use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::config::Fallback;
use callwright_core::roster::Order;
use callwright_core::rule::DestinationRef;
use callwright_sip::digest::Algorithm;

use super::*;

const WHOLE: &str = r#"
listen = "127.0.0.1:5060"
http = "127.0.0.1:8081"
data = "data"
default-tenant = "acme"
drain-s = 300
nodes = 3

[tenants.acme]
domains = ["Acme.example", "acme.test"]
zone = "Europe/Berlin"
digest = "sha-256"
expiry = { min-s = 30, max-s = 3600, default-s = 600 }
emergency = ["112", "110"]
fallback = { ring = "place:night-desk", for-s = 20 }
ring-time-s = 30

[tenants.acme.users.ana]
name = "Ana Alvarez"
extension = "100"
numbers = ["+4930123456"]
devices = { 1002 = { label = "soft", password = "s" }, 1001 = { label = "desk", password = "d" } }
call-waiting = true

[tenants.acme.users.bob]
zone = "America/New_York"
devices.1011 = { label = "desk", password = "b" }

[tenants.acme.groups.sales]
extension = "200"
members = ["ana", "bob"]

[tenants.acme.places]
night-desk = "user:bob"

[tenants.acme.hours.office]
weekly = ["mon-fri 08:00-18:00", "sat 09:00-24:00"]
[tenants.acme.hours.office.exceptions]
"2026-12-25" = { name = "Christmas", open = [] }
"2026-12-24" = { name = "Christmas Eve", open = ["08:00-12:00"] }
"#;

fn problems(text: &str) -> Vec<String> {
    let problems = parse(text, Path::new("/etc/callwright")).unwrap_err();
    problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.what)).collect()
}

/// The whole file with some text replaced.
fn with(from: &str, to: &str) -> Vec<String> {
    assert!(WHOLE.contains(from), "{from}");
    problems(&WHOLE.replace(from, to))
}

#[test]
fn every_key_of_the_file_arrives() {
    let settings = parse(WHOLE, Path::new("/etc/callwright")).unwrap();
    assert_eq!(settings.data, Path::new("/etc/callwright/data"));
    assert_eq!(settings.advertise, "127.0.0.1");
    assert_eq!(settings.drain, Duration::from_secs(300));
    assert_eq!(settings.nodes, 3);
    let config = &settings.switch;
    assert_eq!(config.default_tenant, Some("acme".into()));
    let acme = config.tenant_of_domain("ACME.example").unwrap();
    assert_eq!((acme.digest, acme.expiry.min_s), (Algorithm::Sha256, 30));
    assert_eq!(acme.ring_time, Duration::from_secs(30));
    assert!(acme.emergency.contains("110") && !acme.emergency.contains("911"));
    let to = DestinationRef::Place("night-desk".into());
    assert_eq!(acme.fallback, Fallback::Ring { to, for_ms: 20_000 });
    let ana = acme.users.get("ana").unwrap();
    assert_eq!(ana.devices, ["1002".into(), "1001".into()], "in the order of the file");
    assert_eq!(acme.devices.get("1011").unwrap().label, "desk");
    let office = acme.hours.get("office").unwrap();
    assert_eq!((office.weekly.len(), office.exceptions.len()), (6, 2));
}

#[test]
fn a_tenant_needs_no_more_than_domains_and_a_zone() {
    let text =
        "listen = \"127.0.0.1:5060\"\ndata = \"d\"\n[tenants.t]\ndomains = [\"t.example\"]\nzone = \"UTC\"";
    let settings = parse(text, Path::new(".")).unwrap();
    let tenant = settings.switch.tenants.get("t").unwrap();
    assert_eq!((tenant.digest, &tenant.fallback), (Algorithm::Md5, &Fallback::RingDialled));
    assert!(tenant.emergency.contains("112"));
}

#[test]
fn all_problems_are_listed_at_once_in_the_order_of_the_file() {
    let text = WHOLE
        .replace("Europe/Berlin", "Europe/Atlantis")
        .replace("\"ana\", \"bob\"]", "\"ana\", \"bobby\"]")
        .replace("user:bob", "device:1009");
    assert_eq!(
        problems(&text),
        [
            "tenants.acme.zone: no zone `Europe/Atlantis`: write one of the IANA database, as Europe/Berlin",
            "tenants.acme.groups.sales.members[1]: no user `bobby`",
            "tenants.acme.places.night-desk: no device `1009`",
        ]
    );
}

#[test]
fn a_key_that_nobody_knows_is_refused_with_those_that_are_known() {
    let found = with("call-waiting = true", "call-wating = true");
    assert_eq!(
        found,
        [
            "tenants.acme.users.ana.call-wating: is no key here; known are name, extension, zone, call-waiting, forwarding, numbers, devices"
        ]
    );
}

#[test]
fn an_extension_means_one_thing() {
    assert_eq!(
        with("extension = \"200\"", "extension = \"1001\""),
        ["tenants.acme.groups.sales.extension: `1001` is also a device of user `ana`"]
    );
    assert_eq!(
        with("extension = \"100\"", "extension = \"112\""),
        ["tenants.acme.users.ana.extension: `112` is also an emergency number"]
    );
    assert_eq!(
        with("extension = \"200\"", "extension = \"*50\""),
        [
            "tenants.acme.groups.sales.extension: `*50` is a code that phones dial; `codes` of the tenant has others in its place"
        ]
    );
}

#[test]
fn a_domain_belongs_to_one_tenant_and_never_to_the_switch() {
    let second = format!("{WHOLE}\n[tenants.zeta]\nzone = \"UTC\"\ndomains = [\"acme.test\", \"127.0.0.1\"]");
    assert_eq!(
        problems(&second),
        [
            "tenants.zeta.domains[0]: `acme.test` already belongs to tenant `acme`",
            "tenants.zeta.domains[1]: `127.0.0.1` means the switch itself: name the tenant in `default-tenant` instead",
        ]
    );
}

#[test]
fn what_is_missing_or_of_the_wrong_kind_is_named() {
    assert_eq!(with("data = \"data\"", ""), ["data: is missing"]);
    assert_eq!(
        with("ring-time-s = 30", "ring-time-s = \"30\""),
        ["tenants.acme.ring-time-s: must be a whole number, is text"]
    );
    assert_eq!(
        with("ring-time-s = 30", "ring-time-s = 0"),
        ["tenants.acme.ring-time-s: must be between 1 and 86400, is 0"]
    );
    assert_eq!(with("label = \"soft\", ", ""), ["tenants.acme.users.ana.devices.1002.label: is missing"]);
    assert_eq!(
        with("password = \"s\"", "password = \"\""),
        ["tenants.acme.users.ana.devices.1002.password: must not be empty"]
    );
    assert_eq!(
        with("default-tenant = \"acme\"", "default-tenant = \"acne\""),
        ["default-tenant: no tenant `acne`"]
    );
    assert_eq!(with("127.0.0.1:8081", "0.0.0.0:8081").len(), 1);
    assert_eq!(with("nodes = 3", "nodes = 0"), ["nodes: must be between 1 and 64, is 0"]);
    assert_eq!(with("nodes = 3", "nodes = 65"), ["nodes: must be between 1 and 64, is 65"]);
    assert_eq!(
        with("min-s = 30", "min-s = 700"),
        ["tenants.acme.expiry: min-s 700, default-s 600 and max-s 3600 are out of order"]
    );
}

#[test]
fn all_interfaces_need_a_host_to_advertise() {
    assert_eq!(
        with("127.0.0.1:5060", "0.0.0.0:5060"),
        ["advertise: is missing: phones cannot be told to answer to 0.0.0.0, where `listen` is"]
    );
    let text = WHOLE
        .replace("listen = \"127.0.0.1:5060\"", "listen = \"0.0.0.0:5060\"\nadvertise = \"pbx.example\"");
    let settings = parse(&text, Path::new(".")).unwrap();
    assert!(settings.switch.own_hosts.contains("pbx.example"));
    assert!(!settings.switch.own_hosts.contains("0.0.0.0"));
}

#[test]
fn opening_hours_that_nobody_can_read_are_refused() {
    let path = "tenants.acme.hours.office.weekly[0]";
    for wrong in ["mon-fri", "mon-fry 08:00-18:00", "mon 8-18", "mon 08:00-25:00", "mon 08:00 18:00"] {
        let found = with("mon-fri 08:00-18:00", wrong);
        assert_eq!(
            found,
            [format!("{path}: `{wrong}` is no span: write `mon-fri 08:00-18:00` or `sat 09:00-12:00`")]
        );
    }
    let path = "tenants.acme.hours.office.exceptions";
    assert_eq!(
        with("2026-12-25", "2026-02-30"),
        [format!("{path}.2026-02-30: `2026-02-30` is no date: write \"2026-12-25\"")]
    );
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_the_line() {
    let found = parse("listen = \n", Path::new(".")).unwrap_err();
    assert!(found.iter().any(|problem| problem.path.is_empty() && problem.line == 1), "{found:?}");
}

#[test]
fn a_fixed_contact_and_trusted_addresses_are_read() {
    let text = WHOLE
        .replace(
            "zone = \"Europe/Berlin\"\ndigest",
            "zone = \"Europe/Berlin\"\ntrusted = [\"192.0.2.0/24\", \"::1\"]\ndigest",
        )
        .replace("password = \"b\"", "contact = \"sip:192.0.2.7:5080\"");
    let settings = parse(&text, Path::new("/etc/callwright")).unwrap();
    let tenant = &settings.switch.tenants["acme"];
    let device = &tenant.devices["1011"];
    assert_eq!(device.contact.as_ref().unwrap().flow.peer, "192.0.2.7:5080".parse().unwrap());
    assert!(device.secret.is_none());
    let trusts = |address: &str| {
        tenant.trusted.iter().any(|network| network.contains(&address.parse::<IpAddr>().unwrap()))
    };
    assert!(trusts("192.0.2.200") && trusts("::1") && !trusts("192.0.3.1"));
}

#[test]
fn a_fixed_contact_must_be_an_address_over_udp() {
    let contact = |contact: &str| with("password = \"b\"", &format!("contact = \"{contact}\""));
    let path = "tenants.acme.users.bob.devices.1011.contact";
    for (wrong, why) in [
        ("192.0.2.7", "is no SIP URI"),
        ("tel:+4930", "is no SIP URI"),
        ("sip:gw.example", "names a host"),
        ("sip:192.0.2.7;transport=tcp", "is not reached over UDP"),
    ] {
        let found = contact(wrong);
        assert!(found.len() == 1 && found[0].starts_with(path) && found[0].contains(why), "{found:?}");
    }
    assert_eq!(
        with("label = \"desk\", password = \"b\"", "label = \"desk\""),
        ["tenants.acme.users.bob.devices.1011.password: is missing"]
    );
}

#[test]
fn what_is_trusted_must_be_an_address_or_a_network() {
    let found = with("digest = \"sha-256\"", "trusted = [\"192.0.2.7\", \"office\"]");
    assert!(
        found.len() == 1 && found[0].starts_with("tenants.acme.trusted[1]: `office` is no address"),
        "{found:?}"
    );
}

/// What is read of a file and what is wrong with it are the same in pieces and as a whole.
fn reads_the_same(text: &str) {
    let folder = Path::new(".");
    let shown = |read: Result<Settings, Vec<Problem>>| read.map(|settings| format!("{settings:?}"));
    assert_eq!(shown(parse(text, folder)), shown(parse_whole(text, folder)), "{text}");
}

#[test]
fn a_file_reads_the_same_in_pieces_and_as_a_whole() {
    let ana = "[tenants.acme.users.ana]\nextension = \"7\"\n";
    let more = "[tenants.acme.users.bob.devices.7]\nlabel = \"lab\"\npassword = \"s\"\n";
    for text in [
        WHOLE.to_owned(),
        format!("{WHOLE}{ana}"),
        format!("{WHOLE}[tenants.acme.users.zoe]\n{more}"),
        WHOLE.replace("[tenants.acme.groups.sales]", &format!("{more}[tenants.acme.groups.sales]")),
        WHOLE.replace("[tenants.acme.users.ana]", "[tenants.acme.users]\n[tenants.acme.users.ana]"),
        WHOLE.replace("[tenants.acme.users.ana]", "[tenants.acme.users.ana]\n[tenants.acme.users.ana]"),
        WHOLE.replace("[tenants.acme.users.ana]", "[tenants.acme.users.\"ana\"]"),
        WHOLE.replace("[tenants.acme.users.bob]", "[tenants.other.users.bob]"),
        WHOLE
            .replace("[tenants.acme.users.bob]", "[tenants.acme.users.bob.devices]\n[tenants.acme.users.cy]"),
        WHOLE.replace("zone = \"Europe/Berlin\"", "zone = \"Europe/Berlin\"\nusers = {}"),
        WHOLE.replace("extension = \"100\"", "extension = \"1011\"\nfoo = 1\ncall-waiting = 3"),
        WHOLE.replace("call-waiting = true", "numbers = [\n\"+4930\",\n\"+4930\"]"),
        WHOLE.replace("label = \"soft\"", "label = 3").replace('\n', "\r\n"),
        "[tenants.t.users.x]\n".to_owned(),
        "tenants = 3\n[tenants.t.users.x]\n".to_owned(),
        String::new(),
    ] {
        reads_the_same(&text);
    }
}

#[test]
fn what_a_mistake_of_syntax_hides_is_not_called_missing() {
    for (right, wrong) in
        [("data = \"data\"", "data = data"), ("extension = \"100\"", "extension = [\"100\"")]
    {
        let found = parse(&WHOLE.replace(right, wrong), Path::new(".")).unwrap_err();
        assert!(found.iter().any(|problem| problem.path.is_empty()), "{found:?}");
        assert!(found.iter().all(|problem| problem.what != "is missing"), "{found:?}");
    }
}

#[test]
fn a_mistake_in_a_section_is_told_with_its_line_and_not_again_further_on() {
    let text = WHOLE
        .replace("extension = \"100\"", "extension = [\"100\"")
        .replace("[\"ana\", \"bob\"]", "[\"cy\"]");
    let found = parse(&text, Path::new(".")).unwrap_err();
    let line = |what: &str| 1 + text.lines().position(|line| line.contains(what)).unwrap();
    let members = found.iter().find(|problem| problem.path.ends_with("members[0]")).unwrap();
    assert_eq!(members.line, line("members"), "{found:?}");
    let syntax = found.iter().find(|problem| problem.path.is_empty()).unwrap();
    assert!((line("extension = [")..line("[tenants.acme.users.bob]")).contains(&syntax.line), "{found:?}");
}

const DUTIES: &str = r#"
[tenants.acme.holidays.de-be]
"2027-01-01" = "New Year"
"2026-12-24" = "Heiligabend"

[tenants.acme.hours.shop]
weekly = ["sat 09:00-12:00"]
holidays = ["de-be"]
exceptions = { "2026-12-24" = { name = "Christmas Eve", open = ["08:00-12:00"] } }

[tenants.acme.rotas.platform]
members = ["ana", "bob"]
from = "2026-11-16"
every-days = 1
zone = "America/New_York"
swaps = { "2026-12-24" = "bob", "2026-12-25" = "nobody" }

[tenants.acme.time-routes.desk]
routes = [{ hours = "shop", to = "group:sales" }, { hours = "office", to = "rota:platform" }]
otherwise = "place:night-desk"

[tenants.acme.tables.vip]
"+4930123456" = "ana"
"user:bob" = "board"
"#;

#[test]
fn duties_holidays_routes_and_tables_arrive() {
    let settings = parse(&format!("{WHOLE}{DUTIES}"), Path::new("/etc/callwright")).unwrap();
    let acme = settings.switch.tenant_of_domain("acme.example").unwrap();
    let shop = acme.hours.get("shop").unwrap();
    let day = |date: &str| {
        shop.exceptions.get(&date.parse().unwrap()).map(|day| (day.name.as_str(), day.spans.len()))
    };
    assert_eq!((day("2027-01-01"), day("2026-12-24")), (Some(("New Year", 0)), Some(("Christmas Eve", 1))));
    let rota = acme.rotas.get("platform").unwrap();
    assert_eq!((rota.members.len(), rota.every_days, rota.at.to_string()), (2, 1, "09:00:00".to_owned()));
    let swapped = rota.swaps.values().map(|user| user.as_ref().map(ToString::to_string)).collect::<Vec<_>>();
    assert_eq!(swapped, [Some("bob".to_owned()), None]);
    let desk = acme.time_routes.get("desk").unwrap();
    let to: Vec<_> = desk.entries.iter().map(|entry| format!("{} {}", entry.hours, entry.to)).collect();
    assert_eq!(to, ["shop group:sales", "office rota:platform"]);
    assert_eq!(desk.otherwise.as_ref().map(ToString::to_string).as_deref(), Some("place:night-desk"));
    assert_eq!(acme.tables.get("vip").unwrap().len(), 2);
}

#[test]
fn what_is_wrong_with_duties_is_named() {
    let with = |from: &str, to: &str| {
        assert!(DUTIES.contains(from), "{from}");
        problems(&format!("{WHOLE}{}", DUTIES.replace(from, to)))
    };
    let of = "tenants.acme";
    let cases = [
        (
            "holidays = [\"de-be\"]",
            "holidays = [\"fr\"]",
            format!("{of}.hours.shop.holidays[0]: no holidays `fr`"),
        ),
        (
            "[\"ana\", \"bob\"]\nfrom",
            "[]\nfrom",
            format!("{of}.rotas.platform.members: must name 1 to 100 people"),
        ),
        (
            "from = \"2026-11-16\"",
            "from = \"now\"",
            format!("{of}.rotas.platform.from: `now` is no date: write \"2026-12-25\""),
        ),
        (
            "every-days = 1",
            "every-days = 0",
            format!("{of}.rotas.platform.every-days: must be between 1 and 366, is 0"),
        ),
        ("= \"nobody\"", "= \"eve\"", format!("{of}.rotas.platform.swaps.2026-12-25: no user `eve`")),
        (
            "hours = \"shop\"",
            "hours = \"den\"",
            format!("{of}.time-routes.desk.routes[0].hours: no hours `den`"),
        ),
        ("rota:platform", "rota:den", format!("{of}.time-routes.desk.routes[1].to: no rota `den`")),
        (
            "time-routes.desk",
            "time-routes.night-desk",
            format!("{of}.time-routes.night-desk: `night-desk` is a place already"),
        ),
        ("user:bob", "user:eve", format!("{of}.tables.vip.\"user:eve\": no user `eve`")),
    ];
    for (from, to, wanted) in cases {
        assert_eq!(with(from, to).remove(0), wanted);
    }
}

#[test]
fn a_group_may_hunt_with_a_time_of_its_own() {
    let group = |more: &str| {
        let text =
            WHOLE.replace("[tenants.acme.groups.sales]", &format!("[tenants.acme.groups.sales]\n{more}"));
        parse(&text, Path::new(".")).map(|config| config.switch.tenants["acme"].groups["sales"].clone())
    };
    for (word, order) in [
        ("together", None),
        ("linear", Some(Order::Listed)),
        ("circular", Some(Order::Circular)),
        ("longest-idle", Some(Order::LongestIdle)),
        ("fewest-calls", Some(Order::FewestCalls)),
    ] {
        let read = group(&format!("hunt = \"{word}\"\nring-time-s = 7")).unwrap();
        assert_eq!((read.hunt, read.ring_time), (order, Some(Duration::from_secs(7))));
        let document = serde_json::to_value(shape::Group::from(&read)).unwrap();
        assert_eq!(document.get("hunt").and_then(|word| word.as_str()), order.map(|_| word));
        assert_eq!(document["ring-time-s"], 7);
    }
    let read = group("").unwrap();
    assert_eq!((read.hunt, read.ring_time), (None, None));
    let found = group("hunt = \"random\"").unwrap_err();
    assert!(found[0].what.starts_with("`random` is none of"), "{found:?}");
}

#[test]
fn roles_and_sites_are_names_of_their_own_with_somebody_behind_them() {
    let with = |more: &str| parse(&format!("{WHOLE}{DUTIES}{more}"), Path::new("."));
    let more = r#"
        [tenants.acme.sites]
        berlin = ["device:1001", "group:sales"]
        [tenants.acme.roles]
        duty-phone = { extension = "300", held-by = "rota:platform" }
        backup = { held-by = "place:berlin", follow-forwarding = true }
    "#;
    let tenant = Arc::clone(&with(more).unwrap().switch.tenants["acme"]);
    assert_eq!(tenant.plan.find("300"), Some(&"place:duty-phone".parse().unwrap()));
    assert_eq!(tenant.roles["duty-phone"].held_by.to_string(), "rota:platform");
    assert!(tenant.roles["backup"].follow_forwarding);
    assert_eq!(tenant.sites["berlin"].parts.len(), 2);
    let found = |more: &str| {
        let found = with(more).unwrap_err();
        found.iter().map(|problem| format!("{}: {}", problem.path, problem.what)).collect::<Vec<_>>()
    };
    for (more, wrong) in [
        (
            "[tenants.acme.sites]\nberlin = []",
            "tenants.acme.sites.berlin: must name 1 to 1000 devices, users or groups",
        ),
        (
            "[tenants.acme.sites]\nberlin = [\"place:night-desk\"]",
            "tenants.acme.sites.berlin[0]: must be user:NAME, device:EXTENSION or group:NAME",
        ),
        (
            "[tenants.acme.sites]\nnight-desk = [\"user:ana\"]",
            "tenants.acme.sites.night-desk: `night-desk` is a place already",
        ),
        (
            "[tenants.acme.roles]\nduty = { held-by = \"rota:none\" }",
            "tenants.acme.roles.duty.held-by: no rota `none`",
        ),
        (
            "[tenants.acme.roles]\nduty = { held-by = \"place:duty\" }",
            "tenants.acme.roles.duty.held-by: no place `duty`",
        ),
        (
            "[tenants.acme.roles]\nduty = { held-by = \"user:ana\", extension = \"100\" }",
            "tenants.acme.roles.duty.extension: `100` is also a number of user `ana`",
        ),
    ] {
        assert_eq!(found(more), [wrong]);
    }
}
