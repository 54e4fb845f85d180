//! Messages and descriptions that have brought others down.

use std::time::Duration;

use crate::Effort;
use crate::peer::{Peer, Request, SDP};
use crate::phones::Callee;
use crate::switch::{ANA, BOB, PASSWORD, Switch};
use crate::verdict::Verdicts;

/// SEC-01: the torture messages, and each header broken in each way.
pub(crate) fn messages(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let peer = Peer::at([127, 10, 1, 1], switch.sip());
    torture(&peer, verdicts);
    let mut wrong = Vec::new();
    let mutants = mutants();
    for (name, bytes) in &mutants {
        peer.send_raw(bytes);
        for answer in peer.hear_all(Duration::from_millis(if effort == Effort::Quick { 2 } else { 20 })) {
            let answer = String::from_utf8_lossy(&answer).into_owned();
            if answer.starts_with("SIP/2.0 5")
                && !answer.starts_with("SIP/2.0 505")
                && !answer.starts_with("SIP/2.0 513")
            {
                wrong.push(format!("{name} was answered {answer:.12}"));
            }
        }
    }
    let bound = "refused as the sender's fault, or dropped";
    verdicts.all("no header broken in any way is our fault", mutants.len(), &wrong, bound);
    for (claim, number, allowed) in [
        ("CSeq 2147483647", "2147483647", &[401][..]),
        ("CSeq 2147483648", "2147483648", &[400]),
        ("CSeq 4294967296", "4294967296", &[400]),
        ("CSeq 99999999999999999999", "99999999999999999999", &[400]),
        ("CSeq -1", "-1", &[400]),
    ] {
        let mut request = Request::invite("91011@acme.example", ANA);
        request.cseq = format!("{number} INVITE");
        verdicts.answered(claim, peer.status(&request), allowed);
    }
}

/// The messages of RFC 4475 and RFC 5118, where they lie beside the repository.
fn torture(peer: &Peer, verdicts: &mut Verdicts) {
    let corpora = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora");
    let Ok(folders) = std::fs::read_dir(corpora) else { return };
    let mut sent = 0;
    for folder in folders.map(|folder| folder.unwrap().path()) {
        for file in folder.read_dir().into_iter().flatten().map(|file| file.unwrap().path()) {
            peer.send_raw(&std::fs::read(file).unwrap());
            sent += 1;
        }
    }
    verdicts.check("torture messages were sent", sent > 50, sent.to_string(), "more than 50");
}

/// Each header of an INVITE, twice, empty, long, with odd bytes, or missing.
fn mutants() -> Vec<(String, Vec<u8>)> {
    let whole = Request::invite("91011@acme.example", ANA)
        .with("Accept", "application/sdp")
        .with("Max-Breadth", "60")
        .with("Session-Expires", "1800")
        .with("Supported", "timer")
        .with("Record-Route", "<sip:127.0.0.1;lr>");
    let wire = whole.wire("127.10.1.1:5060".parse().unwrap(), "UDP");
    let text = String::from_utf8(wire).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let lines: Vec<&str> = head.split("\r\n").collect();
    let mut mutants = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let name = line.split(':').next().unwrap();
        let long = |length: usize| format!("{line}{}", "x".repeat(length)).into_bytes();
        let ways: Vec<Vec<u8>> = vec![
            format!("{line}\r\n{line}").into_bytes(),
            format!("{name}:").into_bytes(),
            format!("{name}: ,,,;;;<<>\"").into_bytes(),
            format!("{name}: {}", "9".repeat(40)).into_bytes(),
            format!("{name}: {}", "a,".repeat(9_000)).into_bytes(),
            format!("{name}: \"{}", "\\".repeat(3_000)).into_bytes(),
            [line.as_bytes(), b"\0\0"].concat(),
            [line.as_bytes(), b"\xc3\x28\xff\xfe"].concat(),
            [line.as_bytes(), b"\r\n ", "fold".repeat(50).as_bytes()].concat(),
            long(8_000),
            long(50_000),
            line.replace(':', " \t:").into_bytes(),
            Vec::new(),
        ];
        for (way, changed) in ways.into_iter().enumerate() {
            let parts = lines
                .iter()
                .enumerate()
                .map(|(at, line)| if at == number { &changed[..] } else { line.as_bytes() });
            let parts: Vec<&[u8]> = parts.filter(|part| !part.is_empty()).collect();
            let message = [&parts.join(&b"\r\n"[..])[..], b"\r\n\r\n", body.as_bytes()].concat();
            mutants.push((format!("{name}, way {way}"), message));
        }
    }
    mutants.extend(
        (0..text.len()).step_by(17).map(|cut| (format!("cut at {cut}"), text.as_bytes()[..cut].to_vec())),
    );
    mutants
}

/// SEC-02: session descriptions that are none. They pass through unread, so nothing may happen to the switch, and the
/// calls must end.
pub(crate) fn descriptions(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let _bob = Callee::start(switch, BOB, callwright_sim::phone::manner::Then::Refuse(488));
    let caller = Peer::at([127, 10, 2, 1], switch.sip());
    let rounds = if effort == Effort::Quick { 2 } else { 20 };
    let mut wrong = Vec::new();
    let mut tried = 0;
    for round in 0..rounds {
        for (number, sdp) in broken_descriptions(round).into_iter().enumerate() {
            tried += 1;
            let invite = Request::invite(&format!("{BOB}@acme.example"), ANA).with_body(&sdp);
            let Some(refusal) = caller.ask(&invite) else {
                wrong.push(format!("description {number}: no answer"));
                continue;
            };
            caller.acknowledge(&invite, &refusal);
            let proven = invite.proven(&refusal, ANA, PASSWORD);
            caller.send(&proven);
            match caller.final_answer(&proven, Duration::from_secs(8)) {
                Some(answer) if answer.status().is_some_and(|status| (400..700).contains(&status)) => {
                    caller.acknowledge(&proven, &answer);
                }
                other => wrong.push(format!("description {number}: {:?}", other.and_then(|it| it.status()))),
            }
        }
    }
    verdicts.all("calls with broken descriptions end", tried, &wrong, "a final refusal");
    let left = switch.comes_down("callwright_calls_live", 0, Duration::from_secs(10));
    verdicts.at_most("calls left over", left, 0, "calls");
}

fn broken_descriptions(round: usize) -> Vec<String> {
    let many = 20 + round * 40;
    vec![
        String::new(),
        "v=0".to_owned(),
        "\u{0}".repeat(many),
        SDP.replace("a=", "").replace("4000", "0"),
        SDP.replace("4000", "65536"),
        SDP.replace("4000", "-1"),
        SDP.replace("c=IN IP4 127.0.0.1\r\n", ""),
        SDP.replace("0 8", &"101 ".repeat(many)),
        format!("{SDP}a=fmtp:0 {}\r\n", "x;".repeat(many)),
        format!("{SDP}a=fmtp\r\na=rtpmap:\r\na=sendonly\r\na=inactive\r\n"),
        format!("{SDP}{}", "m=audio 0 RTP/AVP 0\r\n".repeat(many)),
        SDP.replace("RTP/AVP", "FOO/BAR"),
        SDP.replace("\r\n", "\n"),
        SDP.replace("v=0", "v=99999999999999999999"),
        SDP.repeat(3),
    ]
}
