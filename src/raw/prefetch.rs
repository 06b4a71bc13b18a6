//! Asking for a cache line before it is needed.

/// Into which level of the caches, as the processor names them.
#[cfg(all(target_arch = "x86_64", not(process_registry_loom)))]
use std::arch::x86_64::{_MM_HINT_T0 as FIRST, _MM_HINT_T1 as SECOND};
#[cfg(not(all(target_arch = "x86_64", not(process_registry_loom))))]
const FIRST: i32 = 1;
#[cfg(not(all(target_arch = "x86_64", not(process_registry_loom))))]
const SECOND: i32 = 2;

/// About the size of a cache line.
pub(super) const LINE: usize = 64;

/// Asks for all lines of what takes `size` bytes at `address`, but the first, which the caller is about to
/// read, and but for what is beyond the fourth.
#[inline(always)]
pub(super) fn prefetch_rest<T>(address: *const T, size: usize) {
    for line in 1..size.div_ceil(LINE).min(4) {
        prefetch(address.wrapping_byte_add(line * LINE));
    }
    // It may not begin where a line does.
    prefetch(address.wrapping_byte_add(size - 1));
}

/// Asks the processor to fetch the line at `address`. Any address will do: nothing is read.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    ask::<FIRST, T>(address);
}

/// The same for what is read after much else: into the second level of the caches, where many may be on
/// their way at once. The first level would keep whoever asks for more lines than it has buffers for.
#[inline(always)]
pub(super) fn prefetch_later<T>(address: *const T) {
    ask::<SECOND, T>(address);
}

#[inline(always)]
fn ask<const LEVEL: i32, T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(process_registry_loom)))]
    // SAFETY: rests on no invariant: a prefetch is a hint, which neither faults nor counts as an
    // access, on any address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<LEVEL>(address.cast());
    };
    #[cfg(not(all(target_arch = "x86_64", not(process_registry_loom))))]
    let _ = address;
}
