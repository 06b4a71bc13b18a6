//! An insert: the scan of the chain, and the publication.

use super::checker::Checked;
use super::linear::ABSENT;
use super::map::{Bug, Pc, Turn};
use super::memory::SLOTS;
use super::resolve::Resolve;
use super::word::{Link, Word};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Insert {
    /// Load the overflow word of the bucket that begins there: before its slots.
    ScanLink { at: u8, vacant: Vacant },
    /// Load a slot; `link` is the overflow word of its bucket, as it was.
    ScanSlot { at: u8, link: Link, vacant: Vacant },
    /// Load a slot again, for whether it is vacant.
    Vacancy { at: u8, link: Link, vacant: Vacant },
    /// Choose a vacant slot, and let the key pass the filter. The source takes the preferred slot or the
    /// first; here it may be any.
    Publish { vacant: Vacant },
    /// Swap the own entry into that slot.
    Swap { at: u8, word: Word },
    /// Let the key pass the filter, before the chain is made longer.
    Announce { last: u8, link: Link },
    /// Link a bucket with the own entry to the last one of the chain, which begins there.
    Extend { last: u8, link: Link },
    /// Let the key pass the filter, which is too late.
    LateFilter,
}

/// The vacant slots of a chain, and what they held: UNINIT, or else EMPTY.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Vacant {
    slots: u8,
    uninit: u8,
}

impl Vacant {
    fn push(&mut self, at: u8, word: Word) {
        self.slots |= 1 << at;
        self.uninit |= u8::from(word == Word::UNINIT) << at;
    }

    fn nth(self, n: usize) -> Option<(u8, Word)> {
        let at = (0..8).filter(|at| self.slots >> at & 1 != 0).nth(n)?;
        Some((at, if self.uninit >> at & 1 != 0 { Word::UNINIT } else { Word::EMPTY }))
    }
}

impl Insert {
    pub(crate) fn scan() -> Insert {
        Insert::ScanLink { at: 0, vacant: Vacant::default() }
    }

    /// In how many ways the step may be taken.
    pub(crate) fn ways(&self) -> usize {
        match self {
            Insert::Publish { vacant, .. } => vacant.slots.count_ones() as usize,
            _ => 1,
        }
    }
}

impl Turn<'_> {
    pub(crate) fn insert(&mut self, insert: Insert, way: usize) -> Checked<Pc> {
        match insert {
            Insert::ScanLink { at, vacant } => {
                let place = self.place(at);
                let link = self.state.shared.link(self.me, place)?;
                if link.is_frozen() || link.is_migrated() {
                    return Ok(self.go_on());
                }
                Ok(Pc::Insert(Insert::ScanSlot { at, link, vacant }))
            }
            Insert::ScanSlot { at, link, vacant } => {
                let place = self.place(at);
                let word = self.state.shared.load(self.me, place)?;
                if word.is_committed() && self.is_mine(word)? {
                    // Who has frozen it has read the successor.
                    return if word.is_frozen() { Ok(self.go_on()) } else { self.take_back() };
                }
                let at = at + 1;
                Ok(Pc::Insert(if usize::from(at) % SLOTS != 0 {
                    Insert::ScanSlot { at, link, vacant }
                } else {
                    Insert::Vacancy { at: at - SLOTS as u8, link, vacant }
                }))
            }
            Insert::Vacancy { at, link, mut vacant } => {
                let place = self.place(at);
                let word = self.state.shared.load(self.me, place)?;
                if word.is_vacant() {
                    vacant.push(at, word);
                }
                let at = at + 1;
                Ok(Pc::Insert(match link.next() {
                    _ if usize::from(at) % SLOTS != 0 => Insert::Vacancy { at, link, vacant },
                    Some(_) => Insert::ScanLink { at, vacant },
                    None if vacant == Vacant::default() => {
                        Insert::Announce { last: at - SLOTS as u8, link }
                    }
                    None => Insert::Publish { vacant },
                }))
            }
            Insert::Publish { vacant } => {
                let (at, word) = vacant.nth(way).ok_or("there is no such slot")?;
                self.announce(!self.has(Bug::LateFilter))?;
                Ok(Pc::Insert(Insert::Swap { at, word }))
            }
            Insert::Swap { at, word } => {
                let pending = Word::pending(self.thread().entry);
                match self.swap(at, word, pending)? {
                    Ok(()) => Ok(self.published(at)),
                    Err(_) => Ok(self.go_on()),
                }
            }
            Insert::Announce { last, link } => {
                self.announce(!self.has(Bug::LateFilter))?;
                Ok(Pc::Insert(Insert::Extend { last, link }))
            }
            Insert::Extend { last, link } => {
                let (pending, place) = (Word::pending(self.thread().entry), self.place(last));
                if self.state.shared.extend(self.me, place, link, &[pending])? {
                    Ok(self.published(last + SLOTS as u8))
                } else {
                    Ok(self.go_on())
                }
            }
            Insert::LateFilter => {
                self.announce(true)?;
                self.answer(ABSENT)
            }
        }
    }

    /// Lets the operation's key pass the filter, if that is to be.
    fn announce(&mut self, now: bool) -> Checked<()> {
        let (place, key) = (self.place(0), self.op.key);
        self.state.shared.let_pass(self.me, place, u8::from(now) << key)
    }

    fn published(&mut self, at: u8) -> Pc {
        let thread = self.thread();
        (thread.seen, thread.at) = (true, at);
        let own = self.own();
        if self.has(Bug::NoValidation) {
            return Pc::Resolve(Resolve::Decide { target: own, taken: false });
        }
        self.pass(own)
    }
}
