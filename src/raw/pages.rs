//! What pages big tables lie in.

use std::alloc::Layout;
use std::ptr::NonNull;

/// What pages tables ask for. Without the feature `huge-pages` there is no choice, and this takes
/// no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pages {
    /// None in particular.
    Usual,
    /// Huge ones for big tables, on Linux.
    #[cfg(feature = "huge-pages")]
    Huge,
}

/// The size of a huge page, and what it is aligned to.
const HUGE: usize = 2 << 20;
/// The least size of a table that asks for some. To align it may take one more of address space.
const LEAST: usize = 2 * HUGE;

impl Pages {
    #[cfg(test)]
    pub(super) const ALL: &[Pages] = &[
        Pages::Usual,
        #[cfg(feature = "huge-pages")]
        Pages::Huge,
    ];

    /// The layout of a table, aligned so that a huge page may begin where it does.
    pub(super) fn align(self, layout: Layout) -> Layout {
        if !self.are_asked_for(layout) {
            return layout;
        }
        layout.align_to(HUGE).expect("a table larger than the address space")
    }

    /// Asks for the pages of memory that is at `start`, laid out by `align` and not written yet.
    /// What does not fill a huge page at the end stays in small ones.
    pub(super) fn ask_for(self, start: NonNull<u8>, layout: Layout) {
        if self.are_asked_for(layout) {
            advise(start, layout.size() / HUGE * HUGE);
        }
    }

    fn are_asked_for(self, layout: Layout) -> bool {
        self != Pages::Usual && cfg!(target_os = "linux") && layout.size() >= LEAST
    }
}

#[cfg(all(feature = "huge-pages", target_os = "linux"))]
fn advise(start: NonNull<u8>, length: usize) {
    // SAFETY: within an allocation of that length (I14), which is ours alone (I13). The advice
    // changes none of its bytes, and neither does a refusal, after which the pages are small.
    unsafe { libc::madvise(start.as_ptr().cast(), length, libc::MADV_HUGEPAGE) };
}

#[cfg(not(all(feature = "huge-pages", target_os = "linux")))]
fn advise(_: NonNull<u8>, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 128).unwrap()
    }

    #[test]
    fn usual_pages_leave_a_layout_as_it_is() {
        assert_eq!(Pages::Usual.align(layout(LEAST)), layout(LEAST));
    }

    #[cfg(not(feature = "huge-pages"))]
    #[test]
    fn without_the_feature_there_is_nothing_to_keep() {
        assert_eq!(size_of::<Pages>(), 0);
    }

    #[cfg(all(feature = "huge-pages", target_os = "linux"))]
    #[test]
    fn big_layouts_begin_where_a_huge_page_may() {
        assert_eq!(Pages::Huge.align(layout(LEAST - 128)), layout(LEAST - 128));
        let aligned = Pages::Huge.align(layout(LEAST + 128));
        assert_eq!((aligned.size(), aligned.align()), (LEAST + 128, HUGE));
        // Again, as when it is freed.
        assert_eq!(Pages::Huge.align(aligned), aligned);
    }
}
