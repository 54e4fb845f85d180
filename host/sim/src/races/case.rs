//! Who is there and what they do, in which order each by themselves.

use std::fmt;
use std::str::FromStr;

use super::LEGS_MAX;

/// Who is there. Written `one:waits+answers:cancels`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Whose the phones are.
    pub house: House,
    /// What each phone does; those that do the same stand together.
    pub habits: Vec<Habit>,
    /// What the caller does.
    pub temper: Temper,
}

/// Whose the phones are that ring together: a person's decline ends the legs of that person (TELEPHONY T10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum House {
    /// All of one person.
    One,
    /// Each of another.
    Many,
}

/// What a phone does, event by event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Habit {
    /// Nothing at all.
    Silent,
    /// Rings, and obeys a CANCEL with 487.
    Waits,
    /// Rings, answers, whether a CANCEL came or not, and hangs up where it talks.
    Answers,
    /// Rings, and declines with 603.
    Declines,
    /// Is engaged: 486 and no 180.
    Busy,
    /// Rings, sends the call on to somebody else with 302, and that phone answers.
    Deflects,
}

/// What the caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Temper {
    /// Waits to the end.
    Patient,
    /// Sends a CANCEL, which may cross the 200.
    Cancels,
    /// Sends a BYE, in an early dialog or in the call.
    HangsUp,
    /// Both, one after the other.
    Both,
}

/// A text that names no case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no interleaving: it reads as one:waits+answers:cancels:0.1.0")]
pub struct CaseError(pub String);

/// Something that happens. Phones are counted from 0; behind them are those to which they send the call on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Rings(usize),
    Answers(usize),
    HangsUp(usize),
    Declines(usize),
    Busy(usize),
    Deflects(usize),
    Obeys(usize),
    CallerCancels,
    CallerHangsUp,
    TimesOut,
}

/// What can happen now, as those see it who do it.
#[derive(Clone, Debug, Default)]
pub(super) struct May {
    /// Phones that have an INVITE and have sent no final response.
    pub(super) respond: Vec<bool>,
    /// Of these who have heard a CANCEL.
    pub(super) obey: Vec<bool>,
    /// Phones that talk.
    pub(super) hang_up: Vec<bool>,
    /// The caller has an INVITE without a refusal, and no call that is over.
    pub(super) cancel: bool,
    /// The caller has a dialog, early or not.
    pub(super) bye: bool,
    /// The ring is not over.
    pub(super) time_out: bool,
}

/// How far everybody is.
#[derive(Clone, Debug)]
pub(super) struct Position {
    phones: Vec<usize>,
    caller: usize,
}

impl Case {
    /// Every case with so many phones.
    #[must_use]
    pub fn all(legs: usize) -> Vec<Self> {
        let mut cases = Vec::new();
        for habits in multisets(legs.min(LEGS_MAX)) {
            for house in [House::One, House::Many] {
                // Whose a single phone is makes no difference.
                if legs > 1 || house == House::One {
                    for temper in Temper::ALL {
                        cases.push(Self { house, habits: habits.clone(), temper });
                    }
                }
            }
        }
        cases
    }

    /// How many phones there are, those included to which calls are sent on.
    pub(super) fn phones(&self) -> usize {
        self.habits.len() * 2
    }

    /// The phone to which that one sends the call on.
    pub(super) fn target(&self, phone: usize) -> usize {
        self.habits.len() + phone
    }
}

/// Every choice of so many habits in which the order does not matter.
fn multisets(legs: usize) -> Vec<Vec<Habit>> {
    let mut sets = vec![Vec::new()];
    for _ in 0..legs {
        let longer = |set: &Vec<Habit>| {
            let least = set.last().copied().unwrap_or(Habit::Silent);
            let more = Habit::ALL.into_iter().filter(move |habit| *habit >= least);
            more.map(|habit| set.iter().copied().chain([habit]).collect()).collect::<Vec<_>>()
        };
        sets = sets.iter().flat_map(longer).collect();
    }
    sets
}

impl Habit {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Silent, Self::Waits, Self::Answers, Self::Declines, Self::Busy, Self::Deflects];

    fn word(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Waits => "waits",
            Self::Answers => "answers",
            Self::Declines => "declines",
            Self::Busy => "busy",
            Self::Deflects => "deflects",
        }
    }

    fn event(self, case: &Case, phone: usize, at: usize) -> Option<Event> {
        match (self, at) {
            (Self::Waits | Self::Answers | Self::Declines | Self::Deflects, 0) => Some(Event::Rings(phone)),
            (Self::Waits, 1) => Some(Event::Obeys(phone)),
            (Self::Answers, 1) => Some(Event::Answers(phone)),
            (Self::Answers, 2) => Some(Event::HangsUp(phone)),
            (Self::Declines, 1) => Some(Event::Declines(phone)),
            (Self::Busy, 0) => Some(Event::Busy(phone)),
            (Self::Deflects, 1) => Some(Event::Deflects(phone)),
            (Self::Deflects, 2) => Some(Event::Answers(case.target(phone))),
            (
                Self::Silent | Self::Waits | Self::Answers | Self::Declines | Self::Busy | Self::Deflects,
                _,
            ) => None,
        }
    }
}

impl Temper {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Patient, Self::Cancels, Self::HangsUp, Self::Both];

    fn word(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Cancels => "cancels",
            Self::HangsUp => "hangs-up",
            Self::Both => "both",
        }
    }

    fn event(self, at: usize) -> Option<Event> {
        match (self, at) {
            (Self::Cancels | Self::Both, 0) => Some(Event::CallerCancels),
            (Self::HangsUp, 0) | (Self::Both, 1) => Some(Event::CallerHangsUp),
            (Self::Patient | Self::Cancels | Self::HangsUp | Self::Both, _) => None,
        }
    }
}

impl Position {
    pub(super) fn of(case: &Case) -> Self {
        Self { phones: vec![0; case.habits.len()], caller: 0 }
    }

    /// What can happen next, phones first, then the caller, then the clock.
    pub(super) fn enabled(&self, case: &Case, may: &May) -> Vec<Event> {
        let can = |event: &Event| match *event {
            Event::Rings(phone)
            | Event::Answers(phone)
            | Event::Declines(phone)
            | Event::Busy(phone)
            | Event::Deflects(phone) => may.respond[phone],
            Event::Obeys(phone) => may.obey[phone],
            Event::HangsUp(phone) => may.hang_up[phone],
            Event::CallerCancels => may.cancel,
            Event::CallerHangsUp => may.bye,
            Event::TimesOut => may.time_out,
        };
        let of_phone = |(phone, habit): (usize, &Habit)| {
            let at = self.phones[phone];
            // Phones that do the same begin in the order of their numbers.
            let waits =
                at == 0 && phone > 0 && case.habits[phone - 1] == *habit && self.phones[phone - 1] == 0;
            if waits { None } else { habit.event(case, phone, at) }
        };
        let phones = case.habits.iter().enumerate().filter_map(of_phone);
        let others = case.temper.event(self.caller).into_iter().chain([Event::TimesOut]);
        phones.chain(others).filter(can).collect()
    }

    /// That has happened.
    pub(super) fn pass(&mut self, event: Event) {
        match event {
            Event::Rings(phone)
            | Event::Answers(phone)
            | Event::HangsUp(phone)
            | Event::Declines(phone)
            | Event::Busy(phone)
            | Event::Deflects(phone)
            | Event::Obeys(phone) => {
                let legs = self.phones.len();
                self.phones[phone % legs] += 1;
            }
            Event::CallerCancels | Event::CallerHangsUp => self.caller += 1,
            Event::TimesOut => {}
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phone = super::stage::name_of;
        match *self {
            Self::Rings(one) => write!(f, "{} rings (180)", phone(one)),
            Self::Answers(one) => write!(f, "{} answers (200)", phone(one)),
            Self::HangsUp(one) => write!(f, "{} hangs up (BYE)", phone(one)),
            Self::Declines(one) => write!(f, "{} declines (603)", phone(one)),
            Self::Busy(one) => write!(f, "{} is busy (486)", phone(one)),
            Self::Deflects(one) => write!(f, "{} sends the call on (302)", phone(one)),
            Self::Obeys(one) => write!(f, "{} obeys the CANCEL (487)", phone(one)),
            Self::CallerCancels => f.write_str("the caller cancels (CANCEL)"),
            Self::CallerHangsUp => f.write_str("the caller hangs up (BYE)"),
            Self::TimesOut => f.write_str("the ring's time is over"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let house = match self.house {
            House::One => "one",
            House::Many => "many",
        };
        let habits: Vec<_> = self.habits.iter().map(|habit| habit.word()).collect();
        write!(f, "{house}:{}:{}", habits.join("+"), self.temper.word())
    }
}

impl FromStr for Case {
    type Err = CaseError;

    fn from_str(text: &str) -> Result<Self, CaseError> {
        let wrong = || CaseError(text.to_owned());
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or_else(wrong);
        let house = match part()? {
            "one" => House::One,
            "many" => House::Many,
            _ => return Err(wrong()),
        };
        let habit = |word: &str| Habit::ALL.into_iter().find(|habit| habit.word() == word);
        let habits = part()?.split('+').map(habit).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
        let last = part()?;
        let temper = Temper::ALL.into_iter().find(|temper| temper.word() == last).ok_or_else(wrong)?;
        if habits.is_empty() || habits.len() > LEGS_MAX {
            return Err(wrong());
        }
        Ok(Self { house, habits, temper })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_reads_as_it_is_written() {
        for case in Case::all(2) {
            assert_eq!(case.to_string().parse(), Ok(case));
        }
        for wrong in ["", "one", "one:waits", "two:waits:patient", "one:sleeps:patient", "one:waits:angry"] {
            assert_eq!(wrong.parse::<Case>(), Err(CaseError(wrong.to_owned())));
        }
    }

    #[test]
    fn there_is_each_choice_of_habits_once() {
        // Of six habits with repetition: 6, 21, 56, 126; times houses and tempers.
        let counts: Vec<_> = (1..=4).map(|legs| Case::all(legs).len()).collect();
        assert_eq!(counts, [6 * 4, 21 * 8, 56 * 8, 126 * 8]);
    }
}
