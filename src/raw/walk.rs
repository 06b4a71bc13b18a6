//! Iteration over a whole index while it grows, shrinks and changes.
//!
//! A *class* `(v, m)` is all keys with `hash & (m - 1) == v`. The walk visits the classes of the
//! table it began with, one bucket each; where a bucket has been migrated it goes on in the
//! successor with the same class, which it may split but never widens. So an element that is there
//! throughout is met exactly once, whatever the tables do meanwhile; one that is removed and
//! inserted again may be met twice, and then the earlier one says so by
//! [`superseded`](super::block::Block::superseded).

use std::iter::FusedIterator;

use smallvec::SmallVec;

use super::block::{Element, element};
use super::primary::{Found, Index};
use super::table::{Bucket, SLOTS, Table};
use super::word::Link;
use crate::sync::{Guard, Mutant, mutant};

/// A class of keys and the table in which to look for it.
struct Class<'g, E> {
    table: Table<'g, E>,
    value: usize,
    modulus: usize,
}

/// A chain being scanned.
struct Chain<'g, E> {
    table: Table<'g, E>,
    head: &'g Bucket<E>,
    bucket: &'g Bucket<E>,
    link: Link<E>,
    slot: usize,
    /// Keys of other classes share the chain: `value` and `modulus` tell.
    filter: Option<(usize, usize)>,
}

/// An iterator over all elements; see the module.
pub(crate) struct Walk<'g, E: Element> {
    root: Table<'g, E>,
    /// The next class of the root table.
    next: usize,
    /// Parts of the current class that are still to be visited.
    parts: SmallVec<[Class<'g, E>; 4]>,
    chain: Option<Chain<'g, E>>,
}

impl<'g, E: Element> Walk<'g, E> {
    /// # Safety
    /// The table, its successors and their elements are not freed during `'g`, apart from
    /// elements that the walk has passed.
    pub(super) unsafe fn of(root: Table<'g, E>) -> Self {
        Walk { root, next: 0, parts: SmallVec::new(), chain: None }
    }

    /// Finds the chain in which a class stands now, or splits the class.
    fn enter(&mut self, class: Class<'g, E>) {
        let Class { mut table, value, modulus } = class;
        loop {
            let buckets = table.buckets();
            if buckets > modulus {
                let parts = (0..buckets / modulus).map(|i| value + i * modulus);
                self.parts.extend(parts.map(|value| Class { table, value, modulus: buckets }));
                return;
            }
            let head = table.bucket(value);
            // Before any slot of the bucket: not MIGRATED is the licence to read the chain to its
            // end, whatever becomes of it meanwhile.
            let link = head.overflow.load();
            if !link.is_migrated() {
                let narrower = buckets < modulus && !mutant(Mutant::WidenClass);
                let filter = narrower.then_some((value, modulus));
                self.chain = Some(Chain { table, head, bucket: head, link, slot: 0, filter });
                return;
            }
            table = Index::successor(table);
        }
    }
}

impl<'g, E: Element> Iterator for Walk<'g, E> {
    type Item = Found<'g, E>;

    fn next(&mut self) -> Option<Found<'g, E>> {
        loop {
            while let Some(chain) = &mut self.chain {
                while chain.slot < SLOTS {
                    let slot = &chain.bucket.slots[chain.slot];
                    chain.slot += 1;
                    let word = slot.load();
                    if !word.is_committed() {
                        continue;
                    }
                    // SAFETY: read from a chain that was not MIGRATED, under the guard that `'g`
                    // stands for (I5, I8) or with the index to ourselves (I13).
                    let element = unsafe { element(word.element()) };
                    let hash = element.block().hash() as usize;
                    if chain.filter.is_none_or(|(value, modulus)| hash & (modulus - 1) == value) {
                        #[cfg(test)]
                        crate::probe::count(crate::probe::Event::EntryWalked);
                        return Some(Found::new(element, slot, word, chain.head));
                    }
                }
                match chain.table.follow(chain.link) {
                    Some(bucket) => {
                        chain.bucket = bucket;
                        chain.link = bucket.overflow.load();
                        chain.slot = 0;
                    }
                    None => self.chain = None,
                }
            }
            if let Some(part) = self.parts.pop() {
                self.enter(part);
            } else if self.next < self.root.buckets() {
                let class =
                    Class { table: self.root, value: self.next, modulus: self.root.buckets() };
                self.next += 1;
                self.enter(class);
            } else {
                return None;
            }
        }
    }
}

impl<E: Element> FusedIterator for Walk<'_, E> {}

impl<E: Element> Index<E> {
    /// All elements. The pin comes first, then the root, and both stay for the whole walk.
    pub(super) fn walk<'g>(&'g self, guard: &'g Guard) -> Walk<'g, E> {
        // SAFETY: pinned for `'g` before the root is loaded (I8).
        unsafe { Walk::of(self.root(guard)) }
    }
}
