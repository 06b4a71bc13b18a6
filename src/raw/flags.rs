//! The process-wide pool of flags that retirement batches wait for.
//!
//! A flag is never freed, because the deferred call that raises it may run long after the registry
//! of its batch is gone; but once it has been raised, another batch may have it.

use std::ptr;

use crate::sync::{Flag, Ordering, flag_pool};

/// A flag that is down and named by no deferred call.
pub(super) fn take_flag() -> &'static Flag {
    // The whole stack at once: a pop of one could meet the same head twice (ABA).
    // Acquire: pairs with `give_flag`; the links.
    let pool = flag_pool();
    let mut list = pool.swap(ptr::null_mut(), Ordering::Acquire);
    let mut found = None;
    // SAFETY: the pool holds flags of `give_flag`, which are never freed (I14).
    while let Some(flag) = unsafe { list.as_ref() } {
        // Relaxed: the swap above acquired the link, and only we have the list now.
        list = flag.next.load(Ordering::Relaxed);
        if flag.is_raised() {
            found = Some(flag);
            break;
        }
        give_flag(flag);
    }
    // The rest goes back in one piece, unless others have brought flags meanwhile.
    // Release: as in `give_flag`.
    let none = ptr::null_mut();
    if !list.is_null()
        && pool.compare_exchange(none, list, Ordering::Release, Ordering::Relaxed).is_err()
    {
        // SAFETY: the rest of the same list: flags, which are never freed (I14).
        while let Some(flag) = unsafe { list.as_ref() } {
            // Relaxed: as above.
            list = flag.next.load(Ordering::Relaxed);
            give_flag(flag);
        }
    }
    let flag = found.unwrap_or_else(Flag::leaked);
    flag.lower();
    flag
}

/// Gives a flag back, raised or still to be raised by the deferred call that names it.
pub(super) fn give_flag(flag: &'static Flag) {
    // Relaxed: the CAS below validates it.
    let pool = flag_pool();
    let mut head = pool.load(Ordering::Relaxed);
    loop {
        // Relaxed: released by the CAS below; only we have the flag now.
        flag.next.swap(head, Ordering::Relaxed);
        let pointer = ptr::from_ref(flag).cast_mut();
        // Release: publishes the link to `take_flag`.
        match pool.compare_exchange(head, pointer, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return,
            Err(seen) => head = seen,
        }
    }
}
