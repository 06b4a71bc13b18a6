//! Resolution: which of the pending words of one key is committed.
//!
//! The fences of the source have no counterpart: here, everything is sequentially consistent.

use super::checker::Checked;
use super::insert::Insert;
use super::linear::{ABSENT, Do};
use super::map::{Bug, Pc, Turn};
use super::memory::SLOTS;
use super::word::Word;

/// A pending word that is to be decided about: one's own, or that of a rival that goes first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Target {
    at: u8,
    word: Word,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Resolve {
    /// Load a slot on behalf of the target.
    Slot { target: Target, at: u8 },
    /// Kill a rival at a higher position.
    Kill { target: Target, at: u8, word: Word },
    /// Load the overflow word of the bucket that ends there: after its slots.
    Link { target: Target, at: u8 },
    /// Commit the target, or kill it because its key is taken.
    Decide { target: Target, taken: bool },
    /// Load one's own slot, once a rival has been decided about.
    Own,
    /// One's own word is gone. Load the entry's mark.
    Mark,
}

impl Turn<'_> {
    pub(crate) fn own(&mut self) -> Target {
        let thread = self.thread();
        Target { at: thread.at, word: Word::pending(thread.entry) }
    }

    /// Begins a pass over the whole chain.
    pub(crate) fn pass(&mut self, target: Target) -> Pc {
        if self.has(Bug::BlindToLower) {
            return self.after(target, target.at);
        }
        if target.at == 0 {
            self.after(target, 0)
        } else {
            Pc::Resolve(Resolve::Slot { target, at: 0 })
        }
    }

    /// Goes on with a pass after that place.
    fn after(&mut self, target: Target, at: u8) -> Pc {
        let at = at + 1;
        Pc::Resolve(if usize::from(at) % SLOTS == 0 {
            Resolve::Link { target, at }
        } else if at == target.at {
            return self.after(target, at);
        } else {
            Resolve::Slot { target, at }
        })
    }

    pub(crate) fn resolve(&mut self, resolve: Resolve) -> Checked<Pc> {
        match resolve {
            Resolve::Slot { target, at } => {
                let place = self.place(at);
                let word = self.state.shared.load(self.me, place)?;
                if !self.is_mine(word)? {
                    return Ok(self.after(target, at));
                }
                if !word.is_pending() {
                    if self.has(Bug::BlindToCommitted) {
                        return Ok(self.after(target, at));
                    }
                    return Ok(Pc::Resolve(Resolve::Decide { target, taken: true }));
                }
                if word.is_frozen() {
                    // It can never be committed here.
                    return Ok(self.after(target, at));
                }
                if at < target.at {
                    let target = Target { at, word };
                    if self.has(Bug::WaitForRival) {
                        return Ok(Pc::Resolve(resolve));
                    }
                    if self.has(Bug::CommitRivalUnseen) {
                        return Ok(Pc::Resolve(Resolve::Decide { target, taken: false }));
                    }
                    return Ok(self.pass(target));
                }
                if self.has(Bug::SpareHigher) {
                    return Ok(self.after(target, at));
                }
                Ok(Pc::Resolve(Resolve::Kill { target, at, word }))
            }
            Resolve::Kill { target, at, word } => match self.swap(at, word, Word::EMPTY)? {
                Ok(()) => Ok(self.after(target, at)),
                Err(_) => Ok(Pc::Resolve(Resolve::Slot { target, at })),
            },
            Resolve::Link { target, at } => {
                let place = self.place(at - 1);
                let link = self.state.shared.link(self.me, place)?;
                Ok(match link.next() {
                    Some(_) if at == target.at => self.after(target, at),
                    Some(_) => Pc::Resolve(Resolve::Slot { target, at }),
                    None => Pc::Resolve(Resolve::Decide { target, taken: false }),
                })
            }
            Resolve::Decide { target, taken } => {
                let word = if taken { Word::EMPTY } else { target.word.without_pending() };
                let decided = self.swap(target.at, target.word, word)?;
                if target.at != self.thread().at {
                    return Ok(Pc::Resolve(Resolve::Own));
                }
                match decided {
                    Ok(()) if taken => self.take_back(),
                    Ok(()) => self.committed(),
                    Err(seen) => self.fate(seen),
                }
            }
            Resolve::Own => {
                let own = self.own();
                let place = self.place(own.at);
                let seen = self.state.shared.load(self.me, place)?;
                if seen == own.word { Ok(self.pass(own)) } else { self.fate(seen) }
            }
            Resolve::Mark => {
                let entry = self.thread().entry;
                if self.state.shared.is_marked(entry) {
                    // A helper has committed it, and somebody has replaced or removed it since.
                    return self.committed();
                }
                // Killed. The same value in a new entry: a helper that is late may still hold
                // the word of the old one, and would commit it where it stood.
                if !self.has(Bug::RepublishKilled) {
                    self.salvage()?;
                    self.draft()?;
                }
                Ok(self.go_on())
            }
        }
    }

    /// What has become of one's own word, now that `seen` stands in its slot.
    fn fate(&mut self, seen: Word) -> Checked<Pc> {
        let own = self.own().word;
        if self.has(Bug::FrozenIsDropped) && seen.is_frozen() {
            return Ok(self.go_on());
        }
        if seen.without_frozen() == own.without_pending() {
            self.committed()
        } else if seen == own.frozen() {
            // A migration leaves it behind: it is published once more, in the successor.
            Ok(self.go_on())
        } else {
            Ok(Pc::Resolve(Resolve::Mark))
        }
    }

    fn committed(&mut self) -> Checked<Pc> {
        debug_assert!(matches!(self.op.what, Do::Insert | Do::Upsert));
        if self.has(Bug::LateFilter) {
            return Ok(Pc::Insert(Insert::LateFilter));
        }
        self.answer(ABSENT)
    }
}
