//! Where retired memory waits for the epoch, and where it is used again.
//!
//! What is unlinked goes into a batch. A full batch is sealed: one deferred call of the epoch
//! raises its [`Flag`](crate::sync::Flag) once every pin of that moment is gone, and does nothing
//! else. Writers look at the flags and free what is due: after each write as much as it has retired,
//! and a little more. So no reader ever runs a destructor, and no writer pays for others' at once.
//!
//! The state for that, a [`Shelf`], belongs to one thread at a time: a writer marks its stripe's
//! slot as busy, has the shelf for itself, and lets go of it. One that finds its slot busy (another
//! thread is at work there, or it is itself inside a destructor called from here) takes a shelf
//! that is idle, or else makes one more, so nobody waits, and there are never more of those made
//! than threads and nested calls were at work at once.

use std::alloc::Layout;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::RefUnwindSafe;
use std::ptr::{self, NonNull};
#[cfg(feature = "metrics")]
use std::time::Instant;

use super::block::Element;
use super::counted::give_up;
use super::pad::CachePadded;
use super::room::Room;
use super::shelf::{Rooms, Shelf};
use crate::panics::resume_from_drop;
use crate::striped;
use crate::sync::{
    self, AtomicTagged, AtomicUsize, Guard, MODEL, Mutant, Ordering, Step, Turn, failpoint, mutant,
};

/// How many a write frees afterwards beyond what it has retired itself, so that limbo drains.
const PER_WRITE: usize = 3;
/// Attempts to advance the epoch between two looks at what that has brought.
const ROUNDS: usize = if MODEL { 3 } else { 16 };
/// How many writes pass between two looks at what others have left behind.
const ROUND: usize = 16;
/// How many slots are looked at then, for a shelf that is idle and has something to free: as many as there are,
/// for each processor has a few, would be much for one write.
const LOOKS: usize = 16;
/// How many are freed there: no write is to pay for many others.
const PER_LOOK: usize = 8;

/// In a slot's state: its shelf is in somebody's hands.
const BUSY: usize = 1;
/// In a slot's state: its shelf, which is idle, has rooms.
const ROOMS_BIT: usize = 2;
/// In a slot's state: its shelf, which is idle, has sealed batches.
const SEALED_BIT: usize = 4;

/// A shelf, and the word that says whose it is.
struct Slot {
    /// [`BUSY`], or what may be found on the shelf, so that nobody takes it in vain.
    state: AtomicUsize,
    /// About how many writes there have been.
    writes: AtomicUsize,
    shelf: UnsafeCell<Shelf>,
    /// The slot that was made before this one, if this was made because all were busy.
    next: *mut Slot,
    turn: Turn,
}

// A panic out of a destructor leaves a shelf whole: what is freed has been taken off before.
impl RefUnwindSafe for Slot {}

impl Slot {
    /// What may be found on the shelf while it is idle.
    fn hints(&self) -> usize {
        // Relaxed: a hint that saves taking the shelf; `take` acquires.
        self.state.load(Ordering::Relaxed)
    }

    /// The shelf, ours until the handle drops; `None` if somebody else has it.
    #[inline]
    fn take(&self) -> Option<Held<'_>> {
        // Relaxed: a hint that saves others the line, validated by the CAS.
        let idle = self.state.load(Ordering::Relaxed);
        if idle == BUSY {
            return None;
        }
        // Acquire: pairs with the drop of a handle; the shelf's contents (O15).
        let order =
            if mutant(Mutant::RelaxedShelf) { Ordering::Relaxed } else { Ordering::Acquire };
        self.state.compare_exchange(idle, BUSY, order, Ordering::Relaxed).ok()?;
        self.turn.touch();
        Some(Held { slot: self })
    }
}

/// A shelf in this thread's hands.
struct Held<'l> {
    slot: &'l Slot,
}

impl Deref for Held<'_> {
    type Target = Shelf;

    #[inline]
    fn deref(&self) -> &Shelf {
        // SAFETY: we have made the slot busy, so the shelf is ours until this drops (I13).
        unsafe { &*self.slot.shelf.get() }
    }
}

impl DerefMut for Held<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Shelf {
        // SAFETY: as in `deref`, and `&mut self` lends it but once (I13).
        unsafe { &mut *self.slot.shelf.get() }
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        let rooms = if self.has_rooms() { ROOMS_BIT } else { 0 };
        let sealed = if self.has_sealed() { SEALED_BIT } else { 0 };
        // Release: hands the contents to `take` (O15). A plain store, half the price of a shelf in
        // and out: nobody writes the word of a busy slot.
        let order =
            if mutant(Mutant::RelaxedShelf) { Ordering::Relaxed } else { Ordering::Release };
        self.slot.turn.touch();
        self.slot.state.store(rooms | sealed, order);
    }
}

/// The retired memory of one store.
pub(crate) struct Limbo {
    /// Where the threads of a stripe find their shelf: a power of two of them.
    slots: Box<[CachePadded<Slot>]>,
    /// The last one made because all were busy; they stay as long as the limbo.
    further: CachePadded<AtomicTagged<Slot>>,
    /// Which slot is looked at next.
    round: AtomicUsize,
}

// SAFETY: a shelf is in one thread's hands at a time, handed on by the state of its slot (I13).
// What it holds is freed on whichever thread comes by; `Store`, which is what others see, is `Send`
// and `Sync` only where its elements are both.
unsafe impl Send for Limbo {}
// SAFETY: as for `Send`: who shares a limbo makes a slot busy before it touches the shelf (I13).
unsafe impl Sync for Limbo {}

impl Limbo {
    /// A limbo in which nothing waits.
    pub(super) fn new() -> Self {
        let slots = if MODEL {
            // One for each thread of a model, unless the model has them share.
            4
        } else {
            striped::stripes() * 4
        };
        Limbo {
            slots: (0..slots).map(|_| CachePadded(Self::slot(0))).collect(),
            further: CachePadded(AtomicTagged::new(ptr::null_mut())),
            round: AtomicUsize::new(0),
        }
    }

    fn slot(state: usize) -> Slot {
        Slot {
            state: AtomicUsize::new(state),
            writes: AtomicUsize::new(0),
            shelf: UnsafeCell::new(Shelf::new()),
            next: ptr::null_mut(),
            turn: Turn::new(),
        }
    }

    fn own_number(&self) -> usize {
        sync::stripe() & (self.slots.len() - 1)
    }

    #[inline]
    fn own(&self) -> &Slot {
        &self.slots[self.own_number()].0
    }

    /// All slots: those of the stripes, then those made later.
    fn all(&self) -> impl Iterator<Item = &Slot> {
        // Acquire: pairs with `one_more`; the slot, and the links behind it (O15).
        let mut further = self.further.0.load(Ordering::Acquire).cast_const();
        let further = std::iter::from_fn(move || {
            // SAFETY: null, or linked by `one_more`, and not freed before the limbo (I13).
            let slot = unsafe { further.as_ref() }?;
            further = slot.next;
            Some(slot)
        });
        self.slots.iter().map(|slot| &slot.0).chain(further)
    }

    /// This thread's shelf, or one that nobody is at work on, or a new one; this thread's own
    /// until the handle drops.
    #[inline]
    fn shelf(&self) -> Held<'_> {
        self.own().take().unwrap_or_else(|| self.another_shelf())
    }

    #[cold]
    fn another_shelf(&self) -> Held<'_> {
        // Not a new one at once, or shelves would become more with every collision. And not the
        // first idle one, which others look for as well.
        let own = self.own_number();
        let idle = self.all().skip(own + 1).chain(self.all().take(own)).find_map(Slot::take);
        idle.unwrap_or_else(|| self.one_more())
    }

    /// A new shelf, in this thread's hands from the start.
    fn one_more(&self) -> Held<'_> {
        let slot = Box::into_raw(Box::new(Self::slot(BUSY)));
        // Relaxed: validated by the CAS below.
        let mut head = self.further.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: ours until the CAS below succeeds (I13).
            unsafe { (*slot).next = head };
            // Release: publishes the slot to `all`; part of a release sequence, so that `all`
            // acquires the older ones as well (O15). Relaxed on failure: nothing is read.
            let order = Ordering::Release;
            match self.further.0.compare_exchange(head, slot, order, Ordering::Relaxed) {
                // SAFETY: made above, and not freed before the limbo (I13); busy by our doing.
                Ok(_) => return Held { slot: unsafe { &*slot } },
                Err(seen) => head = seen,
            }
        }
    }

    /// Memory for an element of that layout, used before if there is some.
    #[inline]
    pub(super) fn room(&self, layout: Layout) -> Room {
        let own = self.own();
        let used = if own.hints() & ROOMS_BIT == 0 { None } else { own.take() };
        let room = used.and_then(|mut shelf| shelf.rooms.take(layout));
        room.unwrap_or_else(|| Room::allocate(layout))
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
        // SAFETY: the caller's promise: unlinked, and retired once (I8, I13).
        unsafe { shelf.retire(memory, free, big, guard) };
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
    #[inline]
    pub(super) fn reclaim(&self) {
        let slot = self.own();
        // Relaxed, both: a count that may lose a few, for it only says when to look around.
        let writes = slot.writes.load(Ordering::Relaxed).wrapping_add(1);
        slot.writes.store(writes, Ordering::Relaxed);
        let look_around = writes.is_multiple_of(ROUND);
        let sealed = slot.hints() & SEALED_BIT != 0;
        if sealed || look_around {
            self.free_some(slot, sealed, look_around);
        }
    }

    /// Frees a few things of a shelf, of another one, or of both.
    #[inline(never)]
    fn free_some(&self, slot: &Slot, sealed: bool, look_around: bool) {
        let Some(_freeing) = Freeing::begin() else { return };
        if sealed && let Some(mut shelf) = slot.take() {
            let owed = shelf.take_owed();
            shelf.free_due(owed + PER_WRITE);
        }
        if look_around {
            self.look_around();
        }
    }

    /// Frees a few things of a shelf that its threads may have left behind.
    fn look_around(&self) {
        // Relaxed, all: any order of visits will do.
        let first = self.round.load(Ordering::Relaxed);
        let mut seen = 0;
        let left = self.all().skip(first).take(LOOKS).find(|slot| {
            seen += 1;
            slot.hints() & SEALED_BIT != 0
        });
        let at_the_end = left.is_none() && seen < LOOKS;
        self.round.store(if at_the_end { 0 } else { first + seen }, Ordering::Relaxed);
        if let Some(mut shelf) = left.and_then(Slot::take) {
            shelf.free_due(PER_LOOK);
        }
    }

    /// Seals what is open and frees what is due, everywhere. Runs destructors, so while this
    /// thread is pinned, or inside a destructor called from here, it only seals.
    pub(super) fn collect(&self) {
        self.each_shelf(Shelf::seal_open);
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

    /// Gives back the memory that is kept for later, but for what is on the shelves that others are at work on.
    pub(super) fn shrink(&self) {
        self.each_shelf(Shelf::shrink);
    }

    /// What waits here, but for the shelves that others are at work on. Frees nothing.
    #[cfg(feature = "metrics")]
    pub(super) fn garbage(&self) -> Garbage {
        let mut garbage = Garbage::default();
        self.each_shelf(|shelf| {
            for (things, due, since) in shelf.batches() {
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
        self.all().filter_map(Slot::take).for_each(|mut shelf| each(&mut shelf));
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
        for mut shelf in self.all().filter_map(Slot::take) {
            // SAFETY: `&mut self`: nobody is pinned through this limbo any more (I8).
            unsafe { shelf.clear(&mut first_panic) };
        }
        // Relaxed: `&mut`.
        let mut further = self.further.0.load(Ordering::Relaxed);
        while !further.is_null() {
            // SAFETY: `one_more` made it from a box (I15); `&mut self` lends it to nobody (I13).
            further = unsafe { Box::from_raw(further) }.next;
        }
        resume_from_drop(first_panic);
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

#[cfg(all(test, not(any(process_registry_loom, process_registry_shuttle))))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Counts those that are freed.
    struct Note(&'static AtomicUsize);

    impl Reclaim for Note {
        unsafe fn reclaim(this: NonNull<Self>) {
            // SAFETY: `retire` below made it of a box (I15), and retires it once (I13).
            let note = unsafe { Box::from_raw(this.as_ptr()) };
            note.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn retire(limbo: &Limbo, freed: &'static AtomicUsize) {
        let note = NonNull::from(Box::leak(Box::new(Note(freed))));
        // SAFETY: nobody else has ever seen it (I13).
        unsafe { limbo.retire_memory(note, &sync::pin()) };
    }

    /// Takes steps until so many are freed: pins of other tests may forbid it for a while.
    fn until_freed(freed: &AtomicUsize, number: usize, step: impl Fn()) {
        let end = Instant::now() + Duration::from_secs(60);
        while freed.load(Ordering::Relaxed) < number {
            assert!(Instant::now() < end, "not freed");
            step();
        }
        assert_eq!(freed.load(Ordering::Relaxed), number);
    }

    #[test]
    fn who_finds_all_shelves_busy_makes_one_more_which_stays() {
        static FREED: AtomicUsize = AtomicUsize::new(0);
        let limbo = Limbo::new();
        let slots = limbo.slots.len();
        assert_eq!(limbo.all().count(), slots);

        let mut busy: Vec<_> = (0..slots).map(|_| limbo.shelf()).collect();
        assert_eq!(limbo.all().count(), slots, "idle ones first");
        busy.push(limbo.shelf());
        retire(&limbo, &FREED);
        assert_eq!(limbo.all().count(), slots + 2);
        drop(busy);
        let again: Vec<_> = (0..slots + 2).map(|_| limbo.shelf()).collect();
        assert_eq!(limbo.all().count(), slots + 2, "those that were made are used again");
        drop(again);

        retire(&limbo, &FREED);
        assert_eq!(FREED.load(Ordering::Relaxed), 0);
        until_freed(&FREED, 2, || limbo.collect());
        retire(&limbo, &FREED);
        drop(limbo);
        assert_eq!(FREED.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn writers_look_after_the_shelves_of_others() {
        static FREED: AtomicUsize = AtomicUsize::new(0);
        const MANY: usize = 1000;
        let limbo = Limbo::new();
        let busy: Vec<_> = (0..limbo.slots.len()).map(|_| limbo.shelf()).collect();
        (0..MANY).for_each(|_| retire(&limbo, &FREED));
        drop(busy);
        // They are on a shelf that no stripe has.
        limbo.each_shelf(Shelf::seal_open);
        let end = Instant::now() + Duration::from_secs(60);
        let mut waiting = 1;
        while waiting > 0 {
            assert!(Instant::now() < end, "not due");
            sync::pin().advance();
            waiting = 0;
            limbo.each_shelf(|shelf| waiting += shelf.waiting());
        }
        assert_eq!(FREED.load(Ordering::Relaxed), 0);
        // A look that comes to the end begins anew in the next.
        let looks = (MANY / PER_LOOK) * (limbo.slots.len() / LOOKS + 2);
        (0..(looks + 1) * ROUND).for_each(|_| limbo.reclaim());
        assert_eq!(FREED.load(Ordering::Relaxed), MANY);
    }
}
