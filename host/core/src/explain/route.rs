//! Where a call would go, in words.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::words::{self, Clock, destination, list, quoted, span};
use crate::config::{Fallback, Tenant};
use crate::names::{Extension, UserId};
use crate::route::{Decider, Foretold, Route, What, status_of};
use crate::rule::{ActiveRule, Care, DestinationRef, Outcome};

/// Where a call to a number would go if nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteText {
    /// The number as dialled.
    pub number: String,
    /// What it stands for.
    pub to: Option<String>,
    /// The moment that was asked about.
    pub at: Timestamp,
    /// The same as people say it: `Sunday 2026-11-22 03:00, Europe/Berlin`.
    pub when: String,
    /// What decides the call, in one phrase.
    pub decides: String,
    /// The rule that decides it, and its version.
    pub rule: Option<(String, String)>,
    /// Who answers for it: of a rule whom its `rule.toml` names, of a person's own wishes the person.
    pub owner: Option<String>,
    /// By when they want to look at it again.
    pub review: Option<Date>,
    /// Who made it what it is, where that is known.
    pub changed: Option<Changed>,
    /// Each step: seconds after the call began, and what.
    pub steps: Vec<RouteStep>,
}

/// The last change of what decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// When, as people of the tenant say it.
    pub when: String,
    /// Whose token it was.
    pub by: String,
    /// When it ends by itself, said likewise.
    pub until: Option<String>,
}

/// One step of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteStep {
    /// Milliseconds after the call began.
    pub at_ms: u64,
    /// What happens.
    pub what: String,
}

/// Tells a route to its tenant.
#[must_use]
pub fn route(route: &Route, tenant: &Tenant, number: &str, at: Timestamp) -> RouteText {
    let clock = Clock::new(&tenant.zone, at);
    let teller = Teller { tenant, clock: &clock };
    let local = at.to_zoned(tenant.zone.clone());
    let zone = tenant.zone.iana_name().unwrap_or("UTC");
    let to = tenant.plan.find(number).map(words::exact_destination);
    let care = match &route.decider {
        Decider::Rule(rule, _) => rule.care.clone(),
        Decider::Standard(_) => Care { owner: tenant.plan.find(number).and_then(owner), review: None },
        Decider::Emergency | Decider::Code | Decider::Nobody | Decider::Device(_) | Decider::Fallback => {
            Care::default()
        }
    };
    RouteText {
        number: number.to_owned(),
        to,
        owner: care.owner,
        review: care.review,
        changed: None,
        at,
        when: format!("{}, {zone}", local.strftime("%A %Y-%m-%d %H:%M")),
        decides: decides(&route.decider),
        rule: match &route.decider {
            Decider::Rule(rule, _) | Decider::Standard(rule) => {
                Some((rule.name.to_string(), rule.version.to_string()))
            }
            Decider::Emergency | Decider::Code | Decider::Nobody | Decider::Device(_) | Decider::Fallback => {
                None
            }
        },
        steps: route.steps.iter().map(|step| teller.step(step.at, &step.what)).collect(),
    }
}

impl std::fmt::Display for RouteText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to = self.to.as_deref().unwrap_or("nobody's number");
        writeln!(f, "{}: {to}, {}", self.number, self.when)?;
        writeln!(f, "{}", self.decides)?;
        self.write_care(f)?;
        let times: Vec<_> = self.steps.iter().map(|step| span(Duration::from_millis(step.at_ms))).collect();
        let wide = times.iter().map(String::len).max().unwrap_or(0);
        for (time, step) in times.iter().zip(&self.steps) {
            writeln!(f, "  {time:>wide$}  {}", step.what)?;
        }
        Ok(())
    }
}

impl RouteText {
    /// Who answers for it, until when, and who made it so, in a line; none where nothing of it is known.
    fn write_care(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let owner = self.owner.as_ref().map(|owner| format!("{owner} answers for it"));
        let is_over = |review| self.at.to_zoned(TimeZone::UTC).date() > review;
        let review = self.review.map(|review| {
            let is = if is_over(review) { "was" } else { "is" };
            format!("it {is} to be looked at again by {review}")
        });
        let changed = self.changed.as_ref().map(|Changed { when, by, until }| {
            let until = until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
            format!("last changed {when}{until}, by {by}")
        });
        let mut known: Vec<_> = [owner, review, changed].into_iter().flatten().collect();
        if self.owner.is_none() && self.rule.as_ref().is_some_and(|(name, _)| name != ActiveRule::STANDARD) {
            known.insert(0, "no owner is named".to_owned());
        }
        if known.is_empty() { Ok(()) } else { writeln!(f, "  {}", known.join("; ")) }
    }
}

/// A person's own wishes are theirs.
fn owner(to: &DestinationRef) -> Option<String> {
    to.user().map(|user| format!("user:{user}"))
}

fn decides(decider: &Decider) -> String {
    match decider {
        Decider::Emergency => "It is an emergency number, for which no rule is asked.".to_owned(),
        Decider::Code => {
            "It is dialled as a code, which changes or tells how calls reach whoever dials it, where the tenant has it."
                .to_owned()
        }
        Decider::Nobody => "The tenant has no such number: a caller hears 404.".to_owned(),
        Decider::Device(device) => format!("Device {device} is rung alone, and no rule is asked."),
        Decider::Rule(rule, bound) => {
            format!("Rule {} decides, being bound to {}.", rule.name, words::bound_to(&bound.to_string()))
        }
        Decider::Standard(_) => "The standard rule decides, as no rule is bound to it.".to_owned(),
        Decider::Fallback => "The fallback decides, as no rule is bound to it.".to_owned(),
    }
}

struct Teller<'a> {
    tenant: &'a Tenant,
    clock: &'a Clock<'a>,
}

impl Teller<'_> {
    fn step(&self, at: Duration, what: &What) -> RouteStep {
        RouteStep { at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX), what: self.what(what) }
    }

    fn what(&self, what: &What) -> String {
        match what {
            What::Decides(rule) => format!("rule {} in version {}", rule.name, rule.version.short()),
            What::Reads(what, got) => words::read(what, got, self.clock),
            What::Says(text) => format!("says {}", quoted(text)),
            What::Warns(text) => format!("warns: {text}"),
            What::Rings { legs, lasts, comes_to } => self.rings(legs, *lasts, comes_to),
            What::Fails(outcome) => format!("the rule {}", words::run_ended(outcome, None)),
            What::HandsOver => words::hands_over(false).to_owned(),
            What::RingsDialled => words::hands_over(true).to_owned(),
            What::FallsBack(Fallback::RingDialled) => "the fallback rings what was dialled".to_owned(),
            What::FallsBack(Fallback::Ring { to, .. }) => format!("the fallback rings {}", destination(to)),
            What::FallsBack(Fallback::Refuse(how)) => format!("the fallback refuses the call as {how}"),
            What::Refuses(how) => format!("the call is refused as {how}"),
            What::Ends(best) => self.ends(best.as_ref()),
            What::Within(who, what) => {
                let who = who.user().map_or_else(|| destination(who), ToString::to_string);
                format!("for {who}: {}", self.what(what))
            }
        }
    }

    fn rings(&self, legs: &[Foretold], lasts: Duration, comes_to: &Outcome) -> String {
        let (mut rung, mut left_out) = (Vec::new(), Vec::new());
        for leg in legs {
            match &leg.whom {
                Ok(devices) => {
                    let within = leg.within.iter().map(|who| match who.user() {
                        Some(person) => format!("{person} as they wish"),
                        None => format!("{} as it is set", destination(who)),
                    });
                    let devices: Vec<_> =
                        devices.iter().map(|device| self.phone(device)).chain(within).collect();
                    let after = if leg.after.is_zero() {
                        String::new()
                    } else {
                        format!("after {} ", span(leg.after))
                    };
                    rung.push(format!("{after}{}", list(&devices)));
                }
                Err(why) => {
                    let of = self.tenant.owner(&leg.to);
                    left_out.push(words::not_rung(&leg.to, of, why, self.clock));
                }
            }
        }
        match (rung.is_empty(), left_out.is_empty()) {
            (true, _) => format!("rings nobody: {} ({comes_to})", left_out.join("; ")),
            (false, true) => format!("rings {} for {}", rung.join(", "), span(lasts)),
            (false, false) => {
                format!("rings {} for {}; {}", rung.join(", "), span(lasts), left_out.join("; "))
            }
        }
    }

    /// `1001 (desk) of ana`.
    fn phone(&self, device: &Extension) -> String {
        match self.tenant.devices.get(device) {
            Some(known) => format!("{device} ({}) of {}", known.label, UserId::as_str(&known.user)),
            None => device.to_string(),
        }
    }

    fn ends(&self, best: Option<&Outcome>) -> String {
        let word = best.map_or_else(|| "nobody was rung".to_owned(), ToString::to_string);
        format!("the call ends with {}: {word}", status_of(best))
    }
}
