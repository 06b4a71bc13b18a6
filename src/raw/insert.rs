//! Inserting an element whose key is absent.
//!
//! The protocol with its proof is in the crate's `design` page; step numbers below are its.

use std::ptr::NonNull;

use super::block::{Element, element};
use super::draft::{Draft, salvage};
use super::filter::Bits;
use super::primary::{Context, Index};
use super::resolve::{Fate, Published, same_key};
use super::table::{Bucket, SLOTS, Table};
use super::word::{Fingerprint, Link, Slot, Word};
use crate::sync::{Mutant, Step, failpoint, mutant};

/// What an insert's scan of a chain found.
enum Scan<'g, E> {
    Present,
    /// A word is frozen, or has changed: the scan has to begin again.
    Again,
    Vacant {
        slot: &'g Slot<E>,
        word: Word<E>,
        position: usize,
    },
    Full {
        last: &'g Bucket<E>,
        link: Link<E>,
        position: usize,
    },
}

impl<E: Element> Bucket<E> {
    /// The first committed word of that fingerprint whose element has the key of `mine`. The chain was
    /// not MIGRATED when the link of this bucket was loaded, before this.
    // Not by `find`: what a seeded bug has readers take for committed, an insert must not take for it.
    #[inline]
    fn same_key(&self, fingerprint: Fingerprint, mine: &E) -> Option<Word<E>>
    where
        E::Key: Eq,
    {
        let mut promising = self.matching(fingerprint);
        while promising != 0 {
            let word = self.slots[promising.trailing_zeros() as usize].load();
            promising &= promising - 1;
            // SAFETY: read while pinned from a chain that was not MIGRATED then (I5, I8).
            if word.matches(fingerprint) && same_key(mine, unsafe { element(word.element()) }) {
                return Some(word);
            }
        }
        None
    }

    /// A vacant slot: the preferred one if it is, else the first.
    #[inline]
    fn vacancy(&self, fingerprint: Fingerprint) -> Option<(&Slot<E>, Word<E>, usize)> {
        let preferred = fingerprint.preferred(SLOTS);
        std::iter::once(preferred).chain((0..SLOTS).filter(|&i| i != preferred)).find_map(|i| {
            let (slot, word) = (&self.slots[i], self.slots[i].load());
            word.is_vacant().then_some((slot, word, i))
        })
    }
}

impl<E: Element> Index<E> {
    /// Inserts an element of that hash whose key is absent.
    ///
    /// Linearization (L4): the commit of its slot, by this thread or a helper. If an element of
    /// that key is there (L1 of the scan or of the validation pass), the draft comes back.
    pub(super) fn insert<'g>(
        &'g self,
        hash: u64,
        draft: Draft<E>,
        context: &Context<'g>,
    ) -> Result<&'g E, Draft<E>>
    where
        E::Key: Eq + Clone,
    {
        debug_assert_eq!(draft.hash(), hash);
        let mut mine = Inserting {
            index: self,
            context,
            element: draft.into_raw(),
            seen: false,
            published: None,
            armed: true,
        };
        let mut table = self.root(context.guard);
        loop {
            // Step 1.
            if let Some(next) = table.next() {
                self.help(table, next, hash, context);
                table = next;
                continue;
            }
            // Steps 2 and 3.
            let special = mine.element().block().is_special();
            let word = Word::committed(mine.element.as_ptr(), table.fingerprint(hash), special);
            let pending = word.pending();
            let published = match self.scan(table, hash, mine.element()) {
                Scan::Present => return Err(mine.take_back()),
                // A frozen word is acquired from one who has read `next`: then the loop goes there.
                Scan::Again => continue,
                Scan::Vacant { slot, word, position } => {
                    Self::announce(table, hash);
                    if !slot.publish(word, pending) {
                        continue;
                    }
                    Published { slot, word: pending, position }
                }
                Scan::Full { last, link, position } => {
                    Self::announce(table, hash);
                    let bucket = table.overflow_bucket();
                    let mut words = [Word::EMPTY; SLOTS];
                    words[0] = pending;
                    // SAFETY: a bucket of our own, in nobody's sight until it is linked (I13).
                    unsafe { bucket.write(Bucket::filled(words, Link::END)) };
                    if !last.overflow.extend(link, bucket.as_ptr()) {
                        continue;
                    }
                    // SAFETY: written above; kept by the table (I14), and that by the pin (I8).
                    let slot = unsafe { &bucket.as_ref().slots[0] };
                    Published { slot, word: pending, position }
                }
            };
            mine.seen = true;
            mine.published = Some((published.slot, published.word));
            failpoint(Step::Published);
            // Steps 4 and 5.
            let fate = Self::resolve(table, hash, mine.element(), published);
            match fate {
                Fate::Committed => {
                    let pointer = mine.disarm();
                    failpoint(Step::Committed);
                    self.count.add(1);
                    if mutant(Mutant::LateFilter) {
                        table.filter(hash).announce(Bits::of(table.fingerprint(hash)));
                    }
                    if published.position >= SLOTS {
                        self.grow_if_crowded(table);
                    }
                    // SAFETY: published in this index under the context's guard (I8).
                    return Ok(unsafe { element(pointer.as_ptr()) });
                }
                Fate::Rejected => {
                    mine.published = None;
                    return Err(mine.take_back());
                }
                Fate::Killed => {
                    mine.published = None;
                    if !mutant(Mutant::RepublishKilled) {
                        mine.start_over();
                    }
                }
                // The same element is published again, in the successor.
                Fate::Dropped => mine.published = None,
            }
        }
    }

    /// Tells readers that something of a hash is going to be in the chain.
    #[inline]
    pub(super) fn announce(table: Table<'_, E>, hash: u64) {
        if !mutant(Mutant::LateFilter) {
            table.filter(hash).announce(Bits::of(table.fingerprint(hash)));
        }
    }

    /// Step 2: the whole chain, for the key and for a place.
    fn scan<'g>(&self, table: Table<'g, E>, hash: u64, mine: &E) -> Scan<'g, E>
    where
        E::Key: Eq,
    {
        let fingerprint = table.fingerprint(hash);
        let mut bucket = table.chain(hash);
        let mut link = bucket.overflow.load();
        let mut start = 0;
        let mut vacant = None;
        loop {
            if link.is_frozen() || link.is_migrated() {
                return Scan::Again;
            }
            #[cfg(test)]
            crate::probe::count(crate::probe::Event::BucketScanned);
            match bucket.same_key(fingerprint, mine) {
                Some(word) if word.is_frozen() => return Scan::Again,
                Some(_) => return Scan::Present,
                None => {}
            }
            if vacant.is_none() {
                vacant = bucket.vacancy(fingerprint).map(|(slot, word, i)| (slot, word, start + i));
            }
            start += SLOTS;
            match (table.follow(link), vacant) {
                (Some(next), _) => (bucket, link) = (next, next.overflow.load()),
                (None, Some((slot, word, position))) => {
                    return Scan::Vacant { slot, word, position };
                }
                (None, None) => return Scan::Full { last: bucket, link, position: start },
            }
        }
    }
}

/// An insert on its way. If the user's `Eq` or `Clone` panics, this withdraws the element.
struct Inserting<'a, 'g, E: Element> {
    index: &'a Index<E>,
    context: &'a Context<'g>,
    element: NonNull<E>,
    /// Whether the element has ever been published: others may be looking at its key.
    seen: bool,
    published: Option<(&'g Slot<E>, Word<E>)>,
    armed: bool,
}

impl<E: Element> Inserting<'_, '_, E> {
    fn element(&self) -> &E {
        // SAFETY: until it is committed we alone retire it (I13); after that the pin keeps it (I8).
        unsafe { self.element.as_ref() }
    }

    fn disarm(mut self) -> NonNull<E> {
        self.armed = false;
        self.element
    }

    /// Gives the element to the epoch: others may be looking at its key.
    fn retire(&self) {
        // SAFETY: ours, for it was never committed (I13); and published no more (I6).
        unsafe { self.context.limbo.retire_element(self.element, self.context.guard) };
    }

    /// The payload in a draft that nobody has seen.
    #[cold]
    fn take_back(self) -> Draft<E>
    where
        E::Key: Clone,
    {
        if self.seen {
            // SAFETY: ours, killed or dropped, never committed (I10); retired right below (I6).
            let draft =
                unsafe { salvage(self.element(), |layout| self.context.limbo.room(layout)) };
            self.retire();
            self.disarm();
            draft
        } else {
            // SAFETY: from `into_raw`, never published (I13).
            unsafe { Draft::from_raw(self.disarm()) }
        }
    }

    /// After a kill: the same payload in a newly allocated element (I6).
    #[cold]
    fn start_over(&mut self)
    where
        E::Key: Clone,
    {
        // SAFETY: ours, killed, so never committed (I10); retired right below (I6).
        let draft = unsafe { salvage(self.element(), |layout| self.context.limbo.room(layout)) };
        self.retire();
        self.element = draft.into_raw();
        self.seen = false;
    }
}

impl<E: Element> Drop for Inserting<'_, '_, E> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        match self.published {
            Some((slot, word)) => {
                let fate = match slot.kill(word) {
                    Ok(()) => Fate::Killed,
                    Err(seen) => Fate::of(self.element(), word, seen),
                };
                if fate == Fate::Committed {
                    self.index.count.add(1);
                    self.context.escaped.set(true);
                } else {
                    self.retire();
                }
            }
            None if self.seen => self.retire(),
            // SAFETY: from `into_raw`, never published (I13).
            None => drop(unsafe { Draft::from_raw(self.element) }),
        }
    }
}
