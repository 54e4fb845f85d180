//! The heap of a rule, for a life of one call: memory is handed out in a row and comes back with the instance.
//!
//! Nothing is searched or kept in lists, and the first kilobytes lie behind the rule's data, in memory that the instance
//! has anyway: a usual rule never asks for more, which costs the switch two system calls a run. What was handed out last
//! can be given back and resized in place, so a text that grows takes its room once. A run has fuel to fill some ten
//! megabytes, and sixteen to fill.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;

const PAGE: usize = 65_536;

/// Where the free memory begins and ends; both 0 before the first allocation.
pub(crate) struct Heap {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: a component of our world has one thread.
unsafe impl Sync for Heap {}

unsafe extern "C" {
    /// The linker puts it behind the data.
    static __heap_base: u8;
}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self { next: Cell::new(0), end: Cell::new(0) }
    }

    /// Room for so many bytes from `start` on; false where the memory may not grow so far.
    fn reach(&self, start: usize, bytes: usize) -> bool {
        let Some(next) = start.checked_add(bytes) else { return false };
        if next > self.end.get() {
            let pages = (next - self.end.get()).div_ceil(PAGE);
            let grown_from = core::arch::wasm32::memory_grow::<0>(pages);
            // Where somebody else has grown the memory, too, the row is broken: what is between is theirs.
            if grown_from == usize::MAX || grown_from * PAGE != self.end.get() {
                return false;
            }
            self.end.set(self.end.get() + pages * PAGE);
        }
        self.next.set(next);
        true
    }
}

// SAFETY: blocks lie in a row between the end of the data and the end of the memory, and never overlap; only the last of
// them is ever given back or changed.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.end.get() == 0 {
            self.next.set((&raw const __heap_base).addr());
            self.end.set(core::arch::wasm32::memory_size::<0>() * PAGE);
        }
        let start = self.next.get().next_multiple_of(layout.align());
        if self.reach(start, layout.size()) { start as *mut u8 } else { core::ptr::null_mut() }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block.addr() + layout.size() == self.next.get() {
            self.next.set(block.addr());
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if block.addr() + layout.size() == self.next.get() {
            return if self.reach(block.addr(), bytes) { block } else { core::ptr::null_mut() };
        }
        if bytes <= layout.size() {
            return block;
        }
        // SAFETY: the layout is valid for more bytes as it is for fewer, and the new block is longer than the old.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(bytes, layout.align()));
            if !moved.is_null() {
                core::ptr::copy_nonoverlapping(block, moved, layout.size());
            }
            moved
        }
    }
}
