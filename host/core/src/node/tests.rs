//! What only a whole node shows, without phones that know more than a message.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use callwright_sip::{Flow, Message, Method, Name, digest};
use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use super::{Node, Setup};
use crate::config::{Config, Hours, Tenant};
use crate::names::AskId;
use crate::rule::{
    ActiveRule, Ask, BindTarget, Care, DestinationRef, Entry, LegPlan, RingPlan, RunEvent, RunOutcome, Spent,
};
use crate::seam::{Change, Effect, Input};
use crate::testing::tenant;
use crate::time::Now;
use crate::view::{Binding, BindingKey};

mod dialogs;
mod guessing;
mod refusals;
mod registering;
mod trust;

const CALLER: &str = "10.0.0.11:5060";
const CALLEE: &str = "10.0.0.1:5060";

fn now() -> Now {
    Now { mono: Duration::from_secs(1), wall: Timestamp::UNIX_EPOCH }
}

fn flow(peer: &str) -> Flow {
    Flow::udp(peer.parse::<SocketAddr>().unwrap())
}

/// Acme whose office keeps these hours.
fn config(hours: Hours) -> Arc<Config> {
    let mut tenant: Tenant = tenant();
    tenant.hours.insert(hours.name.clone(), hours);
    Arc::new(Config::new(["10.0.0.100".to_owned()].into(), Some("acme".into()), vec![tenant]))
}

fn hours(weekly: Vec<crate::config::WeeklySpan>) -> Hours {
    Hours { name: "office".into(), zone: None, weekly, exceptions: [].into() }
}

fn node() -> Node {
    let rule = ActiveRule {
        tenant: "acme".into(),
        name: "any".into(),
        version: "sha256:0".into(),
        bind: vec![BindTarget::Tenant],
        fallback: None,
        settings: Arc::default(),
        care: Care::default(),
    };
    let binding = Binding {
        key: BindingKey { tenant: "acme".into(), device: "1001".into(), phone: "p".to_owned() },
        contact: format!("sip:1001@{CALLEE}"),
        flow: flow(CALLEE),
        call_id: "r".to_owned(),
        cseq: 1,
        registered: now().wall,
        expires: now().wall + jiff::SignedDuration::from_secs(600),
        user_agent: String::new(),
        behind_nat: false,
        suspect_since: None,
    };
    Node::new(Setup {
        node: 1,
        host: "10.0.0.100".to_owned(),
        port: 5060,
        seed: [7; 32],
        config: config(hours(Vec::new())),
        rules: vec![Arc::new(rule)],
        bindings: vec![Arc::new(binding)],
        gone: Vec::new(),
        kept: Vec::new(),
        past: Vec::new(),
        now: now(),
    })
}

fn handle(node: &mut Node, input: Input) -> Vec<Effect> {
    node.handle(now(), input);
    std::iter::from_fn(|| node.poll()).collect()
}

fn receive(node: &mut Node, peer: &str, message: &Message) -> Vec<Effect> {
    handle(node, Input::Received { flow: flow(peer), bytes: message.to_bytes() })
}

fn sent(effects: &[Effect], peer: &str) -> Vec<Message> {
    let bytes = effects.iter().filter_map(|effect| {
        let Effect::Transmit { flow: to, bytes } = effect else { return None };
        (*to == flow(peer)).then(|| Bytes::clone(bytes))
    });
    bytes.map(|bytes| Message::parse(bytes).unwrap()).collect()
}

/// The first response to a request. One that is taken and not answered yet gets its 100 when it comes again.
fn first_response(node: &mut Node, peer: &str, request: &Message) -> Message {
    let mut responses = sent(&receive(node, peer, request), peer);
    if responses.is_empty() {
        responses = sent(&receive(node, peer, request), peer);
    }
    responses.remove(0)
}

fn invite(branch: &str) -> Message {
    Message::request(Method::Invite, "sip:100@10.0.0.100")
        .with(Name::Via, format!("SIP/2.0/UDP {CALLER};branch=z9hG4bK{branch};rport"))
        .with(Name::From, "<sip:1011@10.0.0.100>;tag=c")
        .with(Name::To, "<sip:100@10.0.0.100>")
        .with(Name::CallId, "call-1")
        .with(Name::CSeq, format!("{branch} INVITE"))
        .with(Name::Contact, format!("<sip:1011@{CALLER}>"))
        .with_body("application/sdp", "v=0\r\n")
}

/// The INVITE with which 1011 proves who it is, after a first one was refused.
fn proven(node: &mut Node, invite: impl Fn(&str) -> Message) -> Message {
    let refused = sent(&receive(node, CALLER, &invite("1")), CALLER);
    let challenge = refused[0].headers.get(&Name::WwwAuthenticate).unwrap();
    let uri = invite("2").uri().unwrap().clone();
    let proof =
        digest::answer(challenge, &Method::Invite, &uri, "1011", &digest::Secret::new("pw1011"), "c", 1);
    invite("2").with(Name::Authorization, proof.unwrap())
}

/// The first effects of a call of 1011's that begins with this INVITE, once it has proved who it is.
fn begins(node: &mut Node, invite: impl Fn(&str) -> Message) -> Vec<Effect> {
    let invite = proven(node, invite);
    receive(node, CALLER, &invite)
}

/// 1011 calls 100, and the rule rings 1001: what the node does then.
fn rule_rings(node: &mut Node) -> Vec<Effect> {
    let effects = begins(node, invite);
    let run = effects.iter().find_map(|effect| {
        let Effect::Start(start) = effect else { return None };
        Some(start.run)
    });
    let leg = LegPlan {
        to: DestinationRef::Device("1001".into()),
        start_after: Duration::ZERO,
        ring_for: None,
        label: None,
    };
    let plan = RingPlan { legs: vec![leg], time: Duration::from_secs(20), ..RingPlan::default() };
    let asked = RunEvent::Asked { ask: AskId(1), what: Ask::Ring(plan) };
    handle(node, Input::Run { run: run.unwrap(), event: asked, spent: Spent::default() })
}

#[test]
fn opening_hours_changed_during_a_ring_are_what_the_rule_reads_next() {
    let mut node = node();
    let rings = rule_rings(&mut node);
    let open = hours(vec![crate::config::WeeklySpan {
        day: jiff::civil::Weekday::Thursday,
        from: jiff::civil::time(0, 0, 0, 0),
        to: jiff::civil::time(0, 0, 0, 0),
    }]);
    handle(&mut node, Input::Configured(config(open.clone())));
    let answered = receive(&mut node, CALLEE, &Message::reply(&sent(&rings, CALLEE)[0], 486));
    let read = answered.iter().find_map(|effect| {
        let Effect::Answer { view, .. } = effect else { return None };
        Some(view.config.tenants["acme"].hours["office"].clone())
    });
    assert_eq!(read.unwrap().weekly, open.weekly);
}

#[test]
fn a_withheld_caller_is_withheld_for_rule_phone_picture_and_record() {
    let mut node = node();
    let begun = begins(&mut node, |branch| invite(branch).with(Name::Other("Privacy".into()), "id"));
    let start = begun.iter().find_map(|effect| {
        let Effect::Start(start) = effect else { return None };
        Some(start)
    });
    let start = start.unwrap();
    assert_eq!(start.call.entry, Entry::Device(None));
    let run = start.run;
    assert_eq!(node.view().calls.values().next().unwrap().from_device, None);
    let rings = handle(
        &mut node,
        Input::Run { run, event: RunEvent::Ended(RunOutcome::Ok), spent: Spent::default() },
    );
    let invite = String::from_utf8(sent(&rings, CALLEE)[0].to_bytes().to_vec()).unwrap();
    assert!(invite.contains("anonymous@anonymous.invalid") && !invite.contains("1011"), "{invite}");
    let over = receive(&mut node, CALLEE, &Message::reply(&sent(&rings, CALLEE)[0], 486));
    let changes = over.iter().filter_map(|effect| {
        let Effect::Store { changes, .. } = effect else { return None };
        Some(changes)
    });
    let record = changes.flatten().find_map(|change| {
        let Change::Ended { record, .. } = change else { return None };
        Some(record)
    });
    let record = record.unwrap();
    assert!(record.caller.withheld && record.caller.user.is_none() && record.from_device.is_none());
}

/// Where each message was logged: the names of the spans around it, outermost first.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<Vec<(String, String)>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Places {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let spans = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let place = spans.map(|span| span.name()).collect::<Vec<_>>().join(" > ");
        self.0.lock().unwrap().push((text.0, place));
    }
}

#[test]
fn spans_nest_from_the_node_to_the_transaction() {
    let places = Places::default();
    // While there is but one, a call site first met on another test's thread asks that thread alone, and stays silent.
    let _second = tracing::Dispatch::new(Registry::default());
    tracing::subscriber::with_default(Registry::default().with(places.clone()), || {
        let mut node = node();
        let rings = rule_rings(&mut node);
        let invite = &sent(&rings, CALLEE)[0];
        receive(&mut node, CALLEE, &Message::reply(invite, 180));
        receive(&mut node, CALLEE, &Message::reply(invite, 486));
        let (run, spent) = (*node.board.runs.keys().next().unwrap(), Spent::default());
        let ended = RunEvent::Ended(RunOutcome::Ok);
        handle(&mut node, Input::Run { run, event: ended, spent });
    });
    let places = places.0.lock().unwrap();
    let place = |text: &str| places.iter().find(|(said, _)| said == text).map(|(_, place)| place.as_str());
    assert_eq!(place("binding gained"), Some("node > tenant"));
    assert_eq!(place("call began"), Some("node > tenant > call"));
    assert_eq!(place("leg started"), Some("node > tenant > call > leg"));
    assert_eq!(place("leg rings"), Some("node > tenant > call > leg > tx"));
    assert_eq!(place("run ended"), Some("node > tenant > call > rule"));
}
