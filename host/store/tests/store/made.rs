//! Bindings, records and versions to be kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::Change;
use callwright_core::config::Fallback;
use callwright_core::names::{LegId, TenantId, Version};
use callwright_core::record::{
    CallRecord, Cause, Disposition, Fact, FactKind, Gone, LegRecord, LegRecordEnd, NotRung, RunRecord, Source,
};
use callwright_core::rule::{
    ActiveRule, BindTarget, Care, DestinationRef, LogLine, Outcome, Party, RunOutcome, Setting,
};
use callwright_core::view::{Binding, BindingKey};
use callwright_sip::Flow;
use callwright_store::{Digest, NewVersion};
use jiff::Timestamp;

pub(crate) fn acme() -> TenantId {
    "acme".into()
}

pub(crate) fn zeta() -> TenantId {
    "zeta".into()
}

/// So many seconds after some moment, with a fraction that has to survive too.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_763_640_000 + seconds, 123_456_789).unwrap()
}

pub(crate) fn binding(device: &str, phone: &str, expires: i64) -> Binding {
    Binding {
        key: BindingKey { tenant: acme(), device: device.into(), phone: phone.to_owned() },
        contact: format!("sip:{device}@192.0.2.7:5062;ob"),
        flow: Flow::udp("[2001:db8::7]:5062".parse().unwrap()),
        call_id: "reg-1@phone".to_owned(),
        cseq: u32::MAX,
        registered: at(0),
        expires: at(expires),
        user_agent: "Télephone/1.0".to_owned(),
        behind_nat: false,
        suspect_since: None,
    }
}

pub(crate) fn over_tcp(device: &str, expires: i64) -> Binding {
    Binding {
        flow: Flow::tcp("192.0.2.8:40000".parse().unwrap(), u64::MAX),
        ..binding(device, "phone over TCP", expires)
    }
}

/// Bob calls ana, whose phone stays silent.
pub(crate) fn record(id: &str, began: i64) -> CallRecord {
    let ana = DestinationRef::User("ana".into());
    let fact = |source, what| Fact { at: at(began), source, what };
    CallRecord {
        id: id.into(),
        tenant: acme(),
        caller: Party {
            name: "Bob".to_owned(),
            number: Some("101".to_owned()),
            user: Some("bob".into()),
            withheld: false,
        },
        from_device: Some("1011".into()),
        number: "100".to_owned(),
        dialled_user: Some("ana".into()),
        began: at(began),
        answered: None,
        ended: at(began + 25),
        setup_ms: 25_000,
        talk_ms: 0,
        disposition: Disposition::Rejected,
        cause: Cause::NoAnswer,
        status: 480,
        legs: vec![LegRecord {
            id: LegId(1),
            to: ana.clone(),
            device: "1001".into(),
            label: "desk".to_owned(),
            user: Some("ana".into()),
            started: at(began),
            rang: Some(at(began)),
            ended: at(began + 25),
            end: LegRecordEnd::Outcome(Outcome::NoAnswer),
            status: 487,
        }],
        runs: vec![RunRecord {
            rule: "office".into(),
            version: digest("a"),
            outcome: RunOutcome::Trap("unreachable".to_owned()),
            fuel: 41_207,
            fuel_exact: false,
            decide_us: 30,
            ran_us: 41,
            limits: Vec::new(),
        }],
        missed: vec!["ana".into()],
        facts: vec![
            fact(Source::Caller, FactKind::Dialled { number: "100".to_owned(), to: Some(ana.clone()) }),
            fact(Source::Rule("office".into()), FactKind::Because("it is \"open\"\nnow".to_owned())),
            fact(
                Source::Registrar,
                FactKind::NotRung {
                    to: DestinationRef::Device("1002".into()),
                    of: Some("ana".into()),
                    why: NotRung::NotRegistered { last: Some(("1002".into(), at(0), Gone::Unregistered)) },
                },
            ),
        ],
        log: vec![LogLine { level: "info".to_owned(), message: "ringing".to_owned() }],
    }
}

/// The same, answered by cleo.
pub(crate) fn answered(mut record: CallRecord) -> CallRecord {
    record.answered = Some(record.began + Duration::from_secs(4));
    record.disposition = Disposition::Answered { device: "1021".into(), user: Some("cleo".into()) };
    record.cause = Cause::CalleeHungUp;
    record
}

/// The same, given up by the caller.
pub(crate) fn cancelled(mut record: CallRecord) -> CallRecord {
    record.disposition = Disposition::CallerGone;
    record.cause = Cause::CallerCancelled;
    record
}

/// The same, of another tenant.
pub(crate) fn of(tenant: TenantId, mut record: CallRecord) -> CallRecord {
    record.tenant = tenant;
    record
}

pub(crate) fn journal() -> Vec<String> {
    vec![r#"{"head":{"call":"c1"}}"#.to_owned(), r#"{"end":"ok"}"#.to_owned()]
}

pub(crate) fn ended(record: &CallRecord) -> Change {
    Change::Ended { record: Arc::new(record.clone()), journal: journal() }
}

/// The version of a module that consists of this text.
pub(crate) fn digest(module: &str) -> Version {
    Digest::of(module.as_bytes()).version()
}

pub(crate) fn version(rule: &str, module: &str, uploaded: i64) -> NewVersion {
    let settings = BTreeMap::from([
        ("after-s".to_owned(), Setting::Number(-10)),
        ("greet".to_owned(), Setting::Flag(true)),
        ("night".to_owned(), Setting::Place(DestinationRef::Place("night-desk".into()))),
    ]);
    NewVersion {
        rule: ActiveRule {
            tenant: acme(),
            name: rule.into(),
            version: digest(module),
            bind: vec![BindTarget::User("ana".into()), BindTarget::Tenant],
            fallback: Some(Fallback::Ring { to: DestinationRef::Group("sales".into()), for_ms: 20_000 }),
            settings: Arc::new(settings),
            care: Care::default(),
        },
        manifest: format!("name = \"{rule}\"\n"),
        size: 123_456,
        uploaded: at(uploaded),
        uploaded_by: "laptop".to_owned(),
    }
}

pub(crate) fn with_setting(mut rule: ActiveRule, name: &str, value: &str) -> ActiveRule {
    Arc::make_mut(&mut rule.settings).insert(name.to_owned(), Setting::Text(value.to_owned()));
    rule
}
