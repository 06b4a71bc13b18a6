//! The facade: every atomic type, fence and epoch pin of the crate is named here and nowhere else.
//!
//! Two arms with one face. `native` is the standard library's atomics and crossbeam-epoch with a
//! collector of the crate's own. `model` is what the model checkers instrument: loom's or
//! shuttle's atomics and a reclamation model that frees at the earliest moment the epoch allows.
//! An ordinary build contains only the first.

#[cfg(not(any(process_registry_loom, process_registry_shuttle)))]
mod native;
#[cfg(not(any(process_registry_loom, process_registry_shuttle)))]
use native as arm;

#[cfg(any(process_registry_loom, process_registry_shuttle))]
mod model;
#[cfg(any(process_registry_loom, process_registry_shuttle))]
use model as arm;

#[cfg(process_registry_failpoints)]
pub mod failpoint;
#[cfg(not(process_registry_failpoints))]
mod failpoint;
mod mutants;

#[cfg(any(process_registry_loom, process_registry_shuttle))]
pub(crate) use model::control;
#[cfg(all(process_registry_mutants, any(process_registry_loom, process_registry_shuttle)))]
pub(crate) use mutants::switch;

pub(crate) use self::failpoint::{Step, failpoint};
pub(crate) use self::mutants::{Mutant, mutant};
pub(crate) use arm::{
    AtomicIsize, AtomicTagged, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Canary, Guard, Turn,
    fence, flag_pool, get_ready, is_pinned, keep_until_end, pin, stripe,
};
pub(crate) use std::sync::atomic::Ordering;

/// Whether this build runs under a model checker: tables, buckets, chunks and batches shrink to
/// the smallest sizes that still show every transition.
pub(crate) const MODEL: bool = cfg!(any(process_registry_loom, process_registry_shuttle));

/// Stands between a change of an entry and a step on the index of deadlines, and between such a step and a look at
/// the entry: whoever comes later sees the other.
#[inline(always)]
pub(crate) fn fence_of_deadlines() {
    if !mutant(Mutant::NoDeadlineFence) {
        // SeqCst: its partner is this one, on the other thread (O19). An insert of an item that is there writes
        // nothing, and nor does a look at an entry: no ordering of theirs would do.
        fence(Ordering::SeqCst);
    }
}

/// What a retirement batch waits for: raised once every pin that was held when
/// [`Guard::raise_when_unpinned`] was called has been given up.
///
/// The deferred call does one Release store here and touches nothing afterwards, so that a thread
/// that happens to run it (crossbeam runs deferred calls inside `pin`, on readers too) frees
/// nothing and runs no code of a user's.
///
/// Flags are never freed: a deferred call may outlive the registry whose batch it stands for.
/// `raw::flags` passes them around within the process.
#[derive(Debug)]
pub(crate) struct Flag {
    raised: AtomicU32,
    /// Links the flags of the pool.
    pub(crate) next: AtomicTagged<Flag>,
}

impl Flag {
    pub(crate) fn leaked() -> &'static Self {
        let flag = Box::leak(Box::new(Flag {
            raised: AtomicU32::new(0),
            next: AtomicTagged::new(std::ptr::null_mut()),
        }));
        if MODEL {
            keep_until_end(
                std::ptr::NonNull::from(&mut *flag).cast(),
                std::alloc::Layout::new::<Flag>(),
            );
        }
        flag
    }

    /// Whether it has been raised.
    pub(crate) fn is_raised(&self) -> bool {
        // Acquire: pairs with the Release store in `raise`; what follows frees memory that the
        // pinned threads were reading (O14).
        self.raised.load(Ordering::Acquire) != 0
    }

    /// Takes it down for another use. The caller has seen it raised, so no deferred call that
    /// names it is left.
    pub(crate) fn lower(&self) {
        // Relaxed: handed over to the next deferred call by the epoch's own ordering.
        self.raised.store(0, Ordering::Relaxed);
    }

    fn raise(&self) {
        // Release: the partner of `is_raised` (O14). The last access of the deferred call.
        self.raised.store(1, Ordering::Release);
    }
}
