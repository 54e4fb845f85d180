//! The memory stores fail when they are told to.

use std::sync::Arc;

use callwright_core::names::Ticket;
use callwright_core::seam::StoreRefused;
use callwright_core::{Change, Input};
use callwright_store::{BlobError, Blobs, Fault, Memory, MemoryBlobs, Request, Store, StoreError, Writer};

use crate::made::{at, binding};

fn answer(writer: &Writer) -> Result<(), StoreRefused> {
    let changes = vec![Change::Bound(Arc::new(binding("1001", "phone", 600)))];
    let answer = writer.work(&[Request { ticket: Ticket(7), changes }]).remove(0);
    let Input::Stored { ticket: Ticket(7), result } = answer else { panic!("{answer:?}") };
    result
}

#[test]
fn a_full_store_refuses_until_there_is_room() {
    let memory = Arc::new(Memory::new());
    let writer = Writer::new(Arc::clone(&memory) as Arc<dyn Store>);
    memory.set_fault(Fault::Full);
    assert_eq!(answer(&writer), Err(StoreRefused::Full));
    assert_eq!(answer(&writer), Err(StoreRefused::Full));
    assert!(matches!(memory.host_key("name", b"value"), Err(StoreError::Full)));
    memory.set_fault(Fault::None);
    assert_eq!(memory.restore(at(60)).unwrap().bindings, [], "what was refused is not kept");
    assert_eq!(answer(&writer), Ok(()));
}

#[test]
fn a_broken_store_mends_after_so_many_writes() {
    let memory = Arc::new(Memory::new());
    let writer = Writer::new(Arc::clone(&memory) as Arc<dyn Store>);
    memory.set_fault(Fault::Next(2));
    assert!(matches!(answer(&writer), Err(StoreRefused::Unavailable(_))));
    assert!(matches!(answer(&writer), Err(StoreRefused::Unavailable(_))));
    assert_eq!(answer(&writer), Ok(()));
    memory.set_fault(Fault::Next(0));
    assert_eq!(answer(&writer), Ok(()));
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
