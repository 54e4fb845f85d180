use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use callwright_sip::{EndpointSettings, digest};

use super::*;
use crate::config::Config;
use crate::forwarding::Wishes;
use crate::names::Ticket;
use crate::seam::{Effect as Asks, StoreRefused};
use crate::switchboard::Asker;
use crate::testing;
use crate::time::Now;
use crate::view::View;

const PHONE: &str = "10.0.0.1:5060";

/// A switchboard and its subscriptions, without the node around them.
struct Bench {
    board: Switchboard,
    subscriptions: Subscriptions,
    sent: Vec<Message>,
    asked: Vec<(Ticket, Arc<Wishes>, String)>,
    branches: u32,
    /// The last challenge, and how often it was answered.
    challenge: Option<(Text, u32)>,
}

impl Bench {
    fn new() -> Self {
        let now = Now { mono: Duration::from_secs(1), wall: Timestamp::UNIX_EPOCH };
        let config =
            Config::new(["10.0.0.100".to_owned()].into(), Some("acme".into()), vec![testing::tenant()]);
        let picture = View { config: Arc::new(config), ..View::default() };
        let settings = EndpointSettings::new(1, "10.0.0.100", 5060);
        Self {
            board: Switchboard::new(now, settings, [7; 32], picture),
            subscriptions: Subscriptions::default(),
            sent: Vec::new(),
            asked: Vec::new(),
            branches: 0,
            challenge: None,
        }
    }

    fn flow() -> Flow {
        Flow::udp(PHONE.parse::<SocketAddr>().unwrap())
    }

    /// Lets the endpoint take bytes, and the subscriptions what comes of them.
    fn receive(&mut self, message: &Message) -> Vec<Message> {
        let (now, flow) = (self.board.now.mono, Self::flow());
        self.board.sip.receive(now, flow, message.to_bytes());
        self.settle()
    }

    fn settle(&mut self) -> Vec<Message> {
        let already = self.sent.len();
        loop {
            while let Some(transmit) = self.board.sip.poll_transmit() {
                self.sent.push(Message::parse(Bytes::clone(&transmit.bytes)).unwrap());
            }
            while let Some(effect) = self.board.next_effect() {
                if let Asks::Wish { ticket, wishes, by, .. } = effect {
                    self.asked.push((ticket, wishes, by));
                }
            }
            let Some(event) = self.board.sip.poll_event() else { break };
            self.event(event);
        }
        self.sent[already..].to_vec()
    }

    fn event(&mut self, event: callwright_sip::Event) {
        use callwright_sip::Event;
        let (board, subscriptions) = (&mut self.board, &mut self.subscriptions);
        match event {
            Event::Request { flow, message } => match callwright_sip::dialog_key_of(&message, true) {
                Some(dialog) if message.tag_of_to().is_some() => {
                    subscriptions.within(board, &dialog, flow, &message);
                }
                Some(_) | None => {
                    let tenant = board.tenant(&"acme".into()).unwrap();
                    subscriptions.begin(board, &tenant, flow, &message);
                }
            },
            Event::Response { tx, message } => {
                if let Some(Asker::Subscription(key)) = board.clients.remove(&tx) {
                    subscriptions.answered(board, key, &message);
                }
            }
            Event::TimedOut { tx } | Event::Failed { tx } => {
                if let Some(Asker::Subscription(key)) = board.clients.remove(&tx) {
                    subscriptions.unanswered(board, key);
                }
            }
            other @ (Event::Cancelled { .. }
            | Event::Acknowledged { .. }
            | Event::NeverAcknowledged { .. }
            | Event::Forgotten { .. }
            | Event::Closed { .. }
            | Event::Malformed { .. }) => panic!("{other:?}"),
        }
    }

    fn pass(&mut self, time: Duration) -> Vec<Message> {
        let end = self.board.now.mono + time;
        let already = self.sent.len();
        loop {
            let own = self.subscriptions.deadline().map(|deadline| deadline.at);
            let sip = self.board.sip.deadline().map(|(at, _)| at);
            let next = own.into_iter().chain(sip).min().filter(|at| *at <= end);
            self.board.now.mono = next.unwrap_or(end).max(self.board.now.mono);
            self.board.sip.tick(self.board.now.mono);
            self.subscriptions.tick(&mut self.board);
            self.settle();
            if next.is_none() {
                return self.sent[already..].to_vec();
            }
        }
    }

    /// A SUBSCRIBE with the fields that all have.
    fn request(&mut self, device: &str, call_id: &str) -> Message {
        self.branches += 1;
        let seq = self.branches;
        Message::request(Method::Subscribe, format!("sip:{device}@acme.example"))
            .with(Name::Via, format!("SIP/2.0/UDP {PHONE};branch=z9hG4bK{seq};rport"))
            .with(Name::From, format!("<sip:{device}@acme.example>;tag=phone"))
            .with(Name::To, format!("<sip:{device}@acme.example>"))
            .with(Name::CallId, call_id)
            .with(Name::CSeq, format!("{seq} SUBSCRIBE"))
            .with(Name::Contact, format!("<sip:{device}@{PHONE};line={call_id}>"))
            .with(Name::Event, "as-feature-event")
    }

    /// Signs as that device, after a challenge where none is known.
    fn signed(&mut self, device: &str, request: Message) -> Message {
        if self.challenge.is_none() {
            let first = self.request(device, "challenge");
            let refused = self.receive(&first);
            let challenge = refused[0].headers.get(&Name::WwwAuthenticate).unwrap().detached();
            self.challenge = Some((challenge, 0));
        }
        let (challenge, used) = self.challenge.as_mut().unwrap();
        *used += 1;
        let secret = digest::Secret::new(format!("pw{device}"));
        let uri = request.uri().unwrap().clone();
        let proof = digest::answer(challenge, &Method::Subscribe, &uri, device, &secret, "c", *used).unwrap();
        request.with(Name::Authorization, proof)
    }

    fn subscribe(&mut self, device: &str, call_id: &str) -> Vec<Message> {
        let request = self.request(device, call_id).with(Name::Expires, "600");
        let request = self.signed(device, request);
        self.receive(&request)
    }

    /// A SUBSCRIBE within the dialog that a 200 made.
    fn within(&mut self, device: &str, granted: &Message) -> Message {
        let mut request = self.request(device, "within");
        for name in [Name::From, Name::To, Name::CallId] {
            request.headers.set(name.clone(), granted.headers.get(&name).unwrap().clone());
        }
        request
    }

    fn take(&mut self, notify: &Message, status: u16) -> Vec<Message> {
        self.receive(&Message::reply(notify, status))
    }

    fn is_empty(&self) -> bool {
        let Subscriptions { all, dialogs, devices, tenants, streams, due, changes, .. } = &self.subscriptions;
        all.is_empty()
            && dialogs.is_empty()
            && devices.is_empty()
            && tenants.is_empty()
            && streams.is_empty()
            && due.is_empty()
            && changes.deadline().is_none()
            && self.board.picture.subscriptions.is_empty()
    }
}

fn statuses(messages: &[Message]) -> Vec<u16> {
    messages.iter().filter_map(Message::status).collect()
}

fn notifies(messages: &[Message]) -> Vec<&Message> {
    messages.iter().filter(|message| message.method() == Some(&Method::Notify)).collect()
}

fn state(notify: &Message) -> String {
    notify.headers.get(&Name::SubscriptionState).unwrap().lossy().into_owned()
}

fn undisturbed(is_on: bool) -> String {
    format!("<SetDoNotDisturb><doNotDisturbOn>{is_on}</doNotDisturbOn></SetDoNotDisturb>")
}

const DOCUMENT: &str = "application/x-as-feature-event+xml";

// spec: RFC 6665 §4.2.1.2
#[test]
fn a_subscription_is_granted_and_then_told_everything() {
    let mut bench = Bench::new();
    let sent = bench.subscribe("1001", "a");
    assert_eq!(statuses(&sent), [200]);
    let (granted, notify) = (&sent[0], &sent[1]);
    assert!(granted.tag_of_to().is_some() && granted.headers.get(&Name::Contact).is_some());
    assert_eq!(state(notify), "active;expires=600");
    assert_eq!(notify.uri().unwrap().as_str(), Some("sip:1001@10.0.0.1:5060;line=a"));
    assert_eq!(notify.tag_of_from(), granted.tag_of_to());
    assert_eq!(notify.headers.get(&Name::Event).unwrap().as_str(), Some("as-feature-event"));
    let body = String::from_utf8(notify.body.to_vec()).unwrap();
    assert_eq!(body.matches("<ForwardingEvent ").count(), 3);
    assert_eq!(body.matches("--callwright-part\r\n").count(), 4);
    assert!(body.ends_with("--callwright-part--\r\n"), "{body}");
    for part in body.split("--callwright-part\r\n").skip(1) {
        let (head, document) = part.split_once("\r\n\r\n").unwrap();
        let length: usize = head.rsplit(": ").next().unwrap().parse().unwrap();
        assert!(document.get(..length).is_some_and(|document| document.ends_with(">\r\n")), "{part}");
    }
    let shown = bench.board.picture.subscriptions.values().next().unwrap();
    assert_eq!((shown.event, shown.expires), ("as-feature-event", Timestamp::from_second(600).unwrap()));
}

#[test]
fn the_id_of_an_event_is_the_subscriptions() {
    // spec: RFC 6665 §8.2.1
    let mut bench = Bench::new();
    let mut request = bench.request("1001", "a");
    request.headers.set(Name::Event, "as-feature-event;id=7");
    let request = bench.signed("1001", request);
    let sent = bench.receive(&request);
    assert_eq!(sent[1].headers.get(&Name::Event).unwrap().as_str(), Some("as-feature-event;id=7"));
    let other = bench.within("1001", &sent[0]);
    let other = bench.signed("1001", other);
    assert_eq!(statuses(&bench.receive(&other)), [481]);
    let mut same = bench.within("1001", &sent[0]);
    same.headers.set(Name::Event, "as-feature-event; id=7");
    let same = bench.signed("1001", same);
    assert_eq!(statuses(&bench.receive(&same)), [200]);
}

#[test]
fn a_ninth_subscription_of_a_device_is_refused_and_a_tenant_and_a_node_have_their_bounds() {
    let mut bench = Bench::new();
    for at in 0..A_DEVICE_MAX {
        assert_eq!(statuses(&bench.subscribe("1001", &format!("a{at}"))), [200]);
    }
    let refused = bench.subscribe("1001", "more");
    assert_eq!(statuses(&refused), [403]);
    assert!(refused[0].headers.get(&Name::Warning).is_some());
    // The phone of one of them has forgotten it.
    assert_eq!(statuses(&bench.subscribe("1001", "a3")), [200]);
    assert_eq!(bench.subscriptions.all.len(), A_DEVICE_MAX);
    for limits in [
        Limits { device: 9, tenant: A_DEVICE_MAX, node: 100 },
        Limits { device: 9, tenant: 100, node: A_DEVICE_MAX },
    ] {
        bench.subscriptions.limits = limits;
        let refused = bench.subscribe("1001", "more");
        assert_eq!(statuses(&refused), [503]);
        assert!(refused[0].headers.get(&Name::RetryAfter).is_some());
    }
}

#[test]
fn a_flood_of_changes_of_one_person_waits_no_longer_than_a_few() {
    let mut bench = Bench::new();
    let granted = bench.subscribe("1001", "a").remove(0);
    let mut taken = 0;
    for at in 0..40 {
        let request = bench.within("1001", &granted).with_body(DOCUMENT, undisturbed(at % 2 == 0));
        let request = bench.signed("1001", request);
        match statuses(&bench.receive(&request)).as_slice() {
            [] => taken += 1,
            [503] => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((taken, bench.asked.len()), (8, 1), "one is being kept, the others wait for it");
}

#[test]
fn a_change_is_answered_when_it_is_kept_and_the_next_is_made_of_it() {
    let mut bench = Bench::new();
    let granted = bench.subscribe("1001", "a").remove(0);
    let notify = bench.sent.last().unwrap().clone();
    bench.take(&notify, 200);
    let forward = "<SetForwarding><forwardingType>forwardBusy</forwardingType>\
        <activateForward>true</activateForward><forwardDN>sip:101@acme.example</forwardDN></SetForwarding>";
    for body in [undisturbed(true), forward.to_owned()] {
        let request = bench.within("1001", &granted).with_body(DOCUMENT, body);
        let request = bench.signed("1001", request);
        assert_eq!(bench.receive(&request), [], "nothing is pretended");
    }
    let (ticket, wishes, by) = bench.asked.remove(0);
    assert!(wishes.do_not_disturb && wishes.conditions.is_empty());
    assert_eq!(by, "phone 1001, by as-feature-event");
    bench.board.picture.wishes.insert(("acme".into(), "ana".into()), wishes);
    bench.subscriptions.wished(&mut bench.board, &"acme".into(), &"ana".into());
    assert!(bench.subscriptions.stored(&mut bench.board, ticket, &Ok(())));
    assert_eq!(statuses(&bench.settle()), [200]);
    let (ticket, wishes, _) = bench.asked.remove(0);
    assert!(wishes.do_not_disturb, "the second change keeps the first");
    assert_eq!(wishes.conditions.len(), 1);
    let refused = Err(StoreRefused::Full);
    assert!(bench.subscriptions.stored(&mut bench.board, ticket, &refused));
    assert_eq!(statuses(&bench.settle()), [503]);
    assert!(!bench.subscriptions.stored(&mut bench.board, ticket, &Ok(())), "an answer counts once");
}

#[test]
fn a_change_that_changes_nothing_is_not_kept() {
    let mut bench = Bench::new();
    let granted = bench.subscribe("1001", "a").remove(0);
    let request = bench.within("1001", &granted).with_body(DOCUMENT, undisturbed(false));
    let request = bench.signed("1001", request);
    assert_eq!(statuses(&bench.receive(&request)), [200]);
    assert!(bench.asked.is_empty());
}

#[test]
fn a_change_with_the_first_subscribe_begins_nothing_until_it_is_kept() {
    let mut bench = Bench::new();
    for (result, status, count) in [(Err(StoreRefused::Full), 503, 0), (Ok(()), 200, 1)] {
        let request = bench.request("1001", "a").with_body(DOCUMENT, undisturbed(true));
        let request = bench.signed("1001", request);
        assert_eq!(bench.receive(&request), []);
        let (ticket, ..) = bench.asked.remove(0);
        bench.subscriptions.stored(&mut bench.board, ticket, &result);
        assert_eq!(statuses(&bench.settle()), [status]);
        assert_eq!(bench.subscriptions.all.len(), count);
    }
}

#[test]
fn only_the_device_itself_speaks_in_its_dialog() {
    let mut bench = Bench::new();
    let granted = bench.subscribe("1001", "a").remove(0);
    let request = bench.within("1002", &granted).with_body(DOCUMENT, undisturbed(true));
    let unsigned = bench.receive(&request);
    assert_eq!(statuses(&unsigned), [401]);
    let request = bench.within("1002", &granted).with_body(DOCUMENT, undisturbed(true));
    let request = bench.signed("1002", request);
    assert_eq!(statuses(&bench.receive(&request)), [403]);
    assert!(bench.asked.is_empty());
    for (uri, status) in [
        ("sip:100@acme.example", 200),
        ("sip:101@acme.example", 403),
        ("sip:999@acme.example", 404),
        ("sip:acme.example", 200),
    ] {
        let mut request = bench.request("1001", uri);
        request.start = Message::request(Method::Subscribe, uri).start;
        let request = bench.signed("1001", request);
        assert_eq!(statuses(&bench.receive(&request)), [status], "{uri}");
    }
}

// spec: RFC 3261 §12.2.2
#[test]
fn what_is_out_of_order_in_its_dialog_does_nothing() {
    let mut bench = Bench::new();
    let granted = bench.subscribe("1001", "a").remove(0);
    let mut old = bench.within("1001", &granted).with(Name::Expires, "0");
    old.headers.set(Name::CSeq, "1 SUBSCRIBE");
    let old = bench.signed("1001", old);
    assert_eq!(statuses(&bench.receive(&old)), [500]);
    assert_eq!(bench.subscriptions.all.len(), 1);
    let mut bye = bench.within("1001", &granted);
    bye.start = Message::request(Method::Bye, "sip:10.0.0.100").start;
    bye.headers.set(Name::CSeq, "9 BYE");
    assert_eq!(statuses(&bench.receive(&bye)), [481]);
    assert_eq!(bench.subscriptions.all.len(), 1);
}

#[test]
fn bad_bodies_types_and_ranges_have_their_status() {
    let mut bench = Bench::new();
    let long = "x".repeat(5_000);
    let cases: [(&str, &str, u16); 6] = [
        (DOCUMENT, "<SetDoNotDisturb>", 400),
        (DOCUMENT, "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", 400),
        (DOCUMENT, &long, 413),
        ("application/sdp", "v=0", 415),
        ("", "v=0", 415),
        ("Application/X-AS-Feature-Event+XML; charset=utf-8", "<SetHoteling/>", 400),
    ];
    for (kind, body, status) in cases {
        let mut request = bench.request("1001", "a").with_body(kind, body.to_owned());
        if kind.is_empty() {
            request.headers.remove(&Name::ContentType);
        }
        let request = bench.signed("1001", request);
        let refused = bench.receive(&request);
        assert_eq!(statuses(&refused), [status], "{kind} {body}");
        let warning = refused[0].headers.get(&Name::Warning);
        assert_eq!(warning.is_some(), status == 400, "{warning:?}");
    }
    for (range, status) in
        [("text/plain", 406), ("application/*;q=0.5, text/plain", 200), ("multipart/mixed", 200)]
    {
        let request = bench.request("1001", &format!("accepts-{status}")).with(Name::Accept, range);
        let request = bench.signed("1001", request);
        assert_eq!(statuses(&bench.receive(&request)), [status], "{range}");
    }
    let request = bench.request("1001", "b").with(Name::Expires, "soon");
    let request = bench.signed("1001", request);
    assert_eq!(statuses(&bench.receive(&request)), [400]);
    let mut request = bench.request("1001", "b");
    request.headers.remove(&Name::Contact);
    let request = bench.signed("1001", request);
    assert_eq!(statuses(&bench.receive(&request)), [400]);
}

// spec: RFC 6665 §4.2.2
#[test]
fn whatever_ends_a_subscription_leaves_nothing_of_it() {
    let endings: [fn(&mut Bench, Message, Message); 6] = [
        |bench, _, notify| drop(bench.take(&notify, 481)),
        |bench, _, _| drop(bench.pass(Duration::from_secs(40))),
        |bench, _, notify| {
            bench.take(&notify, 200);
            let last = bench.pass(Duration::from_secs(600)).remove(0);
            assert_eq!(state(&last), "terminated;reason=timeout");
            assert!(last.body.is_empty());
            bench.take(&last, 200);
        },
        |bench, granted, notify| {
            bench.take(&notify, 200);
            let request = bench.within("1001", &granted).with(Name::Expires, "0");
            let request = bench.signed("1001", request);
            let sent = bench.receive(&request);
            assert_eq!(
                (statuses(&sent), state(&sent[1])),
                (vec![200], "terminated;reason=timeout".to_owned())
            );
            let again = bench.within("1001", &granted);
            let again = bench.signed("1001", again);
            assert_eq!(statuses(&bench.receive(&again)), [481]);
            bench.take(&sent[1], 200);
        },
        |bench, _, _| {
            bench.board.picture.config = Arc::default();
            bench.subscriptions.configured(&mut bench.board, None);
            bench.settle();
            bench.pass(Duration::from_secs(40));
        },
        |bench, _, notify| {
            bench.take(&notify, 200);
            bench.subscriptions.shut_down(&mut bench.board);
            let last = bench.settle();
            assert_eq!(state(&last[0]), "terminated;reason=probation;retry-after=31");
        },
    ];
    for end in endings {
        let mut bench = Bench::new();
        let sent = bench.subscribe("1001", "a");
        assert!(!bench.is_empty());
        end(&mut bench, sent[0].clone(), sent[1].clone());
        assert!(bench.is_empty());
    }
}

#[test]
fn one_notify_is_on_its_way_at_a_time_and_the_next_says_what_came_since() {
    let mut bench = Bench::new();
    let first = bench.subscribe("1001", "a").remove(1);
    let key = ("acme".into(), "ana".into());
    for do_not_disturb in [true, false, true] {
        let wishes = Wishes { do_not_disturb, ..Wishes::default() };
        bench.board.picture.wishes.insert(key.clone(), Arc::new(wishes));
        bench.subscriptions.wished(&mut bench.board, &key.0, &key.1);
        assert_eq!(bench.settle(), []);
    }
    let second = bench.take(&first, 200);
    let second = notifies(&second);
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].headers.get(&Name::ContentType).unwrap().as_str(), Some(DOCUMENT));
    assert!(String::from_utf8_lossy(&second[0].body).contains("<doNotDisturbOn>true</doNotDisturbOn>"));
    let second = second[0].clone();
    assert_eq!(bench.take(&second, 200), []);
}

#[test]
fn a_phone_that_says_when_is_told_then() {
    let mut bench = Bench::new();
    let first = bench.subscribe("1001", "a").remove(1);
    bench.receive(&Message::reply(&first, 503).with(Name::RetryAfter, "20 (busy);duration=5"));
    assert_eq!(bench.pass(Duration::from_secs(19)), []);
    let again = bench.pass(Duration::from_millis(1_100));
    assert_eq!(notifies(&again).len(), 1);
    assert_eq!(state(&again[0]), "active;expires=580");
}

#[test]
fn what_a_warning_says_ends_no_header() {
    let bench = Bench::new();
    let evil = "<a\"b>".to_owned();
    let error = document::read(evil.as_bytes()).unwrap_err();
    let refusal = Refusal::Document(error);
    let request = Message::request(Method::Subscribe, "sip:a");
    let response = refusal.response(&bench.board, &request);
    let warning = response.headers.get(&Name::Warning).unwrap().lossy().into_owned();
    assert_eq!(warning.matches('"').count(), 2, "{warning}");
    assert!(warning.is_ascii() && !warning.contains(['\r', '\n']));
}
