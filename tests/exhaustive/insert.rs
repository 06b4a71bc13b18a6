//! An insert: the scan of the chain, and the publication.

use super::checker::Checked;
use super::linear::ABSENT;
use super::map::{Bug, Pc, Turn};
use super::memory::SLOTS;
use super::resolve::Resolve;
use super::word::{Link, Word};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Insert {
    /// Load the overflow word of the bucket that begins there: before its slots. `first` is that of the
    /// first bucket, as it was.
    ScanLink { at: u8, first: Link, vacant: Vacant },
    /// Load a slot; `link` is the overflow word of its bucket, as it was.
    ScanSlot { at: u8, first: Link, link: Link, vacant: Vacant },
    /// Load a slot again, for whether it is vacant.
    Vacancy { at: u8, first: Link, link: Link, vacant: Vacant },
    /// Choose a vacant slot. The source takes the preferred one or the first; here it may be any. Swap the
    /// own entry into it or, if it is beyond the first bucket, let the key pass the filter, if need be.
    Publish { first: Link, vacant: Vacant },
    /// Swap the own entry into that slot.
    Swap { at: u8, word: Word },
    /// Let the key pass the filter, before the chain is made longer.
    Announce { last: u8, first: Link, link: Link },
    /// Link a bucket with the own entry to the last one of the chain, which begins there.
    Extend { last: u8, link: Link },
    /// Load the first overflow word to let the key pass, which is too late.
    LateLink,
    /// Let it pass.
    LateFilter { link: Link },
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
        Insert::ScanLink { at: 0, first: Link::UNFILLED, vacant: Vacant::default() }
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
            Insert::ScanLink { at, first, vacant } => {
                let place = self.place(at);
                let link = self.state.shared.link(self.me, place)?;
                if link.is_frozen() || link.is_migrated() {
                    return Ok(self.go_on());
                }
                let first = if at == 0 { link } else { first };
                Ok(Pc::Insert(Insert::ScanSlot { at, first, link, vacant }))
            }
            Insert::ScanSlot { at, first, link, vacant } => {
                let place = self.place(at);
                let word = self.state.shared.load(self.me, place)?;
                if word.is_committed() && self.is_mine(word)? {
                    // Who has frozen it has read the successor.
                    return if word.is_frozen() { Ok(self.go_on()) } else { self.take_back() };
                }
                let at = at + 1;
                Ok(Pc::Insert(if usize::from(at) % SLOTS != 0 {
                    Insert::ScanSlot { at, first, link, vacant }
                } else {
                    Insert::Vacancy { at: at - SLOTS as u8, first, link, vacant }
                }))
            }
            Insert::Vacancy { at, first, link, mut vacant } => {
                let place = self.place(at);
                let word = self.state.shared.load(self.me, place)?;
                if word.is_vacant() {
                    vacant.push(at, word);
                }
                let at = at + 1;
                Ok(Pc::Insert(match link.next() {
                    _ if usize::from(at) % SLOTS != 0 => {
                        Insert::Vacancy { at, first, link, vacant }
                    }
                    Some(_) => Insert::ScanLink { at, first, vacant },
                    None if vacant == Vacant::default() => {
                        let last = at - SLOTS as u8;
                        if self.is_announced(first) {
                            Insert::Extend { last, link }
                        } else {
                            Insert::Announce { last, first, link }
                        }
                    }
                    None => Insert::Publish { first, vacant },
                }))
            }
            Insert::Publish { first, vacant } => {
                let (at, word) = vacant.nth(way).ok_or("there is no such slot")?;
                if usize::from(at) < SLOTS || self.is_announced(first) {
                    return self.insert(Insert::Swap { at, word }, 0);
                }
                let (place, key) = (self.place(at), self.op.key);
                Ok(match self.state.shared.announce(self.me, place, first, key)? {
                    Some(_) => Pc::Insert(Insert::Swap { at, word }),
                    None => self.go_on(),
                })
            }
            Insert::Swap { at, word } => {
                let pending = Word::pending(self.thread().entry);
                match self.swap(at, word, pending)? {
                    Ok(()) => Ok(self.published(at)),
                    Err(_) => Ok(self.go_on()),
                }
            }
            Insert::Announce { last, first, link } => {
                let (place, key) = (self.place(last), self.op.key);
                Ok(match self.state.shared.announce(self.me, place, first, key)? {
                    // The first bucket may be the last, too.
                    Some(first) => {
                        let link = if last == 0 { first } else { link };
                        Pc::Insert(Insert::Extend { last, link })
                    }
                    None => self.go_on(),
                })
            }
            Insert::Extend { last, link } => {
                let (pending, place) = (Word::pending(self.thread().entry), self.place(last));
                if self.state.shared.extend(self.me, place, (link, link), &[pending])? {
                    Ok(self.published(last + SLOTS as u8))
                } else {
                    Ok(self.go_on())
                }
            }
            Insert::LateLink => {
                let place = self.place(0);
                let link = self.state.shared.link(self.me, place)?;
                Ok(Pc::Insert(Insert::LateFilter { link }))
            }
            Insert::LateFilter { link } => {
                let (place, key) = (self.place(0), self.op.key);
                self.state.shared.announce(self.me, place, link, key)?;
                self.answer(ABSENT)
            }
        }
    }

    /// Whether the operation's key passes the filter already.
    fn is_announced(&self, first: Link) -> bool {
        first.leads_to(self.op.key) || self.has(Bug::LateFilter)
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
