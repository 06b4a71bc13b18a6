//! Asking for a cache line before it is needed.

/// Asks the processor to fetch the line at `address`. Any address will do: nothing is read.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(process_registry_loom)))]
    // SAFETY: rests on no invariant: a prefetch is a hint, which neither faults nor counts as an
    // access, on any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(process_registry_loom))))]
    let _ = address;
}
