//! Panics of the user's code that are caught, and told later or not at all.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops the payload of a panic, which may itself panic, and then that payload is the end of it.
pub(crate) fn discard(panic: Box<dyn Any + Send>) {
    if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(next);
    }
}

/// Remembers a panic unless an earlier one is remembered.
pub(crate) fn keep(first: &mut Option<Box<dyn Any + Send>>, panic: Box<dyn Any + Send>) {
    match first {
        None => *first = Some(panic),
        Some(_) => discard(panic),
    }
}

/// Runs `f`, and remembers its panic unless an earlier one is remembered.
pub(crate) fn keep_first(first: &mut Option<Box<dyn Any + Send>>, f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        keep(first, panic);
    }
}

/// Ends a destructor with the panic that is remembered, if any; unless the thread is unwinding already, for then
/// that would end the process.
pub(crate) fn resume_from_drop(first: Option<Box<dyn Any + Send>>) {
    if let Some(panic) = first {
        if std::thread::panicking() {
            discard(panic);
        } else {
            std::panic::resume_unwind(panic);
        }
    }
}
