//! Guessing: names, passwords, and proofs that somebody else has given.

use std::time::{Duration, Instant};

use callwright_sip::Message;

use crate::Effort;
use crate::peer::{Peer, Request, challenge_of, field};
use crate::switch::{ANA, MALLORY, PASSWORD, Switch};
use crate::verdict::Verdicts;

/// Wrong passwords that one source may try (`core/src/guard.rs`).
const TRIES: u32 = 20;

fn register(domain: &str) -> Request {
    Request::register(domain, ANA)
}

fn status(answer: Option<&Message>) -> u16 {
    answer.and_then(Message::status).unwrap_or(0)
}

/// SEC-21: a proof is good once, at the source that was challenged.
pub(crate) fn replays(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let phone = Peer::at([127, 9, 21, 1], switch.sip());
    let thief = Peer::at([127, 9, 21, 2], switch.sip());
    let refusal = phone.ask(&register("acme.example")).unwrap();
    let challenge = challenge_of(&refusal).clone();
    let proven = register("acme.example").answering(&challenge, ANA, PASSWORD, 1);
    let stolen = |request: &Request| {
        let mut stolen = request.next("REGISTER", 9);
        stolen.call_id = crate::peer::unique();
        stolen.headers.clone_from(&request.headers);
        stolen
    };
    let elsewhere = thief.ask(&stolen(&proven));
    verdicts.answered("a proof from another source", status(elsewhere.as_ref()), &[401]);
    verdicts.answered("the proof itself", phone.status(&proven), &[200]);
    let again = phone.ask(&stolen(&proven));
    verdicts.answered("the same proof again", status(again.as_ref()), &[401]);
    for (claim, answer) in [("another source", elsewhere), ("again", again)] {
        let stale = answer.as_ref().and_then(|it| field(challenge_of(it), "stale")).unwrap_or_default();
        verdicts.check(format!("{claim}: a new nonce is offered"), stale == "true", stale, "stale=true");
    }
    let next = register("acme.example").answering(&challenge, ANA, PASSWORD, 2);
    verdicts.answered("the next count of the same nonce", phone.status(&next), &[200]);
    let forged = challenge.lossy().replace(&field(&challenge, "nonce").unwrap(), &"0".repeat(56));
    let forged = register("acme.example").answering(&forged.into(), ANA, PASSWORD, 1);
    verdicts.answered("a nonce that nobody gave", phone.status(&forged), &[401]);
}

/// SEC-22: MD5 where the tenant asks for SHA-256.
pub(crate) fn downgrades(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let phone = Peer::at([127, 9, 22, 1], switch.sip());
    let refusal = phone.ask(&register("strict.example")).unwrap();
    let count = refusal.headers.all(&callwright_sip::Name::WwwAuthenticate).count();
    let challenge = challenge_of(&refusal).clone();
    let asked = field(&challenge, "algorithm").unwrap_or_default();
    verdicts.check(
        "one challenge is made",
        count == 1 && asked == "SHA-256",
        format!("{count}, {asked}"),
        "1, SHA-256",
    );
    let weaker = challenge.lossy().replace("SHA-256", "MD5");
    let weak = register("strict.example").answering(&weaker.clone().into(), ANA, PASSWORD, 1);
    verdicts.answered("the right password by MD5", phone.status(&weak), &[401]);
    let none = register("strict.example").answering(
        &weaker.replace("algorithm=MD5", "x=y").into(),
        ANA,
        PASSWORD,
        1,
    );
    verdicts.answered("the right password by no algorithm", phone.status(&none), &[401]);
    let right = register("strict.example").answering(&challenge, ANA, PASSWORD, 1);
    verdicts.answered("the right password by SHA-256", phone.status(&right), &[200]);
}

/// SEC-25: what a stranger hears of a name that exists and of one that does not.
pub(crate) fn names(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let count = if effort == Effort::Quick { 60 } else { 1_000 };
    let mut times = [Vec::new(), Vec::new()];
    let mut shapes = [String::new(), String::new()];
    for number in 0..count {
        for (which, name) in ["1001", "1999"].into_iter().enumerate() {
            // A source of its own for each few, so that no bound on guesses is met.
            let [high, low] = u16::try_from(number / 8 + 1).unwrap().to_be_bytes();
            let peer = Peer::at([127, 9, high + 100, low], switch.sip());
            let request = Request::register("acme.example", name);
            let refusal = peer.ask(&request).unwrap();
            let guess = request.proven(&refusal, name, "wrong");
            let began = Instant::now();
            let answer = peer.ask(&guess);
            times[which].push(began.elapsed());
            shapes[which] = shape(&[refusal, answer.unwrap()]);
        }
    }
    let same = shapes[0] == shapes[1];
    let measured = if same { "same".to_owned() } else { differences(&shapes) };
    verdicts.check("the same bytes for both", same, measured, "each header, and its length");
    let distance = distance(times);
    // Kolmogorov-Smirnov: chance alone stays below 1.63 * sqrt(2/n) in 99 of 100 cases.
    let bound = 1_630 * isqrt(2_000_000 / count) / 1_000;
    if effort == Effort::Full {
        verdicts.at_most("distance between the times of both", distance, bound, "per mille");
    }
}

/// Status lines and headers, without what is new in each message.
fn shape(answers: &[Message]) -> String {
    let mut shape = String::new();
    for answer in answers {
        let names: Vec<_> =
            answer.headers.iter().map(|(name, value)| format!("{name}:{}", value.len())).collect();
        let fixed = ["realm", "algorithm", "qop", "stale"].map(|name| field(challenge_of(answer), name));
        // Lengths of names that differ between requests are the sender's own.
        let names: Vec<_> = names
            .into_iter()
            .filter(|name| !name.starts_with("Call-ID") && !name.starts_with("Via"))
            .collect();
        shape += &format!("{:?} {names:?} {fixed:?} ", answer.status());
    }
    let digits: String = shape.split("From:").map(|part| part.to_owned() + "From:").collect();
    digits.split("From:").map(|part| part.split_once(',').map_or(part, |(_, rest)| rest)).collect()
}

/// What of the one stands in the other's place, and where nothing does, that one is longer.
fn differences([left, right]: &[String; 2]) -> String {
    let words = left.split(", ").zip(right.split(", ")).filter(|(left, right)| left != right);
    let different: Vec<_> = words.map(|(left, right)| format!("{left} and {right}")).collect();
    if different.is_empty() {
        format!("{} and {} long", left.len(), right.len())
    } else {
        different.join("; ")
    }
}

/// The largest distance between two distributions, in thousandths.
fn distance(mut times: [Vec<Duration>; 2]) -> u64 {
    times.iter_mut().for_each(|times| times.sort_unstable());
    let [left, right] = &times;
    let below =
        |times: &[Duration], time: Duration| times.partition_point(|it| *it <= time) * 1_000 / times.len();
    let all = left.iter().chain(right);
    let farthest = all.map(|time| below(left, *time).abs_diff(below(right, *time))).max();
    u64::try_from(farthest.unwrap()).unwrap()
}

fn isqrt(number: u64) -> u64 {
    number.isqrt()
}

/// SEC-26: passwords guessed from one source, and for one name from many.
pub(crate) fn passwords(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let (guesses, sources) = if effort == Effort::Quick { (60, 120) } else { (10_000, 2_000) };
    let _ana = crate::phones::Callee::start(switch, ANA, callwright_sim::phone::manner::Then::Nothing);
    let attacker = Peer::at([127, 9, 26, 1], switch.sip());
    let mut other = Vec::new();
    for number in 0..guesses {
        let answer = guess(&attacker, MALLORY, &format!("guess-{number}"));
        if answer != 401 {
            other.push(format!("guess {number} was answered {answer}"));
        }
    }
    verdicts.all("a guess learns nothing", guesses, &other, "401 to each");
    let right = guess(&attacker, MALLORY, PASSWORD);
    let claim = format!("the right password after more than {TRIES} wrong ones from there");
    verdicts.answered(claim, right, &[401]);
    let home = Peer::at([127, 9, 26, 2], switch.sip());
    verdicts.answered("the right password from elsewhere", guess(&home, MALLORY, PASSWORD), &[200]);
    let mut last = 0;
    for number in 0..sources {
        let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
        let source = Peer::at([127, 20 + high, low, 1], switch.sip());
        let password = if number + 1 == sources { PASSWORD } else { "guess" };
        last = guess(&source, ANA, password);
    }
    let claim =
        format!("the right password of 1001 after {sources} guesses from as many sources, by a newcomer");
    verdicts.answered(claim, last, &[401]);
    let phone = Peer::at([127, 0, 3, 1], switch.sip());
    verdicts.answered("the phone that is registered is not locked out", guess(&phone, ANA, PASSWORD), &[200]);
}

fn guess(peer: &Peer, name: &str, password: &str) -> u16 {
    let request = Request::register("acme.example", name);
    let Some(refusal) = peer.ask(&request) else { return 0 };
    peer.status(&request.proven(&refusal, name, password))
}
