//! What every store promises.

use std::sync::Arc;

use callwright_core::Change;
use callwright_core::kept::KeptValue;
use callwright_core::record::Gone;
use callwright_core::rule::ActiveRule;
use callwright_core::seam::StoreRefused;
use callwright_core::view::Binding;
use callwright_core::{Input, names::Ticket};
use callwright_store::{
    CallFilter, Ended, FindError, HISTORY_MAX, How, PRUNE_STEP, Repeated, Request, RuleError, Scope, Store,
    TokenHash, VERSIONS_MAX, VersionState, Writer,
};

use crate::made::{self, acme, at, binding, ended, over_tcp, record, version, zeta};

pub(crate) use crate::documents::*;
pub(crate) use crate::events::*;

fn commit(store: &Arc<dyn Store>, changes: &[Change]) {
    assert_eq!(store.commit(&[changes]).unwrap(), [Ok(())]);
}

fn unbound(binding: &Binding, seconds: i64, how: Option<Gone>) -> Change {
    Change::Unbound { key: binding.key.clone(), at: at(seconds), how }
}

fn ids(store: &Arc<dyn Store>, filter: &CallFilter) -> Vec<String> {
    let page = store.calls(&acme(), filter, None, 100).unwrap();
    assert_eq!(page.next, None);
    page.calls.iter().map(|record| record.id.to_string()).collect()
}

pub(crate) fn a_binding_comes_back_as_it_was(store: &Arc<dyn Store>) {
    let mut second = binding("1001", "second phone", 600);
    second.behind_nat = true;
    second.suspect_since = Some(at(30));
    let second = Arc::new(second);
    let first = Arc::new(binding("1001", "first phone", 600));
    commit(store, &[Change::Bound(Arc::clone(&second)), Change::Bound(Arc::clone(&first))]);
    let restored = store.restore(at(60)).unwrap();
    assert_eq!(restored.bindings, [first, second]);
    assert_eq!(restored.gone, []);
}

pub(crate) fn a_refreshed_binding_replaces_the_old_one(store: &Arc<dyn Store>) {
    let refreshed = Arc::new(binding("1001", "phone", 900));
    commit(store, &[Change::Bound(Arc::new(binding("1001", "phone", 600)))]);
    commit(store, &[Change::Bound(Arc::clone(&refreshed))]);
    assert_eq!(store.restore(at(60)).unwrap().bindings, [refreshed]);
}

pub(crate) fn an_ended_binding_does_not_come_back(store: &Arc<dyn Store>) {
    let bound = Arc::new(binding("1001", "phone", 600));
    commit(store, &[Change::Bound(Arc::clone(&bound))]);
    commit(store, &[unbound(&bound, 30, None)]);
    let restored = store.restore(at(60)).unwrap();
    assert_eq!((restored.bindings, restored.gone), (Vec::new(), Vec::new()), "another took its place");
}

pub(crate) fn how_a_device_lost_its_last_binding_is_remembered(store: &Arc<dyn Store>) {
    let (first, second) = (Arc::new(binding("1001", "first", 600)), Arc::new(binding("1001", "second", 600)));
    commit(store, &[Change::Bound(Arc::clone(&first)), Change::Bound(Arc::clone(&second))]);
    commit(store, &[unbound(&first, 30, Some(Gone::Unregistered))]);
    assert_eq!(store.restore(at(31)).unwrap().gone, [], "the other phone is still there");
    commit(store, &[unbound(&second, 40, Some(Gone::FlowClosed))]);
    let device = (acme(), first.key.device.clone());
    assert_eq!(store.restore(at(60)).unwrap().gone, [(device, (at(40), Gone::FlowClosed))]);
}

pub(crate) fn what_ended_while_the_node_was_down_is_remembered(store: &Arc<dyn Store>) {
    commit(
        store,
        &[
            Change::Bound(Arc::new(binding("1001", "phone", 600))),
            Change::Bound(Arc::new(over_tcp("1002", 4_000))),
            Change::Bound(Arc::new(binding("1003", "gone first", 500))),
            Change::Bound(Arc::new(binding("1003", "gone last", 700))),
            Change::Bound(Arc::new(binding("1004", "gone", 500))),
            Change::Bound(Arc::new(binding("1004", "here", 5_000))),
        ],
    );
    let restored = store.restore(at(1_000)).unwrap();
    let device = |extension: &str| (acme(), extension.into());
    assert_eq!(restored.bindings, [Arc::new(binding("1004", "here", 5_000))]);
    let gone = [
        (device("1001"), (at(600), Gone::Expired)),
        (device("1002"), (at(1_000), Gone::FlowClosed)),
        (device("1003"), (at(700), Gone::Expired)),
    ];
    assert_eq!(restored.gone, gone);
    assert_eq!(store.restore(at(2_000)).unwrap().gone, gone);
    commit(store, &[Change::Bound(Arc::new(binding("1001", "phone", 9_000)))]);
    assert_eq!(store.restore(at(2_000)).unwrap().gone, gone[1..]);
}

pub(crate) fn what_rules_keep_comes_back_until_it_is_over(store: &Arc<dyn Store>) {
    let value = |text: &str, expires| KeptValue { text: text.to_owned(), expires };
    let kept = |key: &str, value| Change::Kept { key: (acme(), key.into()), value };
    commit(store, &[kept("soon", Some(value("a", Some(at(60))))), kept("ever", Some(value("b", None)))]);
    commit(store, &[kept("ever", Some(value("c", None))), kept("gone", Some(value("d", None)))]);
    commit(store, &[kept("gone", None), kept("never", None)]);
    let of = |key: &str, value| ((acme(), key.into()), value);
    let all = [of("ever", value("c", None)), of("soon", value("a", Some(at(60))))];
    assert_eq!(store.restore(at(59)).unwrap().kept, all);
    assert_eq!(store.restore(at(60)).unwrap().kept, all[..1]);
    assert_eq!(store.restore(at(59)).unwrap().kept, all[..1], "what is over is removed");
}

pub(crate) fn a_group_is_all_or_none_and_leaves_the_others(store: &Arc<dyn Store>) {
    commit(store, &[ended(&record("c1", 10))]);
    let mut other = record("c1", 10);
    other.status = 500;
    let bound = |device: &str| Change::Bound(Arc::new(binding(device, "phone", 600)));
    let (good, bad, last) = ([bound("1001")], [bound("1002"), ended(&other)], [bound("1003")]);
    let (alone, repeated) = ([ended(&other)], Err(Repeated("c1".into())));
    let answers = store.commit(&[&good, &bad, &alone, &last]).unwrap();
    assert_eq!(answers, [Ok(()), repeated.clone(), repeated, Ok(())]);
    let devices: Vec<_> =
        store.restore(at(60)).unwrap().bindings.iter().map(|kept| kept.key.device.to_string()).collect();
    assert_eq!(devices, ["1001", "1003"]);
    assert_eq!(*store.call(&acme(), "c1").unwrap(), record("c1", 10));
}

pub(crate) fn a_record_comes_back_as_it_was_and_twice_is_once(store: &Arc<dyn Store>) {
    let kept = record("c1", 10);
    commit(store, &[ended(&kept)]);
    commit(store, &[ended(&kept)]);
    assert_eq!(*store.call(&acme(), "c1").unwrap(), kept);
    assert_eq!(store.journal(&acme(), "c1").unwrap(), made::journal());
    assert_eq!(ids(store, &CallFilter::default()), ["c1"]);
}

pub(crate) fn a_call_without_a_run_has_an_empty_journal(store: &Arc<dyn Store>) {
    commit(store, &[Change::Ended { record: Arc::new(record("c1", 10)), journal: Vec::new() }]);
    assert_eq!(store.journal(&acme(), "c1").unwrap(), [""; 0]);
}

pub(crate) fn a_call_is_found_by_a_beginning_that_fits_no_other(store: &Arc<dyn Store>) {
    commit(
        store,
        &[
            ended(&record("c-12", 1)),
            ended(&record("c-123", 2)),
            ended(&record("c-13", 3)),
            ended(&made::of(zeta(), record("c-2", 4))),
        ],
    );
    let found = |id: &str| store.call(&acme(), id).map(|record| record.id.to_string());
    assert_eq!(found("c-13").unwrap(), "c-13");
    assert_eq!(found("c-123").unwrap(), "c-123");
    assert_eq!(found("c-12").unwrap(), "c-12", "the whole id wins over a longer one");
    assert!(matches!(found("c-1"), Err(FindError::Ambiguous { first, second, .. })
        if first.as_str() == "c-12" && second.as_str() == "c-123"));
    for unknown in ["", "c-2", "c-14", "%", "c_1", "d", "c-1\u{10FFFF}"] {
        assert!(matches!(found(unknown), Err(FindError::Unknown(id)) if id == unknown), "{unknown}");
    }
    assert!(matches!(store.journal(&acme(), "c-2"), Err(FindError::Unknown(_))));
    assert!(store.journal(&zeta(), "c-").is_ok());
}

pub(crate) fn records_are_listed_newest_first_in_pages(store: &Arc<dyn Store>) {
    // Two that began at the same moment lie on both sides of a page's end.
    let records =
        [("c1", 10), ("c2", 20), ("c3", 20), ("c4", 30), ("c5", 40)].map(|(id, began)| record(id, began));
    for record in &records {
        commit(store, &[ended(record)]);
    }
    commit(store, &[ended(&made::of(zeta(), record("z1", 25)))]);
    let mut after = None;
    let mut pages = Vec::new();
    loop {
        let page = store.calls(&acme(), &CallFilter::default(), after.as_ref(), 2).unwrap();
        pages.push(page.calls.iter().map(|record| record.id.to_string()).collect::<Vec<_>>());
        // What is written while somebody turns pages moves nothing.
        commit(store, &[ended(&record(&format!("n{}", pages.len()), 100))]);
        match page.next {
            Some(next) => after = Some(next.to_string().parse().unwrap()),
            None => break,
        }
    }
    assert_eq!(pages, [vec!["c5", "c4"], vec!["c3", "c2"], vec!["c1"]]);
}

pub(crate) fn a_list_shows_what_the_filter_asks_for(store: &Arc<dyn Store>) {
    let records = [record("c1", 10), made::answered(record("c2", 20)), made::cancelled(record("c3", 30))];
    for record in &records {
        commit(store, &[ended(record)]);
    }
    let all = CallFilter::default();
    let asked = |filter: CallFilter| ids(store, &filter);
    assert_eq!(asked(CallFilter { since: Some(at(20)), ..all.clone() }), ["c3", "c2"]);
    assert_eq!(asked(CallFilter { until: Some(at(20)), ..all.clone() }), ["c1"]);
    assert_eq!(asked(CallFilter { ended: Some(Ended::Answered), ..all.clone() }), ["c2"]);
    assert_eq!(asked(CallFilter { ended: Some(Ended::Rejected), ..all.clone() }), ["c1"]);
    assert_eq!(asked(CallFilter { ended: Some(Ended::CallerGone), ..all.clone() }), ["c3"]);
    assert_eq!(asked(CallFilter { user: Some("bob".into()), ..all.clone() }), ["c3", "c2", "c1"]);
    assert_eq!(asked(CallFilter { user: Some("cleo".into()), ..all.clone() }), ["c2"]);
    assert_eq!(asked(CallFilter { number: Some("100".into()), ..all.clone() }), ["c3", "c2", "c1"]);
    assert_eq!(asked(CallFilter { number: Some("1".into()), ..all.clone() }), [""; 0]);
    let both = CallFilter { since: Some(at(15)), user: Some("cleo".into()), ..all };
    assert_eq!(asked(both), ["c2"]);
}

pub(crate) fn a_tenant_sees_nothing_of_another(store: &Arc<dyn Store>) {
    commit(store, &[ended(&record("c1", 10))]);
    store.add_version(&version("office", "a", 1)).unwrap();
    store.activate(&acme(), &"office".into(), &made::digest("a"), at(2), "ana").unwrap();
    assert_eq!(store.calls(&zeta(), &CallFilter::default(), None, 10).unwrap().calls, []);
    assert!(matches!(store.call(&zeta(), "c1"), Err(FindError::Unknown(_))));
    assert_eq!(store.versions(&zeta(), &"office".into()).unwrap(), []);
    assert_eq!(store.rules(&zeta()).unwrap(), []);
    assert_eq!(store.history(&zeta(), &"office".into()).unwrap(), []);
    assert_eq!(store.active_rules(&zeta()).unwrap(), []);
    let stolen = store.activate(&zeta(), &"office".into(), &made::digest("a"), at(3), "zoe");
    assert!(matches!(stolen, Err(RuleError::NoSuchVersion { .. })));
    let broken = VersionState::Unusable("by zeta".to_owned());
    assert!(store.mark(&zeta(), &"office".into(), &made::digest("a"), &broken).is_err());
    assert!(matches!(
        store.roll_back(&zeta(), &"office".into(), at(3), "zoe"),
        Err(RuleError::NothingBefore(_))
    ));
    assert_eq!(store.all_active_rules().unwrap().len(), 1);
}

pub(crate) fn the_newest_calls_come_back_in_their_order(store: &Arc<dyn Store>) {
    for began in [3, 1, 2] {
        commit(store, &[ended(&record(&format!("c{began}"), began))]);
    }
    commit(store, &[ended(&made::of(zeta(), record("z2", 2)))]);
    let past = store.restore(at(60)).unwrap().past;
    let past: Vec<_> = past.iter().map(|record| (record.tenant.as_str(), record.id.as_str())).collect();
    assert_eq!(past, [("acme", "c1"), ("acme", "c2"), ("zeta", "z2"), ("acme", "c3")]);
}

pub(crate) fn pruning_takes_the_old_and_what_is_too_many(store: &Arc<dyn Store>) {
    for began in 1..=6 {
        commit(store, &[ended(&record(&format!("c{began}"), began))]);
    }
    for began in 3..=4 {
        commit(store, &[ended(&made::of(zeta(), record(&format!("z{began}"), began)))]);
    }
    let pruned = store.prune(at(3), 3).unwrap();
    assert_eq!((pruned.calls, pruned.more), (3, false));
    assert_eq!(ids(store, &CallFilter::default()), ["c6", "c5", "c4"]);
    assert!(matches!(store.journal(&acme(), "c3"), Err(FindError::Unknown(_))));
    assert_eq!(store.calls(&zeta(), &CallFilter::default(), None, 10).unwrap().calls.len(), 2);
}

pub(crate) fn pruning_goes_in_bounded_steps(store: &Arc<dyn Store>) {
    let records: Vec<_> = (0..PRUNE_STEP + 2).map(|n| ended(&record(&format!("c{n:05}"), 10))).collect();
    commit(store, &records);
    let first = store.prune(at(11), 1_000_000).unwrap();
    assert_eq!((first.calls, first.more), (PRUNE_STEP, true));
    let second = store.prune(at(11), 1_000_000).unwrap();
    assert_eq!((second.calls, second.more), (2, false));
}

pub(crate) fn versions_are_listed_last_uploaded_first(store: &Arc<dyn Store>) {
    let (a, b) = (version("office", "a", 1), version("office", "b", 2));
    store.add_version(&a).unwrap();
    store.add_version(&b).unwrap();
    store.add_version(&version("night", "a", 3)).unwrap();
    store.activate(&acme(), &"office".into(), &made::digest("a"), at(4), "ana").unwrap();
    let listed = store.versions(&acme(), &"office".into()).unwrap();
    let shown: Vec<_> = listed.iter().map(|version| (version.uploaded.clone(), version.active)).collect();
    assert_eq!(shown, [(b, false), (a, true)]);
    assert_eq!(store.rules(&acme()).unwrap(), ["night".into(), "office".into()]);
}

pub(crate) fn new_settings_wait_for_the_next_activation(store: &Arc<dyn Store>) {
    let office = "office".into();
    store.add_version(&version("office", "a", 1)).unwrap();
    let first = store.activate(&acme(), &office, &made::digest("a"), at(2), "ana").unwrap();
    let mut sent_again = version("office", "a", 3);
    sent_again.rule = made::with_setting(sent_again.rule, "night", "place:cellar");
    store.add_version(&sent_again).unwrap();
    assert_eq!(store.versions(&acme(), &office).unwrap().len(), 1);
    assert_eq!(store.active_rules(&acme()).unwrap(), [Arc::new(first.clone())]);
    let second = store.activate(&acme(), &office, &made::digest("a"), at(4), "ana").unwrap();
    assert_eq!(second, sent_again.rule);
    assert_eq!(store.roll_back(&acme(), &office, at(5), "ana").unwrap(), first);
}

pub(crate) fn rolling_back_twice_goes_back_two_steps(store: &Arc<dyn Store>) {
    let office = "office".into();
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        let n = i64::try_from(n).unwrap();
        store.add_version(&version("office", name, n)).unwrap();
        store.activate(&acme(), &office, &made::digest(name), at(10 + n), "ana").unwrap();
    }
    // What is active already is no step.
    store.activate(&acme(), &office, &made::digest("c"), at(19), "ana").unwrap();
    assert_eq!(store.roll_back(&acme(), &office, at(20), "bob").unwrap().version, made::digest("b"));
    assert_eq!(store.roll_back(&acme(), &office, at(21), "bob").unwrap().version, made::digest("a"));
    assert!(matches!(store.roll_back(&acme(), &office, at(22), "bob"), Err(RuleError::NothingBefore(_))));
    assert_eq!(store.active_rules(&acme()).unwrap()[0].version, made::digest("a"));
    let history = store.history(&acme(), &office).unwrap();
    let shown: Vec<_> =
        history.iter().map(|step| (step.version.clone(), step.at, &*step.by, step.how)).collect();
    assert_eq!(
        shown,
        [
            (made::digest("a"), at(21), "bob", How::RolledBack),
            (made::digest("b"), at(20), "bob", How::RolledBack),
            (made::digest("c"), at(12), "ana", How::Activated),
            (made::digest("b"), at(11), "ana", How::Activated),
            (made::digest("a"), at(10), "ana", How::Activated),
        ]
    );
}

pub(crate) fn a_rule_that_is_switched_off_stays_off_until_somebody_activates_it(store: &Arc<dyn Store>) {
    let office = "office".into();
    assert!(matches!(store.deactivate(&acme(), &office, at(1), "ana"), Err(RuleError::NotActive(_))));
    let [first, second] = ["a", "b"].map(|name| {
        store.add_version(&version("office", name, 1)).unwrap();
        store.activate(&acme(), &office, &made::digest(name), at(2), "ana").unwrap()
    });
    assert_eq!(store.deactivate(&acme(), &office, at(3), "bob").unwrap(), second);
    assert_eq!(store.active_rules(&acme()).unwrap(), []);
    assert_eq!(store.all_active_rules().unwrap(), []);
    assert!(store.versions(&acme(), &office).unwrap().iter().all(|kept| !kept.active));
    assert_eq!(store.withdraw(&second, at(4), "the switch").unwrap(), None, "it is off already");
    assert!(matches!(store.deactivate(&acme(), &office, at(4), "bob"), Err(RuleError::NotActive(_))));
    let off = store.history(&acme(), &office).unwrap().remove(0);
    assert_eq!((off.version, off.at, &*off.by, off.how), (made::digest("b"), at(3), "bob", How::Deactivated));
    assert_eq!(store.roll_back(&acme(), &office, at(5), "ana").unwrap(), second, "taken back");
    assert_eq!(store.roll_back(&acme(), &office, at(6), "ana").unwrap(), first);
    store.deactivate(&acme(), &office, at(7), "bob").unwrap();
    assert_eq!(store.activate(&acme(), &office, &first.version, at(8), "ana").unwrap(), first);
    assert_eq!(store.active_rules(&acme()).unwrap(), [Arc::new(first)]);
    assert!(matches!(store.roll_back(&acme(), &office, at(9), "ana"), Err(RuleError::NothingBefore(_))));
}

pub(crate) fn only_what_is_active_is_withdrawn(store: &Arc<dyn Store>) {
    let office = "office".into();
    let [good, bad, chosen] = ["a", "b", "c"].map(|name| {
        store.add_version(&version("office", name, 1)).unwrap();
        let activated = store.activate(&acme(), &office, &made::digest(name), at(2), "ana");
        activated.unwrap()
    });
    assert_eq!(store.withdraw(&bad, at(3), "the switch").unwrap(), None, "ana has chosen another");
    assert_eq!(store.active_rules(&acme()).unwrap(), [Arc::new(chosen.clone())]);
    assert_eq!(store.withdraw(&chosen, at(4), "the switch").unwrap(), Some(bad.clone()));
    assert_eq!(store.withdraw(&bad, at(5), "the switch").unwrap(), Some(good.clone()));
    assert!(matches!(store.withdraw(&good, at(6), "the switch"), Err(RuleError::NothingBefore(_))));
    assert_eq!(store.active_rules(&acme()).unwrap(), [Arc::new(good)]);
}

pub(crate) fn an_unusable_version_is_never_made_active(store: &Arc<dyn Store>) {
    let office = "office".into();
    store.add_version(&version("office", "a", 1)).unwrap();
    store.add_version(&version("office", "b", 2)).unwrap();
    store.activate(&acme(), &office, &made::digest("a"), at(3), "ana").unwrap();
    store.activate(&acme(), &office, &made::digest("b"), at(4), "ana").unwrap();
    let state = VersionState::Unusable("needs a newer engine".to_owned());
    store.mark(&acme(), &office, &made::digest("a"), &state).unwrap();
    assert_eq!(store.versions(&acme(), &office).unwrap()[1].state, state);
    let refused = |result: Result<ActiveRule, RuleError>| {
        assert!(matches!(result, Err(RuleError::Unusable { why, .. }) if why == "needs a newer engine"));
    };
    refused(store.activate(&acme(), &office, &made::digest("a"), at(5), "ana"));
    refused(store.roll_back(&acme(), &office, at(6), "ana"));
    store.add_version(&version("office", "a", 7)).unwrap();
    assert_eq!(store.roll_back(&acme(), &office, at(8), "ana").unwrap().version, made::digest("a"));
    let unknown = store.mark(&acme(), &office, &made::digest("x"), &VersionState::Ready);
    assert!(matches!(unknown, Err(RuleError::NoSuchVersion { .. })));
}

pub(crate) fn versions_and_history_are_bounded(store: &Arc<dyn Store>) {
    let office = "office".into();
    for n in 0..VERSIONS_MAX {
        store.add_version(&version("office", &n.to_string(), 1)).unwrap();
    }
    let refused = store.add_version(&version("office", "one more", 2));
    assert!(matches!(refused, Err(RuleError::TooManyVersions { max: VERSIONS_MAX, .. })));
    store.add_version(&version("office", "0", 3)).unwrap();
    for n in 0..=HISTORY_MAX {
        store.activate(&acme(), &office, &made::digest(&(n % 2).to_string()), at(4), "ana").unwrap();
    }
    assert_eq!(store.history(&acme(), &office).unwrap().len(), HISTORY_MAX);
}

pub(crate) fn a_token_is_known_by_its_hash_until_it_is_revoked(store: &Arc<dyn Store>) {
    let (operator, tenant) = (TokenHash::of("cw_operator"), TokenHash::of("cw_acme"));
    let first = store.add_token(&operator, &Scope::Operator, "first start", at(1)).unwrap();
    let second = store.add_token(&tenant, &Scope::Tenant(acme()), "laptop", at(2)).unwrap();
    assert_eq!(store.token(&operator).unwrap(), Some(first.clone()));
    assert_eq!(store.token(&tenant).unwrap().unwrap().scope, Scope::Tenant(acme()));
    assert_eq!(store.token(&TokenHash::of("guessed")).unwrap(), None);
    assert_eq!(store.tokens().unwrap(), [first.clone(), second.clone()]);
    assert!(store.revoke_token(&second.id, at(3)).unwrap());
    assert!(!store.revoke_token(&second.id, at(4)).unwrap());
    assert_eq!(store.token(&tenant).unwrap(), None);
    assert_eq!(store.tokens().unwrap()[1].revoked, Some(at(3)));
    let user = Scope::User(acme(), "ana".into());
    store.add_token(&TokenHash::of("cw_ana"), &user, "ana's phone", at(3)).unwrap();
    assert_eq!(store.token(&TokenHash::of("cw_ana")).unwrap().unwrap().scope, user);
    let again = store.add_token(&tenant, &Scope::Operator, "again", at(5)).unwrap();
    assert_eq!(
        (again.scope, again.revoked),
        (Scope::Tenant(acme()), Some(at(3))),
        "a revoked secret stays revoked"
    );
}

pub(crate) fn the_first_host_key_stays(store: &Arc<dyn Store>) {
    assert_eq!(store.host_key("artefacts", b"first").unwrap(), b"first");
    assert_eq!(store.host_key("artefacts", b"second").unwrap(), b"first");
    assert_eq!(store.host_key("another", b"second").unwrap(), b"second");
}

pub(crate) fn the_writer_answers_each_ticket_in_order(store: &Arc<dyn Store>) {
    let mut writer = Writer::new(Arc::clone(store));
    let request = |ticket: u64, changes: Vec<Change>| Request { ticket: Ticket(ticket), changes };
    let batch: Vec<_> = (0..600)
        .map(|n| request(n, vec![Change::Bound(Arc::new(binding(&n.to_string(), "phone", 600)))]))
        .collect();
    let answers = writer.work(&batch);
    assert_eq!(answers.len(), 600);
    for (n, answer) in answers.iter().enumerate() {
        assert!(matches!(answer, Input::Stored { ticket: Ticket(t), result: Ok(()) } if *t == n as u64));
    }
    assert_eq!(store.restore(at(60)).unwrap().bindings.len(), 600);
    assert!(writer.work(&[]).is_empty());
    let mut other = record("c1", 10);
    other.status = 500;
    let answers = writer.work(&[request(1, vec![ended(&record("c1", 10))]), request(2, vec![ended(&other)])]);
    assert!(matches!(&answers[0], Input::Stored { result: Ok(()), .. }));
    assert!(matches!(&answers[1], Input::Stored { result: Err(StoreRefused::Unavailable(_)), .. }));
}
