use jiff::civil::{Time, Weekday};

use super::*;
use crate::config::WeeklySpan;
use crate::rule::Party;

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
    wishes.effect(&crate::testing::tenant(), &TimeZone::UTC, NOW.parse().unwrap())
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

fn anybody() -> Party {
    Party { number: Some("+4989111".to_owned()), ..Party::default() }
}

fn on(from: &str, caller: &Party) -> bool {
    let tenant = crate::testing::tenant();
    from.parse::<CallerMatch>().unwrap().is(caller, &tenant)
}

#[test]
fn a_caller_is_found_by_number_user_or_silence() {
    let ana = Party { number: Some("100".to_owned()), user: Some("ana".into()), ..Party::default() };
    let silent = Party { withheld: true, ..ana.clone() };
    for (from, is_anybody, is_ana, is_silent) in [
        ("number:+4989111", true, false, false),
        ("number:+4989*", true, false, false),
        ("number:+4989", false, false, false),
        ("number:+49891112", false, false, false),
        ("user:ana", false, true, false),
        ("user:bob", false, false, false),
        ("group:nobody", false, false, false),
        ("withheld", false, false, true),
    ] {
        assert_eq!(
            [&anybody(), &ana, &silent].map(|who| on(from, who)),
            [is_anybody, is_ana, is_silent],
            "{from}"
        );
        assert_eq!(from.parse::<CallerMatch>().unwrap().to_string(), from);
    }
    for wrong in [
        "",
        "number:",
        "number:4989",
        "number:+",
        "number:+*",
        "number:+49*9",
        "user:",
        "anybody",
        "device:1",
    ] {
        assert!(wrong.parse::<CallerMatch>().is_err(), "{wrong}");
    }
}

#[test]
fn a_number_needs_no_word_before_it() {
    for number in ["+4930123456", "+4989*"] {
        assert_eq!(number.parse::<CallerMatch>(), format!("number:{number}").parse());
    }
    assert_eq!("+4930123456".parse(), Ok(DestinationRef::Number("+4930123456".to_owned())));
    for wrong in ["4930123456", "+49:1", "+"] {
        assert!(wrong.parse::<CallerMatch>().is_err(), "{wrong}");
    }
    assert!("4930123456".parse::<DestinationRef>().is_err(), "that may be an extension");
}

fn selective() -> Wishes {
    let vip =
        CallerList { name: "vip".to_owned(), from: vec!["number:+4989*".parse().unwrap()], to: vec![bob()] };
    let noon = TimeTarget { name: "noon".to_owned(), when: When::Always, to: vec![outside()] };
    Wishes { callers: vec![vip], times: vec![noon], busy_to: vec![bob()], ..Wishes::default() }
}

fn met(wishes: &Wishes) -> (Option<String>, Option<String>) {
    let tenant = crate::testing::tenant();
    let (zone, now) = (TimeZone::UTC, NOW.parse().unwrap());
    let name = |found: Option<Selection>| found.map(|found| found.name);
    (name(wishes.for_caller(&anybody(), &tenant, &zone, now)), name(wishes.for_now(&zone, now)))
}

#[test]
fn selections_need_no_mode_and_pause_with_everything_else() {
    let both = (Some("vip".to_owned()), Some("noon".to_owned()));
    let wishes = selective();
    assert_eq!((met(&wishes), effect(&wishes)), (both.clone(), Effect::Active(Mode::ByCondition)));
    assert_eq!(to(&wishes, Condition::Busy), [bob()]);
    for paused in [
        Wishes { enabled: false, ..selective() },
        Wishes { queues: ["support".to_owned()].into(), ..selective() },
        Wishes { when: never(), ..selective() },
    ] {
        assert_eq!((met(&paused), to(&paused, Condition::Busy)), ((None, None), Vec::new()));
    }
    let mut no_answer = selective();
    no_answer.choose(Mode::NoAnswer);
    no_answer.numbers = vec![outside()];
    assert_eq!((met(&no_answer), effect(&no_answer)), (both, Effect::Active(Mode::NoAnswer)));
    assert_eq!(to(&no_answer, Condition::Busy), [bob()], "the busy target goes before the numbers");
    assert_eq!(to(&no_answer, Condition::NoAnswer), [outside()]);
    let own = Wishes { own: ["+4930123456".to_owned()].into(), do_not_disturb: true, ..selective() };
    assert_eq!(met(&own), (Some("vip".to_owned()), None), "their own number is silent, so it is no target");
    let tomorrow = TimeTarget { when: never(), ..selective().times.remove(0) };
    assert_eq!(met(&Wishes { times: vec![tomorrow], ..selective() }).1, None);
}

#[test]
fn a_profile_goes_before_what_is_saved_and_its_owner_s_before_others() {
    let mut tenant = crate::testing::tenant();
    let in_profile = |tenant: &Tenant, wishes: &Wishes, name: &str| {
        Wishes { profile: Some(name.into()), ..wishes.clone() }.in_profile(tenant)
    };
    let mut saved = Wishes { do_not_disturb: true, ..wishes(Mode::NoAnswer) };
    let travel = in_profile(&tenant, &saved, "travel").unwrap();
    assert_eq!(
        (travel.mode(), travel.do_not_disturb, &travel.numbers),
        (Mode::ForwardOnly, false, &saved.numbers)
    );
    let office = in_profile(&tenant, &saved, "office").unwrap();
    assert_eq!((office.mode(), office.do_not_disturb), (Mode::NoAnswer, false));
    saved.do_not_disturb = false;
    assert!(in_profile(&tenant, &saved, "do-not-disturb").unwrap().do_not_disturb);
    assert_eq!(in_profile(&tenant, &saved, "home"), None);
    let rings = |rings| Partial { rings: Some(rings), ..Partial::default() };
    tenant.profiles = [("travel".into(), rings(2)), ("home".into(), rings(3))].into();
    saved.profiles = [("home".into(), rings(4))].into();
    assert_eq!(
        in_profile(&tenant, &saved, "travel").unwrap().rings,
        Some(2),
        "the tenant's, and not the built-in"
    );
    assert_eq!(
        in_profile(&tenant, &saved, "home").unwrap().rings,
        Some(4),
        "the user's, and not the tenant's"
    );
    let choices: Vec<_> = saved.choices(&tenant).iter().map(ToString::to_string).collect();
    assert_eq!(choices, ["do-not-disturb", "home", "office", "travel"]);
    assert_eq!(saved.in_profile(&tenant), None, "none is chosen");
}

#[test]
fn own_numbers_are_silent_while_their_person_talks() {
    let mut wishes = wishes(Mode::NoAnswer);
    wishes.numbers = vec![outside(), bob()];
    wishes.own = BTreeSet::from(["+4930123456".to_owned()]);
    assert_eq!(to(&wishes.while_talking(), Condition::Busy), [bob()]);
    assert_eq!(to(&wishes, Condition::Busy), [outside(), bob()]);
}

#[test]
fn conditions_without_any_destination_lead_nowhere_while_they_hold() {
    let nowhere = |wishes: &Wishes| wishes.nowhere(&TimeZone::UTC, NOW.parse().unwrap());
    let mut wishes = wishes(Mode::ForwardOnly);
    assert_eq!(nowhere(&wishes), []);
    wishes.numbers.clear();
    assert_eq!(nowhere(&wishes), [Condition::Always]);
    for paused in [
        Wishes { enabled: false, ..wishes.clone() },
        Wishes { when: never(), ..wishes.clone() },
        Wishes { queues: ["support".to_owned()].into(), ..wishes.clone() },
    ] {
        assert_eq!(nowhere(&paused), []);
    }
    wishes.choose(Mode::NoAnswer);
    wishes.busy_to = vec![bob()];
    assert_eq!(nowhere(&wishes), [Condition::NoAnswer, Condition::Unreachable]);
    wishes.conditions.insert(Condition::NoAnswer, Wish { active: true, to: vec![bob()], after: None });
    wishes.conditions.insert(Condition::Together, Wish::default());
    assert_eq!(nowhere(&wishes), [Condition::Unreachable]);
    assert_eq!(nowhere(&Wishes::default()), []);
}

#[test]
fn a_number_that_is_silent_for_now_is_not_missing() {
    let mut wishes = wishes(Mode::ForwardOnly);
    wishes.numbers = vec![outside()];
    wishes.own = ["+4930123456".to_owned()].into();
    wishes.do_not_disturb = true;
    assert_eq!(to(&wishes, Condition::Always), []);
    assert_eq!(wishes.nowhere(&TimeZone::UTC, NOW.parse().unwrap()), []);
}
