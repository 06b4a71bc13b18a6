//! The steps of claims, releases and scans.

use super::checker::Checked;
use super::members::{Bug, INDICES, Life, Members, Pc, Slot, State};

impl Members {
    /// A step of a claim; none if the thread is at something else.
    pub(super) fn claim(&self, state: &mut State, me: usize, pc: Pc) -> Checked<Option<Pc>> {
        Ok(Some(match pc {
            Pc::Directory => match state.directory {
                0 => Pc::NewSet,
                set => Pc::Enter { set },
            },
            Pc::NewSet => {
                if state.directory != 0 {
                    return Ok(Some(Pc::Directory));
                }
                let set = state.new_set()?;
                state.directory = set;
                return self.done(state, me, Some(Slot { set, index: 0, bit: 0 })).map(Some);
            }
            Pc::Enter { set } => {
                let entered = state.set(me, set)?;
                if entered.closed && self.has(Bug::WaitForCloser) {
                    return Ok(Some(Pc::Directory));
                }
                if entered.closed && !self.has(Bug::ClaimClosed) {
                    // What refused claims add to a closed word counts nothing.
                    return Ok(Some(Pc::TakeOut { set }));
                }
                entered.live += 1;
                Pc::Hint { set }
            }
            Pc::TakeOut { set } => {
                if state.directory == set {
                    state.directory = 0;
                }
                Pc::Directory
            }
            Pc::Hint { set } => Pc::Top { set, index: state.set(me, set)?.hint },
            Pc::Top { set, index } => {
                if index >= state.set(me, set)?.top {
                    Pc::End { set, index }
                } else {
                    Pc::Pointer { set, index }
                }
            }
            Pc::End { set, index } => {
                // Was room made further down meanwhile?
                let hint = state.set(me, set)?.hint;
                if hint < index { Pc::Top { set, index: hint } } else { Pc::Pointer { set, index } }
            }
            Pc::Pointer { set, index } => match state.pointer(me, set, index)? {
                0 => Pc::RaiseTop { set, index },
                chunk => Pc::Bits { set, index, chunk },
            },
            Pc::RaiseTop { set, index } => {
                let set_ = state.set(me, set)?;
                set_.top = set_.top.max(index + 1);
                Pc::LinkChunk { set, index }
            }
            Pc::LinkChunk { set, index } => {
                if state.pointer(me, set, index)? != 0 {
                    return Ok(Some(Pc::Top { set, index }));
                }
                let chunk = state.new_chunk()?;
                state.set(me, set)?.chunks[usize::from(index)] = chunk;
                return self.done(state, me, Some(Slot { set, index, bit: 0 })).map(Some);
            }
            Pc::Bits { set, index, chunk } => match state.chunk(me, chunk)?.bits {
                seen if seen != self.full() => Pc::Take { set, index, chunk, seen },
                _ if self.has(Bug::UnlinkAny) => Pc::UnlinkFull { set, index, chunk },
                _ => Pc::Raise { set, index },
            },
            Pc::Take { set, index, chunk, seen } => {
                let bit = seen.trailing_ones() as u8;
                let chunk = state.chunk(me, chunk)?;
                if chunk.bits != seen {
                    return Ok(Some(Pc::Top { set, index }));
                }
                chunk.bits |= 1 << bit;
                return self.done(state, me, Some(Slot { set, index, bit })).map(Some);
            }
            Pc::UnlinkFull { set, index, chunk } => {
                let pointer = &mut state.set(me, set)?.chunks[usize::from(index)];
                if *pointer == chunk {
                    *pointer = 0;
                    state.retire_chunk(chunk)?;
                }
                Pc::Top { set, index }
            }
            Pc::Raise { set, index } => {
                let set_ = state.set(me, set)?;
                let raised = set_.hint == index;
                if raised {
                    set_.hint = index + 1;
                }
                if raised && !self.has(Bug::BlindHint) {
                    Pc::LookPointer { set, index }
                } else {
                    Pc::Top { set, index: index + 1 }
                }
            }
            Pc::LookPointer { set, index } => match state.pointer(me, set, index)? {
                0 => Pc::LowerAgain { set, index },
                chunk => Pc::LookBits { set, index, chunk },
            },
            Pc::LookBits { set, index, chunk } => {
                if state.chunk(me, chunk)?.bits == self.full() {
                    Pc::Top { set, index: index + 1 }
                } else {
                    Pc::LowerAgain { set, index }
                }
            }
            Pc::LowerAgain { set, index } => {
                state.lower(me, set, index)?;
                Pc::Top { set, index: index + 1 }
            }
            _ => return Ok(None),
        }))
    }

    /// A step of a release.
    pub(super) fn release(&self, state: &mut State, me: usize, pc: Pc) -> Checked<Pc> {
        Ok(match pc {
            Pc::Find { slot } => match state.pointer(me, slot.set, slot.index)? {
                0 => return Err("a claimed slot has no chunk"),
                chunk => Pc::Clear { slot, chunk },
            },
            Pc::Clear { slot, chunk } => {
                let bits = &mut state.chunk(me, chunk)?.bits;
                *bits &= !(1 << slot.bit);
                if *bits == 0 { Pc::Close { slot, chunk } } else { Pc::Lower { slot } }
            }
            Pc::Close { slot, chunk } => {
                let full = self.full();
                let bits = &mut state.chunk(me, chunk)?.bits;
                if *bits != 0 && !self.has(Bug::CloseByStore) {
                    return Ok(Pc::Lower { slot });
                }
                // A closed chunk looks like a full one: nobody can tell, and nobody need.
                *bits = full;
                Pc::Unlink { slot, chunk }
            }
            Pc::Unlink { slot, chunk } => {
                let pointer = &mut state.set(me, slot.set)?.chunks[usize::from(slot.index)];
                if *pointer != chunk {
                    return Err("a chunk is unlinked by another than its closer");
                }
                *pointer = 0;
                state.retire_chunk(chunk)?;
                Pc::Lower { slot }
            }
            Pc::Lower { slot: Slot { set, index, .. } } => {
                if !self.has(Bug::HintNotLowered) {
                    state.lower(me, set, index)?;
                }
                Pc::GiveUnit { set }
            }
            Pc::GiveUnit { set } => {
                let live = &mut state.set(me, set)?.live;
                *live = live.checked_sub(1).ok_or("a unit is given back twice")?;
                if *live == 0 {
                    return Ok(Pc::CloseSet { set });
                }
                self.done(state, me, None)?
            }
            Pc::CloseSet { set } => {
                let closing = state.set(me, set)?;
                if closing.live != 0 || closing.closed {
                    return self.done(state, me, None);
                }
                closing.closed = true;
                Pc::Leave { set }
            }
            Pc::Leave { set } => {
                if state.directory == set || self.has(Bug::LeaveByStore) {
                    state.directory = 0;
                }
                match &mut state.sets[usize::from(set)].life {
                    life @ Life::Linked => *life = Life::Retired(state.pinned),
                    _ => return Err("a set is retired twice"),
                }
                self.done(state, me, None)?
            }
            _ => return Err("a step that no operation has"),
        })
    }

    /// A step of a scan.
    pub(super) fn scan(&self, state: &mut State, me: usize, pc: Pc) -> Checked<Pc> {
        let (set, index, top) = match pc {
            Pc::ScanTop { set } => {
                let scanned = state.set(me, set)?;
                let top = if self.has(Bug::ScanToHint) { scanned.hint } else { scanned.top };
                (set, 0, top)
            }
            Pc::ScanPointer { set, index, top } => match state.pointer(me, set, index)? {
                0 => (set, index + 1, top),
                chunk => return Ok(Pc::ScanBits { set, index, top, chunk }),
            },
            Pc::ScanBits { set, index, top, chunk } => {
                let bits = state.chunk(me, chunk)?.bits;
                for member in 0..state.threads.len() {
                    let found = state.threads[member].held.is_some_and(|slot| {
                        slot.set == set && slot.index == index && bits >> slot.bit & 1 != 0
                    });
                    state.threads[me].due &= !(u8::from(found) << member);
                }
                (set, index + 1, top)
            }
            _ => return Err("a step that no scan has"),
        };
        if index == top {
            self.done(state, me, None)
        } else {
            Ok(Pc::ScanPointer { set, index, top })
        }
    }
}

impl State {
    fn pointer(&mut self, me: usize, set: u8, index: u8) -> Checked<u8> {
        if usize::from(index) >= INDICES {
            return Err("the model is out of indices");
        }
        Ok(self.set(me, set)?.chunks[usize::from(index)])
    }

    fn lower(&mut self, me: usize, set: u8, index: u8) -> Checked<()> {
        let set = self.set(me, set)?;
        set.hint = set.hint.min(index);
        Ok(())
    }
}
