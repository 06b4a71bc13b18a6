//! What writes begin with, and how they replace and remove.

use super::checker::Checked;
use super::linear::{ABSENT, Do};
use super::map::{Bug, Pc, Stage, Turn};
use super::memory::SLOTS;
use super::word::Word;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Locate {
    /// Load the overflow word of the bucket that begins there: before its slots.
    Link { at: u8 },
    /// Load a slot; `more` says whether another bucket follows this one.
    Slot { at: u8, more: bool },
    /// Mark the entry found as `was_committed`.
    Mark { at: u8, word: Word },
    /// Put the draft into its place, or nothing.
    Swap { at: u8, word: Word },
    /// Mark the entry that is gone, which is too late.
    Late { entry: u8 },
}

impl Turn<'_> {
    pub(crate) fn locate(&mut self, locate: Locate) -> Checked<Pc> {
        match locate {
            Locate::Link { at } => {
                let place = self.place(at);
                let link = self.state.shared.link(self.me, place)?;
                if link.is_frozen() || link.is_migrated() {
                    return Ok(self.go_on());
                }
                Ok(Pc::Locate(Locate::Slot { at, more: link.next().is_some() }))
            }
            Locate::Slot { at, more } => {
                let place = self.place(at);
                let word = self.state.shared.load(self.me, place)?;
                if word.is_committed() && self.is_mine(word)? {
                    if word.is_frozen() {
                        return Ok(self.go_on());
                    }
                    return Ok(Pc::Locate(Locate::Mark { at, word }));
                }
                let at = at + 1;
                if usize::from(at) % SLOTS != 0 {
                    Ok(Pc::Locate(Locate::Slot { at, more }))
                } else if more {
                    Ok(Pc::Locate(Locate::Link { at }))
                } else {
                    self.miss()
                }
            }
            Locate::Mark { at, word } => {
                if !self.has(Bug::NeverMarked) && !self.has(Bug::MarkedLate) {
                    self.state.shared.mark(word.entry());
                }
                if self.has(Bug::RetireBeforeUnlink) {
                    self.state.shared.retire(word.entry())?;
                }
                Ok(Pc::Locate(Locate::Swap { at, word }))
            }
            Locate::Swap { at, word } => {
                let removal = self.op.what == Do::Remove;
                let new = if removal { Word::EMPTY } else { Word::committed(self.thread().entry) };
                if self.swap(at, word, new)?.is_err() {
                    return Ok(self.again(Stage::Locate));
                }
                if self.has(Bug::MarkedLate) {
                    return Ok(Pc::Locate(Locate::Late { entry: word.entry() }));
                }
                self.unlinked(word.entry())
            }
            Locate::Late { entry } => {
                self.state.shared.mark(entry);
                self.unlinked(entry)
            }
        }
    }

    /// The key is absent.
    fn miss(&mut self) -> Checked<Pc> {
        match self.op.what {
            Do::Upsert => Ok(self.again(Stage::Insert)),
            Do::Replace => {
                let entry = self.thread().entry;
                self.state.shared.discard(entry)?;
                self.answer(ABSENT)
            }
            _ => self.answer(ABSENT),
        }
    }

    /// The end of a replace or a removal: whoever has unlinked an entry retires it.
    fn unlinked(&mut self, entry: u8) -> Checked<Pc> {
        // Its value was never taken back: it was committed.
        let value = self.state.shared.value(entry)?;
        if self.has(Bug::FreedAtOnce) {
            self.state.shared.free(entry);
        } else if !self.has(Bug::RetireBeforeUnlink) {
            self.state.shared.retire(entry)?;
        }
        self.answer(value)
    }
}
