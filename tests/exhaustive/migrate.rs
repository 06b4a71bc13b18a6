//! Moving the old table's chain into the successor, by any number of helpers at once.
//!
//! One chain stands for a group of chains; other groups matter only for when the root moves, which
//! is left open: it may be any time after this chain is MIGRATED.

use super::checker::Checked;
use super::linear::{ABSENT, Do};
use super::map::{Bug, Pc, Stage, Turn};
use super::memory::{Place, SLOTS};
use super::word::{Id, Link, Word};

/// A chain has no more slots than that in this model.
const MOST: usize = 6;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Migrate {
    /// Is the chain MIGRATED?
    Head,
    /// Freeze a slot, and remember what is to move.
    Freeze { at: u8, moved: Moved },
    /// Freeze the overflow word of the bucket that ends there.
    FreezeLink { at: u8, moved: Moved },
    /// Fill a slot of a chain of the successor.
    Fill { chain: u8, at: u8, moved: Moved },
    /// Let what was moved to a chain of the successor pass its filter.
    FillFilter { chain: u8, moved: Moved },
    /// Fill the overflow word of a chain of the successor, last.
    FillLink { chain: u8, moved: Moved },
    /// Let everything pass the filter.
    Saturate,
    /// Say that the successor holds everything.
    Done,
    /// Make the successor the root, if all chains are done.
    Promote,
}

/// The committed entries of a chain, in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Moved([Id; MOST]);

impl Moved {
    fn push(&mut self, id: Id) -> Checked<()> {
        let free = self.0.iter_mut().find(|place| **place == 0);
        *free.ok_or("a chain is longer than the model takes it")? = id;
        Ok(())
    }
}

impl Turn<'_> {
    pub(crate) fn migrate(&mut self, migrate: Migrate, way: usize) -> Checked<Pc> {
        let (me, bug) = (self.me, self.map.bug);
        let old = |at| Place { table: 0, chain: 0, at };
        let shared = &mut self.state.shared;
        Ok(Pc::Migrate(match migrate {
            Migrate::Head => {
                let done = shared.link(me, old(0))?.is_migrated();
                if bug == Some(Bug::MigratedBeforeFill) {
                    shared.mark_migrated(me)?;
                }
                if bug == Some(Bug::NoHelp) && self.op.what != Do::Grow {
                    return Ok(self.moved_on());
                }
                if done {
                    return Ok(Pc::Migrate(Migrate::Promote));
                }
                // Not MIGRATED, seen while pinned: nothing of the chain is retired through the
                // successor before this thread unpins.
                Migrate::Freeze { at: 0, moved: Moved([0; MOST]) }
            }
            Migrate::Freeze { at, mut moved } => {
                let seen = shared.load(me, old(at))?;
                let left = bug == Some(Bug::VacantNotFrozen) && seen.is_vacant()
                    || bug == Some(Bug::CommittedNotFrozen) && seen.is_committed();
                let word = if left { seen } else { shared.freeze(me, old(at))? };
                let moves = word.is_committed() || bug == Some(Bug::MovePending);
                if word.is_element() && moves {
                    // Its key says where it goes.
                    shared.key(me, word.entry())?;
                    moved.push(word.entry())?;
                }
                let at = at + 1;
                if usize::from(at) % SLOTS == 0 {
                    Migrate::FreezeLink { at, moved }
                } else {
                    Migrate::Freeze { at, moved }
                }
            }
            Migrate::FreezeLink { at, moved } => {
                let link = if bug == Some(Bug::LinkNotFrozen) {
                    shared.link(me, old(at - 1))?
                } else {
                    shared.freeze_link(me, old(at - 1))?
                };
                match link.next() {
                    Some(_) => Migrate::Freeze { at, moved },
                    None => Migrate::Fill { chain: 0, at: 0, moved },
                }
            }
            Migrate::Fill { chain, at, moved } => {
                let (first, _) = self.layout(chain, moved)?;
                let place = Place { table: 1, chain, at };
                let word = first[usize::from(at)];
                // Nothing is written where nothing is to stand. If the swap fails, another helper
                // has written the same, and perhaps somebody something else since.
                if word != Word::UNINIT {
                    let _ = self.state.shared.swap(me, place, Word::UNINIT, word)?;
                }
                let at = at + 1;
                if usize::from(at) % SLOTS == 0 {
                    Migrate::FillFilter { chain, moved }
                } else {
                    Migrate::Fill { chain, at, moved }
                }
            }
            Migrate::FillFilter { chain, moved } => {
                let (first, rest) = self.layout(chain, moved)?;
                let place = Place { table: 1, chain, at: 0 };
                let mut keys = 0;
                for word in first.iter().chain(&rest).filter(|word| word.is_element()) {
                    keys |= 1 << self.state.shared.key(me, word.entry())?;
                }
                if bug != Some(Bug::EmptyFilter) {
                    self.state.shared.let_pass(me, place, keys)?;
                }
                Migrate::FillLink { chain, moved }
            }
            Migrate::FillLink { chain, moved } => {
                let (_, rest) = self.layout(chain, moved)?;
                let place = Place { table: 1, chain, at: 0 };
                self.state.shared.extend(me, place, Link::UNFILLED, &rest)?;
                if chain + 1 < self.map.targets {
                    Migrate::Fill { chain: chain + 1, at: 0, moved }
                } else {
                    Migrate::Saturate
                }
            }
            Migrate::Saturate => {
                if bug != Some(Bug::OpenFilter) {
                    shared.let_pass(me, old(0), u8::MAX)?;
                }
                Migrate::Done
            }
            Migrate::Done => {
                shared.mark_migrated(me)?;
                Migrate::Promote
            }
            Migrate::Promote => {
                if way == 1 {
                    shared.promote();
                }
                if self.thread().stage == Stage::Grow {
                    return self.answer(ABSENT);
                }
                return Ok(self.moved_on());
            }
        }))
    }
}

impl Turn<'_> {
    /// Goes on in the successor.
    fn moved_on(&mut self) -> Pc {
        self.thread().table = 1;
        self.go_on()
    }

    /// What is to stand in a chain of the successor: its first bucket, and what goes beyond. It
    /// depends on what moves alone, so all helpers write the same.
    fn layout(&self, chain: u8, moved: Moved) -> Checked<([Word; SLOTS], Vec<Word>)> {
        let mut first = [Word::UNINIT; SLOTS];
        let mut rest = Vec::new();
        for &id in moved.0.iter().filter(|&&id| id != 0) {
            let key = self.state.shared.key(self.me, id)?;
            if self.map.chain(1, key) != chain {
                continue;
            }
            let preferred = &mut first[usize::from(key) % SLOTS];
            if *preferred == Word::UNINIT {
                *preferred = Word::committed(id);
            } else {
                rest.push(Word::committed(id));
            }
        }
        for slot in first.iter_mut().filter(|slot| **slot == Word::UNINIT) {
            if !rest.is_empty() {
                *slot = rest.remove(0);
            }
        }
        Ok((first, rest))
    }
}
