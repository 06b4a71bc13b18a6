//! Where retired memory waits for the epoch, and where it is used again.
//!
//! What is unlinked goes into a batch. A full batch is sealed: one deferred call of the epoch
//! raises its [`Flag`] once every pin of that moment is gone, and does nothing else. Writers look
//! at the flags and free what is due: after each write as much as it has retired, and a little
//! more. So no reader ever runs a destructor, and no writer pays for others' at once.
//!
//! The state for that, a [`Shelf`], belongs to one thread at a time: a writer swaps it out of its
//! stripe's slot, has it for itself, and puts it back. One that finds its slot empty (another
//! thread is at work there, or it is itself inside a destructor called from here) takes one that is
//! idle, or else starts another, so nobody waits, and there are never more shelves than threads and
//! nested calls were at work at once.

use std::alloc::Layout;
use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::mem::{self, ManuallyDrop};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
#[cfg(feature = "metrics")]
use std::time::Instant;

use super::block::{Element, Room, give_up};
use super::flags;
use super::pad::CachePadded;
use crate::striped;
use crate::sync::{
    self, AtomicTagged, AtomicUsize, Flag, Guard, MODEL, Mutant, Ordering, Step, Turn, failpoint,
    mutant,
};

/// Retired things of one batch, as long as few batches wait.
const BATCH: usize = if MODEL { 1 } else { 64 };
/// Waiting batches after which a batch takes twice as many. So a long pin leaves few batches,
/// however much is retired during it: crossbeam works off only eight deferred calls at a time.
const DOUBLING: usize = 4;
const MOST_DOUBLINGS: usize = 10;
/// How many a write frees afterwards beyond what it has retired itself, so that limbo drains.
const PER_WRITE: usize = 3;
/// Attempts to advance the epoch between two looks at what that has brought.
const ROUNDS: usize = if MODEL { 3 } else { 16 };
/// How many writes pass between two looks at a shelf that its threads may have left behind.
const ROUND: usize = 16;
/// How many are freed there: no write is to pay for many others.
const PER_LOOK: usize = 8;
/// Emptied vectors and raised flags of batches that a shelf keeps for later.
const SPARE: usize = 16;
/// Rooms for elements that a shelf keeps for later.
const ROOMS: usize = 256;

/// Something unlinked, and how it is freed.
struct Retired {
    memory: NonNull<u8>,
    free: unsafe fn(NonNull<u8>, &mut Rooms),
}

/// Memory of freed elements of one layout, for new ones.
struct Rooms {
    layout: Layout,
    free: Vec<NonNull<u8>>,
    release: unsafe fn(NonNull<u8>),
}

impl Rooms {
    fn take<E>(&mut self) -> Option<Room<E>> {
        if Layout::new::<E>() != self.layout {
            return None;
        }
        // SAFETY: `keep` put it here out of a room of the same layout (I15), and this takes it
        // away, off a shelf that is ours (I13).
        self.free.pop().map(|memory| unsafe { Room::from_raw(memory) })
    }

    fn keep<E>(&mut self, room: Room<E>) {
        // Freed memory stays out of use under a model, so that a late access is seen.
        if !MODEL && Layout::new::<E>() == self.layout && self.free.len() < ROOMS {
            self.free.push(room.into_raw());
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

struct Shelf {
    open: Vec<Retired>,
    /// When the first thing of the open batch was retired; no matter what while it is empty.
    #[cfg(feature = "metrics")]
    since: Instant,
    /// How many things the open batch is for.
    limit: usize,
    /// How many were retired since the last `reclaim`, while batches were waiting.
    owed: usize,
    sealed: VecDeque<Batch>,
    rooms: Rooms,
    /// Emptied vectors of batches, for new ones.
    vectors: Vec<Vec<Retired>>,
    /// Raised flags, for new batches.
    flags: Vec<&'static Flag>,
    /// Links the shelves for which there was no slot.
    next: *mut Shelf,
    turn: Turn,
}

impl Shelf {
    /// Batches whose flag is not up yet.
    fn waiting(&self) -> usize {
        self.sealed.iter().filter(|batch| !batch.flag.is_raised()).count()
    }

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

    /// Takes the next thing whose time has come.
    fn due(&mut self) -> Option<Retired> {
        loop {
            let batch = self.sealed.front_mut()?;
            if !batch.flag.is_raised() {
                return None;
            }
            if let Some(item) = batch.items.pop() {
                return Some(item);
            }
            let Batch { items, flag, .. } = self.sealed.pop_front()?;
            if self.vectors.len() < SPARE {
                self.vectors.push(items);
            }
            if self.flags.len() < SPARE {
                self.flags.push(flag);
            } else {
                flags::give_flag(flag);
            }
        }
    }

    /// Frees up to `most` things whose time has come; says how many. Runs destructors.
    fn free_due(&mut self, most: usize) -> usize {
        for freed in 0..most {
            let Some(item) = self.due() else { return freed };
            // SAFETY: retired once (I13), and its flag is up: no pin from before is left (I8).
            unsafe { (item.free)(item.memory, &mut self.rooms) };
        }
        most
    }
}

/// In a slot's word: the shelf has rooms.
const ROOMS_BIT: usize = 1;
/// In a slot's word: the shelf has sealed batches.
const SEALED_BIT: usize = 2;
const SLOT_BITS: usize = ROOMS_BIT | SEALED_BIT;
const _: () = assert!(mem::align_of::<Shelf>() > SLOT_BITS);

/// Where the threads of a stripe find their shelf.
struct Slot {
    /// The shelf, and in the low bits what may be found on it, so that nobody takes it in vain;
    /// null while somebody has it.
    shelf: AtomicTagged<Shelf>,
    /// About how many writes there have been.
    writes: AtomicUsize,
}

impl Slot {
    fn hints(&self) -> usize {
        // Relaxed: a hint that saves taking the shelf; `take` acquires.
        self.shelf.load(Ordering::Relaxed).addr() & SLOT_BITS
    }
}

/// The retired memory of one store.
pub(crate) struct Limbo {
    slots: Box<[CachePadded<Slot>]>,
    rooms: Layout,
    release: unsafe fn(NonNull<u8>),
    /// Shelves that found no slot to go back to.
    homeless: CachePadded<AtomicTagged<Shelf>>,
    round: AtomicUsize,
}

// SAFETY: a shelf is in one thread's hands at a time, handed on by swap and CAS (I13). What it
// holds is freed on whichever thread comes by; `Store`, which is what others see, is `Send` and
// `Sync` only where its elements are both.
unsafe impl Send for Limbo {}
// SAFETY: as for `Send`: whoever shares a limbo swaps whole shelves out of it (I13).
unsafe impl Sync for Limbo {}

impl Limbo {
    /// A limbo that keeps memory of elements of type `E` for reuse.
    pub(super) fn new<E>() -> Self {
        unsafe fn release<E>(memory: NonNull<u8>) {
            // SAFETY: called once for what `keep` took from a room of this layout (I13, I15).
            drop(unsafe { Room::<E>::from_raw(memory) });
        }
        let slots = if MODEL {
            // One for each thread of a model, unless the model has them share.
            4
        } else {
            striped::stripes() * 4
        };
        Limbo {
            slots: (0..slots)
                .map(|_| {
                    CachePadded(Slot {
                        shelf: AtomicTagged::new(ptr::null_mut()),
                        writes: AtomicUsize::new(0),
                    })
                })
                .collect(),
            rooms: Layout::new::<E>(),
            release: release::<E>,
            homeless: CachePadded(AtomicTagged::new(ptr::null_mut())),
            round: AtomicUsize::new(0),
        }
    }

    fn own_slot(&self) -> usize {
        // A power of two of them.
        sync::stripe() & (self.slots.len() - 1)
    }

    /// This thread's shelf, or one that nobody is at work on, or a new one; this thread's own
    /// until the handle drops, which puts it into this thread's slot.
    fn shelf(&self) -> Held<'_> {
        let slot = self.own_slot();
        if let Some(shelf) = self.take(slot) {
            return shelf;
        }
        // Not a new one at once, or shelves would become more with every collision.
        let mut held = (1..self.slots.len()).find_map(|i| self.take(slot + i));
        // Relaxed: a hint; `take_homeless` acquires.
        if held.is_none() && !self.homeless.0.load(Ordering::Relaxed).is_null() {
            held = self.take_homeless().pop();
        }
        let mut held = held.unwrap_or_else(|| Held {
            limbo: self,
            slot,
            shelf: ManuallyDrop::new(Box::new(Shelf {
                open: Vec::new(),
                #[cfg(feature = "metrics")]
                since: Instant::now(),
                limit: BATCH,
                owed: 0,
                sealed: VecDeque::new(),
                rooms: Rooms { layout: self.rooms, free: Vec::new(), release: self.release },
                vectors: Vec::new(),
                flags: Vec::new(),
                next: ptr::null_mut(),
                turn: Turn::new(),
            })),
        });
        held.slot = slot;
        held
    }

    fn take(&self, slot: usize) -> Option<Held<'_>> {
        let slot = slot & (self.slots.len() - 1);
        let word = &self.slots[slot].0.shelf;
        // Relaxed: a hint that saves others the line.
        if word.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // Acquire: pairs with `put`; the shelf's contents (O15).
        let order =
            if mutant(Mutant::RelaxedShelf) { Ordering::Relaxed } else { Ordering::Acquire };
        let shelf = word.swap(ptr::null_mut(), order).map_addr(|a| a & !SLOT_BITS);
        if shelf.is_null() {
            return None;
        }
        // SAFETY: `put` made it from a box (I15), and the swap gave it to us alone (I13).
        let shelf = ManuallyDrop::new(unsafe { Box::from_raw(shelf) });
        shelf.turn.touch();
        Some(Held { limbo: self, slot, shelf })
    }

    fn put(&self, slot: usize, shelf: Box<Shelf>) {
        let rooms = if shelf.rooms.free.is_empty() { 0 } else { ROOMS_BIT };
        let sealed = if shelf.sealed.is_empty() { 0 } else { SEALED_BIT };
        let shelf = Box::into_raw(shelf);
        let hinting = shelf.map_addr(|a| a | rooms | sealed);
        for i in 0..self.slots.len() {
            let slot = &self.slots[(slot + i) & (self.slots.len() - 1)].0.shelf;
            // Release: hands the contents to `take` (O15). Relaxed on failure: nothing is read.
            let order =
                if mutant(Mutant::RelaxedShelf) { Ordering::Relaxed } else { Ordering::Release };
            let none = ptr::null_mut();
            if slot.compare_exchange(none, hinting, order, Ordering::Relaxed).is_ok() {
                return;
            }
        }
        // Relaxed: validated by the CAS below.
        let mut head = self.homeless.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: ours until the CAS below succeeds (I13).
            unsafe { (*shelf).next = head };
            // Release: hands the contents to `take_homeless` (O15).
            match self.homeless.0.compare_exchange(
                head,
                shelf,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(seen) => head = seen,
            }
        }
    }

    /// Every shelf that found no slot, each ours until its handle drops.
    fn take_homeless(&self) -> Vec<Held<'_>> {
        let mut all = Vec::new();
        // The whole stack at once, so that no head is met twice. Acquire: pairs with `put` (O15).
        let mut head = self.homeless.0.swap(ptr::null_mut(), Ordering::Acquire);
        while !head.is_null() {
            // SAFETY: `put` made it from a box (I15), and the swap gave us the whole list (I13).
            let shelf = unsafe { Box::from_raw(head) };
            head = shelf.next;
            shelf.turn.touch();
            all.push(Held { limbo: self, slot: 0, shelf: ManuallyDrop::new(shelf) });
        }
        all
    }

    /// Memory for an element, used before if there is some.
    pub(super) fn room<E>(&self) -> Room<E> {
        let slot = self.own_slot();
        if Layout::new::<E>() != self.rooms || self.slots[slot].0.hints() & ROOMS_BIT == 0 {
            return Room::allocate();
        }
        self.take(slot).and_then(|mut shelf| shelf.rooms.take()).unwrap_or_else(Room::allocate)
    }

    /// # Safety
    /// `memory` was unlinked under `guard` or an earlier pin and is retired once; `free` frees it.
    unsafe fn retire(
        &self,
        memory: NonNull<u8>,
        free: unsafe fn(NonNull<u8>, &mut Rooms),
        big: bool,
        guard: &Guard,
    ) {
        let mut shelf = self.shelf();
        failpoint(Step::ShelfTaken);
        #[cfg(feature = "metrics")]
        if shelf.open.is_empty() {
            shelf.since = Instant::now();
        }
        shelf.open.push(Retired { memory, free });
        if !shelf.sealed.is_empty() {
            shelf.owed += 1;
        }
        // What is big does not wait for a batch to fill: inserts alone would never fill one.
        if big || shelf.open.len() >= shelf.limit {
            shelf.seal(guard);
            failpoint(Step::BatchSealed);
        }
    }

    /// Gives up the index's count of an element once the epoch has passed.
    ///
    /// # Safety
    /// The element was unlinked under `guard` or an earlier pin, and this is the only call for it.
    pub(super) unsafe fn retire_element<E: Element>(&self, element: NonNull<E>, guard: &Guard) {
        unsafe fn free<E: Element>(memory: NonNull<u8>, rooms: &mut Rooms) {
            // SAFETY: retired once, by the function around this (I13); its time has come (I8).
            if let Some(room) = unsafe { give_up::<E>(memory.cast()) } {
                rooms.keep(room);
            }
        }
        // SAFETY: the caller's promise: unlinked, and retired once (I8, I13).
        unsafe { self.retire(element.cast(), free::<E>, false, guard) };
    }

    /// Frees other memory once the epoch has passed, by `free`.
    ///
    /// # Safety
    /// As for `retire_element`; `free` frees `memory`, and runs no code of a user's.
    pub(super) unsafe fn retire_memory<T: Reclaim>(&self, memory: NonNull<T>, guard: &Guard) {
        unsafe fn free<T: Reclaim>(memory: NonNull<u8>, _: &mut Rooms) {
            // SAFETY: retired once, by the function around this (I13); its time has come (I8).
            unsafe { T::reclaim(memory.cast()) };
        }
        // SAFETY: the caller's promise: unlinked, retired once (I8, I13); `free` fits it (I15).
        unsafe { self.retire(memory.cast(), free::<T>, T::BIG, guard) };
    }

    /// Frees a few things whose time has come. Runs destructors, so it does nothing while this
    /// thread is pinned, nor inside a destructor called from here: one that writes would run
    /// another one, and so on for as long as the stack lasts.
    pub(super) fn reclaim(&self) {
        let own = self.own_slot();
        let slot = &self.slots[own].0;
        // Relaxed, both: a count that may lose a few, for it only says when to look around.
        let writes = slot.writes.load(Ordering::Relaxed).wrapping_add(1);
        slot.writes.store(writes, Ordering::Relaxed);
        let look_around = writes.is_multiple_of(ROUND);
        let sealed = slot.hints() & SEALED_BIT != 0;
        if !sealed && !look_around {
            return;
        }
        let Some(_freeing) = Freeing::begin() else { return };
        if sealed && let Some(mut shelf) = self.take(own) {
            let owed = mem::take(&mut shelf.owed);
            shelf.free_due(owed + PER_WRITE);
        }
        if look_around {
            // Relaxed: any order of visits will do.
            let slot = self.round.fetch_add(1, Ordering::Relaxed) & (self.slots.len() - 1);
            if let Some(mut shelf) = self.take(slot) {
                shelf.free_due(PER_LOOK);
            }
        }
    }

    /// Seals what is open and frees what is due, everywhere. Runs destructors, so while this
    /// thread is pinned, or inside a destructor called from here, it only seals.
    pub(super) fn collect(&self) {
        self.each_shelf(|shelf| {
            if !shelf.open.is_empty() {
                shelf.seal(&sync::pin());
            }
        });
        let Some(_freeing) = Freeing::begin() else { return };
        // The epoch has to advance twice before what was retired in it is due, and every batch
        // before it in line has to be worked off. Somebody's old pin may forbid either.
        let mut waiting = usize::MAX;
        for round in 0.. {
            sync::pin().advance();
            if round % ROUNDS == ROUNDS - 1 {
                let mut left = 0;
                self.each_shelf(|shelf| left += shelf.waiting());
                if left == 0 || left >= waiting {
                    break;
                }
                waiting = left;
            }
        }
        self.each_shelf(|shelf| {
            shelf.free_due(usize::MAX);
        });
    }

    /// What waits here, but for the shelves that others are at work on. Frees nothing.
    #[cfg(feature = "metrics")]
    pub(super) fn garbage(&self) -> Garbage {
        let mut garbage = Garbage::default();
        self.each_shelf(|shelf| {
            let open = (!shelf.open.is_empty()).then_some((shelf.open.len(), false, shelf.since));
            let sealed = shelf.sealed.iter();
            let sealed = sealed.map(|b| (b.items.len(), b.flag.is_raised(), b.since));
            for (things, due, since) in sealed.chain(open) {
                garbage.retired += things;
                if due {
                    garbage.due += things;
                } else {
                    garbage.since = Some(garbage.since.map_or(since, |first| first.min(since)));
                }
            }
        });
        garbage
    }

    fn each_shelf(&self, mut each: impl FnMut(&mut Shelf)) {
        for slot in 0..self.slots.len() {
            if let Some(mut shelf) = self.take(slot) {
                each(&mut shelf);
            }
        }
        for mut shelf in self.take_homeless() {
            each(&mut shelf);
        }
    }
}

impl fmt::Debug for Limbo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limbo").finish_non_exhaustive()
    }
}

impl Drop for Limbo {
    fn drop(&mut self) {
        let mut first_panic = None;
        // Nobody is pinned through this store any more: `&mut` says so. What is raised later
        // only finds its flag.
        loop {
            let mut shelves: Vec<_> =
                (0..self.slots.len()).filter_map(|slot| self.take(slot)).collect();
            shelves.extend(self.take_homeless());
            if shelves.is_empty() {
                break;
            }
            for held in shelves {
                let mut held = ManuallyDrop::new(held);
                // SAFETY: taken out once: the handle around it is never dropped (I13).
                let mut shelf = *unsafe { ManuallyDrop::take(&mut held.shelf) };
                let batches = shelf.sealed.into_iter();
                let (items, flags): (Vec<_>, Vec<_>) = batches.map(|b| (b.items, b.flag)).unzip();
                for item in items.into_iter().flatten().chain(shelf.open) {
                    let rooms = &mut shelf.rooms;
                    // SAFETY: retired once (I13); nobody is pinned, so its time has come (I8).
                    keep_first(&mut first_panic, || unsafe { (item.free)(item.memory, rooms) });
                }
                for memory in shelf.rooms.free.drain(..) {
                    // SAFETY: `keep` put it there out of a room of this layout (I13, I15).
                    unsafe { (shelf.rooms.release)(memory) };
                }
                flags.into_iter().chain(shelf.flags).for_each(flags::give_flag);
            }
        }
        if let Some(panic) = first_panic
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

/// What is retired and not freed.
#[cfg(feature = "metrics")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Garbage {
    /// How many things.
    pub(crate) retired: usize,
    /// How many of them nobody can be reading any more.
    pub(crate) due: usize,
    /// When the first of the others was retired.
    pub(crate) since: Option<Instant>,
}

/// Runs `f`, and remembers its panic unless an earlier one is remembered.
pub(super) fn keep_first(first: &mut Option<Box<dyn Any + Send>>, f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        first.get_or_insert(panic);
    }
}

/// Memory that is not an element: tables, sets' chunks.
pub(super) trait Reclaim {
    /// Whether it is too big to wait for others.
    const BIG: bool = false;

    /// Frees it. Runs no code of a user's.
    ///
    /// # Safety
    /// Nobody can reach it any more, and this is the only call for it.
    unsafe fn reclaim(this: NonNull<Self>);
}

/// This thread is freeing: destructors run, and none of them frees in its turn.
struct Freeing;

thread_local! {
    static FREEING: Cell<bool> = const { Cell::new(false) };
}

impl Freeing {
    /// `None` while this thread is pinned, freeing already, or unwinding, when a destructor that
    /// panics would end the process.
    fn begin() -> Option<Self> {
        if sync::is_pinned() || std::thread::panicking() {
            return None;
        }
        // The threads of a model share one thread of the system, and their destructors write
        // nothing.
        if !MODEL && FREEING.try_with(|freeing| freeing.replace(true)).unwrap_or(true) {
            return None;
        }
        Some(Freeing)
    }
}

impl Drop for Freeing {
    fn drop(&mut self) {
        let _ = FREEING.try_with(|freeing| freeing.set(false));
    }
}

/// A shelf in this thread's hands.
struct Held<'l> {
    limbo: &'l Limbo,
    slot: usize,
    shelf: ManuallyDrop<Box<Shelf>>,
}

impl Deref for Held<'_> {
    type Target = Shelf;
    fn deref(&self) -> &Shelf {
        &self.shelf
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Shelf {
        &mut self.shelf
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: taken out once: the handle is gone after this (I13).
        let shelf = unsafe { ManuallyDrop::take(&mut self.shelf) };
        shelf.turn.touch();
        self.limbo.put(self.slot, shelf);
    }
}
