//! A tenant from its documents, which are the sections of the file one by one: the same keys, the same mistakes, and all of
//! them named at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callwright_core::Kind;
use callwright_core::config::{Config, Tenant};
use callwright_core::forwarding::Wishes;
use callwright_core::names::TenantId;
use serde_json::{Map, Value as Json};

use super::document::Value;
use super::report::{Origin, Problem, Report};
use super::{forwarding, tenant};

/// One document: its kind, its name, and what stands in it.
pub type Document = (Kind, String, Json);

/// Makes a tenant of its documents, which is to live among others.
///
/// # Errors
/// Everything that is wrong with them.
pub fn assemble(name: &TenantId, documents: Vec<Document>, among: &Config) -> Result<Tenant, Vec<Problem>> {
    let report = Report::without_file();
    let wishers: BTreeSet<String>;
    let tenant = {
        let origin = Origin::new(&report, Vec::new());
        let whole = Whole::of(documents, &origin);
        wishers = whole.wishes.keys().cloned().collect();
        let root = whole.into_json(&origin);
        let tenant = tenant::read(
            name.as_str(),
            &Value::json("", &root, &origin),
            &among.own_hosts,
            &mut BTreeMap::new(),
            &[],
        );
        for (index, domain) in tenant.iter().flat_map(|tenant| &tenant.domains).enumerate() {
            if let Some(other) = among.tenant_of_domain(domain).filter(|other| other.id != *name) {
                let what = format!("`{domain}` already belongs to tenant `{}`", other.id);
                origin.add(&format!("domains[{index}]"), 0..0, what);
            }
        }
        tenant
    };
    let mut problems = report.into_problems();
    for problem in &mut problems {
        problem.path = document_path(&problem.path, &wishers);
    }
    match tenant {
        Some(tenant) if problems.is_empty() => Ok(tenant),
        Some(_) | None => Err(problems),
    }
}

/// Reads how a user of a tenant wishes to be reached.
///
/// # Errors
/// Everything that is wrong with it.
pub fn wishes(tenant: &Tenant, user: &str, json: &Json) -> Result<Arc<Wishes>, Vec<Problem>> {
    let report = Report::without_file();
    let wishes = {
        let origin = Origin::new(&report, Vec::new());
        let path = format!("forwarding.{user}");
        let value = Value::json(&path, json, &origin);
        match tenant.users.get(user) {
            Some(user) => {
                let wishes = forwarding::read(&value);
                for missing in wishes.iter().flat_map(|wishes| forwarding::missing(wishes, user, tenant)) {
                    value.wrong(missing);
                }
                wishes
            }
            None => {
                value.wrong(format!("no user `{user}`"));
                None
            }
        }
    };
    let problems = report.into_problems();
    wishes.filter(|_| problems.is_empty()).ok_or(problems)
}

/// Devices and wishes are documents of their own, and stand within their users only while the tenant is read.
fn document_path(path: &str, wishers: &BTreeSet<String>) -> String {
    let Some(rest) = path.strip_prefix("users.") else { return path.to_owned() };
    if let Some((_, device)) = rest.split_once(".devices.") {
        return format!("devices.{device}");
    }
    match rest.split_once(".forwarding") {
        Some((user, key)) if wishers.contains(user) => format!("forwarding.{user}{key}"),
        Some(_) | None => path.to_owned(),
    }
}

/// The documents by kind, as the sections of a file.
#[derive(Default)]
struct Whole {
    tenant: Map<String, Json>,
    sections: BTreeMap<Kind, Map<String, Json>>,
    /// How users wish to be reached, by user.
    wishes: Map<String, Json>,
}

impl Whole {
    fn of(documents: Vec<Document>, origin: &Origin<'_>) -> Self {
        let mut whole = Self::default();
        for (kind, name, json) in documents {
            if kind == Kind::Tenant {
                Value::json("", &json, origin).table();
                if let Json::Object(map) = json {
                    whole.tenant = map;
                }
            } else if kind == Kind::Forwarding {
                whole.wishes.insert(name, json);
            } else {
                whole.sections.entry(kind).or_default().insert(name, json);
            }
        }
        whole
    }

    fn into_json(mut self, origin: &Origin<'_>) -> Json {
        let mut users = self.sections.remove(&Kind::User).unwrap_or_default();
        for (name, user) in &users {
            if user.get("devices").is_some() {
                origin.add(
                    &format!("users.{name}.devices"),
                    0..0,
                    "is no key here: devices are made by themselves",
                );
            }
        }
        for (extension, device) in self.sections.remove(&Kind::Device).unwrap_or_default() {
            give(&mut users, &extension, device, origin);
        }
        for (name, wishes) in self.wishes {
            match users.get_mut(&name).map(Json::as_object_mut) {
                None => origin.add(&format!("forwarding.{name}"), 0..0, format!("no user `{name}`")),
                // What is wrong with the user is said there.
                Some(None) => {}
                Some(Some(user)) => {
                    user.insert("forwarding".to_owned(), wishes);
                }
            }
        }
        for key in Kind::managed().map(Kind::words) {
            if self.tenant.remove(key).is_some() {
                origin.add(key, 0..0, format!("is no key here: {key} are made by themselves"));
            }
        }
        self.sections.insert(Kind::User, users);
        for (kind, section) in self.sections {
            self.tenant.insert(kind.words().to_owned(), Json::Object(section));
        }
        Json::Object(self.tenant)
    }
}

/// Puts a device where the file has it: with its user.
fn give(users: &mut Map<String, Json>, extension: &str, mut device: Json, origin: &Origin<'_>) {
    let path = format!("devices.{extension}");
    let owner = match device.as_object_mut().map(|device| device.remove("user")) {
        Some(Some(Json::String(owner))) => owner,
        Some(Some(_)) => {
            return origin.add(&format!("{path}.user"), 0..0, "must be text: the name of a user");
        }
        Some(None) => return origin.add(&format!("{path}.user"), 0..0, "is missing"),
        None => return origin.add(&path, 0..0, "must be a table"),
    };
    match users.get_mut(&owner).map(Json::as_object_mut) {
        None => origin.add(&format!("{path}.user"), 0..0, format!("no user `{owner}`")),
        // What is wrong with the user is said there.
        Some(None) => {}
        Some(Some(user)) => {
            let devices = user.entry("devices").or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(devices) = devices {
                devices.insert(extension.to_owned(), device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use callwright_sip::digest::{Algorithm, Secret};
    use serde_json::json;

    use super::*;
    use crate::shape;

    fn acme() -> Vec<Document> {
        let ha1 = Algorithm::Md5.ha1("1001", "acme.example", "desk");
        let secret =
            json!({ "realm": "acme.example", "algorithm": "MD5", "ha1": ha1, "set": "2026-11-21T16:00:00Z" });
        vec![
            (
                Kind::Tenant,
                "acme".to_owned(),
                json!({ "domains": ["acme.example"], "zone": "Europe/Berlin" }),
            ),
            (Kind::User, "ana".to_owned(), json!({ "name": "Ana Alvarez", "extension": "100" })),
            (Kind::User, "bob".to_owned(), json!({ "numbers": ["+4930123456"], "call-waiting": true })),
            (Kind::Device, "1001".to_owned(), json!({ "user": "ana", "label": "desk", "secret": secret })),
            (
                Kind::Device,
                "gate".to_owned(),
                json!({ "user": "bob", "label": "g", "contact": "sip:192.0.2.7:5080" }),
            ),
            (Kind::Group, "sales".to_owned(), json!({ "extension": "200", "members": ["bob", "ana"] })),
            (Kind::Place, "night".to_owned(), json!("user:bob")),
            (
                Kind::Hours,
                "office".to_owned(),
                json!({ "weekly": ["mon-fri 08:00-18:00"], "holidays": ["de-be"] }),
            ),
            (Kind::Holidays, "de-be".to_owned(), json!({ "2026-12-25": "Christmas" })),
            (
                Kind::Rota,
                "platform".to_owned(),
                json!({ "members": ["ana", "bob"], "from": "2026-11-16", "swaps": { "2026-12-25": "nobody" } }),
            ),
            (
                Kind::TimeRoute,
                "desk".to_owned(),
                json!({ "routes": [{ "hours": "office", "to": "rota:platform" }], "otherwise": "user:ana" }),
            ),
            (Kind::Site, "berlin".to_owned(), json!(["device:1001", "group:sales"])),
            (
                Kind::Role,
                "duty-phone".to_owned(),
                json!({ "extension": "300", "held-by": "rota:platform", "follow-forwarding": true }),
            ),
            (Kind::Table, "vip".to_owned(), json!({ "+4930999999": "ana", "user:bob": "board" })),
        ]
    }

    fn problems(documents: Vec<Document>) -> Vec<String> {
        let problems = assemble(&"acme".into(), documents, &Config::default()).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    fn with(kind: Kind, name: &str, json: Json) -> Vec<Document> {
        let mut documents = acme();
        documents.retain(|(of, known, _)| (*of, known.as_str()) != (kind, name));
        documents.push((kind, name.to_owned(), json));
        documents
    }

    #[test]
    fn documents_make_the_tenant_that_a_file_with_the_same_words_makes() {
        let made = assemble(&"acme".into(), acme(), &Config::default()).unwrap();
        let file = r#"
            listen = "127.0.0.1:5060"
            data = "data"
            [tenants.acme]
            domains = ["acme.example"]
            zone = "Europe/Berlin"
            users.ana = { name = "Ana Alvarez", extension = "100", devices = { 1001 = { label = "desk", password = "desk" } } }
            users.bob = { numbers = ["+4930123456"], call-waiting = true, devices = { gate = { label = "g", contact = "sip:192.0.2.7:5080" } } }
            groups.sales = { extension = "200", members = ["bob", "ana"] }
            places.night = "user:bob"
            hours.office = { weekly = ["mon-fri 08:00-18:00"], holidays = ["de-be"] }
            holidays.de-be = { "2026-12-25" = "Christmas" }
            rotas.platform = { members = ["ana", "bob"], from = "2026-11-16", swaps = { "2026-12-25" = "nobody" } }
            time-routes.desk = { routes = [{ hours = "office", to = "rota:platform" }], otherwise = "user:ana" }
            sites.berlin = ["device:1001", "group:sales"]
            roles.duty-phone = { extension = "300", held-by = "rota:platform", follow-forwarding = true }
            tables.vip = { "+4930999999" = "ana", "user:bob" = "board" }
        "#;
        let read = crate::parse(file, std::path::Path::new(".")).unwrap();
        let mut read = Tenant::clone(&read.switch.tenants["acme"]);
        let of_file = read.devices.get_mut("1001").unwrap().secret.replace(Secret::new(""));
        assert_eq!(of_file, Some(Secret::new("desk")));
        let mut made = made;
        let ha1 = made.devices.get_mut("1001").unwrap().secret.replace(Secret::new(""));
        assert_eq!(ha1, Some(Secret::of_ha1(Algorithm::Md5.ha1("1001", "acme.example", "desk"))));
        assert_eq!(format!("{made:?}"), format!("{read:?}"));
    }

    #[test]
    fn what_is_read_is_shown_as_the_document_that_makes_it() {
        let made = assemble(&"acme".into(), acme(), &Config::default()).unwrap();
        let again = |kind, name: &str, shape: Json| {
            let found = assemble(&"acme".into(), with(kind, name, shape), &Config::default());
            assert_eq!(format!("{:?}", found.unwrap()), format!("{made:?}"), "{name}");
        };
        let rota = shape::Rota::from(&made.rotas["platform"]);
        again(Kind::Rota, "platform", serde_json::to_value(rota).unwrap());
        let route = shape::TimeRoute::from(&made.time_routes["desk"]);
        again(Kind::TimeRoute, "desk", serde_json::to_value(route).unwrap());
        let role = shape::Role::from(&made.roles["duty-phone"]);
        again(Kind::Role, "duty-phone", serde_json::to_value(role).unwrap());
        again(Kind::Site, "berlin", serde_json::to_value(shape::Site::from(&made.sites["berlin"])).unwrap());
        let holidays = shape::Holidays::from(&made.holidays["de-be"]);
        again(Kind::Holidays, "de-be", serde_json::to_value(holidays).unwrap());
        let mut staggered = shape::Group::from(&made.groups["sales"]);
        assert_eq!(staggered.members, ["bob", "ana"]);
        (staggered.stagger_s, staggered.ring_time_s) = (Some(3), Some(20));
        staggered.members.push("place:berlin".to_owned());
        let json = serde_json::to_value(&staggered).unwrap();
        let found = assemble(&"acme".into(), with(Kind::Group, "sales", json.clone()), &Config::default())
            .unwrap_err();
        assert!(found.iter().any(|it| it.what.contains("in itself: sales → sales")), "{found:?}");
        again(Kind::Table, "vip", serde_json::to_value(shape::Table::from(&made.tables["vip"])).unwrap());
    }

    #[test]
    fn everything_that_is_wrong_is_named_by_its_document() {
        let mut documents = with(Kind::User, "ana", json!({ "extension": 100, "colour": "red" }));
        documents.push((Kind::Device, "1002".to_owned(), json!({ "user": "zoe", "label": "soft" })));
        documents.push((Kind::Device, "1003".to_owned(), json!({ "user": "bob", "early-dialogs": "two" })));
        documents.push((Kind::Group, "night".to_owned(), json!({ "members": ["zoe"] })));
        let found = problems(documents);
        // Which keys are known is for `shape` to say.
        let found: Vec<_> = found.iter().map(|it| it.split("; known are").next().unwrap()).collect();
        assert_eq!(
            found,
            [
                "devices.1002.user: no user `zoe`",
                "users.ana.extension: must be text, is a whole number",
                "users.ana.colour: is no key here",
                "devices.1003.label: is missing",
                "devices.1003.early-dialogs: `two` is neither \"per-leg\" nor \"one\"",
                "groups.night.members[0]: no user `zoe`",
            ]
        );
    }

    #[test]
    fn groups_within_each_other_end_somewhere() {
        let of = |members: &[&str]| json!({ "members": members });
        let mut documents = with(Kind::Group, "sales", of(&["bob", "group:night"]));
        documents.push((Kind::Group, "night".to_owned(), of(&["place:late"])));
        documents.push((Kind::Place, "late".to_owned(), json!("group:sales")));
        documents.push((Kind::Group, "odd".to_owned(), of(&["device:1001", "group:none", "group:none"])));
        assert_eq!(
            problems(documents),
            [
                "groups.odd.members[0]: must be the name of a user, group:NAME or place:NAME",
                "groups.odd.members[2]: `group:none` is named twice",
                "groups.night.members: the group would be in itself: night → sales → night",
                "groups.odd.members[1]: no group `none`",
                "groups.odd.members[2]: no group `none`",
                "groups.sales.members: the group would be in itself: sales → night → sales",
            ]
        );
        let mut deep = acme();
        for level in 0..10 {
            let inner = if level == 9 { "ana".to_owned() } else { format!("group:l{}", level + 1) };
            deep.push((Kind::Group, format!("l{level}"), of(&[&inner])));
        }
        assert_eq!(problems(deep), ["groups.l0.members: more than 8 groups would be within each other"]);
    }

    #[test]
    fn what_has_documents_of_its_own_is_no_key_of_the_tenant() {
        let tenant = json!({ "domains": ["acme.example"], "zone": "UTC", "roles": {}, "rotas": {} });
        let found = problems(with(Kind::Tenant, "acme", tenant));
        let wrong =
            ["rotas", "roles"].map(|key| format!("{key}: is no key here: {key} are made by themselves"));
        assert_eq!(found, wrong);
    }

    /// The keys that a shape has, as programs are told.
    fn told<T: utoipa::PartialSchema>() -> BTreeSet<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    /// The keys that are read, as a wrong one is told.
    fn read(kind: Kind, name: &str) -> BTreeSet<String> {
        let found = problems(with(kind, name, json!({ "user": "ana", "wrong": 1 })));
        let wrong = found.iter().find(|it| it.contains("wrong: is no key here; known are ")).unwrap();
        let known = wrong.split("known are ").nth(1).unwrap();
        // Devices are documents of their own, and whose they are is read beforehand.
        known.split(", ").filter(|key| *key != "devices").map(str::to_owned).collect()
    }

    /// The same where a document of that kind has no user.
    fn read_alone(kind: Kind, name: &str) -> BTreeSet<String> {
        let found = problems(with(kind, name, json!({ "wrong": 1 })));
        let known = found.iter().find_map(|it| it.split("known are ").nth(1)).unwrap();
        known.split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn programs_are_told_of_the_keys_that_are_read() {
        assert_eq!(told::<shape::User>(), read(Kind::User, "bob"));
        assert_eq!(told::<shape::Group>(), read(Kind::Group, "sales"));
        assert_eq!(told::<shape::Hours>(), read(Kind::Hours, "office"));
        assert_eq!(told::<shape::TimeRoute>(), read(Kind::TimeRoute, "desk"));
        assert_eq!(told::<shape::Role>(), read_alone(Kind::Role, "duty-phone"));
        assert_eq!(told::<shape::Rota>(), read_alone(Kind::Rota, "platform"));
        let mut device = read(Kind::Device, "1001");
        device.insert("user".to_owned());
        assert_eq!(told::<shape::Device>(), device);
        let of_tenant = read(Kind::Tenant, "acme");
        let unread: Vec<_> = told::<shape::Tenant>().difference(&of_tenant).cloned().collect();
        assert_eq!(unread, [""; 0]);
        assert_eq!(told::<shape::Forwarding>(), read(Kind::Forwarding, "ana"));
        let keys = |wishes: Json| {
            let made = assemble(&"acme".into(), acme(), &Config::default()).unwrap();
            let found =
                wishes_of(&made, &wishes).into_iter().find(|it| it.contains("wrong: is no key")).unwrap();
            let known = found.split("known are ").nth(1).unwrap();
            known.split(", ").map(str::to_owned).collect::<BTreeSet<_>>()
        };
        assert_eq!(told::<shape::Profile>(), keys(json!({ "profiles": { "x": { "wrong": 1 } } })));
        assert_eq!(
            told::<shape::CallerList>(),
            keys(json!({ "callers": [{ "wrong": 1, "name": "x", "from": ["withheld"] }] }))
        );
        let time = json!({ "times": [{ "wrong": 1, "name": "x", "when": "always" }] });
        assert_eq!(told::<shape::TimeTarget>(), keys(time));
    }

    /// What is wrong with wishes of ana.
    fn wishes_of(tenant: &Tenant, json: &Json) -> Vec<String> {
        let problems = wishes(tenant, "ana", json).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn selections_and_profiles_name_what_there_is() {
        let mut tenant = assemble(&"acme".into(), acme(), &Config::default()).unwrap();
        let wrong = |json: Json| wishes_of(&tenant, &json);
        let list =
            |from: &str, to: &str| json!({ "callers": [{ "name": "vip", "from": [from], "to": [to] }] });
        assert_eq!(wrong(list("user:bob", "group:sales")), [""; 0]);
        assert_eq!(wrong(list("number:+4930*", "user:ana")), [""; 0]);
        for (json, said) in [
            (list("user:zoe", "user:bob"), "lists the caller `user:zoe`: no user `zoe`"),
            (list("group:x", "user:bob"), "lists the caller `group:x`: no group `x`"),
            (list("withheld", "user:zoe"), "is forwarded to `user:zoe`: no user `zoe`"),
            (list("number:4930", "user:bob"), "`number:4930` is no caller"),
            (list("withheld", "device:1001"), "a device is nothing to forward to"),
            (
                json!({ "callers": [{ "name": "vip", "from": [], "to": ["user:bob"] }] }),
                "must name 1 to 200 callers",
            ),
            (
                json!({ "callers": [{ "name": "vip", "from": ["withheld"], "to": [] }] }),
                "at least one destination",
            ),
            (
                json!({ "times": [{ "name": "a", "when": "always", "to": ["user:bob"] },
                { "name": "a", "when": "always", "to": ["user:bob"] }] }),
                "`a` is there twice",
            ),
            (json!({ "times": [{ "name": "a", "when": "noon", "to": ["user:bob"] }] }), "`noon` is neither"),
            (json!({ "busy-to": ["user:zoe"] }), "is forwarded to `user:zoe`"),
            (
                json!({ "profile": "away" }),
                "has the profile `away`, which is none of do-not-disturb, office, travel",
            ),
            (
                json!({ "profiles": { "x": { "to": ["user:zoe"] } } }),
                "in profile `x` is forwarded to `user:zoe`",
            ),
            (json!({ "profiles": { "x": { "queues": ["a"] } } }), "profiles.x.queues: is no key here"),
        ] {
            let found = wrong(json);
            assert!(found.len() == 1 && found[0].contains(said), "{found:?} is not `{said}`");
        }
        assert_eq!(wrong(json!({ "profile": "x", "profiles": { "x": { "mode": "off" } } })), [""; 0]);
        tenant.profiles.insert("away".into(), Default::default());
        assert_eq!(wishes_of(&tenant, &json!({ "profile": "away" })), [""; 0]);
        let lost = json!({ "domains": ["acme.example"], "zone": "UTC", "profiles": { "x": { "to": ["user:zoe"] } } });
        let found = problems(with(Kind::Tenant, "acme", lost));
        assert_eq!(found, ["profiles: `x` is forwarded to `user:zoe`: no user `zoe`"]);
        let found = problems(with(Kind::Forwarding, "ana", json!({ "to": ["place:none"] })));
        assert_eq!(found, ["forwarding.ana: is forwarded to `place:none`: no place `none`"]);
    }

    #[test]
    fn wishes_are_read_with_the_words_of_the_file_and_must_lead_somewhere() {
        let with = |wishes: Json| {
            let mut documents = acme();
            documents.push((Kind::Forwarding, "ana".to_owned(), wishes));
            documents
        };
        let good = json!({ "mode": "no-answer", "to": ["user:bob"] });
        let made = assemble(&"acme".into(), with(good.clone()), &Config::default()).unwrap();
        let saved = made.users["ana"].forwarding.clone().unwrap();
        assert_eq!(format!("{saved:?}"), format!("{:?}", wishes(&made, "ana", &good).unwrap()));
        let found = problems(with(json!({ "mode": "sometimes", "to": ["user:bob"] })));
        assert!(found.len() == 1 && found[0].starts_with("forwarding.ana.mode: `sometimes`"), "{found:?}");
        assert!(!problems(with(json!({ "to": ["user:zoe"] }))).is_empty());
        for (user, wrong) in [("ana", json!({ "to": ["user:zoe"], "silent": ["gate"] })), ("zoe", good)] {
            let problems = wishes(&made, user, &wrong).unwrap_err();
            assert!(problems[0].to_string().starts_with(&format!("forwarding.{user}: ")), "{problems:?}");
        }
    }

    #[test]
    fn what_is_a_document_of_its_own_stands_in_no_other() {
        let tenant = json!({ "domains": ["acme.example"], "zone": "UTC", "users": {} });
        assert_eq!(
            problems(with(Kind::Tenant, "acme", tenant)),
            ["users: is no key here: users are made by themselves"]
        );
        let user = json!({ "devices": { "7": { "label": "x" } } });
        let found = problems(with(Kind::User, "bob", user));
        assert_eq!(found[0], "users.bob.devices: is no key here: devices are made by themselves");
    }

    #[test]
    fn a_secret_is_good_for_the_first_domain_and_the_digest_that_it_was_made_for() {
        for (tenant, found) in [
            (json!({ "domains": ["new.example", "acme.example"], "zone": "UTC" }), 1),
            (json!({ "domains": ["acme.example"], "zone": "UTC", "digest": "sha-256" }), 1),
        ] {
            let problems = problems(with(Kind::Tenant, "acme", tenant));
            assert_eq!(problems.len(), found, "{problems:?}");
            assert!(problems[0].starts_with("devices.1001.secret: was made"), "{problems:?}");
        }
    }

    #[test]
    fn whoever_names_no_destination_is_told_of_those_that_may_stand_there() {
        let named = |kind, name: &str, json| problems(with(kind, name, json)).join("; ");
        let told = |forms: &str| format!("`zoe` is no destination: write {forms}");
        let forms = "user:NAME, person:NAME, group:NAME, place:NAME or +4930123456";
        assert!(named(Kind::Forwarding, "ana", json!({ "to": ["zoe"] })).contains(&told(forms)));
        let forms = "device:EXTENSION, user:NAME or person:NAME";
        assert!(named(Kind::Forwarding, "ana", json!({ "cold-route": "zoe" })).contains(&told(forms)));
        let forms = "user:NAME, person:NAME, device:EXTENSION, group:NAME or +4930123456";
        assert!(named(Kind::Place, "night", json!("zoe")).contains(&told(forms)));
        assert!(
            named(Kind::Site, "berlin", json!(["zoe"]))
                .contains(&told("user:NAME, device:EXTENSION or group:NAME"))
        );
        let forms =
            "user:NAME, person:NAME, device:EXTENSION, group:NAME, place:NAME, rota:NAME or +4930123456";
        assert!(named(Kind::Role, "duty-phone", json!({ "held-by": "zoe" })).contains(&told(forms)));
        // All that is named there may stand there.
        for held_by in ["person:ana", "+4930123456", "place:night", "device:1001"] {
            let role = with(Kind::Role, "duty-phone", json!({ "held-by": held_by }));
            assert!(assemble(&"acme".into(), role, &Config::default()).is_ok(), "{held_by}");
        }
        for target in ["person:ana", "+4930123456", "device:1001"] {
            let place = with(Kind::Place, "night", json!(target));
            assert!(assemble(&"acme".into(), place, &Config::default()).is_ok(), "{target}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_name_needs_no_line() {
        let found = assemble(&"Glo bex".into(), acme(), &Config::default()).unwrap_err();
        let told = "`Glo bex` is no name: use up to 64 letters, digits, `-`, `_` and `.`";
        assert_eq!(found[0].to_string(), told);
    }

    #[test]
    fn a_domain_of_another_tenant_is_taken() {
        let other = assemble(&"acme".into(), acme(), &Config::default()).unwrap();
        let config = Config::new(["pbx.example".to_owned()].into(), None, vec![other]);
        assert!(assemble(&"acme".into(), acme(), &config).is_ok());
        let zeta = |domain: &str| {
            vec![(Kind::Tenant, "zeta".to_owned(), json!({ "domains": [domain], "zone": "UTC" }))]
        };
        let problems = assemble(&"zeta".into(), zeta("ACME.example"), &config).unwrap_err();
        assert_eq!(problems[0].to_string(), "domains[0]: `acme.example` already belongs to tenant `acme`");
        assert!(assemble(&"zeta".into(), zeta("pbx.example"), &config).is_err());
    }
}
