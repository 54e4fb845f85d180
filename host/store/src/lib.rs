//! What must survive: bindings, call records with their journals, rule versions, documents of tenants, events, tokens, and modules as
//! blobs.
//!
//! Three things to know: [`Store`] for rows, [`Blobs`] for modules, [`Writer`] which turns the core's store effects into
//! its inputs. Everything here is synchronous and owns no thread: the binary gives the writer one of its own and batches,
//! the simulator calls it inline. What is acknowledged survives `kill -9`. It refuses to own clocks (times are arguments),
//! routing and Wasm (a module is bytes).

mod bindings;
mod blobs;
mod calls;
mod digest;
mod documents;
mod error;
mod events;
mod memory;
mod sqlite;
mod store;
mod tokens;
mod versions;
mod writer;

pub use blobs::{BLOB_BYTES_MAX, BlobError, Blobs, FileBlobs, MemoryBlobs};
pub use calls::{
    CALLS_KEPT_MAX, CallFilter, Cursor, Ended, NotACursor, PAGE_MAX, PAST_MAX, PRUNE_STEP, Page, Pruned,
};
pub use digest::{Digest, NotADigest};
pub use documents::{
    AUDIT_MAX, Action, AuditEntry, AuditFilter, DOCUMENTS_MAX, DOCUMENTS_PAGE_MAX, Document, Draft, Edit,
    Step, Temporary, beneath, ending, shown,
};
pub use error::{DocumentError, FindError, Repeated, RuleError, StoreError};
pub use events::{EVENTS_MAX, EVENTS_PAGE_MAX, Event, Happened};
pub use memory::{Fault, Memory};
pub use sqlite::Sqlite;
pub use store::{Restored, Store};
pub use tokens::{Scope, TOKENS_MAX, Token, TokenHash, TokenId};
pub use versions::{
    Activation, HISTORY_MAX, How, NewVersion, RULES_MAX, RuleVersion, VERSIONS_MAX, VersionState,
};
pub use writer::{BATCH_MAX, LATE_MAX, Request, Writer};
