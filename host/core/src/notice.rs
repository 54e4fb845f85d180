//! What rules warn of is told to their tenant: the same once an hour, and only so much within one.
//!
//! A rule that warns in each of a thousand calls, or of a thousand things in one, fills nobody's list of events. Its calls'
//! logs have every line all the same.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::names::{CallId, RuleName, TenantId, UserId, Version};
use crate::time::Now;

/// How many warnings a tenant is told of within an hour.
pub const WARNINGS_AN_HOUR: usize = 100;
/// How long the same is not told again, and how long nothing is told after too much.
const HOUR: Duration = Duration::from_secs(3_600);

/// What a run warned of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warned {
    /// Its words.
    pub text: String,
    /// Stands for the private numbers that the words hide, as the rule was shown them; 0 where they hide none. Numbers that look
    /// alike are different things to warn of. It tells warnings apart in memory and is written nowhere.
    pub hidden: u64,
}

/// A rule wrote into its log that someone should look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which rule.
    pub rule: RuleName,
    /// In which version.
    pub version: Version,
    /// In which call.
    pub call: CallId,
    /// The person whose rule or wishes were followed; none where it was nobody's in particular.
    pub about: Option<UserId>,
    /// Its words.
    pub text: String,
}

/// What a tenant is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// What a rule warned of.
    Warned(Warning),
    /// That was too much for an hour: what else rules warn of is not told.
    Enough {
        /// Up to then.
        until: Timestamp,
    },
}

/// What has been told within the last hour.
#[derive(Debug, Default)]
pub(crate) struct Told {
    tenants: BTreeMap<TenantId, Hour>,
    /// When those were forgotten last who have heard nothing for an hour.
    swept: Duration,
}

/// One tenant's last hour.
#[derive(Debug, Default)]
struct Hour {
    /// When what was told, oldest first. A number stands for each text: texts of everybody would fill the memory.
    told: VecDeque<(Duration, u64)>,
    /// Nothing is told before then.
    held: Option<Duration>,
}

/// What is to be told of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// It itself.
    Warning,
    /// That there is too much, and until when nothing is told.
    Enough(Timestamp),
    Nothing,
}

impl Told {
    /// Whether a warning is told, or in its place that there were too many; none where neither is.
    /// `hidden` stands for the numbers that its words hide.
    pub(crate) fn of(
        &mut self,
        tenant: &TenantId,
        now: Now,
        warning: Warning,
        hidden: u64,
    ) -> Option<Notice> {
        self.sweep(now.mono);
        let hour = self.tenants.entry(tenant.clone()).or_default();
        match hour.hears(now, same(&warning, hidden)) {
            Telling::Warning => Some(Notice::Warned(warning)),
            Telling::Enough(until) => Some(Notice::Enough { until }),
            Telling::Nothing => None,
        }
    }

    /// Forgets tenants that the configuration no longer has.
    pub(crate) fn configured(&mut self, config: &Config) {
        self.tenants.retain(|tenant, _| config.tenants.contains_key(tenant));
    }

    fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept) < HOUR {
            return;
        }
        self.swept = now;
        self.tenants.retain(|_, hour| {
            hour.forget(now);
            hour.held.is_some() || !hour.told.is_empty()
        });
    }
}

impl Hour {
    fn hears(&mut self, now: Now, what: u64) -> Telling {
        self.forget(now.mono);
        if self.held.is_some() || self.told.iter().any(|(_, told)| *told == what) {
            return Telling::Nothing;
        }
        if self.told.len() >= WARNINGS_AN_HOUR {
            self.held = Some(now.mono.saturating_add(HOUR));
            let hour = SignedDuration::try_from(HOUR).unwrap_or(SignedDuration::MAX);
            return Telling::Enough(now.wall.checked_add(hour).unwrap_or(Timestamp::MAX));
        }
        self.told.push_back((now.mono, what));
        Telling::Warning
    }

    /// Forgets what is over an hour ago.
    fn forget(&mut self, now: Duration) {
        self.held = self.held.filter(|until| now < *until);
        while self.told.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= HOUR) {
            self.told.pop_front();
        }
    }
}

/// The same for the same rule, person and words, and the same numbers behind them, in whatever call and version.
fn same(warning: &Warning, hidden: u64) -> u64 {
    let Warning { rule, about, text, version: _, call: _ } = warning;
    let mut hasher = DefaultHasher::new();
    (rule, about, text, hidden).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tenant;

    fn at(seconds: u64) -> Now {
        let wall = Timestamp::from_second(seconds.cast_signed()).unwrap();
        Now { mono: Duration::from_secs(seconds), wall }
    }

    fn warning(text: &str) -> Warning {
        Warning {
            rule: "r".into(),
            version: "sha256:aa".into(),
            call: "c".into(),
            about: Some("ana".into()),
            text: text.to_owned(),
        }
    }

    fn acme() -> TenantId {
        "acme".into()
    }

    /// Tells acme so many different things.
    fn fill(told: &mut Told, now: Now) {
        for number in 0..WARNINGS_AN_HOUR {
            let warning = warning(&format!("thing {number}"));
            assert_eq!(told.of(&acme(), now, warning.clone(), 0), Some(Notice::Warned(warning)));
        }
    }

    #[test]
    fn the_same_is_told_once_an_hour_whatever_call_and_version_it_comes_from() {
        let mut told = Told::default();
        assert_eq!(told.of(&acme(), at(0), warning("x"), 0), Some(Notice::Warned(warning("x"))));
        let again = Warning {
            rule: "r".into(),
            version: "sha256:bb".into(),
            call: "later".into(),
            about: Some("ana".into()),
            text: "x".to_owned(),
        };
        assert_eq!(told.of(&acme(), at(3_599), again.clone(), 0), None);
        assert_eq!(told.of(&acme(), at(3_600), again.clone(), 0), Some(Notice::Warned(again)));
        assert_eq!(told.of(&acme(), at(3_601), warning("x"), 0), None);
    }

    #[test]
    fn another_tenant_rule_person_or_text_is_another_warning() {
        let mut told = Told::default();
        told.of(&acme(), at(0), warning("x"), 0);
        let other = |rule: &str, about: Option<&str>, text: &str| Warning {
            rule: rule.into(),
            version: "sha256:aa".into(),
            call: "c".into(),
            about: about.map(Into::into),
            text: text.to_owned(),
        };
        for other in [
            other("q", Some("ana"), "x"),
            other("r", Some("bob"), "x"),
            other("r", None, "x"),
            other("r", Some("ana"), "y"),
        ] {
            assert_eq!(told.of(&acme(), at(1), other.clone(), 0), Some(Notice::Warned(other)));
        }
        assert_eq!(told.of(&"zeta".into(), at(1), warning("x"), 0), Some(Notice::Warned(warning("x"))));
    }

    #[test]
    fn what_looks_alike_and_hides_other_numbers_is_another_warning() {
        let mut told = Told::default();
        for hidden in [0, 7, 8] {
            let notice = told.of(&acme(), at(0), warning("x"), hidden);
            assert_eq!(notice, Some(Notice::Warned(warning("x"))));
            assert_eq!(told.of(&acme(), at(1), warning("x"), hidden), None);
        }
    }

    #[test]
    fn too_much_is_told_once_and_then_nothing_for_an_hour() {
        let mut told = Told::default();
        fill(&mut told, at(10));
        assert_eq!(told.of(&acme(), at(11), warning("thing 0"), 0), None, "known, and no reason to say more");
        let until = at(3_612).wall;
        assert_eq!(told.of(&acme(), at(12), warning("one more"), 0), Some(Notice::Enough { until }));
        assert_eq!(told.of(&acme(), at(13), warning("another"), 0), None);
        assert_eq!(told.of(&acme(), at(3_611), warning("another"), 0), None);
        assert_eq!(
            told.of(&"zeta".into(), at(13), warning("theirs"), 0),
            Some(Notice::Warned(warning("theirs")))
        );
        fill(&mut told, at(3_612));
        assert_eq!(
            told.of(&acme(), at(3_612), warning("x"), 0),
            Some(Notice::Enough { until: at(7_212).wall })
        );
    }

    #[test]
    fn no_hour_has_more_than_there_may_be() {
        let (mut told, mut when) = (Told::default(), Vec::new());
        for second in (0..30_000).step_by(7) {
            let warning = warning(&format!("at {second}"));
            if let Some(Notice::Warned(_)) = told.of(&acme(), at(second), warning, 0) {
                when.push(second);
            }
        }
        assert!(when.len() > 3 * WARNINGS_AN_HOUR, "{}", when.len());
        assert!(when.windows(WARNINGS_AN_HOUR + 1).all(|some| some[WARNINGS_AN_HOUR] - some[0] >= 3_600));
    }

    #[test]
    fn nothing_is_remembered_of_who_was_told_nothing_for_an_hour_or_is_gone() {
        let mut told = Told::default();
        for number in 0..50 {
            told.of(&format!("tenant-{number}").into(), at(0), warning("x"), 0);
        }
        assert_eq!(told.tenants.len(), 50);
        told.of(&acme(), at(3_600), warning("x"), 0);
        assert_eq!(told.tenants.keys().collect::<Vec<_>>(), [&acme()]);
        let nobody = Config::new([].into(), None, Vec::new());
        let with_acme = Config::new([].into(), None, vec![tenant()]);
        told.configured(&with_acme);
        assert_eq!(told.of(&acme(), at(3_601), warning("x"), 0), None);
        told.configured(&nobody);
        assert!(told.tenants.is_empty());
    }
}
