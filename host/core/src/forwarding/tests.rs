use jiff::civil::{Time, Weekday};

use super::*;
use crate::config::WeeklySpan;

const NOW: &str = "2026-11-20T12:00:00Z";

fn wishes(mode: Mode) -> Wishes {
    let mut wishes = Wishes { numbers: vec![bob(), outside()], ..Wishes::default() };
    wishes.choose(mode);
    wishes
}

fn bob() -> DestinationRef {
    DestinationRef::User("bob".into())
}

fn outside() -> DestinationRef {
    DestinationRef::Number("+4930123456".to_owned())
}

fn effect(wishes: &Wishes) -> Effect {
    wishes.effect(&TimeZone::UTC, NOW.parse().unwrap())
}

fn to(wishes: &Wishes, condition: Condition) -> Vec<DestinationRef> {
    wishes.to(condition, &TimeZone::UTC, NOW.parse().unwrap())
}

fn never() -> When {
    let span = WeeklySpan { day: Weekday::Sunday, from: Time::midnight(), to: Time::constant(1, 0, 0, 0) };
    let hours = Hours { name: "custom".into(), zone: None, weekly: vec![span], exceptions: BTreeMap::new() };
    When::Custom(hours)
}

#[test]
fn a_mode_is_read_back_from_its_conditions() {
    for mode in Mode::CHOICES {
        assert_eq!(wishes(mode).mode(), mode);
    }
}

#[test]
fn the_texts_of_modes_and_warnings_are_the_sources_own() {
    let texts: Vec<_> = Mode::CHOICES.into_iter().filter_map(Mode::text).collect();
    assert_eq!(
        texts,
        [
            "Only your devices will ring, no calls will be forwarded.",
            "Ring your Devices & Forwarding Numbers at the same time.",
            "If none of your devices answer, forward all calls.",
            "When your Devices go offline, forward all calls.",
            "Do not ring your Devices, forward all calls.",
        ]
    );
    assert_eq!(
        WhyNot::NoNumbers.warning(),
        Some(
            "You have No Forwarding Numbers. Call forwarding is enabled, but you have no forwarding numbers to forward calls to."
        )
    );
    assert_eq!(
        WhyNot::QueueSignIn.warning(),
        Some("Queue sign-in pauses call forwarding. Resume call forwarding by signing out of queues.")
    );
}

#[test]
fn of_several_reasons_the_first_is_told() {
    let mut wishes = Wishes { when: never(), queues: ["support".to_owned()].into(), ..Wishes::default() };
    wishes.enabled = false;
    assert_eq!(effect(&wishes), Effect::Inactive(WhyNot::Suspended));
    wishes.enabled = true;
    assert_eq!(effect(&wishes), Effect::Inactive(WhyNot::NoNumbers));
    wishes.numbers = vec![bob()];
    assert_eq!(effect(&wishes), Effect::Inactive(WhyNot::QueueSignIn));
    wishes.queues.clear();
    assert_eq!(effect(&wishes), Effect::Inactive(WhyNot::ModeOff));
    wishes.choose(Mode::NoAnswer);
    assert_eq!(effect(&wishes), Effect::Inactive(WhyNot::OutsideSchedule));
    wishes.when = When::Always;
    assert_eq!(effect(&wishes), Effect::Active(Mode::NoAnswer));
}

#[test]
fn suspending_forgets_neither_numbers_nor_mode() {
    let mut wishes = wishes(Mode::RingAll);
    wishes.enabled = false;
    assert!(to(&wishes, Condition::Together).is_empty());
    wishes.enabled = true;
    assert_eq!(to(&wishes, Condition::Together), [bob(), outside()]);
}

#[test]
fn failover_forwards_nobody_who_only_did_not_answer() {
    let wishes = wishes(Mode::Failover);
    assert!(to(&wishes, Condition::NoAnswer).is_empty());
    assert_eq!(to(&wishes, Condition::Unreachable), [bob(), outside()]);
}

#[test]
fn a_condition_with_its_own_destination_is_no_mode_any_more() {
    let mut wishes = wishes(Mode::NoAnswer);
    wishes.conditions.get_mut(&Condition::Busy).unwrap().to = vec![DestinationRef::Group("sales".into())];
    assert_eq!(effect(&wishes), Effect::Active(Mode::ByCondition));
    assert_eq!(to(&wishes, Condition::Busy), [DestinationRef::Group("sales".into())]);
    assert_eq!(to(&wishes, Condition::NoAnswer), [bob(), outside()]);
}

#[test]
fn a_condition_of_its_own_needs_no_numbers() {
    let busy = Wish { active: true, to: vec![bob()], after: None };
    let wishes = Wishes { conditions: [(Condition::Busy, busy)].into(), ..Wishes::default() };
    assert_eq!(effect(&wishes), Effect::Active(Mode::ByCondition));
}

#[test]
fn who_is_not_to_be_disturbed_is_not_reached_on_their_own_number_either() {
    let mut wishes = wishes(Mode::NoAnswer);
    wishes.own = ["+4930123456".to_owned()].into();
    assert_eq!(to(&wishes, Condition::Busy), [bob(), outside()]);
    wishes.do_not_disturb = true;
    assert_eq!(to(&wishes, Condition::Busy), [bob()]);
}
