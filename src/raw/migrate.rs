//! Growing, rebuilding and halving: moving a table's chains into its successor, by anyone.
//!
//! A *group* is what must move together: one source chain, or the two that halving merges into
//! one. Moving a group is idempotent and deterministic, so that any number of helpers may do it
//! at once and none is waited for. Chunks of groups are handed out by a cursor; after the first
//! round, helpers look for chunks that a stalled one has left unfinished.

use std::ptr::NonNull;

use smallvec::SmallVec;

use super::block::{Element, element};
use super::filter::Bits;
use super::limbo::Reclaim;
use super::prefetch::prefetch;
use super::primary::{Context, Index, PER_BUCKET};
#[cfg(feature = "tracing")]
use super::resizes::Resize;
use super::table::{Bucket, CHUNK, SLOTS, Table};
use super::word::{Fingerprint, Link, Word};
use crate::sync::{Mutant, Ordering, Step, failpoint, mutant, pin};

/// Committed words of one group, in the order every helper meets them in.
type Words<E> = SmallVec<[Word<E>; 16]>;

/// How a table's groups map to its successor's chains.
#[derive(Clone, Copy)]
struct Plan {
    /// Groups: the smaller of the two tables' bucket counts.
    groups: usize,
    /// Source chains of a group: `group` and, when halving, `group + groups`.
    sources: usize,
    /// Target chains of a group: `group` and, when growing, `group + groups`.
    targets: usize,
}

impl Plan {
    fn of<E>(table: Table<'_, E>, next: Table<'_, E>) -> Plan {
        let groups = table.buckets().min(next.buckets());
        Plan { groups, sources: table.buckets() / groups, targets: next.buckets() / groups }
    }

    fn chunks(self) -> usize {
        self.groups.div_ceil(CHUNK)
    }

    /// All chunks of word `index` of the bitmap.
    fn full(self, index: usize) -> u64 {
        match self.chunks() - index * 64 {
            rest if rest < 64 => (1 << rest) - 1,
            _ => u64::MAX,
        }
    }

    fn words(self) -> usize {
        self.chunks().div_ceil(64)
    }
}

impl<E: Element> Index<E> {
    /// What a write does in a table that has a successor: its own chain, so that it may go on in
    /// the successor; where that was done already, one chunk for the common good; and the last step
    /// if all is done.
    ///
    /// Both at once would be what the slowest writes consist of, and is not needed: with one group a
    /// write, a table of `n` chains has moved after less than `2 n` writes of random keys, and its
    /// successor is crowded after `2.6 n` inserts at the earliest: as large as the table, it begins with
    /// three entries a bucket at most, and is crowded with some 5.6.
    pub(super) fn help<'g>(
        &self,
        table: Table<'g, E>,
        next: Table<'g, E>,
        hash: u64,
        context: &Context<'g>,
    ) {
        let plan = Plan::of(table, next);
        let moved =
            !mutant(Mutant::SkipHelping) && Self::migrate(table, next, plan, table.index(hash));
        let mut complete = false;
        if moved {
            // An insert comes by twice: it looks for its key first.
            context.chunks.set(0);
        } else if let Some(chunks) = context.chunks.get().checked_sub(1) {
            context.chunks.set(chunks);
            complete = Self::help_chunk(table, next, plan);
        }
        // Acquire: pairs with the count of the last chunk; every MIGRATED before it (O6).
        if complete || table.header().finished.load(Ordering::Acquire) >= plan.chunks() {
            self.promote(table, next, context);
        }
    }

    /// Migrates one chunk, if there is one left; says whether it knows that all are done.
    fn help_chunk(table: Table<'_, E>, next: Table<'_, E>, plan: Plan) -> bool {
        // Relaxed: hands out numbers.
        let turn = table.header().cursor.fetch_add(1, Ordering::Relaxed);
        if turn < plan.chunks() {
            Self::migrate_chunk(table, next, plan, turn);
            return false;
        }
        // Later rounds: one word of the bitmap a turn.
        let word = (turn - plan.chunks()) % plan.words();
        // Acquire: pairs with `fetch_or` in `migrate_chunk` (O6).
        let missing = !table.done(word).load(Ordering::Acquire) & plan.full(word);
        if missing != 0 {
            let chunk = word * 64 + missing.trailing_zeros() as usize;
            Self::migrate_chunk(table, next, plan, chunk);
        }
        // Once a round, a look at the whole bitmap: whoever set the last bit may have stalled
        // before it counted it.
        word + 1 == plan.words() && Self::all_done(table, plan)
    }

    fn all_done(table: Table<'_, E>, plan: Plan) -> bool {
        // Acquire: as in `help_chunk` (O6).
        (0..plan.words()).all(|w| table.done(w).load(Ordering::Acquire) == plan.full(w))
    }

    fn migrate_chunk(table: Table<'_, E>, next: Table<'_, E>, plan: Plan, chunk: usize) {
        for group in chunk * CHUNK..((chunk + 1) * CHUNK).min(plan.groups) {
            for source in 0..plan.sources {
                Self::migrate(table, next, plan, group + source * plan.groups);
            }
        }
        let bit = 1 << (chunk % 64);
        // AcqRel: Release puts every MIGRATED of the chunk before the bit (O6).
        if table.done(chunk / 64).fetch_or(bit, Ordering::AcqRel) & bit == 0 {
            failpoint(Step::ChunkDone);
            // AcqRel: the same for the count.
            table.header().finished.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Moves the group of source chain `own`; afterwards that chain is MIGRATED. Says whether there
    /// was anything to move.
    fn migrate(table: Table<'_, E>, next: Table<'_, E>, plan: Plan, own: usize) -> bool {
        let group = own & (plan.groups - 1);
        let mut sources: SmallVec<[&Bucket<E>; 2]> =
            (0..plan.sources).map(|s| table.bucket(group + s * plan.groups)).collect();
        if mutant(Mutant::OwnFirst) && own != group {
            sources.reverse();
        }
        // Steps 1 and 2. Not MIGRATED, seen while pinned, is the licence to touch the elements of
        // all the group's chains: nothing of them is retired through the successor before (I5).
        let mine = table.bucket(own);
        if mine.overflow.load().is_migrated() {
            return false;
        }
        if sources.iter().any(|source| source.overflow.load().is_migrated()) {
            // The targets are complete; whoever completed them has not come to our chain yet.
            table.filter_of(own).saturate();
            mine.overflow.mark_migrated();
            return false;
        }
        #[cfg(test)]
        crate::probe::count(crate::probe::Event::GroupMigrated);
        // They are needed when the sources have been frozen.
        (0..plan.targets).for_each(|t| {
            let target = group + t * plan.groups;
            next.bring_pages(target);
            prefetch(next.bucket(target));
            prefetch(next.filter_of(target));
        });
        if mutant(Mutant::MigratedBeforeFill) {
            sources.iter().for_each(|source| source.overflow.mark_migrated());
        }
        // Step 3: always in this order, whoever helps, so that all collect the same list.
        let mut moved = Words::<E>::new();
        for source in &sources {
            let mut bucket = *source;
            loop {
                for slot in &bucket.slots {
                    let word = slot.freeze();
                    if word.is_committed() || mutant(Mutant::MovePending) && word.is_element() {
                        moved.push(word.without_frozen().without_pending());
                    }
                }
                match table.follow(bucket.overflow.freeze()) {
                    Some(further) => bucket = further,
                    None => break,
                }
            }
            failpoint(Step::ChainFrozen);
        }
        // Step 4.
        failpoint(Step::FillBegun);
        let bit = table.log2();
        let (mut low, mut high) = (Words::<E>::new(), Words::<E>::new());
        for word in moved {
            let (word, is_high) = if Fingerprint::carries_over(bit, next.log2()) {
                (word, plan.targets > 1 && word.fingerprint().bit(bit, bit))
            } else {
                // SAFETY: read from a slot of this index while pinned, see the licence (I5, I8).
                let hash = unsafe { element(word.element()) }.block().hash();
                (word.with(next.fingerprint(hash)), plan.targets > 1 && hash >> bit & 1 != 0)
            };
            if is_high { high.push(word) } else { low.push(word) }
        }
        Self::fill(next, group, &low);
        if plan.targets > 1 {
            failpoint(Step::TargetFilled);
            Self::fill(next, group + plan.groups, &high);
        }
        failpoint(Step::FillDone);
        // Step 5: every target is complete (I4).
        (0..plan.sources).for_each(|s| table.filter_of(group + s * plan.groups).saturate());
        for source in sources {
            source.overflow.mark_migrated();
            failpoint(Step::SourceMigrated);
        }
        true
    }

    /// Fills chain `index` of a successor. The content of a slot depends on `words` alone; a slot
    /// that gets none is written by no helper, so that the first to write it is a writer who has
    /// seen MIGRATED.
    ///
    /// A fresh page is written before it is read: a read would map the zero page, and the write
    /// after it would fault again.
    fn fill(next: Table<'_, E>, index: usize, words: &[Word<E>]) {
        let mut first = [Word::UNINIT; SLOTS];
        let mut rest = Words::<E>::new();
        for &word in words {
            let preferred = &mut first[word.fingerprint().preferred(SLOTS)];
            if *preferred == Word::UNINIT { *preferred = word } else { rest.push(word) }
        }
        let mut vacant = first.iter_mut().filter(|word| **word == Word::UNINIT);
        let surplus = rest.iter().position(|&word| match vacant.next() {
            Some(place) => {
                *place = word;
                false
            }
            None => true,
        });
        let target = next.bucket(index);
        for (slot, word) in target.slots.iter().zip(first) {
            if word != Word::UNINIT {
                // False: another helper has written the same.
                slot.fill(word);
            }
        }
        if !mutant(Mutant::EmptyFilter) {
            let bits = words.iter().map(|word| Bits::of(word.fingerprint()));
            next.filter_of(index).add(bits.fold(Bits::NONE, Bits::and));
        }
        let surplus = surplus.map_or(&[][..], |from| &rest[from..]);
        let mut link = Link::END;
        for words in surplus.rchunks(SLOTS) {
            let mut all = [Word::EMPTY; SLOTS];
            all[..words.len()].copy_from_slice(words);
            let bucket = next.overflow_bucket();
            // Relaxed: figures for the trigger of growth.
            next.header().filled.fetch_add(1, Ordering::Relaxed);
            // SAFETY: an arena bucket of our own, in nobody's sight (I13). If another helper's
            // chain is linked instead, this one stays unused with the table (I14).
            unsafe { bucket.write(Bucket::filled(all, link)) };
            link = Link::to(bucket.as_ptr());
        }
        failpoint(Step::SlotsFilled);
        target.overflow.fill(link);
    }

    /// The last step: the successor of a wholly migrated root becomes the root.
    fn promote<'g>(&self, table: Table<'g, E>, next: Table<'g, E>, context: &Context<'g>) {
        failpoint(Step::PromotionBegun);
        if self.swap_root(table, next) {
            failpoint(Step::Promoted);
            #[cfg(feature = "tracing")]
            self.note_resize(true, table, next);
            let memory = OldTable::pack(table);
            // SAFETY: no longer the root, so out of reach of later pins (I8); we won the CAS, so
            // this is the only retirement (I13).
            unsafe { context.limbo.retire_memory(memory, context.guard) };
        }
    }

    /// Starts a successor if the table is the root and crowded, and it is this writer's turn.
    pub(super) fn grow_if_crowded(&self, table: Table<'_, E>) {
        // A turn that was taken too early is lost.
        if table.next().is_some() || !self.is_root(table) || !table.take_turn_to_grow() {
            return;
        }
        let buckets = table.buckets();
        let len = self.len();
        let log2 = if len >= (PER_BUCKET - 1).max(1) * buckets {
            table.log2() + 1
        } else if len < buckets / 4 {
            table.log2() - 1
        } else {
            // Crowded by what was there, or by keys of equal hashes: the same size, rebuilt.
            table.log2()
        };
        self.start(table, log2);
    }

    /// Gives a table that has been the root a successor of that size, unless it has one by then. A successor
    /// that is still being filled never gets one.
    fn start(&self, table: Table<'_, E>, log2: u32) {
        let next = Table::allocate(log2, self.pages);
        failpoint(Step::SuccessorAllocated);
        if table.set_next(next) {
            #[cfg(feature = "tracing")]
            self.note_resize(false, table, next);
        } else {
            // SAFETY: not linked, so shared with nobody (I13).
            unsafe { next.free() };
        }
        failpoint(Step::SuccessorLinked);
    }

    #[cfg(feature = "tracing")]
    fn note_resize(&self, done: bool, table: Table<'_, E>, next: Table<'_, E>) {
        let (from, to) = (table.buckets(), next.buckets());
        self.resizes.note(Resize { done, from, to, len: self.len() });
    }

    /// Moves all that is left of a migration that has begun, if one has.
    pub(super) fn finish_resize(&self, limbo: &super::limbo::Limbo) {
        let guard = pin();
        let table = self.root(&guard);
        if let Some(next) = table.next() {
            self.move_all(table, next, &Context::new(&guard, limbo));
        }
    }

    /// Halves or doubles, step by step and each step to its end. From the size of the table `step` says what
    /// the next one is to be; it is asked before each, for others are at work meanwhile.
    ///
    /// Writers that crowd the table may turn it round; it does not fight them for ever.
    pub(super) fn resize_by(&self, limbo: &super::limbo::Limbo, step: impl Fn(u32) -> Option<u32>) {
        for _ in 0..2 * usize::BITS {
            let guard = pin();
            let context = Context::new(&guard, limbo);
            let table = self.root(&guard);
            match (table.next(), step(table.log2())) {
                (Some(next), _) => self.move_all(table, next, &context),
                (None, Some(log2)) => self.start(table, log2),
                (None, None) => return,
            }
        }
    }

    /// Moves what is left to the successor, which becomes the root.
    fn move_all<'g>(&self, table: Table<'g, E>, next: Table<'g, E>, context: &Context<'g>) {
        let plan = Plan::of(table, next);
        for word in 0..plan.words() {
            loop {
                // Acquire: as in `help_chunk` (O6).
                let missing = !table.done(word).load(Ordering::Acquire) & plan.full(word);
                if missing == 0 {
                    break;
                }
                let chunk = word * 64 + missing.trailing_zeros() as usize;
                Self::migrate_chunk(table, next, plan, chunk);
            }
        }
        self.promote(table, next, context);
    }

    /// Starts a migration, for tests: to a table `by` doublings larger.
    #[cfg(any(process_registry_loom, process_registry_shuttle))]
    pub(super) fn start_resize(&self, by: i32, context: &Context<'_>) {
        let table = self.root(context.guard);
        self.start(table, table.log2().saturating_add_signed(by));
    }
}

/// An old table on its way to the allocator: the address of its first bucket, packed with its
/// size, as a pointer to something of no size.
struct OldTable<E>(std::marker::PhantomData<E>);

impl<E> OldTable<E> {
    fn pack(table: Table<'_, E>) -> NonNull<Self> {
        // The packed word keeps the provenance of the whole allocation.
        NonNull::new(table.pack()).expect("a table has an address").cast()
    }
}

impl<E> Reclaim for OldTable<E> {
    const BIG: bool = true;

    unsafe fn reclaim(this: NonNull<Self>) {
        // SAFETY: packed by `pack` (I15); retired once, and its time has come (I8, I13).
        unsafe {
            if let Some(table) = Table::<E>::unpack(this.as_ptr().cast()) {
                table.free();
            }
        }
    }
}
