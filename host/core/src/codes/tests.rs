use super::*;
use crate::testing;

fn dial(dialled: &str, wishes: &Wishes) -> Result<(Option<Wishes>, String), CodeError> {
    let tenant = testing::tenant();
    let (user, device) = ("ana".into(), "1001".into());
    let code = CodePlan::default().read(dialled)?;
    let dialler = Dialler {
        tenant: &tenant,
        user: &user,
        device: &device,
        at: "2026-11-20T12:00:00Z".parse().unwrap(),
    };
    apply(&code, wishes, dialler, |_| false)
}

fn after(dialled: &[&str]) -> Wishes {
    dialled.iter().fold(Wishes::default(), |wishes, code| {
        dial(code, &wishes).unwrap_or_else(|error| panic!("{code}: {error}")).0.unwrap_or(wishes)
    })
}

fn refused(dialled: &str) -> CodeError {
    dial(dialled, &Wishes::default()).unwrap_err()
}

#[test]
fn a_device_rings_alone_until_all_do_again() {
    assert_eq!(after(&["*50"]).cold_route, Some(DestinationRef::Device("1001".into())));
    assert_eq!(after(&["*491002"]).cold_route, Some(DestinationRef::Device("1002".into())));
    assert_eq!(after(&["*491002", "*51"]).cold_route, None);
}

#[test]
fn nobody_routes_to_another_ones_device_or_to_a_colleague_who_does_not_take_it() {
    assert_eq!(refused("*491011"), CodeError::NotTheirDevice);
    assert_eq!(refused("*49101"), CodeError::NotTaken);
    assert_eq!(refused("*49100"), CodeError::Oneself);
    assert_eq!(refused("*499999"), CodeError::NoSuchNumber);
}

#[test]
fn gsm_registers_activates_deactivates_and_erases() {
    let bob = DestinationRef::User("bob".into());
    let wishes = after(&["**21*101#"]);
    let wish = wishes.conditions.get(&Condition::Always).unwrap();
    assert_eq!((wish.active, &wish.to[..]), (true, &[bob][..]));
    assert!(!after(&["**21*101#", "#21#"]).conditions[&Condition::Always].active);
    assert!(after(&["**21*101#", "#21#", "*21#"]).conditions[&Condition::Always].active);
    assert!(after(&["**21*101#", "##21#"]).conditions.is_empty());
    assert_eq!(after(&["**004*101#"]).conditions.len(), 3);
    assert!(after(&["**004*101#", "**21*101#", "##002#"]).conditions.is_empty());
}

#[test]
fn no_answer_has_a_time_in_both_spellings() {
    for code in ["**61*+4930123456**15#", "**61*004930123456*11*15#"] {
        let wish = after(&[code]).conditions.remove(&Condition::NoAnswer).unwrap();
        assert_eq!(wish.after, Some(Duration::from_secs(15)));
        assert_eq!(wish.to, [DestinationRef::Number("+4930123456".to_owned())]);
    }
    for code in ["**61*101**31#", "**61*101**4#", "**61*101**#", "**61*101**soon#"] {
        assert_eq!(refused(code), CodeError::NoSuchTime, "{code}");
    }
    assert_eq!(CodeError::NoSuchTime.to_string(), "the time in it must be 5 to 30 s");
    assert_eq!(refused("*61**15#"), CodeError::NoSuchCode, "a time of nothing");
}

#[test]
fn asking_changes_nothing_and_says_whether_it_is_active() {
    assert_eq!(refused("*#21#"), CodeError::NotActive);
    let (changed, said) = dial("*#67#", &after(&["**67*101#"])).unwrap();
    assert_eq!((changed, said.as_str()), (None, "forwarding busy is active"));
}

#[test]
fn nobody_is_told_that_calls_are_forwarded_which_are_not() {
    let said = |code: &str, wishes: &Wishes| dial(code, wishes).map(|(_, said)| said);
    let blocked = "blocked(no-trunk), as no trunk leads outside";
    let set = "is set to number:+4930123456, and not active now:";
    assert_eq!(
        said("**21*+4930123456#", &Wishes::default()).unwrap(),
        format!("forwarding always {set} {blocked}")
    );
    let mut wishes = after(&["**21*+4930123456#"]);
    let asked = said("*#21#", &wishes).unwrap_err();
    assert_eq!(asked.to_string(), format!("this forwarding is not active now: {blocked}"));
    assert_eq!(
        said("*21#", &wishes).unwrap(),
        format!("forwarding always is not active now: {blocked}"),
        "it is kept, and says so"
    );
    wishes = after(&["**62*+4930123456#", "**67*101#"]);
    let both = format!("forwarding busy is active; unreachable is not active now: {blocked}");
    assert_eq!(said("*#004#", &wishes).unwrap(), both);
    wishes.queues = ["support".to_owned()].into();
    assert_eq!(said("*#67#", &wishes), Err(CodeError::NotNow(Effect::Inactive(WhyNot::QueueSignIn))));
    assert_eq!(said("*#61#", &wishes), Err(CodeError::NotActive));
    assert_eq!(
        said("**67*101#", &wishes).unwrap(),
        "forwarding busy is set to user:bob, and not active now: queue-sign-in"
    );
    let suspended = Wishes { enabled: false, ..after(&["**21*101#"]) };
    assert_eq!(said("*#21#", &suspended), Err(CodeError::NotNow(Effect::Inactive(WhyNot::Suspended))));
    assert_eq!(said("*21#", &suspended).unwrap(), "forwarding always is active");
}

#[test]
fn a_route_to_a_device_that_is_offline_says_so() {
    let tenant = std::sync::Arc::new(testing::tenant());
    let config = crate::Config::new([].into(), None, vec![testing::tenant()]);
    let view = View { config: std::sync::Arc::new(config), ..View::default() };
    let code = CodePlan::default().read("*491002").unwrap();
    let dialled = dialled(&view, &tenant, &"1001".into(), &code, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(dialled.said, "only 1002 rings from now on, and cannot be reached now");
    assert!(dialled.wishes.unwrap().cold_route.is_some(), "it is kept all the same");
}

#[test]
fn nothing_is_activated_that_was_never_registered() {
    assert_eq!(refused("*21#"), CodeError::NothingRegistered);
    assert_eq!(refused("**21*777#"), CodeError::NoSuchNumber);
    assert_eq!(refused("**21*100#"), CodeError::Oneself);
}

#[test]
fn what_a_code_did_is_told_of_one_condition_and_of_several() {
    let said = |code: &str, before: &[&str]| dial(code, &after(before)).unwrap().1;
    for (code, before, told) in [
        ("**67*101#", [].as_slice(), "forwarding busy goes to user:bob"),
        ("**004*101#", &[], "forwarding busy, no-answer and unreachable go to user:bob"),
        ("##002#", &[], "forwarding always, busy, no-answer and unreachable are erased"),
        ("##21#", &[], "forwarding always is erased"),
        ("#004#", &[], "forwarding busy, no-answer and unreachable are not active"),
        ("*#004#", &["**004*101#"], "forwarding busy, no-answer and unreachable are active"),
        (
            "**004*+4930123456#",
            &[],
            "forwarding busy, no-answer and unreachable are set to number:+4930123456, and not active now: \
             blocked(no-trunk), as no trunk leads outside",
        ),
        ("*50", &[], "only 1001 rings from now on"),
        ("*491002", &[], "only 1002 rings from now on"),
    ] {
        assert_eq!(said(code, before), told, "{code}");
    }
    assert_eq!(alone(&DestinationRef::User("bob".into())), "only the phones of bob ring from now on");
}

#[test]
fn what_is_no_code_is_none() {
    for dialled in ["*", "#", "**#", "*50#", "*99", "**21*101", "*#*21#", "**21*101**5#extra", "##21*101#"] {
        assert_eq!(refused(dialled), CodeError::NoSuchCode, "{dialled}");
    }
    let plain = CodePlan { gsm: false, ..CodePlan::default() };
    assert_eq!(plain.read("*21#"), Err(CodeError::NoSuchCode));
}

#[test]
fn a_plan_in_which_codes_cannot_be_told_apart_is_refused() {
    assert!(CodePlan::default().conflicts().is_empty());
    let plan = CodePlan { route_here: Some("*4".to_owned()), ..CodePlan::default() };
    assert_eq!(plan.conflicts(), ["route-here `*4` and route-to `*49` cannot be told apart"]);
    let plan = CodePlan { route_all: Some("**5".to_owned()), ..CodePlan::default() };
    assert_eq!(plan.conflicts(), ["route-all: `**5` is the beginning of a code of GSM"]);
    let plan = CodePlan { disturbed: Some("79".to_owned()), ..CodePlan::default() };
    assert_eq!(plan.conflicts(), ["disturbed: `79` is no code: write `*` or `#` and then digits"]);
}
