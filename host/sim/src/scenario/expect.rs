//! Whether what came is what was expected.

use std::collections::BTreeSet;
use std::time::Duration;

use callwright_core::explain::{Explanation, explain};
use callwright_core::names::{TenantId, UserId};
use callwright_core::record::{CallRecord, Disposition, FactKind};
use jiff::tz::TimeZone;

use super::Scenario;
use super::play::{Failure, caller_of};
use super::statement::{Expectation, OfCall, OfPhone, OfRecord, Statement, Times, What, end_word, word_of};
use crate::glance::Glance;
use crate::ladder::clock;
use crate::phone::seen::{Seen, Sighting};
use crate::trace::{Happened, SWITCH, Trace};
use crate::world::World;

/// How far a moment may be from the expected one: wires and retransmissions take their time.
const TOLERANCE: Duration = Duration::from_millis(50);

/// What can be asked after a scenario was played.
pub(super) struct Witness<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: &'a World,
    /// Up to the moment when everything was hung up.
    pub(super) trace: &'a Trace,
    /// Phones that the switch would have rung then.
    pub(super) bound: BTreeSet<&'a str>,
}

/// A message on the wires.
struct Message<'a> {
    at: Duration,
    from: &'a str,
    to: &'a str,
    glance: Glance,
    text: String,
}

/// A call of the scenario, found again.
struct Found<'a> {
    began: Duration,
    call_id: String,
    session: String,
    record: Option<&'a CallRecord>,
}

impl Witness<'_> {
    /// Why an expectation was not met; none where it was, or where the statement is none.
    pub(super) fn failure(&self, statement: &Statement) -> Option<Failure> {
        let What::Expect(expectation) = &statement.what else { return None };
        let got = match expectation {
            Expectation::Call(call, what) => match self.find(call) {
                Some(found) => self.of_call(&found, what),
                None => Err("the call never began".to_owned()),
            },
            Expectation::Phone(phone, what) => self.of_phone(phone, what),
            Expectation::Store { tenant, key, value } => self.of_store(tenant, key, value.as_deref()),
            Expectation::Event { tenant, about, times, part } => {
                self.of_events((tenant, about.as_ref()), *times, part.as_deref())
            }
        };
        got.err().map(|got| Failure { line: statement.line, expected: statement.source.clone(), got })
    }

    fn of_call(&self, call: &Found<'_>, what: &OfCall) -> Result<(), String> {
        match what {
            OfCall::Rings { phone, at } => {
                let rung = self.rung(call, phone).ok_or(format!("{phone} never rang"))?;
                near("it rang", rung - call.began, *at)
            }
            OfCall::NeverRings { phone } => match self.rung(call, phone) {
                Some(rung) => Err(format!("{phone} rang at {}s", clock(rung - call.began))),
                None => Ok(()),
            },
            OfCall::AnsweredBy { phone, at } => {
                let (status, answered) = self.ended(call).ok_or("the caller got no final response")?;
                let device = self.extension(phone);
                match call.record.map(|record| &record.disposition) {
                    Some(Disposition::Answered { device: by, .. }) if by.as_str() == device => {
                        near("it was answered", answered - call.began, *at)
                    }
                    Some(Disposition::Answered { device: by, .. }) => Err(format!("answered by {by}")),
                    Some(Disposition::Rejected | Disposition::CallerGone | Disposition::Coded) | None => {
                        Err(format!("{status} at {}s", clock(answered - call.began)))
                    }
                }
            }
            OfCall::Ended { status, at } => {
                let (got, when) = self.ended(call).ok_or("the caller got no final response")?;
                if got != *status {
                    return Err(format!("{got} at {}s", clock(when - call.began)));
                }
                near("it ended", when - call.began, *at)
            }
            OfCall::Recorded(what) => match call.record {
                Some(record) => self.of_record(record, what),
                None => Err("the call has no record".to_owned()),
            },
        }
    }

    fn of_record(&self, record: &CallRecord, what: &OfRecord) -> Result<(), String> {
        match what {
            OfRecord::Cause(cause) => same(cause, &word_of(&record.cause)),
            OfRecord::Disposition(disposition) => same(disposition, &word_of(&record.disposition)),
            OfRecord::Talked(time) => near("the talk", Duration::from_millis(record.talk_ms), Some(*time)),
            OfRecord::Missed(users) => {
                let wanted: BTreeSet<_> = users.iter().map(String::as_str).collect();
                let got: BTreeSet<_> = record.missed.iter().map(UserId::as_str).collect();
                if wanted == got { Ok(()) } else { Err(format!("missed by {got:?}")) }
            }
            OfRecord::Leg { device, end } => {
                let ends = end_word(record, device);
                if ends.contains(end) { Ok(()) } else { Err(format!("its legs ended {ends:?}")) }
            }
            OfRecord::Ran { rule, outcome } => {
                let runs: Vec<_> =
                    record.runs.iter().map(|run| format!("{} {}", run.rule, run.outcome.word())).collect();
                if runs.contains(&format!("{rule} {outcome}")) {
                    Ok(())
                } else {
                    Err(format!("ran {runs:?}"))
                }
            }
            OfRecord::RanNothing if record.runs.is_empty() => Ok(()),
            OfRecord::RanNothing => Err(format!("ran {}", record.runs.len())),
            OfRecord::Because(text) => {
                let reasons: Vec<_> = record.facts.iter().filter_map(|fact| reason_in(&fact.what)).collect();
                if reasons.iter().any(|reason| reason.contains(text)) {
                    Ok(())
                } else {
                    Err(format!("because {reasons:?}"))
                }
            }
            OfRecord::Explained(text) => {
                let explained = self.explained(record).to_string();
                if explained.contains(text) { Ok(()) } else { Err(explained) }
            }
            OfRecord::ExplainedAs(sentence) => {
                let explained = self.explained(record);
                // A text of a scenario has no double quotes in it.
                if explained.sentence.replace('"', "'") == *sentence {
                    Ok(())
                } else {
                    Err(explained.to_string())
                }
            }
        }
    }

    fn explained(&self, record: &CallRecord) -> Explanation {
        let house = self.scenario.households.iter().find(|house| house.id == record.tenant);
        explain(record, house.map_or(&TimeZone::UTC, |house| &house.zone))
    }

    fn of_store(&self, tenant: &TenantId, key: &str, wanted: Option<&str>) -> Result<(), String> {
        let now = self.world.wall_at(self.world.elapsed());
        let view = self.world.view();
        let kept = view.kept.get(&(tenant.clone(), key.into())).filter(|kept| !kept.is_over(now));
        let got = kept.map(|kept| kept.text.as_str());
        met(got == wanted, || got.map_or("nothing is kept".to_owned(), |got| format!("{got:?} is kept")))
    }

    fn of_events(
        &self,
        (tenant, about): (&TenantId, Option<&UserId>),
        times: Times,
        part: Option<&str>,
    ) -> Result<(), String> {
        let told = self.world.told().iter().filter(|(whose, _)| whose == tenant).map(|(_, event)| event);
        let all: Vec<_> = told.filter(|event| about.is_none() || event.about() == about).collect();
        let words: Vec<_> = all.iter().map(ToString::to_string).collect();
        let found = words.iter().filter(|words| part.is_none_or(|part| words.contains(part))).count();
        let is_met = match times {
            Times::AtLeastOnce => found > 0,
            Times::Exactly(count) | Times::Copies(count) => found == count,
        };
        met(
            is_met,
            || if words.is_empty() { "nothing was told".to_owned() } else { format!("told {words:?}") },
        )
    }

    fn of_phone(&self, phone: &str, what: &OfPhone) -> Result<(), String> {
        let seen = self.seen(phone);
        let any = |wanted: &[Sighting]| seen.iter().any(|seen| wanted.contains(&seen.what));
        match what {
            OfPhone::Cancelled { reason } => {
                let wanted = [
                    Sighting::Cancelled { reason: reason.clone() },
                    Sighting::Released { reason: reason.clone() },
                ];
                met(any(&wanted), || ends(seen))
            }
            OfPhone::Released { reason } => {
                met(any(&[Sighting::Released { reason: reason.clone() }]), || ends(seen))
            }
            OfPhone::Hears(other) => {
                let owner = self.extension(other);
                let heard = seen.iter().rev().find_map(|seen| seen.what.heard());
                met(heard == Some(owner), || format!("hears {}", heard.unwrap_or("nobody")))
            }
            OfPhone::Registered(wanted) => {
                let is = self.bound.contains(phone);
                met(is == *wanted, || {
                    if is { "it is registered".to_owned() } else { "it is not registered".to_owned() }
                })
            }
            OfPhone::Refused(status) => {
                let wanted = [
                    Sighting::Refused { status: *status },
                    Sighting::RegistrationRefused { status: *status },
                ];
                met(any(&wanted), || format!("{:?}", seen.iter().map(|seen| &seen.what).collect::<Vec<_>>()))
            }
            OfPhone::Held => met(any(&[Sighting::Held]), || "it was never held".to_owned()),
            OfPhone::Resumed => met(any(&[Sighting::Resumed]), || "it was never resumed".to_owned()),
            OfPhone::Receives { times, start, part } => self.receives(phone, *times, start, part.as_deref()),
        }
    }

    fn receives(&self, phone: &str, times: Times, start: &str, part: Option<&str>) -> Result<(), String> {
        // What is sent again is one message.
        let copies: Vec<_> = self
            .messages()
            .filter(|message| message.from == SWITCH && message.to == phone)
            .filter(|message| message.glance.request == start || message.glance.status.to_string() == start)
            .filter(|message| part.is_none_or(|part| message.text.contains(part)))
            .map(|message| message.text)
            .collect();
        let found: BTreeSet<_> = copies.iter().collect();
        let is_met = match times {
            Times::AtLeastOnce => !found.is_empty(),
            Times::Exactly(count) => found.len() == count,
            Times::Copies(count) => copies.len() == count,
        };
        met(is_met, || format!("{} of them, {} copies", found.len(), copies.len()))
    }

    fn find(&self, call: &str) -> Option<Found<'_>> {
        let phone = caller_of(self.scenario, call)?;
        let own = self.seen(phone).iter().filter(|seen| seen.call.as_deref() == Some(call));
        let (began, call_id) =
            own.into_iter().find_map(|seen| Some((seen.at, seen.what.dialled()?.to_owned())))?;
        let session = self
            .messages()
            .find(|message| message.glance.call_id == call_id)
            .map(|message| session_of(&message.glance))?;
        let device = self.extension(phone);
        let wall =
            |record: &CallRecord| record.began.duration_since(self.world.wall_at(began)).unsigned_abs();
        let of_phone = self
            .world
            .records()
            .iter()
            .map(|kept| &*kept.record)
            .filter(|record| record.from_device.as_ref().is_none_or(|from| from.as_str() == device));
        let record = of_phone.min_by_key(|record| wall(record));
        Some(Found { began, call_id, session, record })
    }

    /// When a phone was first rung for a call.
    fn rung(&self, call: &Found<'_>, phone: &str) -> Option<Duration> {
        let rings = |message: &Message<'_>| {
            message.from == SWITCH
                && message.to == phone
                && message.glance.is_request("INVITE")
                && message.glance.is_initial()
                && session_of(&message.glance) == call.session
        };
        self.messages().find(rings).map(|message| message.at)
    }

    /// The final response to the caller.
    fn ended(&self, call: &Found<'_>) -> Option<(u16, Duration)> {
        let ends = |message: &Message<'_>| {
            message.from == SWITCH
                && message.glance.call_id == call.call_id
                && message.glance.is_response_to("INVITE")
                && message.glance.status >= 200
                && !matches!(message.glance.status, 401 | 407)
        };
        self.messages().find(ends).map(|message| (message.glance.status, message.at))
    }

    fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        self.trace.entries().iter().filter_map(|entry| match &entry.what {
            Happened::Sent { from, to, bytes, .. } => {
                let glance = Glance::of(bytes)?;
                Some(Message {
                    at: entry.at,
                    from,
                    to,
                    glance,
                    text: String::from_utf8_lossy(bytes).into_owned(),
                })
            }
            Happened::Note { .. } => None,
        })
    }

    fn seen(&self, phone: &str) -> &[Seen] {
        self.world.phone(phone).map_or(&[], |phone| phone.seen())
    }

    fn extension(&self, phone: &str) -> &str {
        let plan = self.scenario.phones.iter().find(|plan| plan.setup.name == phone);
        plan.map_or("", |plan| plan.setup.extension.as_str())
    }
}

fn session_of(message: &Glance) -> String {
    message.header("Session-ID").and_then(|value| value.split(';').next()).unwrap_or_default().to_owned()
}

fn reason_in(fact: &FactKind) -> Option<String> {
    if let FactKind::Because(text) = fact {
        return Some(text.clone());
    }
    let FactKind::Read { what, got } = fact else { return None };
    Some(format!("{what}: {got}"))
}

fn ends(seen: &[Seen]) -> String {
    let ends: Vec<_> = seen
        .iter()
        .map(|seen| &seen.what)
        .filter(|what| matches!(what, Sighting::Cancelled { .. } | Sighting::Released { .. }))
        .collect();
    if ends.is_empty() { "neither CANCEL nor BYE".to_owned() } else { format!("{ends:?}") }
}

fn met(is_met: bool, got: impl FnOnce() -> String) -> Result<(), String> {
    if is_met { Ok(()) } else { Err(got()) }
}

fn same(wanted: &str, got: &str) -> Result<(), String> {
    met(wanted == got, || got.to_owned())
}

fn near(what: &str, is: Duration, wanted: Option<Duration>) -> Result<(), String> {
    met(wanted.is_none_or(|wanted| is.abs_diff(wanted) <= TOLERANCE), || format!("{what} at {}s", clock(is)))
}
