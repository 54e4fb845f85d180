//! The memory stores fail when they are told to.

use std::sync::Arc;

use callwright_core::names::Ticket;
use callwright_core::seam::StoreRefused;
use callwright_core::{Change, Input};
use callwright_store::{
    BlobError, Blobs, Fault, LATE_MAX, Memory, MemoryBlobs, Request, Store, StoreError, Writer,
};

use crate::made::{acme, at, binding, ended, record};

fn answer(writer: &mut Writer) -> Result<(), StoreRefused> {
    let changes = vec![Change::Bound(Arc::new(binding("1001", "phone", 600)))];
    let answer = writer.work(&[Request { ticket: Ticket(7), changes }]).remove(0);
    let Input::Stored { ticket: Ticket(7), result } = answer else { panic!("{answer:?}") };
    result
}

#[test]
fn a_full_store_refuses_until_there_is_room() {
    let memory = Arc::new(Memory::new());
    let mut writer = Writer::new(Arc::clone(&memory) as Arc<dyn Store>);
    memory.set_fault(Fault::Full);
    assert_eq!(answer(&mut writer), Err(StoreRefused::Full));
    assert_eq!(answer(&mut writer), Err(StoreRefused::Full));
    assert!(matches!(memory.host_key("name", b"value"), Err(StoreError::Full)));
    memory.set_fault(Fault::None);
    assert_eq!(memory.restore(at(60)).unwrap().bindings, [], "what was refused is not kept");
    assert_eq!(answer(&mut writer), Ok(()));
}

#[test]
fn a_broken_store_mends_after_so_many_writes() {
    let memory = Arc::new(Memory::new());
    let mut writer = Writer::new(Arc::clone(&memory) as Arc<dyn Store>);
    memory.set_fault(Fault::Next(2));
    assert!(matches!(answer(&mut writer), Err(StoreRefused::Unavailable(_))));
    assert!(matches!(answer(&mut writer), Err(StoreRefused::Unavailable(_))));
    assert_eq!(answer(&mut writer), Ok(()));
    memory.set_fault(Fault::Next(0));
    assert_eq!(answer(&mut writer), Ok(()));
}

/// The end of a call, to be stored under a ticket.
fn record_of(number: u64) -> Request {
    let changes = vec![ended(&record(&format!("c{number}"), 1))];
    Request { ticket: Ticket(number), changes }
}

fn tickets(answers: &[Input]) -> Vec<(u64, bool)> {
    let of = |answer: &Input| {
        let Input::Stored { ticket, result } = answer else { panic!("{answer:?}") };
        (ticket.0, result.is_ok())
    };
    answers.iter().map(of).collect()
}

#[test]
fn the_record_of_a_call_waits_for_a_full_store() {
    let memory = Arc::new(Memory::new());
    let mut writer = Writer::new(Arc::clone(&memory) as Arc<dyn Store>);
    memory.set_fault(Fault::Full);
    let bound = vec![Change::Bound(Arc::new(binding("1001", "phone", 600)))];
    let batch = [record_of(1), Request { ticket: Ticket(2), changes: bound }, record_of(3)];
    assert_eq!(tickets(&writer.work(&batch)), [(2, false)], "who waits for an answer has it at once");
    assert_eq!((tickets(&writer.catch_up()), writer.behind()), (vec![], 2));
    memory.set_fault(Fault::None);
    assert_eq!(tickets(&writer.work(&[record_of(4)])), [(4, true)]);
    assert_eq!((tickets(&writer.catch_up()), writer.behind()), (vec![(1, true), (3, true)], 0));
    for id in ["c1", "c3", "c4"] {
        assert_eq!(*memory.call(&acme(), id).unwrap(), record(id, 1));
    }
}

#[test]
fn journals_that_wait_have_a_bound_and_their_records_wait_on() {
    let memory = Arc::new(Memory::new());
    let mut writer = Writer::new(Arc::clone(&memory) as Arc<dyn Store>);
    let long = |number: u64| {
        let change = Change::Ended {
            record: Arc::new(record(&format!("c{number:02}"), 1)),
            journal: vec!["x".repeat(2 * 1024 * 1024)],
        };
        Request { ticket: Ticket(number), changes: vec![change] }
    };
    for _ in 0..2 {
        memory.set_fault(Fault::Full);
        assert!(writer.work(&(0..40).map(long).collect::<Vec<_>>()).is_empty());
        memory.set_fault(Fault::None);
        assert_eq!(writer.catch_up().len(), 40);
        let journals = (0..40).map(|number| memory.journal(&acme(), &format!("c{number:02}")).unwrap());
        assert_eq!(journals.filter(|lines| !lines.is_empty()).count(), 32);
    }
}

#[test]
fn records_that_wait_have_a_bound() {
    let memory = Arc::new(Memory::new());
    let mut writer = Writer::new(Arc::clone(&memory) as Arc<dyn Store>);
    memory.set_fault(Fault::Full);
    let most = u64::try_from(LATE_MAX).unwrap();
    let batch: Vec<_> = (0..=most).map(record_of).collect();
    assert_eq!(tickets(&writer.work(&batch)), [(most, false)]);
    memory.set_fault(Fault::None);
    assert_eq!((writer.catch_up().len(), writer.behind()), (LATE_MAX, 0));
}

#[test]
fn memory_blobs_are_kept_once_and_fail_on_demand() {
    let blobs = MemoryBlobs::default();
    blobs.set_fault(Fault::Full);
    assert!(matches!(blobs.put(b"module"), Err(BlobError::Full)));
    blobs.set_fault(Fault::Next(1));
    assert!(matches!(blobs.put(b"module"), Err(BlobError::OnPurpose)));
    let digest = blobs.put(b"module").unwrap();
    assert_eq!(blobs.put(b"module").unwrap(), digest);
    assert_eq!(blobs.get(&digest).unwrap().as_deref(), Some(&b"module"[..]));
    assert_eq!(blobs.get(&callwright_store::Digest::of(b"other")).unwrap(), None);
}
