//! Room to align by hand what is aligned to more than allocators align to anyway.
//!
//! Asked for more than the usual alignment, allocators take several times as long, and the standard
//! library's writes all the zeros itself where zeros are asked for.

use std::alloc::Layout;
use std::ptr::NonNull;

/// What allocators align to anyway.
const USUAL_ALIGN: usize = 16;

/// The layout with room to align it within an allocation of usual alignment.
pub(super) fn with_slack(layout: Layout) -> Layout {
    let slack = layout.align().saturating_sub(USUAL_ALIGN);
    Layout::from_size_align(layout.size() + slack, USUAL_ALIGN)
        .expect("more than the address space")
}

/// How far behind the beginning of an allocation something of that alignment may begin: at most the slack.
pub(super) fn offset(origin: NonNull<u8>, align: usize) -> usize {
    origin.addr().get().wrapping_neg() & (align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_room() {
        for align in [1, 8, 16, 64, 4096] {
            let all = with_slack(Layout::from_size_align(100, align).unwrap());
            assert_eq!(all.align(), USUAL_ALIGN);
            for begin in (USUAL_ALIGN..2 * align + USUAL_ALIGN).step_by(USUAL_ALIGN) {
                let origin = NonNull::without_provenance(begin.try_into().unwrap());
                let offset = offset(origin, align);
                assert!((begin + offset).is_multiple_of(align) && offset + 100 <= all.size());
            }
        }
    }
}
