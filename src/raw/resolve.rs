//! Resolution: which of the pending words of one key is committed.
//!
//! An insert publishes its element as PENDING and then looks through the whole chain; so do its
//! rivals. Publishing and looking are sequentially consistent, so at least one of two rivals sees the
//! other; the lower position wins, and whoever sees both says so in the words.

use super::block::{Element, element};
use super::primary::Index;
use super::table::Table;
use super::word::{Slot, Word};
use crate::sync::{MODEL, Mutant, Ordering, Step, failpoint, fence, mutant};

/// A pending word: one's own, or one of a rival that goes first.
pub(super) struct Published<'g, E> {
    pub(super) slot: &'g Slot<E>,
    pub(super) word: Word<E>,
    /// Its place in the chain, counted in slots from the first bucket on.
    pub(super) position: usize,
}

impl<E> Clone for Published<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Published<'_, E> {}

/// What has become of a published element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It was committed; it may have been replaced or removed since.
    Committed,
    /// Its own pass found a committed element of the key and killed it.
    Rejected,
    /// A rival killed it.
    Killed,
    /// A migration froze it while it was pending: it can never be committed there.
    Dropped,
}

impl Fate {
    /// What `seen` in the slot of a published `pending` word means (step 5).
    pub(super) fn of<E: Element>(mine: &E, pending: Word<E>, seen: Word<E>) -> Fate {
        if seen.without_frozen() == pending.without_pending() {
            Fate::Committed
        } else if seen == pending.frozen() {
            Fate::Dropped
        } else if mine.block().superseded() {
            // Committed by a helper, then replaced or removed: whoever did that had marked it
            // before the CAS whose result we have just acquired (O8).
            Fate::Committed
        } else {
            Fate::Killed
        }
    }
}

/// Whether two elements have the same key. Asks the keys only if their hashes are equal.
pub(super) fn same_key<E: Element>(a: &E, b: &E) -> bool
where
    E::Key: Eq,
{
    a.block().hash() == b.block().hash() && a.block().key() == b.block().key()
}

/// What one pass over the chain found out about its target.
enum Pass<'g, E> {
    /// Nobody is in its way.
    Clean,
    /// An element of the key is committed.
    Taken,
    /// A rival at a lower position goes first.
    Rival(Published<'g, E>),
}

impl<E: Element> Index<E> {
    /// Steps 4 and 5: decides about `own`, helping rivals at lower positions first.
    ///
    /// Lock-free: among the slots that change for ever take the lowest; what kills it comes from
    /// a lower slot that no longer changes, and the pass that finds that slot ends in a commit.
    pub(super) fn resolve<'g>(
        table: Table<'g, E>,
        hash: u64,
        mine: &E,
        own: Published<'g, E>,
    ) -> Fate
    where
        E::Key: Eq,
    {
        let mut target = own;
        loop {
            let taken = match Self::pass(table, hash, mine, target) {
                Pass::Rival(rival) => {
                    target = rival;
                    continue;
                }
                Pass::Clean => false,
                Pass::Taken => true,
            };
            failpoint(Step::PassDone);
            let decided =
                if taken { target.slot.kill(target.word) } else { target.slot.commit(target.word) };
            let seen = if target.position == own.position {
                match decided {
                    Ok(()) if taken => return Fate::Rejected,
                    Ok(()) => return Fate::Committed,
                    Err(seen) => seen,
                }
            } else {
                own.slot.load()
            };
            if seen != own.word {
                return Fate::of(mine, own.word, seen);
            }
            target = own;
        }
    }

    /// One pass over all slots of the chain on behalf of `target`.
    fn pass<'g>(table: Table<'g, E>, hash: u64, mine: &E, target: Published<'g, E>) -> Pass<'g, E>
    where
        E::Key: Eq,
    {
        if mutant(Mutant::NoValidation) {
            return Pass::Clean;
        }
        // The target was published, or read by this helper, before this pass, and both were
        // sequentially consistent, as are all loads of the pass (O2). So of two rivals whoever
        // comes second in the one order of such operations sees the other's word.
        let helping = !std::ptr::eq(target.word.element(), mine);
        if MODEL && !(mutant(Mutant::NoPassFence) || helping && mutant(Mutant::NoHelperFence)) {
            // SeqCst: what loom understands instead (see `word`). The partner is the same fence
            // of every rival: whoever's is first, the other's pass sees its word.
            fence(Ordering::SeqCst);
        }
        failpoint(Step::PassBegun);
        let fingerprint = table.fingerprint(hash);
        let mut bucket = table.chain(hash);
        let mut position = 0;
        loop {
            for slot in &bucket.slots {
                if position != target.position {
                    loop {
                        let word = slot.load_in_order();
                        if !word.resembles(fingerprint) {
                            break;
                        }
                        // SAFETY: read while pinned from a chain that was not frozen, so not
                        // MIGRATED, when we published into it (I5, I8).
                        let other = unsafe { element(word.element()) };
                        if !same_key(mine, other) {
                            break;
                        }
                        if !word.is_pending() {
                            return Pass::Taken;
                        }
                        if word.is_frozen() {
                            // It can never be committed here.
                            break;
                        }
                        if position < target.position {
                            return Pass::Rival(Published { slot, word, position });
                        }
                        if slot.kill(word).is_ok() {
                            break;
                        }
                    }
                }
                position += 1;
            }
            match table.follow(bucket.overflow.load_in_order()) {
                Some(next) => bucket = next,
                None => return Pass::Clean,
            }
        }
    }
}
