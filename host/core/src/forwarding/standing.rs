//! What wishes come to at a moment, in the words that a record keeps and an explanation reads again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Condition, Effect, Mode, Term, WhyNot, Wishes};
use crate::config::Tenant;
use crate::names::ProfileName;
use crate::rule::DestinationRef;

/// What wishes come to: `active, no-answer after 40 s; only device:1003 rings`.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Whether calls are forwarded; none where nobody ever wished it.
    pub effect: Option<Effect>,
    /// How long devices ring before a call is forwarded, where that is a matter of time.
    pub after: Option<Duration>,
    /// Whose devices ring in place of all of theirs.
    pub only: Option<DestinationRef>,
    /// Whether nothing of theirs rings.
    pub undisturbed: bool,
    /// The profile that holds.
    pub profile: Option<ProfileName>,
    /// Whether a change holds for a while, or has held.
    pub term: Option<Term>,
}

impl Standing {
    /// That of somebody's wishes; `zone` is the user's.
    #[must_use]
    pub fn of(wishes: &Wishes, tenant: &Tenant, zone: &TimeZone, at: Timestamp) -> Self {
        let effect = wishes.effect(tenant, zone, at);
        // Without a mode and without numbers there is nothing that could be missed.
        let is_wished = wishes.mode() != Mode::Off || effect != Effect::Inactive(WhyNot::NoNumbers);
        let waits = matches!(effect, Effect::Active(_) | Effect::Blocked(_))
            && wishes.conditions.get(&Condition::NoAnswer).is_some_and(|wish| wish.active);
        Self {
            effect: is_wished.then_some(effect),
            after: waits.then(|| wishes.ring_time(tenant)),
            only: wishes.cold_route.clone(),
            undisturbed: wishes.do_not_disturb,
            // One that nobody has any more says nothing.
            profile: wishes.profile.clone().filter(|profile| wishes.choices(tenant).contains(profile)),
            term: wishes.term,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &|at| at.to_string())
    }
}

impl Standing {
    /// The same with its moments as people say them.
    #[must_use]
    pub fn told(&self, say: &dyn Fn(Timestamp) -> String) -> String {
        fmt::from_fn(|f| self.write(f, say)).to_string()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, say: &dyn Fn(Timestamp) -> String) -> fmt::Result {
        match self.effect {
            None => write!(f, "nothing is forwarded")?,
            Some(effect @ (Effect::Active(mode) | Effect::Blocked(mode))) => {
                write!(f, "{}, {}", effect.word(), mode.word())?;
            }
            Some(Effect::Inactive(why)) => write!(f, "inactive, {}", why.word())?,
        }
        if let Some(after) = self.after {
            write!(f, " after {} s", after.as_secs_f64())?;
        }
        if let Some(only) = &self.only {
            write!(f, "; only {only} rings")?;
        }
        if self.undisturbed {
            f.write_str(UNDISTURBED)?;
        }
        if let Some(profile) = &self.profile {
            write!(f, "{PROFILE}{profile}")?;
        }
        match self.term {
            None => Ok(()),
            Some(Term::Until(at)) => write!(f, "{UNTIL}{}", say(at)),
            Some(Term::Ended(at)) => write!(f, "{ENDED}{}", say(at)),
        }
    }
}

/// Nothing of theirs rings.
const UNDISTURBED: &str = "; not to be disturbed";
/// Before the profile that holds.
const PROFILE: &str = "; profile ";
/// Before the end of a change.
const UNTIL: &str = "; until ";
/// Before the end that a change has had.
const ENDED: &str = "; a change has ended ";

/// Words that are none of a standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not what wishes come to")]
pub struct NoStanding;

impl FromStr for Standing {
    type Err = NoStanding;

    fn from_str(text: &str) -> Result<Self, NoStanding> {
        let (text, ended) = cut(text, ENDED)?;
        let (text, until) = cut(text, UNTIL)?;
        let (text, profile) = match text.split_once(PROFILE) {
            Some((text, profile)) => (text, Some(ProfileName::from(profile))),
            None => (text, None),
        };
        let (text, undisturbed) = match text.strip_suffix(UNDISTURBED) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (text, only) = match text.split_once("; only ") {
            Some((text, only)) => (text, Some(only.strip_suffix(" rings").ok_or(NoStanding)?)),
            None => (text, None),
        };
        let (text, after) = match text.split_once(" after ") {
            Some((text, after)) => (text, Some(after.strip_suffix(" s").ok_or(NoStanding)?)),
            None => (text, None),
        };
        let after = after.map(|after| after.parse().map(Duration::try_from_secs_f64));
        Ok(Self {
            effect: effect(text)?,
            after: after.transpose().map_err(|_| NoStanding)?.transpose().map_err(|_| NoStanding)?,
            only: only.map(str::parse).transpose().map_err(|_| NoStanding)?,
            undisturbed,
            profile,
            term: until.map(Term::Until).or(ended.map(Term::Ended)),
        })
    }
}

/// What stands before a word, and the moment behind it.
fn cut<'a>(text: &'a str, word: &str) -> Result<(&'a str, Option<Timestamp>), NoStanding> {
    match text.split_once(word) {
        Some((text, at)) => Ok((text, Some(at.parse().map_err(|_| NoStanding)?))),
        None => Ok((text, None)),
    }
}

fn effect(text: &str) -> Result<Option<Effect>, NoStanding> {
    if text == "nothing is forwarded" {
        return Ok(None);
    }
    let (is, word) = text.split_once(", ").ok_or(NoStanding)?;
    let mode = || Mode::CHOICES.into_iter().chain([Mode::ByCondition]).find(|mode| mode.word() == word);
    let effect = match is {
        "active" => mode().map(Effect::Active),
        Effect::BLOCKED => mode().map(Effect::Blocked),
        "inactive" => WhyNot::ALL.into_iter().find(|why| why.word() == word).map(Effect::Inactive),
        _ => None,
    };
    effect.map(Some).ok_or(NoStanding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn every_standing_is_read_as_it_was_written() {
        let modes = || Mode::CHOICES.into_iter().chain([Mode::ByCondition]);
        let effects = modes().map(Effect::Active).chain(modes().map(Effect::Blocked));
        let effects = effects.chain(WhyNot::ALL.map(Effect::Inactive)).map(Some).chain([None]);
        for effect in effects {
            for after in [None, Some(Duration::from_secs(40)), Some(Duration::from_millis(4_500))] {
                for only in [None, Some(DestinationRef::Device("1003".into()))] {
                    let at = Timestamp::from_second(1_795_194_120).unwrap();
                    for term in [None, Some(Term::Until(at)), Some(Term::Ended(at))] {
                        for undisturbed in [false, true] {
                            let profile = undisturbed.then(|| "travel".into());
                            let standing =
                                Standing { effect, after, only: only.clone(), undisturbed, profile, term };
                            assert_eq!(standing.to_string().parse(), Ok(standing));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn other_words_are_none() {
        for text in [
            "",
            "nothing is set",
            "active, sometimes",
            "active, no-answer after x s",
            "active, off; until noon",
            "blocked(no-trunk)",
            "blocked(hops), ring-all",
        ] {
            assert_eq!(text.parse::<Standing>(), Err(NoStanding), "{text}");
        }
    }

    /// What records of earlier versions have.
    #[test]
    fn a_standing_of_an_earlier_version_is_read() {
        for (text, effect, after) in [
            ("active, no-answer after 40 s", Some(Effect::Active(Mode::NoAnswer)), Some(40)),
            ("active, forward-only; only device:1003 rings", Some(Effect::Active(Mode::ForwardOnly)), None),
            ("inactive, queue-sign-in", Some(Effect::Inactive(WhyNot::QueueSignIn)), None),
            ("nothing is forwarded; profile office", None, None),
        ] {
            let standing: Standing = text.parse().unwrap();
            assert_eq!(
                (standing.effect, standing.after.map(|after| after.as_secs())),
                (effect, after),
                "{text}"
            );
            assert_eq!(standing.to_string(), text);
        }
    }

    #[test]
    fn the_time_is_that_of_the_rings_and_nobody_is_told_of_what_nobody_wished() {
        let tenant = testing::tenant();
        let told = |wishes: &Wishes| {
            Standing::of(wishes, &tenant, &TimeZone::UTC, Timestamp::UNIX_EPOCH).to_string()
        };
        let mut wishes = Wishes::default();
        assert_eq!(told(&wishes), "nothing is forwarded");
        wishes.choose(Mode::NoAnswer);
        assert_eq!(told(&wishes), "inactive, no-numbers");
        wishes.numbers = vec![DestinationRef::User("bob".into())];
        wishes.rings = Some(2);
        let wait = tenant.cadence.saturating_mul(2).as_secs();
        assert_eq!(told(&wishes), format!("active, no-answer after {wait} s"));
        wishes.choose(Mode::Failover);
        wishes.cold_route = Some(DestinationRef::Device("1003".into()));
        assert_eq!(told(&wishes), "active, failover; only device:1003 rings");
        wishes.do_not_disturb = true;
        assert_eq!(told(&wishes), "active, failover; only device:1003 rings; not to be disturbed");
        let mut outside =
            Wishes { numbers: vec!["number:+4940999999".parse().unwrap()], ..Wishes::default() };
        outside.choose(Mode::NoAnswer);
        let wait = tenant.ring_time.as_secs();
        assert_eq!(told(&outside), format!("blocked(no-trunk), no-answer after {wait} s"));
        wishes = Wishes { profile: Some("home".into()), ..Wishes::default() };
        assert_eq!(told(&wishes), "nothing is forwarded", "nobody has such a profile");
        wishes.profile = Some("office".into());
        wishes.term = Some(Term::Until(Timestamp::UNIX_EPOCH));
        assert_eq!(told(&wishes), "nothing is forwarded; profile office; until 1970-01-01T00:00:00Z");
    }
}
