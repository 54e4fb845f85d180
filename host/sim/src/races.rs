//! All interleavings, not samples, of what up to four phones, their caller and the clock do to one call.
//!
//! A [`Case`] says who is there: how many phones ring together, whose they are, what each does in up to three events,
//! and what the caller does. [`explore`] plays every order in which these events can happen, each in a fresh node (the
//! production core, driven without wires), and compares what it sends, answers its rule and records with a naive model
//! after every event. Of phones that do the same only those orders are played in which they begin in the order of their
//! numbers: all others are the same with the names exchanged.

mod case;
mod course;
mod flaw;
mod model;
mod stage;

use std::fmt;
use std::time::Duration;

pub use case::{Case, CaseError, Habit, House, Temper};
pub use flaw::Flaw;

use crate::trace::{SWITCH, Trace};
use case::{Event, Position};
use course::Course;
use model::Model;
use stage::Stage;

/// The most phones that ring together.
pub const LEGS_MAX: usize = 4;
/// Between two events.
const STEP: Duration = Duration::from_millis(100);
/// Until the last transaction is forgotten.
const SETTLING: Duration = Duration::from_secs(200);

/// What was explored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Who was there, in so many ways.
    pub cases: u64,
    /// Orders that were played.
    pub interleavings: u64,
    /// Events in all of them.
    pub events: u64,
    /// Calls in which two people talked.
    pub bridges: u64,
    /// Answers that came after the CANCEL, or instead of it.
    pub late: u64,
    /// The first order in which something was wrong.
    pub failure: Option<Failure>,
}

/// An order in which something was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Who was there.
    pub case: Case,
    /// Which of the possible events happened each time.
    pub course: Vec<usize>,
    /// The events in words, up to the one after which it was wrong.
    pub events: Vec<String>,
    /// What was wrong.
    pub wrong: Vec<String>,
}

/// One order, played for a person to read.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The events in words.
    pub events: Vec<String>,
    /// What was wrong.
    pub wrong: Vec<String>,
    /// Everything that was sent.
    pub trace: Trace,
}

impl Explored {
    /// Adds what was explored elsewhere.
    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.interleavings += other.interleavings;
        self.events += other.events;
        self.bridges += other.bridges;
        self.late += other.late;
        self.failure = self.failure.take().or(other.failure);
    }
}

/// Plays every order of one case, and stops at the first in which something is wrong.
#[must_use]
pub fn explore(case: &Case, flaw: Option<Flaw>) -> Explored {
    let mut explored = Explored { cases: 1, ..Explored::default() };
    let mut next = Some(Course::first());
    while let Some(mut course) = next {
        let played = play(case, &mut course, flaw, false);
        explored.interleavings += 1;
        explored.events += played.events.len() as u64;
        explored.bridges += u64::from(played.bridged);
        explored.late += played.late;
        if !played.wrong.is_empty() {
            explored.failure = Some(Failure {
                case: case.clone(),
                course: course.taken(),
                events: told(&played.events),
                wrong: played.wrong,
            });
            break;
        }
        next = course.next();
    }
    explored
}

/// Plays one order again, with its ladder.
#[must_use]
pub fn replay(case: &Case, course: &[usize], flaw: Option<Flaw>) -> Replay {
    let played = play(case, &mut Course::exactly(course), flaw, true);
    Replay { events: told(&played.events), wrong: played.wrong, trace: played.trace.unwrap_or_default() }
}

struct Played {
    events: Vec<(Duration, Event)>,
    bridged: bool,
    late: u64,
    wrong: Vec<String>,
    trace: Option<Trace>,
}

fn play(case: &Case, course: &mut Course, flaw: Option<Flaw>, is_traced: bool) -> Played {
    let mut stage = Stage::begin(case, flaw, is_traced);
    let mut model = Model::of(case);
    let mut position = Position::of(case);
    let mut events = Vec::new();
    let mut wrong = model.differences(&stage.seen());
    while wrong.is_empty() {
        let enabled = position.enabled(case, &stage.may(model.is_ringing()));
        let event = match enabled.as_slice() {
            // Whoever still talks then hangs up, and nobody has a choice.
            [] if model.is_talking() => Event::CallerHangsUp,
            [] => break,
            events => events[course.choose(events.len())],
        };
        position.pass(event);
        let now = if event == Event::TimesOut { stage.end_of_ring() } else { stage.now() + STEP };
        events.push((now, event));
        stage.happen(now, event);
        model.happen(now, event);
        wrong = model.differences(&stage.seen());
    }
    if wrong.is_empty() {
        stage.pass_to(stage.now() + SETTLING);
        wrong = model.differences(&stage.seen());
        wrong.extend(model.misrecorded(stage.records()));
        wrong.extend(stage.left_over());
    }
    Played { events, bridged: model.is_bridged(), late: model.late(), wrong, trace: stage.into_trace() }
}

fn told(events: &[(Duration, Event)]) -> Vec<String> {
    events.iter().map(|(at, event)| format!("{:>6.3}  {event}", at.as_secs_f64())).collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.iter().try_for_each(|event| writeln!(f, "  {event}"))?;
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "  wrong: {wrong}"))?;
        writeln!(f, "replay it with: cargo xtask races --replay {}", self.address())
    }
}

impl Failure {
    /// What `--replay` takes: the case and the course.
    #[must_use]
    pub fn address(&self) -> String {
        let course: Vec<_> = self.course.iter().map(usize::to_string).collect();
        format!("{}:{}", self.case, course.join("."))
    }
}

/// Reads what `--replay` takes.
///
/// # Errors
/// [`CaseError`] where it names no case or no course.
pub fn address(text: &str) -> Result<(Case, Vec<usize>), CaseError> {
    let (case, course) = text.rsplit_once(':').ok_or_else(|| CaseError(text.to_owned()))?;
    let choices = course.split('.').filter(|choice| !choice.is_empty()).map(str::parse);
    Ok((case.parse()?, choices.collect::<Result<_, _>>().map_err(|_| CaseError(text.to_owned()))?))
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))?;
        writeln!(f, "\n{}", self.trace.ladder(&["caller", SWITCH], Duration::ZERO))?;
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "wrong: {wrong}"))
    }
}
