//! The facade's instrumented arm: loom's or shuttle's atomics, and a model of the epoch.
//!
//! # Loads
//! loom 0.7 misses executions where a thread loads and then compares and swaps (tokio-rs/loom#392):
//! its own later load hides another thread's earlier one. So every model is run in two modes: with
//! loads as they are written, which explores stale reads, and with each load done as a
//! read-modify-write, which explores the interleavings. [`control::loads_as_rmw`] switches.
//!
//! # Reclamation
//! A flag is raised at the earliest moment the epoch could raise it: when the last of the pins that
//! were held at [`Guard::raise_when_unpinned`] is given up. What the real epoch orders is ordered
//! here, by the same means and no others:
//! - `pin` changes the thread's own word, then fences, and so does `repin`: whoever pins after a
//!   retirement's fence sees the unlinking before it;
//! - a retirement fences, then looks at every thread's word;
//! - giving up a pin releases the thread's own word, and every thread that a flag waited for
//!   comes before its raise.
//!
//! Who is pinned and who waits for whom is kept in an ordinary mutex, which is no scheduling
//! point; it is touched only right after an operation on an instrumented word, so that the
//! checker sees every order that matters.
//!
//! Freed memory stays allocated until the execution ends; [`Canary`] says who touches it.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic as plain;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(process_registry_loom)]
use loom as checker;
#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
use shuttle as checker;

use super::{Flag, Mutant, Ordering, mutant};

pub(crate) use checker::sync::atomic::fence;

/// How a load is done.
static LOADS_AS_RMW: plain::AtomicBool = plain::AtomicBool::new(false);

macro_rules! instrumented {
    ($($name:ident: $int:ty),*) => {$(
        /// An instrumented integer.
        #[derive(Debug)]
        pub(crate) struct $name(checker::sync::atomic::$name);

        #[allow(dead_code)]
        impl $name {
            #[track_caller]
            pub(crate) fn new(value: $int) -> Self {
                $name(checker::sync::atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $int {
                // Relaxed: set before a model's threads start.
                if LOADS_AS_RMW.load(plain::Ordering::Relaxed) {
                    self.0.fetch_add(0, order)
                } else {
                    self.0.load(order)
                }
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $int, order: Ordering) {
                // loom keeps no order between a store and a read-modify-write by two threads that
                // nothing else orders, so with loads done as those a store has to be one too.
                if LOADS_AS_RMW.load(plain::Ordering::Relaxed) {
                    self.0.swap(value, order);
                } else {
                    self.0.store(value, order);
                }
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                self.0.swap(value, order)
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.0.compare_exchange(current, new, success, failure)
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.0.compare_exchange(current, new, success, failure)
            }

            #[track_caller]
            pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_add(value, order)
            }

            #[track_caller]
            pub(crate) fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_sub(value, order)
            }

            #[track_caller]
            pub(crate) fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_or(value, order)
            }

            #[track_caller]
            pub(crate) fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_and(value, order)
            }

            #[track_caller]
            pub(crate) fn fetch_max(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_max(value, order)
            }

            #[track_caller]
            pub(crate) fn fetch_min(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_min(value, order)
            }

            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut f: impl FnMut($int) -> Option<$int>,
            ) -> Result<$int, $int> {
                let mut seen = self.load(fetch);
                while let Some(new) = f(seen) {
                    match self.compare_exchange(seen, new, set, fetch) {
                        Ok(before) => return Ok(before),
                        Err(now) => seen = now,
                    }
                }
                Err(seen)
            }
        }
    )*};
}

instrumented!(AtomicU8: u8, AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize);

/// A figure: read-modify-writes that commute, and reads on which nothing rests. Not instrumented,
/// for that would only multiply what is to be explored.
#[derive(Debug)]
pub(crate) struct AtomicIsize(plain::AtomicIsize);

impl AtomicIsize {
    pub(crate) fn new(value: isize) -> Self {
        AtomicIsize(plain::AtomicIsize::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> isize {
        self.0.load(order)
    }

    pub(crate) fn fetch_add(&self, value: isize, order: Ordering) -> isize {
        self.0.fetch_add(value, order)
    }
}

/// An atomic pointer whose spare bits carry flags. An integer inside, with exposed provenance, so
/// that setting bits is one instrumented operation.
#[derive(Debug)]
pub(crate) struct AtomicTagged<T>(AtomicUsize, PhantomData<fn() -> *mut T>);

impl<T> AtomicTagged<T> {
    #[track_caller]
    pub(crate) fn new(value: *mut T) -> Self {
        AtomicTagged(AtomicUsize::new(value.expose_provenance()), PhantomData)
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        std::ptr::with_exposed_provenance_mut(self.0.load(order))
    }

    #[track_caller]
    pub(crate) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.0
            .compare_exchange(current.addr(), new.expose_provenance(), success, failure)
            .map(std::ptr::with_exposed_provenance_mut)
            .map_err(std::ptr::with_exposed_provenance_mut)
    }

    #[track_caller]
    pub(crate) fn swap(&self, new: *mut T, order: Ordering) -> *mut T {
        std::ptr::with_exposed_provenance_mut(self.0.swap(new.expose_provenance(), order))
    }

    #[track_caller]
    pub(crate) fn fetch_or(&self, bits: usize, order: Ordering) -> *mut T {
        std::ptr::with_exposed_provenance_mut(self.0.fetch_or(bits, order))
    }
}

/// The most threads of a model, the one that starts the others included.
const THREADS: usize = 5;

/// A flag to be raised, and the threads (a bit each) whose pins it waits for.
struct Watch {
    flag: &'static Flag,
    waits_for: u32,
    /// Where the unpinning threads meet: the last of them comes after the others.
    meeting: usize,
}

/// Memory that was freed, with its layout: it goes when the execution ends.
struct Grave(usize, std::alloc::Layout);

/// What is known about this execution. An ordinary mutex around it adds no scheduling point.
#[derive(Default)]
struct Books {
    pins: [u32; THREADS],
    watches: Vec<Watch>,
    /// How many there have been.
    watched: usize,
    graves: Vec<Grave>,
    /// Blocks with a canary alive.
    blocks: isize,
}

impl Drop for Books {
    fn drop(&mut self) {
        for Grave(address, layout) in self.graves.drain(..) {
            // SAFETY: handed over once, by `keep_until_end`, by who would have freed it (I13), with
            // the pointer and layout for that (I15); the execution is over.
            #[allow(unsafe_code)]
            unsafe {
                std::alloc::dealloc(std::ptr::with_exposed_provenance_mut(address), layout);
            }
        }
    }
}

struct Model {
    books: Mutex<Books>,
    /// A word for each thread, changed by its pins and looked at by retirements.
    words: [AtomicUsize; THREADS],
    /// A word for each of so many watches, taken in turn.
    meetings: [AtomicUsize; MEETINGS],
}

/// More watches than an execution usually has at once; sharing a meeting does no harm.
const MEETINGS: usize = 8;

impl Model {
    fn new() -> Self {
        Model {
            books: Mutex::default(),
            words: std::array::from_fn(|_| AtomicUsize::new(0)),
            meetings: std::array::from_fn(|_| AtomicUsize::new(0)),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

checker::lazy_static! {
    static ref MODEL: Model = Model::new();
    static ref POOLS: [AtomicTagged<Flag>; THREADS] =
        std::array::from_fn(|_| AtomicTagged::new(std::ptr::null_mut()));
}

/// The stack of flags that nobody uses, one for each execution.
pub(crate) fn flag_pool() -> &'static AtomicTagged<Flag> {
    &POOLS[if never_raised() { thread() } else { 0 }]
}

/// Whether flags are never raised, so that retired memory is freed at the end only.
static NEVER_RAISED: plain::AtomicBool = plain::AtomicBool::new(false);

fn never_raised() -> bool {
    // Relaxed: set before a model's threads start.
    NEVER_RAISED.load(plain::Ordering::Relaxed)
}

#[cfg(process_registry_loom)]
fn thread() -> usize {
    checker::thread_local! {
        static NUMBER: usize = {
            let id = format!("{:?}", checker::thread::current().id());
            id.chars().filter(char::is_ascii_digit).collect::<String>().parse().expect("a number")
        };
    }
    NUMBER.with(|number| *number)
}

#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
fn thread() -> usize {
    checker::current::me().into()
}

/// A pin of this thread.
#[derive(Debug)]
pub(crate) struct Guard {
    thread: usize,
    _not_send: PhantomData<*const ()>,
}

/// Pins this thread; pins nest.
pub(crate) fn pin() -> Guard {
    let thread = thread();
    let nested = MODEL.books().pins[thread] > 0;
    if nested {
        MODEL.books().pins[thread] += 1;
    } else {
        enter(thread, true);
    }
    Guard { thread, _not_send: PhantomData }
}

/// What pins need is there.
pub(crate) fn get_ready() {}

/// The outermost pin. Only a seeded bug does without the fence.
fn enter(thread: usize, fenced: bool) {
    // Relaxed, then a fence: as the real pin stores its epoch.
    MODEL.words[thread].fetch_add(1, Ordering::Relaxed);
    if fenced {
        fence(Ordering::SeqCst);
    }
    MODEL.books().pins[thread] = 1;
}

/// The end of the outermost pin.
fn leave(thread: usize) {
    // Release: as the real one gives its epoch up.
    MODEL.words[thread].fetch_add(1, Ordering::Release);
    let bit = 1 << thread;
    let mut mine = Vec::new();
    {
        let mut books = MODEL.books();
        books.pins[thread] = 0;
        for watch in books.watches.iter().filter(|watch| watch.waits_for & bit != 0) {
            mine.push((watch.flag, watch.meeting));
        }
    }
    for (flag, meeting) in mine {
        // AcqRel: whoever comes last has the others behind it.
        MODEL.meetings[meeting].fetch_add(1, Ordering::AcqRel);
        let mut books = MODEL.books();
        let same = |watch: &Watch| std::ptr::eq(watch.flag, flag);
        if let Some(at) = books.watches.iter().position(same) {
            books.watches[at].waits_for &= !bit;
            if books.watches[at].waits_for == 0 {
                books.watches.swap_remove(at);
                drop(books);
                flag.raise();
            }
        }
    }
}

/// Whether this thread holds a pin.
pub(crate) fn is_pinned() -> bool {
    MODEL.books().pins[thread()] > 0
}

impl Guard {
    /// Lets go of the past, if this is the thread's only pin.
    pub(crate) fn repin(&mut self) {
        if MODEL.books().pins[self.thread] == 1 {
            leave(self.thread);
            enter(self.thread, !mutant(Mutant::NoRepinFence));
        }
    }

    /// Runs `f` without this pin, and pins anew, whatever `f` does.
    pub(crate) fn unpinned(&mut self, f: impl FnOnce()) {
        struct Again(Option<usize>);
        impl Drop for Again {
            fn drop(&mut self) {
                self.0.into_iter().for_each(|thread| enter(thread, true));
            }
        }
        let outermost = MODEL.books().pins[self.thread] == 1;
        if outermost {
            leave(self.thread);
        }
        let _again = Again(outermost.then_some(self.thread));
        f();
    }

    /// Raises `flag` once every pin held now has been given up.
    pub(crate) fn raise_when_unpinned(&self, flag: &'static Flag) {
        if never_raised() {
            return;
        }
        fence(Ordering::SeqCst);
        let meeting = {
            let mut books = MODEL.books();
            let meeting = books.watched % MEETINGS;
            books.watched += 1;
            books.watches.push(Watch { flag, waits_for: 1 << self.thread, meeting });
            meeting
        };
        for other in (0..THREADS).filter(|other| *other != self.thread) {
            // Acquire: a pin given up before this comes before the raise.
            MODEL.words[other].fetch_add(0, Ordering::Acquire);
            let mut books = MODEL.books();
            if books.pins[other] > 0 {
                let same = |watch: &&mut Watch| std::ptr::eq(watch.flag, flag);
                let watch = books.watches.iter_mut().find(same);
                watch.expect("our own pin keeps it").waits_for |= 1 << other;
            }
        }
        // Release: the same, for whoever comes last.
        MODEL.meetings[meeting].fetch_add(1, Ordering::Release);
    }

    /// Nothing: a flag is raised as early as can be.
    pub(crate) fn advance(&self) {}
}

impl Drop for Guard {
    fn drop(&mut self) {
        let outermost = {
            let mut books = MODEL.books();
            if books.pins[self.thread] > 1 {
                books.pins[self.thread] -= 1;
                false
            } else {
                true
            }
        };
        if outermost {
            leave(self.thread);
        }
    }
}

/// The thread's number, so that an execution can be repeated.
pub(crate) fn stripe() -> usize {
    // Relaxed: set before a model's threads start.
    if ONE_STRIPE.load(plain::Ordering::Relaxed) { 0 } else { thread() }
}

static ONE_STRIPE: plain::AtomicBool = plain::AtomicBool::new(false);

/// Keeps freed memory, which `layout` was allocated for, until the execution ends.
pub(crate) fn keep_until_end(memory: NonNull<u8>, layout: std::alloc::Layout) {
    MODEL.books().graves.push(Grave(memory.as_ptr().expose_provenance(), layout));
}

/// loom finds an access without order by its clocks. shuttle has to be given a turn between the
/// load of a pointer and what is read through it.
#[cfg(process_registry_loom)]
type Alive = plain::AtomicBool;
#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
type Alive = checker::sync::atomic::AtomicBool;

/// Marks a block of memory as alive or freed. Reading it races with freeing it unless something
/// orders the two; and reading it after it was freed panics even if they are ordered.
#[derive(Debug)]
pub(crate) struct Canary {
    #[cfg(process_registry_loom)]
    cell: loom::cell::UnsafeCell<()>,
    alive: Alive,
}

// SAFETY: the cell holds nothing: it is there to be accessed from everywhere, and complains where
// I8 does not hold.
#[allow(unsafe_code)]
unsafe impl Sync for Canary {}

impl Canary {
    pub(crate) fn new() -> Self {
        MODEL.books().blocks += 1;
        let canary = Canary {
            #[cfg(process_registry_loom)]
            cell: loom::cell::UnsafeCell::new(()),
            alive: Alive::new(true),
        };
        canary.write();
        canary
    }

    #[track_caller]
    fn write(&self) {
        #[cfg(process_registry_loom)]
        self.cell.with_mut(|_| ());
    }

    /// Says that the block is being read.
    #[track_caller]
    pub(crate) fn touch(&self) {
        assert!(self.alive.load(plain::Ordering::Relaxed), "freed memory is read");
        #[cfg(process_registry_loom)]
        self.cell.with(|_| ());
    }

    /// Says that the block has been freed.
    #[track_caller]
    pub(crate) fn kill(&self) {
        let alive = self.alive.swap(false, plain::Ordering::Relaxed);
        assert!(alive, "memory is freed twice");
        self.write();
        MODEL.books().blocks -= 1;
    }
}

/// Marks what one thread at a time has for itself: two turns race unless something orders them.
/// shuttle knows no orders, and has nothing to say.
#[derive(Debug)]
pub(crate) struct Turn {
    #[cfg(process_registry_loom)]
    cell: loom::cell::UnsafeCell<()>,
}

impl Turn {
    pub(crate) fn new() -> Self {
        Turn {
            #[cfg(process_registry_loom)]
            cell: loom::cell::UnsafeCell::new(()),
        }
    }

    /// Says that it is this thread's turn.
    #[track_caller]
    pub(crate) fn touch(&self) {
        #[cfg(process_registry_loom)]
        self.cell.with_mut(|_| ());
    }
}

/// What the models switch and ask.
pub(crate) mod control {
    use super::{LOADS_AS_RMW, MODEL, NEVER_RAISED, ONE_STRIPE, plain};

    /// Whether loads are done as read-modify-writes.
    pub(crate) fn loads_as_rmw(on: bool) {
        LOADS_AS_RMW.store(on, plain::Ordering::Relaxed);
    }

    /// Whether retired memory is freed at the end only: reclamation multiplies what a model has to
    /// explore.
    pub(crate) fn never_raise(on: bool) {
        NEVER_RAISED.store(on, plain::Ordering::Relaxed);
    }

    /// Whether all threads share one stripe of everything.
    pub(crate) fn one_stripe(on: bool) {
        ONE_STRIPE.store(on, plain::Ordering::Relaxed);
    }

    /// Blocks of memory that are alive. The first call of an execution prepares the model of the
    /// epoch: it is to be made before any thread is started.
    pub(crate) fn blocks() -> isize {
        MODEL.books().blocks
    }
}
