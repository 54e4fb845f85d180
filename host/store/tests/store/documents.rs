//! What every store promises of documents and of their audit log.

use std::sync::Arc;

use callwright_core::Kind;
use callwright_store::{
    Action, AuditFilter, Document, DocumentError, Draft, Edit, Scope, Step, Store, Temporary, TokenHash,
};
use serde_json::{Value, json};

use crate::events::warned;
use crate::made::{acme, at, zeta};

fn edit(kind: Kind, name: &str, what: Step) -> Edit {
    Edit { kind, name: name.to_owned(), what }
}

fn save(kind: Kind, name: &str, value: Value) -> Edit {
    edit(kind, name, Step::Save { value, until: None })
}

fn keep(store: &Arc<dyn Store>, seconds: i64, edits: &[Edit]) -> Vec<Option<Document>> {
    store.edit_documents(&acme(), edits, at(seconds), "ci").unwrap()
}

fn user(name: &str, live: Option<Value>, revision: u64) -> Document {
    Document { kind: Kind::User, name: name.to_owned(), live, draft: None, temporary: None, revision }
}

fn ana(store: &Arc<dyn Store>) -> Option<Document> {
    store.document(&acme(), Kind::User, "ana").unwrap()
}

pub(crate) fn a_document_comes_back_as_it_was_kept(store: &Arc<dyn Store>) {
    let first = json!({ "name": "Ana Ünïcode", "numbers": ["+4930123456"], "call-waiting": null });
    let kept = keep(store, 1, &[save(Kind::User, "ana", first.clone())]);
    assert_eq!(kept, [Some(user("ana", Some(first), 1))]);
    let second = json!({ "name": "Ana" });
    keep(store, 2, &[save(Kind::User, "ana", second.clone()), save(Kind::Group, "ana", json!({}))]);
    assert_eq!(ana(store), Some(user("ana", Some(second), 2)));
    assert_eq!(keep(store, 3, &[edit(Kind::User, "ana", Step::Remove)]), [None]);
    assert_eq!(ana(store), None);
    assert_eq!(store.documents(&acme()).unwrap().len(), 1, "the group of that name is another document");
}

pub(crate) fn whoever_gets_the_name_of_somebody_who_is_gone_gets_nothing_else_of_theirs(
    store: &Arc<dyn Store>,
) {
    let scopes = [
        ("operator", Scope::Operator),
        ("admin", Scope::Tenant(acme())),
        ("ana", Scope::User(acme(), "ana".into())),
        ("bob", Scope::User(acme(), "bob".into())),
        ("their ana", Scope::User(zeta(), "ana".into())),
    ];
    for (secret, scope) in &scopes {
        store.add_token(&TokenHash::of(secret), scope, secret, at(1)).unwrap();
    }
    let working = || -> Vec<_> {
        let works = |secret: &&str| store.token(&TokenHash::of(secret)).unwrap().is_some();
        scopes.iter().map(|(secret, _)| *secret).filter(works).collect()
    };
    let warned = |user: &str| warned(Some(user), "it is blocked");
    for tenant in [acme(), zeta()] {
        store.add_event(&tenant, &warned("ana"), at(1)).unwrap();
        store.add_event(&tenant, &warned("bob"), at(1)).unwrap();
    }
    let about = |tenant, user: &str| store.events(&tenant, Some(&user.into()), None, 9).unwrap().len();
    keep(store, 1, &[save(Kind::Tenant, "acme", json!({})), save(Kind::User, "ana", json!({}))]);
    keep(store, 1, &[save(Kind::Group, "bob", json!({})), edit(Kind::User, "cleo", Step::Stage(json!({})))]);
    keep(store, 2, &[edit(Kind::Group, "bob", Step::Remove), edit(Kind::User, "cleo", Step::Discard)]);
    assert_eq!(working().len(), 5, "no user of that name is gone");
    keep(store, 3, &[edit(Kind::User, "ana", Step::Remove)]);
    assert_eq!(working(), ["operator", "admin", "bob", "their ana"]);
    assert_eq!((about(acme(), "ana"), about(acme(), "bob"), about(zeta(), "ana")), (0, 1, 1));
    assert_eq!(store.events(&acme(), None, None, 9).unwrap().len(), 2, "the admin reads them still");
    keep(store, 4, &[save(Kind::User, "ana", json!({}))]);
    assert_eq!((working().len(), about(acme(), "ana")), (4, 0));
    store.add_event(&acme(), &warned("ana"), at(5)).unwrap();
    assert_eq!(about(acme(), "ana"), 1);
    keep(store, 6, &[edit(Kind::Tenant, "acme", Step::Remove)]);
    assert_eq!(working(), ["operator", "their ana"]);
}

pub(crate) fn edits_are_all_or_none(store: &Arc<dyn Store>) {
    let edits = [save(Kind::User, "ana", json!({})), edit(Kind::User, "bob", Step::Remove)];
    let refused = store.edit_documents(&acme(), &edits, at(1), "ci");
    assert!(matches!(refused, Err(DocumentError::Nothing { name, .. }) if name == "bob"));
    for step in [Step::Discard, Step::Expire] {
        assert!(store.edit_documents(&acme(), &[edit(Kind::User, "ana", step)], at(1), "ci").is_err());
    }
    assert_eq!(ana(store), None);
    assert_eq!(store.audit(&acme(), &AuditFilter::default(), 9).unwrap(), []);
    assert_eq!(store.documented_tenants().unwrap(), []);
}

pub(crate) fn a_draft_is_beside_what_is_live_until_it_is_saved_or_discarded(store: &Arc<dyn Store>) {
    let (live, wanted) = (json!({ "name": "Ana" }), json!({ "name": "Anna" }));
    keep(store, 1, &[edit(Kind::User, "ana", Step::Stage(live.clone()))]);
    let draft =
        |value: &Value, seconds| Some(Draft { value: value.clone(), by: "ci".into(), at: at(seconds) });
    assert_eq!(ana(store), Some(Document { draft: draft(&live, 1), ..user("ana", None, 1) }));
    keep(store, 2, &[edit(Kind::User, "ana", Step::Discard)]);
    assert_eq!(ana(store), None, "nothing is left of a document that was a draft alone");
    keep(store, 3, &[save(Kind::User, "ana", live.clone())]);
    keep(store, 4, &[edit(Kind::User, "ana", Step::Stage(wanted.clone()))]);
    let staged = Document { draft: draft(&wanted, 4), ..user("ana", Some(live.clone()), 2) };
    assert_eq!(ana(store), Some(staged));
    keep(store, 5, &[edit(Kind::User, "ana", Step::Discard)]);
    assert_eq!(ana(store), Some(user("ana", Some(live), 3)));
    keep(
        store,
        6,
        &[edit(Kind::User, "ana", Step::Stage(json!(1))), save(Kind::User, "ana", wanted.clone())],
    );
    assert_eq!(ana(store), Some(user("ana", Some(wanted), 5)), "what is saved is no draft any more");
}

pub(crate) fn what_was_before_a_temporary_change_comes_back(store: &Arc<dyn Store>) {
    let (usual, first, second) = (json!({ "name": "usual" }), json!({ "name": "1" }), json!({ "name": "2" }));
    let until = |value: &Value, seconds| {
        edit(Kind::User, "ana", Step::Save { value: value.clone(), until: Some(at(seconds)) })
    };
    keep(store, 1, &[save(Kind::User, "ana", usual.clone())]);
    keep(
        store,
        2,
        &[until(&first, 100), edit(Kind::User, "bob", Step::Save { value: json!({}), until: Some(at(50)) })],
    );
    keep(store, 3, &[until(&second, 200)]);
    let temporary = Some(Temporary { until: at(200), before: Some(usual.clone()) });
    let held = Document { temporary, ..user("ana", Some(second), 3) };
    assert_eq!(ana(store), Some(held.clone()), "of two changes on top of each other none is what comes back");
    let ending = store.temporary_documents().unwrap();
    let ends: Vec<_> = ending.iter().map(|(tenant, it)| (tenant.as_str(), it.name.as_str())).collect();
    assert_eq!(ends, [("acme", "bob"), ("acme", "ana")], "the first to end comes first");
    assert_eq!(ending[1].1, held);
    let ended =
        keep(store, 200, &[edit(Kind::User, "ana", Step::Expire), edit(Kind::User, "bob", Step::Expire)]);
    assert_eq!(ended, [Some(user("ana", Some(usual.clone()), 4)), None], "bob was not there before");
    assert_eq!(store.temporary_documents().unwrap(), []);
    keep(store, 201, &[until(&first, 300), save(Kind::User, "ana", first.clone())]);
    assert_eq!(ana(store), Some(user("ana", Some(first.clone()), 6)), "what is saved for good does not end");
    let more = json!({ "name": "1", "zone": "UTC" });
    keep(store, 202, &[until(&json!({ "name": "3" }), 300), save(Kind::User, "ana", more)]);
    let log = store.audit(&acme(), &AuditFilter::default(), 2).unwrap();
    assert_eq!(
        log.iter().map(|it| it.until).collect::<Vec<_>>(),
        [None, Some(at(300))],
        "the change itself stays"
    );
}

pub(crate) fn documents_are_listed_by_kind_and_name_in_pages(store: &Arc<dyn Store>) {
    let names = ["ana", "Bob", "cleo", "dan"];
    keep(store, 1, &names.map(|name| save(Kind::User, name, json!({}))));
    keep(store, 2, &[save(Kind::Device, "cleo", json!({}))]);
    let page = |after, limit| {
        let page = store.documents_of_kind(&acme(), Kind::User, after, limit).unwrap();
        page.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), ["Bob", "ana"]);
    assert_eq!(page(Some("ana"), 2), ["cleo", "dan"]);
    assert_eq!(page(Some("dan"), 2), [""; 0]);
    let all = store.documents(&acme()).unwrap();
    let all: Vec<_> = all.iter().map(|it| format!("{} {}", it.kind, it.name)).collect();
    assert_eq!(all, ["user Bob", "user ana", "user cleo", "user dan", "device cleo"]);
}

pub(crate) fn the_audit_log_says_who_changed_what_and_when_and_no_secret(store: &Arc<dyn Store>) {
    let device = |ha1: &str| json!({ "label": "desk", "secret": { "ha1": ha1, "set": "then" } });
    keep(store, 1, &[save(Kind::Device, "1001", device("hidden one"))]);
    let step = Step::Save { value: device("hidden two"), until: Some(at(9)) };
    store.edit_documents(&acme(), &[edit(Kind::Device, "1001", step)], at(2), "ana's laptop").unwrap();
    keep(store, 9, &[edit(Kind::Device, "1001", Step::Expire), save(Kind::User, "ana", json!({}))]);
    keep(
        store,
        10,
        &[edit(Kind::Device, "1001", Step::Stage(json!({}))), edit(Kind::Device, "1001", Step::Remove)],
    );
    let log =
        store.audit(&acme(), &AuditFilter { kind: Some(Kind::Device), ..AuditFilter::default() }, 9).unwrap();
    let lines: Vec<_> = log.iter().map(|it| (it.action, it.at, it.who.as_str(), it.until)).collect();
    assert_eq!(
        lines,
        [
            (Action::Removed, at(10), "ci", None),
            (Action::Staged, at(10), "ci", None),
            (Action::Expired, at(9), "ci", None),
            (Action::Changed, at(2), "ana's laptop", Some(at(9))),
            (Action::Created, at(1), "ci", None),
        ]
    );
    let shown = json!({ "label": "desk", "password-set": "then" });
    assert_eq!((&log[4].before, &log[4].after), (&None, &Some(shown.clone())));
    assert_eq!((&log[0].before, &log[0].after), (&Some(shown), &None));
    assert!(!format!("{log:?}").contains("hidden"));
    let page = |before| store.audit(&acme(), &AuditFilter { before, ..AuditFilter::default() }, 2).unwrap();
    let newest = page(None);
    assert_eq!(newest.iter().map(|it| it.action).collect::<Vec<_>>(), [Action::Removed, Action::Staged]);
    assert_eq!(page(Some(newest[1].id))[0].kind, Kind::User);
    let named = AuditFilter { name: Some("ana".to_owned()), ..AuditFilter::default() };
    assert_eq!(store.audit(&acme(), &named, 9).unwrap().len(), 1);
}

pub(crate) fn documents_of_a_tenant_are_seen_by_that_tenant_alone(store: &Arc<dyn Store>) {
    keep(store, 1, &[save(Kind::User, "ana", json!({}))]);
    store.edit_documents(&zeta(), &[save(Kind::User, "zoe", json!({}))], at(1), "ci").unwrap();
    assert_eq!(store.documented_tenants().unwrap(), [acme(), zeta()]);
    let names = |tenant| store.documents(&tenant).unwrap().into_iter().map(|it| it.name).collect::<Vec<_>>();
    assert_eq!((names(acme()), names(zeta())), (vec!["ana".to_owned()], vec!["zoe".to_owned()]));
    assert_eq!(store.document(&zeta(), Kind::User, "ana").unwrap(), None);
    assert_eq!(store.audit(&zeta(), &AuditFilter::default(), 9).unwrap().len(), 1);
}
