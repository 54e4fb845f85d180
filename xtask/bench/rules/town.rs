//! The call that everybody decides: Bob calls Ana, who has a desk phone, a soft phone and a mobile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use callwright_core::codes::CodePlan;
use callwright_core::config::{Config, Device, EarlyDialogs, Expiry, Fallback, NumberPlan, Tenant, User};
use callwright_core::names::{Extension, LegId, RunId};
use callwright_core::rule::{
    ActiveRule, Answer, AnsweredBy, CallFacts, Care, DestinationRef, Entry, LegEnd, LegPlan, LegReport,
    Outcome, Party, RingPlan, RingReport, RunStart, Setting,
};
use callwright_core::{Now, View};
use callwright_sip::digest::Algorithm;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Ana's devices, each with its label.
const DEVICES: [(&str, &str); 3] = [("1001", "desk"), ("1002", "soft"), ("1003", "mobile")];

/// What is the same in all calls.
pub(crate) static TOWN: LazyLock<Town> = LazyLock::new(Town::new);

/// The picture, the rule and the call.
pub(crate) struct Town {
    pub(crate) view: Arc<View>,
    pub(crate) rule: Arc<ActiveRule>,
    pub(crate) call: Arc<CallFacts>,
    pub(crate) now: Now,
}

/// What everybody must decide: the mobile rings ten seconds after the others, for thirty seconds in all.
pub(crate) fn plan() -> RingPlan {
    let leg = |(extension, label): (&str, &str)| LegPlan {
        to: DestinationRef::Device(extension.into()),
        start_after: Duration::from_secs(if label == "mobile" { 10 } else { 0 }),
        ring_for: None,
        label: None,
    };
    let time = Duration::from_secs(30);
    RingPlan { legs: DEVICES.into_iter().map(leg).collect(), time, ..RingPlan::default() }
}

/// What becomes of it: the mobile answers.
pub(crate) fn answered(plan: &RingPlan) -> Answer {
    let by = AnsweredBy { device: "1003".into(), user: Some("ana".into()), leg: LegId(3) };
    let report = |leg: &LegPlan| LegReport {
        to: leg.to.clone(),
        ended: LegEnd::Elsewhere,
        rang: Duration::from_secs(14),
    };
    let legs = plan.legs.iter().map(report).collect();
    Answer::Rang(Ok(RingReport { outcome: Outcome::Answered(by), legs }))
}

impl Town {
    fn new() -> Self {
        let party = |name: &str, number: &str, user: &str| Party {
            name: name.to_owned(),
            number: Some(number.to_owned()),
            user: Some(user.into()),
            withheld: false,
        };
        let config = Config::new(BTreeSet::new(), Some("acme".into()), vec![tenant()]);
        Self {
            view: Arc::new(View { config: Arc::new(config), ..View::default() }),
            rule: Arc::new(ActiveRule {
                tenant: "acme".into(),
                name: "follow-me".into(),
                version: format!("sha256:{}", "0".repeat(64)).into(),
                bind: Vec::new(),
                fallback: None,
                settings: Arc::new(BTreeMap::from([("mobile-after-s".to_owned(), Setting::Number(10))])),
                care: Care::default(),
            }),
            call: Arc::new(CallFacts {
                id: "1-0123456789abcdef".into(),
                tenant: "acme".into(),
                caller: party("Bob Brown", "101", "bob"),
                dialled: party("Ana Alvarez", "100", "ana"),
                number: "100".into(),
                group: None,
                for_user: Some("ana".into()),
                entry: Entry::Device(Some("1011".into())),
            }),
            now: Now { mono: Duration::from_secs(100), wall: Timestamp::UNIX_EPOCH },
        }
    }

    /// The call comes in.
    pub(crate) fn start(&self, run: u64) -> RunStart {
        RunStart {
            run: RunId(run),
            rule: Arc::clone(&self.rule),
            call: Arc::clone(&self.call),
            seed: 42,
            view: Arc::clone(&self.view),
            now: self.now,
            call_began: self.now.mono,
        }
    }

    /// The tenant, as a rule's host functions find it.
    pub(crate) fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.view.config.tenants.get(&self.call.tenant)
    }
}

fn tenant() -> Tenant {
    let device = |(extension, label): (&str, &str)| Device {
        extension: extension.into(),
        label: label.to_owned(),
        user: "ana".into(),
        secret: None,
        contact: None,
        early_dialogs: EarlyDialogs::PerLeg,
    };
    let devices: BTreeMap<Extension, Device> =
        DEVICES.into_iter().map(device).map(|device| (device.extension.clone(), device)).collect();
    let ana = User {
        id: "ana".into(),
        name: "Ana Alvarez".to_owned(),
        extension: Some("100".into()),
        numbers: Vec::new(),
        zone: None,
        devices: devices.keys().cloned().collect(),
        call_waiting: None,
        forwarding: None,
    };
    let users = BTreeMap::from([(ana.id.clone(), ana)]);
    Tenant {
        id: "acme".into(),
        domains: vec!["acme.example".to_owned()],
        realm: None,
        zone: TimeZone::UTC,
        digest: Algorithm::Md5,
        cadence: Duration::from_secs(5),
        codes: CodePlan::default(),
        cold_route_falls_back: false,
        trusted: Vec::new(),
        expiry: Expiry { min_s: 60, max_s: 3_600, default_s: 600 },
        plan: NumberPlan::of(devices.values(), users.values(), std::iter::empty()),
        users,
        devices,
        groups: BTreeMap::new(),
        places: BTreeMap::new(),
        hours: BTreeMap::new(),
        holidays: BTreeMap::new(),
        rotas: BTreeMap::new(),
        time_routes: BTreeMap::new(),
        roles: BTreeMap::new(),
        sites: BTreeMap::new(),
        tables: BTreeMap::new(),
        profiles: BTreeMap::new(),
        emergency: BTreeSet::new(),
        fallback: Fallback::RingDialled,
        ring_time: Duration::from_secs(25),
        follow_deflections: true,
        response_timeout: Duration::from_secs(4),
        session_expires_s: 1_800,
        runs_max: 100,
        fuel_per_s: 1_000_000_000,
        uploads_per_hour: 30,
    }
}
