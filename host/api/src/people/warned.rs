//! What is allowed and may not be meant: times at which nobody or two are meant, people who are forwarded in a circle or to
//! themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use callwright_config::{assemble, wishes};
use callwright_core::config::{Config, Tenant};
use callwright_core::forwarding::{self, Wishes, circle, persons};
use callwright_core::names::{HoursName, RotaName, TenantId, UserId};
use callwright_core::place::Role;
use callwright_core::route::{self, Decider};
use callwright_core::rule::{BindTarget, DestinationRef};
use callwright_core::time_route::{RouteTo, TimeRoute, gaps, holes, in_lines, vacancies};
use callwright_core::{Kind, View};
use callwright_store::{DOCUMENTS_PAGE_MAX, Document, Store, StoreError};
use jiff::Timestamp;
use serde_json::Value;

use super::Shown;
use crate::error::ApiError;
use crate::{Handle, switch};

/// How many names and people one change looks at.
const LOOKED_AT_MAX: usize = 100;

impl Shown {
    /// Says what may not be meant, of what holds since it was saved, and of what is prepared as if it held.
    pub(super) async fn warned(mut self, switch: &Handle, tenant: &Tenant) -> Result<Self, ApiError> {
        let view = switch.view_of(&tenant.id);
        let Some(tenant) = view.config.tenants.get(&tenant.id).cloned() else { return Ok(self) };
        let (kind, name, now) = (self.kind, self.name.clone(), switch.now());
        // Whoever is made anew may bear the name of somebody to whom a rule was bound.
        let is_new = kind == Kind::User && self.revision == 1;
        let bound = if is_new { decided_by(&view, &tenant, &name) } else { None };
        let prepared = self.draft.as_ref().map(|draft| draft.value.clone());
        // Two years take a while to walk through, so where waiting hurts nobody.
        let look = move |store: &dyn Store| -> Result<Vec<String>, StoreError> {
            let hours = hours_of(store, &tenant.id, (kind, &name))?;
            let told = |tenant: &Tenant, wished: Option<&Arc<Wishes>>| {
                of_document(&view, tenant, (kind, &name), &hours, wished, now)
            };
            let Some(value) = prepared else { return Ok(told(&tenant, None)) };
            if kind == Kind::Forwarding {
                return Ok(told(&tenant, wishes(&tenant, &name, &value).ok().as_ref()));
            }
            let tenant = with_draft(store, &tenant, (kind, &name), value)?;
            Ok(tenant.map(|tenant| told(&tenant, None)).unwrap_or_default())
        };
        self.warnings = switch::ask(switch, look).await??;
        self.warnings.extend(bound);
        Ok(self)
    }
}

/// That a rule of their own decides somebody's calls, whatever they wish. A rule that the whole tenant has is what wishes are for.
pub(super) fn decided_by(view: &View, tenant: &Tenant, user: &str) -> Option<String> {
    let Decider::Rule(rule, target) = route::decider(view, tenant, user) else { return None };
    (target != BindTarget::Tenant)
        .then(|| format!("calls to {user} are decided by rule {}, which is bound to {target}", rule.name))
}

/// The tenant as it would be if a draft held; none where it would be wrong, which is told when it is saved.
fn with_draft(
    store: &dyn Store,
    tenant: &Tenant,
    (kind, name): (Kind, &str),
    value: Value,
) -> Result<Option<Tenant>, StoreError> {
    let documents = store.documents(&tenant.id)?.into_iter();
    let others = documents.filter(|it| (it.kind, it.name.as_str()) != (kind, name));
    let live = others.filter_map(|it| Some((it.kind, it.name, it.live?)));
    let all = live.chain([(kind, name.to_owned(), value)]).collect();
    Ok(assemble(&tenant.id, all, &Config::default()).ok())
}

/// The hours that a document is about: themselves, and those that days off close.
fn hours_of(
    store: &dyn Store,
    tenant: &TenantId,
    (kind, name): (Kind, &str),
) -> Result<BTreeSet<HoursName>, StoreError> {
    let mut found = BTreeSet::new();
    if kind == Kind::Hours {
        found.insert(name.into());
    }
    if kind != Kind::Holidays {
        return Ok(found);
    }
    let is_closed = |hours: &Document| {
        let lists = hours.live.as_ref().and_then(|live| live.get("holidays")).and_then(Value::as_array);
        lists.is_some_and(|lists| lists.iter().any(|list| list == name))
    };
    let mut after: Option<String> = None;
    loop {
        let page = store.documents_of_kind(tenant, Kind::Hours, after.as_deref(), DOCUMENTS_PAGE_MAX)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.name.clone());
        found.extend(page.iter().filter(|it| is_closed(it)).map(|it| HoursName::from(it.name.as_str())));
    }
}

/// What to know of a document as it is now. Of wishes that are only prepared, what it would be.
pub(super) fn of_document(
    view: &View,
    tenant: &Tenant,
    (kind, name): (Kind, &str),
    hours: &BTreeSet<HoursName>,
    prepared: Option<&Arc<Wishes>>,
    now: Timestamp,
) -> Vec<String> {
    let mut all = of_times(tenant, (kind, name), hours, now);
    let place = || persons(tenant, &DestinationRef::Place(name.into()));
    let people = match kind {
        Kind::Forwarding => [name.into()].into(),
        Kind::Group => persons(tenant, &DestinationRef::Group(name.into())),
        Kind::Place | Kind::Site | Kind::Role | Kind::TimeRoute => place(),
        Kind::Rota => {
            let held = tenant.roles.values().filter(|role| role.held_by == RouteTo::Rota(name.into()));
            held.flat_map(|role| persons(tenant, &DestinationRef::Place(role.name.clone()))).collect()
        }
        Kind::Tenant | Kind::User | Kind::Device | Kind::Holidays | Kind::Hours | Kind::Table => {
            return all;
        }
    };
    let wished = |user: &UserId| {
        let own = prepared.filter(|_| user.as_str() == name && kind == Kind::Forwarding);
        let wishes = own.or_else(|| forwarding::saved(view, tenant, user))?;
        Some(wishes.in_profile(tenant).map_or_else(|| Arc::clone(wishes), Arc::new))
    };
    if kind == Kind::Forwarding {
        all.extend(wished(&name.into()).iter().flat_map(|wishes| to_themselves(tenant, name, wishes)));
    }
    all.extend(of_people(tenant, people, wished));
    all
}

/// The times of the next two years at which nobody or two are meant by what a document is a part of.
fn of_times(
    tenant: &Tenant,
    (kind, name): (Kind, &str),
    hours: &BTreeSet<HoursName>,
    now: Timestamp,
) -> Vec<String> {
    match kind {
        Kind::TimeRoute => {
            let mut all = of_routes(tenant, now, |route| route.name.as_str() == name);
            all.extend(of_roles(tenant, now, |role| holds_by(role, name)));
            all
        }
        Kind::Hours | Kind::Holidays => {
            let names = |route: &TimeRoute| route.entries.iter().any(|entry| hours.contains(&entry.hours));
            let mut all = of_routes(tenant, now, names);
            let is_held = |role: &Role| {
                tenant.time_routes.values().any(|route| names(route) && holds_by(role, route.name.as_str()))
            };
            all.extend(of_roles(tenant, now, is_held));
            all
        }
        Kind::Rota => {
            let own = tenant.rotas.get(name).map(|rota| gaps(tenant, rota, now)).unwrap_or_default();
            let mut all = in_lines(&format!("rotas.{name}"), tenant, &own);
            all.extend(of_routes(tenant, now, |route| names_rota(route, &name.into())));
            all.extend(of_roles(tenant, now, |role| match &role.held_by {
                RouteTo::Rota(rota) => rota.as_str() == name,
                RouteTo::Destination(DestinationRef::Place(route)) => {
                    tenant.time_routes.get(route).is_some_and(|route| names_rota(route, &name.into()))
                }
                RouteTo::Destination(_) => false,
            }));
            all
        }
        Kind::Role => of_roles(tenant, now, |role| role.name.as_str() == name),
        Kind::Tenant
        | Kind::User
        | Kind::Device
        | Kind::Group
        | Kind::Place
        | Kind::Site
        | Kind::Table
        | Kind::Forwarding => Vec::new(),
    }
}

fn holds_by(role: &Role, route: &str) -> bool {
    matches!(&role.held_by, RouteTo::Destination(DestinationRef::Place(name)) if name.as_str() == route)
}

fn of_roles(tenant: &Tenant, now: Timestamp, is_meant: impl Fn(&Role) -> bool) -> Vec<String> {
    let roles = tenant.roles.values().filter(|role| is_meant(role)).take(LOOKED_AT_MAX);
    let lines =
        |role: &Role| in_lines(&format!("roles.{}", role.name), tenant, &vacancies(tenant, role, now));
    roles.flat_map(lines).collect()
}

/// Wishes that lead back to whom they are of: their phones have rung by then, or ring at the same time.
fn to_themselves(tenant: &Tenant, user: &str, wishes: &Wishes) -> Vec<String> {
    let mut told = BTreeSet::new();
    // A cold route is there to choose among one's own phones.
    let is_route =
        |to: &&DestinationRef| wishes.cold_route.as_ref().is_some_and(|route| std::ptr::eq(route, *to));
    for to in wishes.targets().filter(|to| !is_route(to)) {
        let own = match to {
            DestinationRef::Number(number) => tenant.plan.find(number).unwrap_or(to),
            DestinationRef::Device(_)
            | DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_) => to,
        };
        let is_own = match own {
            DestinationRef::Device(device) => {
                tenant.devices.get(device).is_some_and(|device| device.user.as_str() == user)
            }
            DestinationRef::User(to) => to.as_str() == user,
            DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_) => false,
        };
        if is_own {
            told.insert(format!(
                "`{to}` is {user} themselves: calls would go back to the phones that they come from; \
                 `cold-route` chooses which of them rings"
            ));
        }
    }
    told.into_iter().collect()
}

fn of_routes(tenant: &Tenant, now: Timestamp, is_meant: impl Fn(&TimeRoute) -> bool) -> Vec<String> {
    let routes = tenant.time_routes.values().filter(|route| is_meant(route)).take(LOOKED_AT_MAX);
    let lines = |route: &TimeRoute| {
        in_lines(&format!("time-routes.{}", route.name), tenant, &holes(tenant, route, now))
    };
    routes.flat_map(lines).collect()
}

fn names_rota(route: &TimeRoute, rota: &RotaName) -> bool {
    let mut to = route.entries.iter().map(|entry| &entry.to).chain(&route.otherwise);
    to.any(|to| matches!(to, RouteTo::Rota(named) if named == rota))
}

fn of_people(
    tenant: &Tenant,
    people: BTreeSet<UserId>,
    wishes: impl Fn(&UserId) -> Option<Arc<Wishes>> + Copy,
) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for user in people.into_iter().take(LOOKED_AT_MAX) {
        let Some(found) = circle(tenant, &user, wishes) else { continue };
        // The same circle begins with each who is in it.
        if seen.insert(found.iter().cloned().collect::<BTreeSet<_>>()) {
            let word = |to: &DestinationRef| to.user().map_or_else(|| to.to_string(), ToString::to_string);
            let path: Vec<_> = found.iter().map(word).collect();
            all.push(format!("calls may go in a circle, which ends them there: {}", path.join(" → ")));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use callwright_core::rule::ActiveRule;
    use callwright_store::Memory;
    use serde_json::json;

    use super::*;

    const HOUSE: &str = r#"
        listen = "127.0.0.1:5060"
        data = "data"
        [tenants.acme]
        domains = ["acme.example"]
        zone = "UTC"
        users.ana = {}
        users.bob.forwarding = { mode = "no-answer", to = ["group:all"] }
        groups.all = { members = ["ana"], follow-forwarding = true }
        places = { desk = "group:all", anas = "person:ana", hers = "user:ana" }
        hours.office = { weekly = ["mon-sun 00:00-24:00"] }
        rotas.duty = { members = ["ana"], from = "2026-11-01", swaps = { "2026-12-25" = "nobody" } }
        time-routes.night = { routes = [{ hours = "office", to = "rota:duty" }] }
        time-routes.day = { routes = [{ hours = "office", to = "user:ana" }] }
        users.cleo = { devices = { 1021 = { label = "desk", password = "x" } }, extension = "102", numbers = ["+49301021"] }
        roles.phone = { held-by = "rota:duty", follow-forwarding = true }
        roles.backup = { held-by = "place:night" }
    "#;

    fn warned(
        prepared: Option<&Arc<Wishes>>,
        saved: Option<&Arc<Wishes>>,
        kind: Kind,
        name: &str,
    ) -> Vec<String> {
        let settings = callwright_config::parse(HOUSE, Path::new("/etc")).unwrap();
        let tenant = Arc::clone(&settings.switch.tenants["acme"]);
        let mut view = View::default();
        if let Some(wishes) = saved {
            view.wishes.insert(("acme".into(), "ana".into()), Arc::clone(wishes));
        }
        let hours = hours_of(&Memory::new(), &tenant.id, (kind, name)).unwrap();
        of_document(&view, &tenant, (kind, name), &hours, prepared, "2026-11-20T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_rule_of_their_own_is_told_and_one_of_the_tenant_s_is_not() {
        let settings = callwright_config::parse(HOUSE, Path::new("/etc")).unwrap();
        let tenant = &settings.switch.tenants["acme"];
        for (bind, told) in [
            (BindTarget::User("cleo".into()), Some("user:cleo")),
            (BindTarget::User("ana".into()), None),
            (BindTarget::Tenant, None),
        ] {
            let standard = ActiveRule::standard(&"acme".into(), "sha256:aa".into());
            let rule = Arc::new(ActiveRule { name: "on-call".into(), bind: vec![bind], ..standard });
            let mut view = View::default();
            view.rules.insert(("acme".into(), rule.name.clone()), rule);
            let told =
                told.map(|to| format!("calls to cleo are decided by rule on-call, which is bound to {to}"));
            assert_eq!(decided_by(&view, tenant, "cleo"), told);
        }
    }

    #[test]
    fn whatever_a_route_is_made_of_names_its_holes() {
        let hole = "Fri 2026-12-25 09:00 to Sat 2026-12-26 09:00 UTC: nobody";
        let night = format!("time-routes.night: {hole}");
        let (backup, phone) = (format!("roles.backup: {hole}"), format!("roles.phone: {hole}"));
        for (kind, name) in [(Kind::TimeRoute, "night"), (Kind::Hours, "office")] {
            assert_eq!(warned(None, None, kind, name), [&*night, &*backup], "{kind}");
        }
        assert_eq!(warned(None, None, Kind::Holidays, "unused"), [""; 0]);
        let rota = [format!("rotas.duty: {hole}"), night, backup.clone(), phone.clone()];
        assert_eq!(warned(None, None, Kind::Rota, "duty"), rota);
        assert_eq!(warned(None, None, Kind::Role, "phone"), [phone]);
        assert_eq!(warned(None, None, Kind::Role, "backup"), [backup]);
        assert_eq!(warned(None, None, Kind::TimeRoute, "day"), [""; 0]);
        assert_eq!(warned(None, None, Kind::User, "ana"), [""; 0]);
    }

    #[test]
    fn whoever_forwards_to_their_own_phone_is_told() {
        let settings = callwright_config::parse(HOUSE, Path::new("/etc")).unwrap();
        let tenant = &settings.switch.tenants["acme"];
        for to in ["number:+49301021", "user:cleo"] {
            let wished = wishes(tenant, "cleo", &json!({ "mode": "no-answer", "to": [to] })).unwrap();
            let told = warned(Some(&wished), None, Kind::Forwarding, "cleo");
            assert!(
                told.len() == 1 && told[0].starts_with(&format!("`{to}` is cleo themselves: ")),
                "{told:?}"
            );
        }
        for other in
            [json!({ "mode": "no-answer", "to": ["user:ana"] }), json!({ "cold-route": "device:1021" })]
        {
            let other = wishes(tenant, "cleo", &other).unwrap();
            assert_eq!(warned(Some(&other), None, Kind::Forwarding, "cleo"), [""; 0]);
        }
    }

    #[test]
    fn a_circle_through_a_role_names_it() {
        let settings = callwright_config::parse(HOUSE, Path::new("/etc")).unwrap();
        let wished = json!({ "mode": "no-answer", "to": ["place:phone"] });
        let ana = wishes(&settings.switch.tenants["acme"], "ana", &wished).unwrap();
        let circle = "calls may go in a circle, which ends them there: ana → place:phone → ana";
        assert_eq!(warned(Some(&ana), None, Kind::Forwarding, "ana"), [circle]);
        for (kind, name) in [(Kind::Role, "phone"), (Kind::Rota, "duty")] {
            let told = warned(None, Some(&ana), kind, name);
            assert_eq!(told.last().map(String::as_str), Some(circle), "{kind}");
        }
    }

    #[test]
    fn a_circle_is_told_to_whoever_closes_it() {
        assert_eq!(warned(None, None, Kind::Forwarding, "bob"), [""; 0]);
        let settings = callwright_config::parse(HOUSE, Path::new("/etc")).unwrap();
        let wished = json!({ "mode": "no-answer", "to": ["person:bob"] });
        let ana = wishes(&settings.switch.tenants["acme"], "ana", &wished).unwrap();
        let told = |path: &str| format!("calls may go in a circle, which ends them there: {path}");
        let of_ana = told("ana → bob → group:all → ana");
        assert_eq!(warned(Some(&ana), None, Kind::Forwarding, "ana"), [of_ana.as_str()], "prepared");
        assert_eq!(warned(None, Some(&ana), Kind::Forwarding, "ana"), [of_ana.as_str()], "saved");
        assert_eq!(warned(None, Some(&ana), Kind::Forwarding, "bob"), [told("bob → group:all → ana → bob")]);
        for (kind, name) in [(Kind::Group, "all"), (Kind::Place, "desk"), (Kind::Place, "anas")] {
            assert_eq!(warned(None, Some(&ana), kind, name), [of_ana.as_str()], "{kind} {name}");
        }
        assert_eq!(warned(None, Some(&ana), Kind::Place, "hers"), [""; 0], "devices lead no farther");
    }
}
