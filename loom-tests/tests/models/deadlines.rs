//! The index of deadlines: what its rules rest on where nothing is sequentially consistent. The index is of
//! another crate, so there is a stand-in for its item here, with the same orderings; and a word for the entry,
//! as its slot is. The fences are the crate's own. What the rules do is another model, of its own tests:
//! `deadline_protocol`.

use std::sync::Arc;

use process_registry::__model::fence_of_deadlines;

use crate::checker::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::checker::thread;

/// A deadline; there is none, or that one.
const NONE: usize = 0;
const DUE: usize = 1;

struct World {
    entry: AtomicUsize,
    item: AtomicBool,
}

impl World {
    fn new(entry: usize) -> Arc<Self> {
        Arc::new(Self { entry: AtomicUsize::new(entry), item: AtomicBool::new(entry == DUE) })
    }

    /// Publishes another version in the place of the one that is to be there; says whether it was.
    fn publish(&self, from: usize, to: usize) -> bool {
        self.entry.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// As scc's tree does: what is there is only read.
    fn insert(&self) {
        if !self.item.load(Ordering::Acquire) {
            let _ = self.item.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    fn withdraw(&self) -> bool {
        self.item.load(Ordering::Acquire)
            && self.item.compare_exchange(true, false, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn look_again(&self) -> usize {
        fence_of_deadlines();
        self.entry.load(Ordering::Acquire)
    }

    fn file(&self) {
        self.insert();
        if self.look_again() == NONE {
            self.take_off();
        }
    }

    fn take_off(&self) {
        while self.withdraw() && self.look_again() == DUE {
            self.insert();
            if self.look_again() == DUE {
                return;
            }
        }
    }

    /// What holds when nobody is at work.
    fn check(&self) {
        let (entry, item) = (self.entry.load(Ordering::SeqCst), self.item.load(Ordering::SeqCst));
        assert!(entry == NONE || item, "an entry that no sweep finds");
        assert!(entry == DUE || !item, "an item of no entry");
    }
}

/// The deadline is changed and changed back, by one thread each, which then does its part about the item.
fn change_and_back(before: usize, between: usize, first: fn(&World), second: fn(&World)) {
    let world = World::new(before);
    let other = Arc::clone(&world);
    let back = thread::spawn(move || {
        if other.publish(between, before) {
            fence_of_deadlines();
            second(&other);
        }
    });
    assert!(world.publish(before, between));
    fence_of_deadlines();
    first(&world);
    back.join().expect("no panic");
    world.check();
}

/// The deadline goes and comes again: who takes its item off meets who finds it there.
pub fn deadline_comes_again() {
    change_and_back(DUE, NONE, World::take_off, World::file);
}

/// The deadline goes while its item is being filed: who files it meets who finds none to take off.
pub fn deadline_goes_early() {
    change_and_back(NONE, DUE, World::file, World::take_off);
}
