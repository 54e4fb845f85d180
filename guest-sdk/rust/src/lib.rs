//! What a Callwright rule written in Rust uses: the interfaces of `callwright:rules` under their own names, and the few
//! words that keep a rule short. The switch decides what the functions do; this crate adds no behaviour.
//!
//! A rule is a function that gets the call and a line that makes it the component's export:
//!
//! ```
//! use callwright_guest::prelude::*;
//!
//! fn handle_call(call: &Call) -> Result<(), String> {
//!     if !schedule::hours("office")?.is_open() {
//!         return Ok(call.refuse(&Refusal::TemporarilyUnavailable)?);
//!     }
//!     let ring = Ring::of(&directory::find_user("ana")?.devices())?;
//!     let duty = Leg::new(&directory::find_place("duty-phone")?);
//!     duty.start_after(secs(10));
//!     ring.add(duty)?;
//!     match call.ring(ring, secs(25))? {
//!         Outcome::Answered(_) => Ok(()),     // bridged; the rule is done
//!         _ => Ok(call.standard()?),          // as if this rule did not exist
//!     }
//! }
//! callwright_guest::rule!(handle_call);
//! ```
//!
//! An error of any interface becomes text with `?`. A rule that returns `Err` gives the call to its fallback, and
//! `explain` shows the text.

use core::mem;

#[cfg(target_family = "wasm")]
mod heap;
#[doc(hidden)]
pub mod panics;
mod words;

#[cfg(target_family = "wasm")]
#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();

#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "call-policy", pub_export_macro: true });
}

pub use bindings::callwright::rules::{
    budget, call, directory, forwarding, log, presence, ring, schedule, settings, stats, store, types,
};

/// What most rules name: `use callwright_guest::prelude::*;`.
pub mod prelude {
    pub use crate::call::{Call, CallError, Entry, Refusal};
    pub use crate::directory::{Group, Member, Order, User};
    pub use crate::presence::{Roster, State};
    pub use crate::ring::{Leg, Outcome, Ring};
    pub use crate::types::{Destination, Party, Place};
    pub use crate::{budget, directory, forwarding, log, presence, schedule, secs, settings, stats, store};
}

/// Seconds as the milliseconds that the interfaces count in; more than 49 days is 49 days.
pub const fn secs(seconds: u32) -> u32 {
    seconds.saturating_mul(1_000)
}

impl ring::Ring {
    /// Makes a ring of destinations that all start at once.
    ///
    /// # Errors
    /// What [`add_all`](Self::add_all) says of the first destination that it refuses.
    pub fn of<'a>(to: impl IntoIterator<Item = &'a types::Destination>) -> Result<Self, ring::RingError> {
        let ring = Self::new();
        ring.add_all(&to.into_iter().collect::<Vec<_>>(), None)?;
        Ok(ring)
    }
}

impl forwarding::Wishes {
    /// Where calls go under a condition now; nowhere when nothing is in effect.
    pub fn to(&self, when: &forwarding::Condition) -> &[types::Destination] {
        let way = self.ways.iter().find(|way| mem::discriminant(&way.when) == mem::discriminant(when));
        way.map_or(&[], |way| &way.to)
    }
}

impl call::Call {
    /// Finds the person who was dialled.
    ///
    /// # Errors
    /// `no-such-entry` when a group, a place or a single device was dialled; else what
    /// [`find_user`](directory::find_user) says.
    pub fn dialled_user(&self) -> Result<directory::User, directory::DirectoryError> {
        match self.dialled().user_id() {
            Some(id) => directory::find_user(&id),
            None => Err(directory::DirectoryError::NoSuchEntry),
        }
    }
}

/// Makes a function `fn(&Call) -> Result<(), String>` the rule of this component. Once a crate.
///
/// A panic ends the run as a trap and the call goes to its fallback. Before that it writes its words, file and line into
/// the tenant's log, where `explain` finds them.
#[macro_export]
macro_rules! rule {
    ($handle_call:path) => {
        struct CallwrightRule;
        impl $crate::bindings::Guest for CallwrightRule {
            fn handle_call(call: &$crate::call::Call) -> ::core::result::Result<(), ::std::string::String> {
                #[cfg(target_family = "wasm")]
                $crate::panics::log_panics();
                $handle_call(call)
            }
        }
        $crate::bindings::export!(CallwrightRule with_types_in $crate::bindings);
    };
}
