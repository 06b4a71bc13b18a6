//! A lookup: a glance at the first bucket of the root's chain, which needs no licence as long as it meets no
//! frozen word, and then, if that does not settle it, the whole in the right order.
//!
//! The source first looks which slots are worth a load. That may only find what is there, and needs no
//! licence for it, so it is left out here.

use super::checker::Checked;
use super::linear::ABSENT;
use super::map::{Bug, Pc, Turn};
use super::memory::SLOTS;
use super::word::Word;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Read {
    /// Load the filter of the chain.
    Filter,
    /// Load a slot of the first bucket.
    Glance { at: u8 },
    /// Load the overflow word of the first bucket, for what its slots did not hold,
    GlanceLink,
    /// or for one that was frozen.
    Flagged { word: Word },
    /// Load the overflow word of the bucket that begins there: before its slots.
    Link { at: u8 },
    /// Load a slot; `more` says whether another bucket follows this one.
    Slot { at: u8, more: bool },
    /// Look for MIGRATED at the end, which is too late.
    Late,
}

impl Turn<'_> {
    pub(crate) fn read(&mut self, read: Read) -> Checked<Pc> {
        match read {
            Read::Filter => {
                // What does not pass now is not there now, and the chain is not MIGRATED.
                let place = self.place(0);
                if !self.state.shared.passes(self.me, place, self.op.key)? {
                    return self.answer(ABSENT);
                }
                Ok(Pc::Read(Read::Glance { at: 0 }))
            }
            Read::Glance { at } => {
                let place = self.place(at);
                let word = self.state.shared.load(self.me, place)?;
                if word.is_committed() && word.is_frozen() && !self.has(Bug::NoSecondLook) {
                    if self.is_promising(word) {
                        return Ok(Pc::Read(Read::Flagged { word }));
                    }
                } else if (word.is_committed() || self.has(Bug::ReaderTakesPending))
                    && self.is_mine(word)?
                {
                    // Not frozen: so the chain is not MIGRATED, and this is the current entry.
                    let value = self.state.shared.value(word.entry())?;
                    return self.answer(value);
                }
                let at = at + 1;
                let more = usize::from(at) < SLOTS;
                Ok(Pc::Read(if more { Read::Glance { at } } else { Read::GlanceLink }))
            }
            Read::GlanceLink => {
                let place = self.place(0);
                let link = self.state.shared.link(self.me, place)?;
                // Not MIGRATED now, so neither while the slots were read.
                let moved = link.is_migrated() && !self.has(Bug::ReaderIgnoresMigrated);
                if moved || link.next().is_some() {
                    return Ok(Pc::Read(Read::Link { at: 0 }));
                }
                self.answer(ABSENT)
            }
            Read::Flagged { word } => {
                let place = self.place(0);
                let link = self.state.shared.link(self.me, place)?;
                let moved = link.is_migrated() && !self.has(Bug::ReaderIgnoresMigrated);
                // Not MIGRATED now, so what was frozen then is current.
                if !moved && self.is_mine(word)? {
                    let value = self.state.shared.value(word.entry())?;
                    return self.answer(value);
                }
                Ok(Pc::Read(Read::Link { at: 0 }))
            }
            Read::Link { at } => {
                let place = self.place(at);
                let link = self.state.shared.link(self.me, place)?;
                // Not MIGRATED: whatever becomes of the chain from here on, a key that is in the
                // map now leaves its slot by removal only.
                let ignored =
                    self.has(Bug::ReaderIgnoresMigrated) || self.has(Bug::ReaderLooksLate);
                if at == 0 && link.is_migrated() && !ignored {
                    self.thread().table = 1;
                    return Ok(Pc::Read(Read::Link { at: 0 }));
                }
                Ok(Pc::Read(Read::Slot { at, more: link.next().is_some() }))
            }
            Read::Slot { at, more } => {
                let place = self.place(at);
                let word = self.state.shared.load(self.me, place)?;
                if (word.is_committed() || self.has(Bug::ReaderTakesPending))
                    && self.is_mine(word)?
                {
                    let value = self.state.shared.value(word.entry())?;
                    return self.answer(value);
                }
                let at = at + 1;
                if usize::from(at) % SLOTS != 0 {
                    Ok(Pc::Read(Read::Slot { at, more }))
                } else if more {
                    Ok(Pc::Read(Read::Link { at }))
                } else if self.has(Bug::ReaderLooksLate) && self.thread().table == 0 {
                    Ok(Pc::Read(Read::Late))
                } else {
                    self.answer(ABSENT)
                }
            }
            Read::Late => {
                let place = self.place(0);
                if !self.state.shared.link(self.me, place)?.is_migrated() {
                    return self.answer(ABSENT);
                }
                self.thread().table = 1;
                Ok(Pc::Read(Read::Link { at: 0 }))
            }
        }
    }

    /// Whether the fingerprint of a word may be that of the key: it is in the word, whatever has become of the
    /// entry.
    fn is_promising(&self, word: Word) -> bool {
        self.state.shared.key(self.me, word.entry()).map_or(true, |key| key == self.op.key)
    }
}
