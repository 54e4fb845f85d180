//! What is allowed and may not be meant: times at which nobody or two are meant, and people who are forwarded in a circle.

use std::collections::BTreeSet;
use std::sync::Arc;

use callwright_config::wishes;
use callwright_core::config::Tenant;
use callwright_core::forwarding::{self, Wishes, circle};
use callwright_core::names::{PlaceName, RotaName, UserId};
use callwright_core::rule::DestinationRef;
use callwright_core::time_route::{RouteTo, TimeRoute, gaps, holes, in_lines};
use callwright_core::{Kind, View};
use callwright_store::Store;
use jiff::Timestamp;

use super::Shown;
use crate::error::ApiError;
use crate::{Handle, switch};

/// How many names and people one change looks at.
const LOOKED_AT_MAX: usize = 100;

impl Shown {
    /// Says what may not be meant, once it holds; and of wishes as soon as they are prepared.
    pub(super) async fn warned(mut self, switch: &Handle, tenant: &Tenant) -> Result<Self, ApiError> {
        let is_of_wishes = self.kind == Kind::Forwarding;
        if self.draft.is_some() && !is_of_wishes {
            return Ok(self);
        }
        let view = switch.view_of(&tenant.id);
        let Some(tenant) = view.config.tenants.get(&tenant.id).cloned() else { return Ok(self) };
        let draft = self.draft.as_ref().filter(|_| is_of_wishes);
        let prepared = draft.and_then(|draft| wishes(&tenant, &self.name, &draft.value).ok());
        let (kind, name, now) = (self.kind, self.name.clone(), switch.now());
        // Two years take a while to walk through, so where waiting hurts nobody.
        let look = move |_: &dyn Store| of_document(&view, &tenant, (kind, &name), prepared.as_ref(), now);
        self.warnings = switch::ask(switch, look).await?;
        Ok(self)
    }
}

/// What to know of a document as it is now. Of wishes that are only prepared, what it would be.
pub(super) fn of_document(
    view: &View,
    tenant: &Tenant,
    (kind, name): (Kind, &str),
    prepared: Option<&Arc<Wishes>>,
    now: Timestamp,
) -> Vec<String> {
    let people = match kind {
        Kind::TimeRoute => return of_routes(tenant, now, |route| route.name.as_str() == name),
        Kind::Hours => {
            let names = |route: &TimeRoute| route.entries.iter().any(|entry| entry.hours.as_str() == name);
            return of_routes(tenant, now, names);
        }
        Kind::Holidays => return of_routes(tenant, now, |_| true),
        Kind::Rota => {
            let own = tenant.rotas.get(name).map(|rota| gaps(tenant, rota, now)).unwrap_or_default();
            let mut all = in_lines(&format!("rotas.{name}"), tenant, &own);
            all.extend(of_routes(tenant, now, |route| names_rota(route, &name.into())));
            return all;
        }
        Kind::Forwarding => [name.into()].into(),
        Kind::Group | Kind::Place => people_behind(tenant, kind, name),
        Kind::Tenant | Kind::User | Kind::Device | Kind::Table => return Vec::new(),
    };
    let wished = |user: &UserId| {
        let own = prepared.filter(|_| user.as_str() == name && kind == Kind::Forwarding);
        let wishes = own.or_else(|| forwarding::saved(view, tenant, user))?;
        Some(wishes.in_profile(tenant).map_or_else(|| Arc::clone(wishes), Arc::new))
    };
    of_people(tenant, people, wished)
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

/// Who is reached as a person by a group or a place: a circle that it closes goes through one of them.
fn people_behind(tenant: &Tenant, kind: Kind, name: &str) -> BTreeSet<UserId> {
    let place = (kind == Kind::Place).then(|| tenant.places.get(&PlaceName::from(name))).flatten();
    let group = match place.map(|place| &place.target) {
        Some(DestinationRef::Person(user)) => return [user.clone()].into(),
        Some(DestinationRef::Group(group)) => Some(group.clone()),
        Some(
            DestinationRef::Device(_)
            | DestinationRef::User(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_),
        ) => None,
        None => Some(name.into()),
    };
    let group = group.and_then(|group| tenant.groups.get(&group));
    group.into_iter().flat_map(|group| group.members.iter().cloned()).collect()
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
            let path: Vec<_> = found.iter().map(ToString::to_string).collect();
            all.push(format!("calls may go in a circle, which ends them there: {}", path.join(" → ")));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
        of_document(&view, &tenant, (kind, name), prepared, "2026-11-20T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn whatever_a_route_is_made_of_names_its_holes() {
        let hole = "Fri 2026-12-25 09:00 to Sat 2026-12-26 09:00 UTC: nobody";
        let night = format!("time-routes.night: {hole}");
        for (kind, name) in [(Kind::TimeRoute, "night"), (Kind::Hours, "office"), (Kind::Holidays, "x")] {
            assert_eq!(warned(None, None, kind, name), [night.as_str()], "{kind}");
        }
        assert_eq!(warned(None, None, Kind::Rota, "duty"), [format!("rotas.duty: {hole}"), night]);
        assert_eq!(warned(None, None, Kind::TimeRoute, "day"), [""; 0]);
        assert_eq!(warned(None, None, Kind::User, "ana"), [""; 0]);
    }

    #[test]
    fn a_circle_is_told_to_whoever_closes_it() {
        assert_eq!(warned(None, None, Kind::Forwarding, "bob"), [""; 0]);
        let settings = callwright_config::parse(HOUSE, Path::new("/etc")).unwrap();
        let wished = json!({ "mode": "no-answer", "to": ["person:bob"] });
        let ana = wishes(&settings.switch.tenants["acme"], "ana", &wished).unwrap();
        let told = |path: &str| format!("calls may go in a circle, which ends them there: {path}");
        let of_ana = told("ana → bob → ana");
        assert_eq!(warned(Some(&ana), None, Kind::Forwarding, "ana"), [of_ana.as_str()], "prepared");
        assert_eq!(warned(None, Some(&ana), Kind::Forwarding, "ana"), [of_ana.as_str()], "saved");
        assert_eq!(warned(None, Some(&ana), Kind::Forwarding, "bob"), [told("bob → ana → bob")]);
        for (kind, name) in [(Kind::Group, "all"), (Kind::Place, "desk"), (Kind::Place, "anas")] {
            assert_eq!(warned(None, Some(&ana), kind, name), [of_ana.as_str()], "{kind} {name}");
        }
        assert_eq!(warned(None, Some(&ana), Kind::Place, "hers"), [""; 0], "devices lead no farther");
    }
}
