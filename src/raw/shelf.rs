//! What a thread has in hand while it retires or frees: batches that wait, and rooms to use again.

use std::alloc::Layout;
use std::any::Any;
use std::collections::VecDeque;
use std::mem;
use std::ptr::NonNull;
#[cfg(feature = "metrics")]
use std::time::Instant;

use super::flags;
use super::room::Room;
use crate::panics::keep_first;
use crate::sync::{self, Flag, Guard, MODEL, Step, failpoint};

/// Retired things of one batch, as long as few batches wait.
const BATCH: usize = if MODEL { 1 } else { 64 };
/// Waiting batches after which a batch takes twice as many. So a long pin leaves few batches,
/// however much is retired during it: crossbeam works off only eight deferred calls at a time.
const DOUBLING: usize = 4;
const MOST_DOUBLINGS: usize = 10;
/// Emptied vectors and raised flags of batches that a shelf keeps for later.
const SPARE: usize = 16;
/// The largest vector that is kept: larger ones come of a long pin.
const LARGEST_SPARE: usize = 4 * BATCH;
/// Rooms for elements that a shelf keeps for later,
const ROOMS: usize = 256;
/// and how many of them are looked at for one of the right size.
const LOOK: usize = 8;
/// The largest that is kept: beyond that, to allocate is little of the work, and what is kept would be much.
const LARGEST: usize = 512;

/// Something unlinked, and how it is freed.
struct Retired {
    memory: NonNull<u8>,
    free: unsafe fn(NonNull<u8>, &mut Rooms),
}

/// Memory of freed elements, for new ones.
pub(super) struct Rooms {
    /// The last one that was freed, whose lines are nearest, at the end.
    free: Vec<Room>,
    /// Which one goes next if it is in the way of others.
    oldest: usize,
}

impl Rooms {
    fn new() -> Self {
        Rooms { free: Vec::new(), oldest: 0 }
    }

    /// One for an element of that layout. Most are as large as those before them.
    #[inline]
    pub(super) fn take(&mut self, layout: Layout) -> Option<Room> {
        if self.free.last()?.layout() == layout { self.free.pop() } else { self.look(layout) }
    }

    /// One of the last few.
    #[cold]
    #[inline(never)]
    fn look(&mut self, layout: Layout) -> Option<Room> {
        let least = self.free.len().saturating_sub(LOOK);
        let nth = self.free[least..].iter().rposition(|room| room.layout() == layout)?;
        Some(self.free.swap_remove(least + nth))
    }

    #[inline]
    pub(super) fn keep(&mut self, room: Room) {
        // Freed memory stays out of use under a model, so that a late access is seen.
        if MODEL || room.layout().size() > LARGEST {
            return;
        }
        if self.free.len() < ROOMS {
            self.free.push(room);
        } else if self.free.last().is_some_and(|last| last.layout() != room.layout()) {
            // Elements are of another size than those before: what is freed now is where `take` looks first.
            self.free[self.oldest] = room;
            self.free.swap(self.oldest, ROOMS - 1);
            self.oldest = (self.oldest + 1) % ROOMS;
        }
    }
}

struct Batch {
    items: Vec<Retired>,
    flag: &'static Flag,
    /// When the first of them was retired.
    #[cfg(feature = "metrics")]
    since: Instant,
}

/// What waits to be freed, and what is kept of what was.
pub(super) struct Shelf {
    open: Vec<Retired>,
    /// When the first thing of the open batch was retired; no matter what while it is empty.
    #[cfg(feature = "metrics")]
    since: Instant,
    /// How many things the open batch is for.
    limit: usize,
    /// How many were retired since the last `reclaim`, while batches were waiting.
    owed: usize,
    sealed: VecDeque<Batch>,
    pub(super) rooms: Rooms,
    /// Emptied vectors of batches, for new ones.
    vectors: Vec<Vec<Retired>>,
    /// Raised flags, for new batches.
    flags: Vec<&'static Flag>,
}

impl Shelf {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Shelf {
            open: Vec::new(),
            #[cfg(feature = "metrics")]
            since: Instant::now(),
            limit: BATCH,
            owed: 0,
            sealed: VecDeque::new(),
            rooms: Rooms::new(),
            vectors: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// Batches whose flag is not up yet.
    pub(super) fn waiting(&self) -> usize {
        self.sealed.iter().filter(|batch| !batch.flag.is_raised()).count()
    }

    /// Whether there is a room.
    pub(super) fn has_rooms(&self) -> bool {
        !self.rooms.free.is_empty()
    }

    /// Whether there are sealed batches, due or not.
    pub(super) fn has_sealed(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Takes something to free later.
    ///
    /// # Safety
    /// `memory` was unlinked under `guard` or an earlier pin and is retired once; `free` frees it.
    pub(super) unsafe fn retire(
        &mut self,
        memory: NonNull<u8>,
        free: unsafe fn(NonNull<u8>, &mut Rooms),
        big: bool,
        guard: &Guard,
    ) {
        #[cfg(feature = "metrics")]
        if self.open.is_empty() {
            self.since = Instant::now();
        }
        self.open.push(Retired { memory, free });
        if !self.sealed.is_empty() {
            self.owed += 1;
        }
        // What is big does not wait for a batch to fill: inserts alone would never fill one.
        if big || self.open.len() >= self.limit {
            self.seal(guard);
            failpoint(Step::BatchSealed);
        }
    }

    /// Seals what is open. Where many batches wait, somebody's pin is old and nothing is to be gained: then only
    /// what is half full, or each call would leave a batch, and calls would take longer and longer.
    pub(super) fn seal_open(&mut self) {
        let half_full = self.open.len() >= self.limit / 2;
        if !self.open.is_empty() && (half_full || self.waiting() <= DOUBLING) {
            self.seal(&sync::pin());
        }
    }

    #[cold]
    fn seal(&mut self, guard: &Guard) {
        let flag = match self.flags.pop() {
            Some(flag) => {
                flag.lower();
                flag
            }
            None => flags::take_flag(),
        };
        let items = mem::replace(&mut self.open, self.vectors.pop().unwrap_or_default());
        self.sealed.push_back(Batch {
            items,
            flag,
            #[cfg(feature = "metrics")]
            since: self.since,
        });
        self.limit = BATCH << (self.waiting() / DOUBLING).min(MOST_DOUBLINGS);
        guard.raise_when_unpinned(flag);
    }

    /// How many things were retired since the last call, while batches were waiting.
    pub(super) fn take_owed(&mut self) -> usize {
        mem::take(&mut self.owed)
    }

    /// Frees up to `most` things, at least one, whose time has come. Runs destructors.
    pub(super) fn free_due(&mut self, most: usize) {
        let mut left = most;
        while let Some(batch) = self.sealed.front_mut()
            && batch.flag.is_raised()
        {
            while let Some(item) = batch.items.pop() {
                // SAFETY: retired once (I13), and its flag is up: no pin from before is left (I8).
                unsafe { (item.free)(item.memory, &mut self.rooms) };
                left -= 1;
                if left == 0 {
                    return;
                }
            }
            self.recycle();
        }
    }

    /// Takes the first batch off, which is empty and due, and keeps what it consists of.
    #[cold]
    fn recycle(&mut self) {
        let Some(Batch { items, flag, .. }) = self.sealed.pop_front() else { return };
        if self.vectors.len() < SPARE && items.capacity() <= LARGEST_SPARE {
            self.vectors.push(items);
        }
        if self.flags.len() < SPARE {
            self.flags.push(flag);
        } else {
            flags::give_flag(flag);
        }
    }

    /// Gives back what is kept for later.
    pub(super) fn shrink(&mut self) {
        self.rooms = Rooms::new();
        self.vectors = Vec::new();
        self.flags.drain(..).for_each(flags::give_flag);
    }

    /// Frees everything, due or not, and remembers the first panic out of a destructor.
    ///
    /// # Safety
    /// Nobody is pinned who could read any of it, and never will be.
    pub(super) unsafe fn clear(&mut self, first_panic: &mut Option<Box<dyn Any + Send>>) {
        let Shelf { open, sealed, rooms, flags, .. } = self;
        let sealed = sealed.drain(..).flat_map(|batch| {
            flags.push(batch.flag);
            batch.items
        });
        for item in sealed.chain(open.drain(..)) {
            // SAFETY: retired once (I13); the caller's promise: its time has come (I8).
            keep_first(first_panic, || unsafe { (item.free)(item.memory, rooms) });
        }
        rooms.free.clear();
        flags.drain(..).for_each(flags::give_flag);
    }

    /// What waits here: of each batch how many things, whether they are due, and since when.
    #[cfg(feature = "metrics")]
    pub(super) fn batches(&self) -> impl Iterator<Item = (usize, bool, Instant)> {
        let open = (!self.open.is_empty()).then_some((self.open.len(), false, self.since));
        let sealed = self.sealed.iter();
        sealed.map(|b| (b.items.len(), b.flag.is_raised(), b.since)).chain(open)
    }
}

#[cfg(all(test, not(any(process_registry_loom, process_registry_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_used_again_for_what_is_of_their_size() {
        let layout = |size| Layout::from_size_align(size, 16).unwrap();
        let mut rooms = Rooms::new();
        assert!(rooms.take(layout(120)).is_none());
        for size in [120, 152, 120] {
            rooms.keep(Room::allocate(layout(size)));
        }
        assert!(rooms.take(layout(96)).is_none());
        for (size, left) in [(152, 2), (120, 1), (120, 0)] {
            assert_eq!(rooms.take(layout(size)).unwrap().layout(), layout(size));
            assert_eq!(rooms.free.len(), left);
        }
    }

    #[test]
    fn what_was_freed_last_is_found_whatever_else_is_there() {
        let layout = |size| Layout::from_size_align(size, 16).unwrap();
        let mut rooms = Rooms::new();
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2 * ROOMS {
            rooms.keep(Room::allocate(layout(120)));
        }
        assert_eq!(rooms.free.len(), ROOMS, "no more than that");
        for _ in 0..LOOK {
            rooms.keep(Room::allocate(layout(152)));
        }
        for _ in 0..10_000 {
            let size = 120 + 32 * rng.usize(..4);
            rooms.keep(Room::allocate(layout(size)));
            assert_eq!(rooms.free.last().unwrap().layout(), layout(size));
            assert_eq!(rooms.free.len(), ROOMS);
            if rng.bool() {
                assert!(rooms.take(layout(size)).is_some());
                rooms.keep(Room::allocate(layout(size)));
            }
        }
    }

    #[test]
    fn large_rooms_are_not_kept() {
        let mut rooms = Rooms::new();
        rooms.keep(Room::allocate(Layout::from_size_align(LARGEST + 16, 16).unwrap()));
        assert!(rooms.free.is_empty());
    }
}
