//! Destinations that depend on the time, and whether every minute has exactly one: pure functions of a tenant and a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::config::Tenant;
use crate::names::{HoursName, PlaceName, RotaName};
use crate::place::Role;
use crate::rota::{Rota, on_duty};
use crate::rule::{DestinationRef, NotADestination};
use crate::schedule::{opening, weekday_name};

/// Lines of one name that are told; how many holes there are besides is said.
const TOLD_MAX: usize = 20;
/// How far ahead holes are looked for.
const DAYS_AHEAD: i64 = 2 * 365 + 1;

/// A name that means somebody else at another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeRoute {
    /// Its name, which no place has.
    pub name: PlaceName,
    /// Who is meant while which hours are open; the first that are open count.
    pub entries: Vec<RouteEntry>,
    /// Who is meant when none is.
    pub otherwise: Option<RouteTo>,
}

/// One line of a [`TimeRoute`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// While these hours are open.
    pub hours: HoursName,
    /// Who is meant.
    pub to: RouteTo,
}

/// Who is meant: somebody always the same, or whoever has a duty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteTo {
    /// `user:ana`, `group:sales`, …
    Destination(DestinationRef),
    /// `rota:platform`
    Rota(RotaName),
}

impl fmt::Display for RouteTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destination(to) => to.fmt(f),
            Self::Rota(rota) => write!(f, "rota:{rota}"),
        }
    }
}

impl std::str::FromStr for RouteTo {
    type Err = NotARoute;

    fn from_str(text: &str) -> Result<Self, NotARoute> {
        match text.split_once(':') {
            Some(("rota", name)) if !name.is_empty() => Ok(Self::Rota(name.into())),
            Some(_) | None => {
                let to = text.parse().map_err(|NotADestination(text)| NotARoute(text))?;
                Ok(Self::Destination(to))
            }
        }
    }
}

/// A text that should have named whom a route means, or who holds a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no destination: write user:NAME, person:NAME, device:EXTENSION, group:NAME, place:NAME, rota:NAME or +4930123456"
)]
pub struct NotARoute(pub String);

/// Who is meant at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// Where calls go; none where nobody is meant.
    pub to: Option<DestinationRef>,
    /// As `group:sales, as office is open: Friday 08:00 to 18:00`.
    pub why: String,
}

/// Whom a route means at a moment. A duty that nobody has is passed over.
#[must_use]
pub fn meant(tenant: &Tenant, route: &TimeRoute, at: Timestamp) -> Meant {
    let open = route.entries.iter().filter_map(|entry| {
        let hours = tenant.hours.get(&entry.hours)?;
        let opening = opening(hours, &tenant.zone, at);
        let why = format!("as {} is open: {}", entry.hours, opening.why);
        opening.is_open.then_some((&entry.to, why))
    });
    let otherwise = route.otherwise.iter().map(|to| (to, "as no hours of it are open".to_owned()));
    for (to, why) in open.chain(otherwise) {
        if let (Some(meant), duty) = resolve(tenant, to, at) {
            return Meant {
                to: Some(meant),
                why: format!("{}, {why}", duty.unwrap_or_else(|| to.to_string())),
            };
        }
    }
    Meant { to: None, why: "nobody at this time".to_owned() }
}

/// The destination behind an entry, with the duty's own words.
fn resolve(tenant: &Tenant, to: &RouteTo, at: Timestamp) -> (Option<DestinationRef>, Option<String>) {
    match to {
        RouteTo::Destination(to) => (Some(to.clone()), None),
        RouteTo::Rota(name) => {
            let duty = tenant.rotas.get(name).map(|rota| on_duty(rota, &tenant.zone, at, 0));
            let words = duty.as_ref().map(|duty| format!("{to} ({})", duty.why));
            (duty.and_then(|duty| duty.user).map(DestinationRef::User), words)
        }
    }
}

/// A time in which not exactly one is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Begins.
    pub from: Timestamp,
    /// Ends.
    pub to: Timestamp,
    /// All who are meant, in order of the route; none or several.
    pub meant: Vec<RouteTo>,
}

impl Hole {
    /// As `Sun 2026-12-06 00:00-08:00 Europe/Berlin: nobody`.
    #[must_use]
    pub fn in_words(&self, zone: &TimeZone) -> String {
        let (from, to) = (self.from.to_zoned(zone.clone()), self.to.to_zoned(zone.clone()));
        let ends_at_midnight = to.time() == jiff::civil::Time::midnight()
            && from.date().tomorrow().is_ok_and(|next| next == to.date());
        let end = if ends_at_midnight {
            "-24:00".to_owned()
        } else if from.date() == to.date() && from.offset() == to.offset() {
            to.strftime("-%H:%M").to_string()
        } else {
            format!(" to {}", dated(&to))
        };
        let who = match self.meant.as_slice() {
            [] => "nobody".to_owned(),
            all => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
        };
        format!("{}{end} {}: {who}", dated(&from), zone.iana_name().unwrap_or("UTC"))
    }
}

fn dated(at: &Zoned) -> String {
    at.strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// Every time of the next two years in which a route means nobody or two, each as long as it lasts.
#[must_use]
pub fn holes(tenant: &Tenant, route: &TimeRoute, from: Timestamp) -> Vec<Hole> {
    // Whole minutes, as schedules have.
    let from = from.checked_sub((from.as_second().rem_euclid(60)).seconds()).unwrap_or(from);
    let from = Timestamp::from_second(from.as_second()).unwrap_or(from);
    let end = from.saturating_add((24 * DAYS_AHEAD).hours()).unwrap_or(Timestamp::MAX);
    let mut holes: Vec<Hole> = Vec::new();
    let moments: Vec<Timestamp> = changes(tenant, route, from, end).into_iter().chain([end]).collect();
    for pair in moments.windows(2) {
        let [from, to] = pair else { continue };
        let meant = all_meant(tenant, route, *from);
        match holes.last_mut() {
            Some(last) if last.to == *from && last.meant == meant => last.to = *to,
            Some(_) | None if meant.len() == 1 => {}
            Some(_) | None => holes.push(Hole { from: *from, to: *to, meant }),
        }
    }
    holes
}

/// Every time of the next two years in which nobody has a duty.
#[must_use]
pub fn gaps(tenant: &Tenant, rota: &Rota, from: Timestamp) -> Vec<Hole> {
    let alone = RouteTo::Rota(rota.name.clone());
    holes(
        tenant,
        &TimeRoute { name: rota.name.as_str().into(), entries: Vec::new(), otherwise: Some(alone) },
        from,
    )
}

/// Every time of the next two years in which nobody holds a role.
#[must_use]
pub fn vacancies(tenant: &Tenant, role: &Role, from: Timestamp) -> Vec<Hole> {
    match &role.held_by {
        RouteTo::Rota(rota) => {
            tenant.rotas.get(rota).map(|rota| gaps(tenant, rota, from)).unwrap_or_default()
        }
        RouteTo::Destination(DestinationRef::Place(name)) => {
            let mut found =
                tenant.time_routes.get(name).map(|route| holes(tenant, route, from)).unwrap_or_default();
            // Of two who are meant the first holds it.
            found.retain(|hole| hole.meant.is_empty());
            found
        }
        RouteTo::Destination(_) => Vec::new(),
    }
}

/// A line for each hole, behind the name that it is a hole of; those at the same time of the week have one together.
#[must_use]
pub fn in_lines(name: &str, tenant: &Tenant, found: &[Hole]) -> Vec<String> {
    let all = weekly(&tenant.zone, found);
    let told = all.iter().take(TOLD_MAX);
    let mut lines: Vec<_> = told.map(|holes| format!("{name}: {}", holes.in_words(&tenant.zone))).collect();
    let more: usize = all.iter().skip(TOLD_MAX).map(|holes| holes.count).sum();
    if more > 0 {
        lines.push(format!("{name}: and {more} more times in two years"));
    }
    lines
}

/// Holes at the same time of the week, in which the same are meant.
struct Weekly<'a> {
    first: &'a Hole,
    last: &'a Hole,
    count: usize,
}

impl Weekly<'_> {
    /// As `Sun 2026-12-06 00:00-08:00 Europe/Berlin: nobody, and on 103 more Sundays until 2028-11-19`.
    fn in_words(&self, zone: &TimeZone) -> String {
        let (first, last) = (self.first.in_words(zone), self.last.from.to_zoned(zone.clone()));
        match self.count {
            1 => first,
            2 => format!("{first}, and on {}", last.strftime("%a %Y-%m-%d")),
            count => {
                let day = weekday_name(last.weekday());
                format!("{first}, and on {} more {day}s until {}", count - 1, last.date())
            }
        }
    }
}

fn weekly<'a>(zone: &TimeZone, found: &'a [Hole]) -> Vec<Weekly<'a>> {
    let mut all: Vec<Weekly<'a>> = Vec::new();
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    for hole in found {
        let (from, to) = (hole.from.to_zoned(zone.clone()), hole.to.to_zoned(zone.clone()));
        let days = (to.date() - from.date()).get_days();
        let time = (from.weekday().to_monday_zero_offset(), from.time(), days, to.time(), &hole.meant);
        let place = *places.entry(time).or_insert(all.len());
        match all.get_mut(place) {
            Some(same) => (same.last, same.count) = (hole, same.count + 1),
            None => all.push(Weekly { first: hole, last: hole, count: 1 }),
        }
    }
    all
}

/// All who are meant at a moment: one where all is well.
fn all_meant(tenant: &Tenant, route: &TimeRoute, at: Timestamp) -> Vec<RouteTo> {
    let is_open = |entry: &&RouteEntry| {
        tenant.hours.get(&entry.hours).is_some_and(|hours| opening(hours, &tenant.zone, at).is_open)
    };
    let open = route.entries.iter().filter(is_open).map(|entry| &entry.to);
    let mut seen = BTreeSet::new();
    let meant: Vec<RouteTo> =
        open.filter(|to| resolve(tenant, to, at).0.is_some_and(|to| seen.insert(to))).cloned().collect();
    let otherwise =
        route.otherwise.iter().filter(|to| meant.is_empty() && resolve(tenant, to, at).0.is_some());
    otherwise.cloned().chain(meant.iter().cloned()).collect()
}

/// The moments at which who is meant may change, the first included.
fn changes(tenant: &Tenant, route: &TimeRoute, from: Timestamp, end: Timestamp) -> BTreeSet<Timestamp> {
    let mut all = BTreeSet::from([from]);
    let named = route.entries.iter().map(|entry| &entry.hours).collect::<BTreeSet<_>>();
    for hours in named.into_iter().filter_map(|name| tenant.hours.get(name)) {
        walk(&mut all, from, end, |at| opening(hours, &tenant.zone, at).changes_at);
    }
    let to = route.entries.iter().map(|entry| &entry.to).chain(&route.otherwise);
    let rotas = to.filter_map(|to| match to {
        RouteTo::Rota(name) => tenant.rotas.get(name),
        RouteTo::Destination(_) => None,
    });
    for rota in rotas {
        walk(&mut all, from, end, |at| on_duty(rota, &tenant.zone, at, 0).until);
    }
    all
}

/// Goes from change to change.
fn walk(
    all: &mut BTreeSet<Timestamp>,
    from: Timestamp,
    end: Timestamp,
    next: impl Fn(Timestamp) -> Option<Timestamp>,
) {
    let mut at = from;
    while let Some(change) = next(at).filter(|change| *change > at && *change < end) {
        all.insert(change);
        at = change;
    }
}

#[cfg(test)]
mod tests;
