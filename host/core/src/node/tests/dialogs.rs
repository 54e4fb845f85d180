//! What requests within a dialog do, before the answer and after it.

use callwright_sip::Text;

use super::*;
use crate::cause::COMPLETED_ELSEWHERE;
use crate::record::{CallRecord, Disposition};

/// Where somebody is who has heard what was said.
const ELSEWHERE: &str = "10.0.0.66:5060";

/// The round trip that timers reckon with (RFC 3261 §17.1.1.1).
const T1: Duration = Duration::from_millis(500);

/// A request of the caller's in the dialog that `last` made.
fn of_caller(method: &Method, last: &Message, branch: &str, seq: u32, peer: &str) -> Message {
    Message::request(method.clone(), "sip:10.0.0.100:5060")
        .with(Name::Via, format!("SIP/2.0/UDP {peer};branch=z9hG4bK{branch};rport"))
        .with(Name::From, header(last, &Name::From))
        .with(Name::To, header(last, &Name::To))
        .with(Name::CallId, header(last, &Name::CallId))
        .with(Name::CSeq, format!("{seq} {method}"))
}

/// A request of the callee's in the dialog that the ACK of its 200 was sent in.
fn of_callee(method: &Method, ack: &Message, branch: &str, seq: u32, peer: &str) -> Message {
    Message::request(method.clone(), "sip:10.0.0.100:5060")
        .with(Name::Via, format!("SIP/2.0/UDP {peer};branch=z9hG4bK{branch};rport"))
        .with(Name::From, header(ack, &Name::To))
        .with(Name::To, header(ack, &Name::From))
        .with(Name::CallId, header(ack, &Name::CallId))
        .with(Name::CSeq, format!("{seq} {method}"))
}

fn header(message: &Message, name: &Name) -> Text {
    message.headers.get(name).unwrap().clone()
}

fn statuses(effects: &[Effect], peer: &str) -> Vec<(u16, String)> {
    let responses = sent(effects, peer)
        .into_iter()
        .filter_map(|message| Some((message.status()?, message.cseq().ok()?.method.to_string())));
    responses.collect()
}

fn records(effects: &[Effect]) -> Vec<Arc<CallRecord>> {
    let changes = effects.iter().filter_map(|effect| {
        let Effect::Store { changes, .. } = effect else { return None };
        Some(changes)
    });
    let ended = changes.flatten().filter_map(|change| {
        let Change::Ended { record, .. } = change else { return None };
        Some(Arc::clone(record))
    });
    ended.collect()
}

/// 1001 rings for 1011: the INVITE to the one, and the 180 to the other.
fn ringing(node: &mut Node) -> (Message, Message) {
    let invite = sent(&rule_rings(node), CALLEE).remove(0);
    let mut rings = Message::reply(&invite, 180);
    rings.tag_to(&Text::from_static("callee"));
    let heard = sent(&receive(node, CALLEE, &rings), CALLER).remove(0);
    assert_eq!(heard.status(), Some(180));
    (invite, heard)
}

/// They talk: the 200 to the caller, and the ACK to the callee.
fn talking(node: &mut Node) -> (Message, Message) {
    let (invite, _) = ringing(node);
    let mut answer = Message::reply(&invite, 200)
        .with(Name::Contact, format!("<sip:1001@{CALLEE}>"))
        .with_body("application/sdp", "v=0\r\n");
    answer.tag_to(&Text::from_static("callee"));
    let effects = receive(node, CALLEE, &answer);
    let (heard, ack) = (sent(&effects, CALLER).remove(0), sent(&effects, CALLEE).remove(0));
    assert_eq!((heard.status(), ack.method()), (Some(200), Some(&Method::Ack)));
    receive(node, CALLER, &of_caller(&Method::Ack, &heard, "ack", 2, CALLER));
    (heard, ack)
}

// spec: RFC 3261 §13.2.2.4
#[test]
fn an_answer_without_a_contact_is_acknowledged_and_hung_up_where_the_invite_went() {
    for contact in [None, Some("*"), Some("<sip:[>")] {
        let mut node = node();
        let (invite, _) = ringing(&mut node);
        let mut answer = Message::reply(&invite, 200).with_body("application/sdp", "v=0\r\n");
        if let Some(contact) = contact {
            answer = answer.with(Name::Contact, contact);
        }
        answer.tag_to(&Text::from_static("callee"));
        let ended = sent(&receive(&mut node, CALLEE, &answer), CALLEE);
        let methods: Vec<_> = ended.iter().map(|message| message.method().cloned()).collect();
        assert_eq!(methods, [Some(Method::Ack), Some(Method::Bye)], "{contact:?}");
        assert!(ended.iter().all(|message| message.uri() == invite.uri()), "{contact:?}");
        // The answer comes again where the ACK was lost.
        let again = sent(&receive(&mut node, CALLEE, &answer), CALLEE);
        assert_eq!(again[0].method(), Some(&Method::Ack), "{contact:?}");
    }
}

// spec: RFC 3261 §15
#[test]
fn a_bye_of_the_caller_in_an_early_dialog_ends_the_call_as_a_cancel_does() {
    let mut node = node();
    let (invite, rings) = ringing(&mut node);
    let mut effects = receive(&mut node, CALLER, &of_caller(&Method::Bye, &rings, "bye", 3, CALLER));
    assert_eq!(statuses(&effects, CALLER), [(200, "BYE".to_owned()), (487, "INVITE".to_owned())]);
    assert_eq!(sent(&effects, CALLEE)[0].method(), Some(&Method::Cancel));
    assert!(node.view().calls.is_empty());
    effects.extend(receive(&mut node, CALLEE, &Message::reply(&invite, 487)));
    let run = *node.board.runs.keys().next().unwrap();
    // What `call.ring(..)?` makes of it.
    let ended = RunEvent::Ended(RunOutcome::Declined("call: caller-gone".to_owned()));
    let spent = Spent { journal: vec!["end".to_owned()], ..Spent::default() };
    effects.extend(handle(&mut node, Input::Run { run, event: ended, spent }));
    let records = records(&effects);
    assert_eq!((records.len(), &records[0].disposition), (1, &Disposition::CallerGone));
    assert_eq!(records[0].runs[0].outcome, RunOutcome::CallerGone);
    assert!(node.is_quiet() && node.board.dialogs.is_empty() && node.board.callers.is_empty());
    assert!(node.board.admission.is_idle());
}

// spec: RFC 3261 §12.2.2
#[test]
fn a_bye_in_an_early_dialog_that_is_older_than_its_invite_ends_nothing() {
    let mut node = node();
    let (_, rings) = ringing(&mut node);
    let effects = receive(&mut node, CALLER, &of_caller(&Method::Bye, &rings, "bye", 2, CALLER));
    assert_eq!(statuses(&effects, CALLER), [(500, "BYE".to_owned())]);
    assert_eq!((sent(&effects, CALLEE).len(), node.view().calls.len()), (0, 1));
}

// spec: RFC 3261 §12.2.2
#[test]
fn a_bye_to_a_code_that_is_older_than_its_invite_ends_nothing() {
    let mut node = node();
    let effects = begins(&mut node, |branch| {
        let uri = "sip:*51@10.0.0.100";
        let mut dials = Message::request(Method::Invite, uri);
        dials.headers = invite(branch).headers;
        dials.headers.set(Name::To, format!("<{uri}>"));
        dials.with_body("application/sdp", "v=0\r\n")
    });
    let ticket = effects.iter().find_map(|effect| {
        let Effect::Wish { ticket, .. } = effect else { return None };
        Some(*ticket)
    });
    let kept = Input::Stored { ticket: ticket.unwrap(), result: Ok(()) };
    let told = sent(&handle(&mut node, kept), CALLER).remove(0);
    assert_eq!(told.status(), Some(200), "{told:?}");
    receive(&mut node, CALLER, &of_caller(&Method::Ack, &told, "ack", 2, CALLER));
    for (seq, status, calls) in [(2, 500, 1), (3, 200, 0)] {
        let bye = of_caller(&Method::Bye, &told, &format!("bye{seq}"), seq, CALLER);
        assert_eq!(statuses(&receive(&mut node, CALLER, &bye), CALLER), [(status, "BYE".to_owned())]);
        assert_eq!(node.view().calls.len(), calls);
    }
}

#[test]
fn an_early_dialog_is_known_by_all_of_its_name() {
    let mut node = node();
    let (_, rings) = ringing(&mut node);
    let bye = of_caller(&Method::Bye, &rings, "bye", 3, CALLER);
    let wrong =
        [(Name::CallId, "call-2"), (Name::From, "<sip:1011@10.0.0.100>;tag=d"), (Name::To, "<sip:1>;tag=e")];
    for (at, (name, value)) in wrong.into_iter().enumerate() {
        let mut bye = bye.clone().with(Name::Subject, "somebody guesses");
        bye.headers.set(Name::Via, format!("SIP/2.0/UDP {CALLER};branch=z9hG4bKwrong{at};rport"));
        bye.headers.set(name, value);
        let effects = receive(&mut node, CALLER, &bye);
        assert_eq!(statuses(&effects, CALLER), [(481, "BYE".to_owned())]);
    }
    assert_eq!(node.view().calls.len(), 1);
}

#[test]
fn what_a_caller_said_moves_its_flow_when_it_is_new_and_not_when_it_is_said_again() {
    let mut node = node();
    let (heard, ack) = talking(&mut node);
    let said = of_caller(&Method::Options, &heard, "a", 10, CALLER);
    assert_eq!(statuses(&receive(&mut node, CALLER, &said), CALLER), [(200, "OPTIONS".to_owned())]);
    // By the letter; in a transaction of its own; and with an older number.
    let again = [("a", 10), ("b", 10), ("c", 9)];
    for (branch, seq) in again {
        receive(&mut node, ELSEWHERE, &of_caller(&Method::Options, &heard, branch, seq, ELSEWHERE));
        receive(
            &mut node,
            ELSEWHERE,
            &of_caller(&Method::Info, &heard, &format!("i{branch}"), seq, ELSEWHERE),
        );
    }
    let info = of_callee(&Method::Info, &ack, "info", 1, CALLEE);
    let passed_on = receive(&mut node, CALLEE, &info);
    assert_eq!(sent(&passed_on, ELSEWHERE).len(), 0);
    assert_eq!(sent(&passed_on, CALLER)[0].method(), Some(&Method::Info));
    // It has moved indeed (TELEPHONY T6).
    receive(&mut node, ELSEWHERE, &of_caller(&Method::Options, &heard, "d", 11, ELSEWHERE));
    let over = receive(&mut node, CALLEE, &of_callee(&Method::Bye, &ack, "bye", 2, CALLEE));
    assert_eq!(sent(&over, CALLER).len(), 0);
    assert_eq!(sent(&over, ELSEWHERE)[0].method(), Some(&Method::Bye));
}

#[test]
fn what_a_callee_said_moves_its_flow_when_it_is_new_and_not_when_it_is_said_again() {
    let mut node = node();
    let (heard, ack) = talking(&mut node);
    receive(&mut node, CALLEE, &of_callee(&Method::Options, &ack, "a", 10, CALLEE));
    let again = [("a", 10), ("b", 10), ("c", 9)];
    for (branch, seq) in again {
        receive(&mut node, ELSEWHERE, &of_callee(&Method::Options, &ack, branch, seq, ELSEWHERE));
        receive(&mut node, ELSEWHERE, &of_callee(&Method::Bye, &ack, &format!("y{branch}"), seq, ELSEWHERE));
    }
    let info = receive(&mut node, CALLER, &of_caller(&Method::Info, &heard, "info", 10, CALLER));
    assert_eq!(sent(&info, ELSEWHERE).len(), 0);
    assert_eq!(sent(&info, CALLEE)[0].method(), Some(&Method::Info));
    receive(&mut node, ELSEWHERE, &of_callee(&Method::Options, &ack, "d", 11, ELSEWHERE));
    let over = receive(&mut node, CALLER, &of_caller(&Method::Bye, &heard, "bye", 11, CALLER));
    assert_eq!(sent(&over, CALLEE).len(), 0);
    assert_eq!(sent(&over, ELSEWHERE)[0].method(), Some(&Method::Bye));
}

/// A re-INVITE of the caller's without a description, and the callee's 200 with one: their 200s.
fn offered_late(node: &mut Node) -> (Message, Message) {
    let (heard, _) = talking(node);
    let asked = of_caller(&Method::Invite, &heard, "re", 10, CALLER).with(Name::MaxForwards, "70");
    let asked = asked.with(Name::Contact, format!("<sip:1011@{CALLER}>"));
    let onward = sent(&receive(node, CALLER, &asked), CALLEE).remove(0);
    assert!(onward.method() == Some(&Method::Invite) && onward.body.is_empty());
    let offer = Message::reply(&onward, 200)
        .with(Name::Contact, format!("<sip:1001@{CALLEE}>"))
        .with_body("application/sdp", "v=0\r\nm=audio 9 RTP/AVP 0\r\n");
    let effects = receive(node, CALLEE, &offer);
    assert!(sent(&effects, CALLEE).is_empty(), "its ACK waits for the answer");
    (heard, sent(&effects, CALLER).remove(0))
}

#[test]
fn the_answer_to_a_late_offer_goes_to_who_offered() {
    let mut node = node();
    let (heard, offer) = offered_late(&mut node);
    assert_eq!(offer.body, "v=0\r\nm=audio 9 RTP/AVP 0\r\n");
    let ack =
        of_caller(&Method::Ack, &heard, "reack", 10, CALLER).with_body("application/sdp", "v=0\r\nt=1\r\n");
    let onward = sent(&receive(&mut node, CALLER, &ack), CALLEE).remove(0);
    assert_eq!((onward.method(), &*onward.body), (Some(&Method::Ack), &b"v=0\r\nt=1\r\n"[..]));
}

// spec: RFC 3261 §13.3.1.4
#[test]
fn a_late_offer_that_nobody_answers_is_refused_before_who_offered_gives_up() {
    let mut node = node();
    offered_late(&mut node);
    let (mut time, mut heard) = (now(), Vec::new());
    while let Some(deadline) = node.deadline().filter(|deadline| deadline.at <= now().mono + 64 * T1) {
        time.mono = deadline.at;
        node.handle(time, Input::Tick);
        let effects: Vec<_> = std::iter::from_fn(|| node.poll()).collect();
        let requests = sent(&effects, CALLEE).into_iter().filter(|message| message.status().is_none());
        heard.extend(requests.map(|request| (time.mono - now().mono, request)));
    }
    let (at, ack) = &heard[0];
    assert_eq!((ack.method(), *at), (Some(&Method::Ack), 62 * T1));
    assert!(std::str::from_utf8(&ack.body).unwrap().contains("m=audio 0 "));
    let (at, bye) = &heard[1];
    assert_eq!((bye.method(), *at), (Some(&Method::Bye), 64 * T1));
}

#[test]
fn the_picture_of_an_idle_switch_counts_the_transactions_that_are_left() {
    let mut node = node();
    receive(&mut node, CALLER, &of_caller(&Method::Options, &invite("1"), "1", 1, CALLER));
    let (invite, _) = ringing(&mut node);
    receive(&mut node, CALLEE, &Message::reply(&invite, 486));
    assert_ne!(node.view().counters.transactions, 0);
    let run = *node.board.runs.keys().next().unwrap();
    let ended = RunEvent::Ended(RunOutcome::Ok);
    handle(&mut node, Input::Run { run, event: ended, spent: Spent::default() });
    // Nobody acknowledges the refusal: its transaction ends by its time alone (RFC 3261 §17.2.1).
    let mut later = now();
    let end = later.mono + Duration::from_secs(60);
    while let Some(deadline) = node.deadline().filter(|deadline| deadline.at < end) {
        later.mono = deadline.at;
        node.handle(later, Input::Tick);
        while node.poll().is_some() {}
    }
    assert_eq!(node.board.sip.transactions(), (0, 0));
    assert_eq!(node.view().counters.transactions, 0);
}

// spec: RFC 3261 §13.2.2.4
#[test]
fn a_call_that_is_over_takes_no_place_and_another_phone_that_answers_it_is_ended() {
    let mut node = node();
    let (invite, _) = ringing(&mut node);
    let answer_of = |tag| {
        let mut answer = Message::reply(&invite, 200)
            .with(Name::Contact, format!("<sip:1001@{CALLEE}>"))
            .with_body("application/sdp", "v=0\r\n");
        answer.tag_to(&Text::from_static(tag));
        answer
    };
    let heard = sent(&receive(&mut node, CALLEE, &answer_of("callee")), CALLER).remove(0);
    receive(&mut node, CALLER, &of_caller(&Method::Ack, &heard, "ack", 2, CALLER));
    let run = *node.board.runs.keys().next().unwrap();
    let event = RunEvent::Ended(RunOutcome::Ok);
    handle(&mut node, Input::Run { run, event, spent: Spent::default() });
    let effects = receive(&mut node, CALLER, &of_caller(&Method::Bye, &heard, "bye", 3, CALLER));
    let bye = sent(&effects, CALLEE).remove(0);
    assert_eq!(bye.method(), Some(&Method::Bye));
    receive(&mut node, CALLEE, &Message::reply(&bye, 200));
    assert!(node.is_quiet() && node.calls.is_empty());

    let late = sent(&receive(&mut node, CALLEE, &answer_of("another")), CALLEE);
    let methods: Vec<_> = late.iter().filter_map(Message::method).collect();
    assert_eq!(methods, [&Method::Ack, &Method::Bye]);
    assert!(late.iter().all(|request| request.tag_of_to() == Some(Text::from_static("another"))));
    assert_eq!(header(&late[1], &Name::Reason).as_bytes(), COMPLETED_ELSEWHERE.as_bytes());
    let over = Now { mono: now().mono + Duration::from_secs(60), wall: now().wall };
    node.handle(over, Input::Tick);
    assert!(node.board.clients.is_empty(), "until no phone can answer any more");
}
