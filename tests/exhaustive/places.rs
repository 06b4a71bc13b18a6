//! The steps of claims, releases and scans.

use super::checker::Checked;
use super::members::{Bug, INDICES, Life, Members, Pc, Round, Slot, State};

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
                let (set, chunk) = state.new_set(me)?;
                state.directory = set;
                state.threads[me].slot = Some(Slot { chunk, bit: 0, set, index: 0 });
                Pc::Publish
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
                Pc::Cursor { set, range: self.range(entered.live) }
            }
            Pc::TakeOut { set } => {
                if state.directory == set {
                    state.directory = 0;
                }
                Pc::Directory
            }
            Pc::Cursor { set, range } => {
                let cursor = state.set(me, set)?.cursor;
                Pc::Pointer(Round { set, range, cursor, looked_at: 0 })
            }
            Pc::Pointer(round) => match state.pointer(me, round.set, round.index())? {
                0 if self.has(Bug::LateTop) => Pc::LinkChunk(round),
                0 => Pc::RaiseTop(round),
                chunk => Pc::Bits { round, chunk },
            },
            Pc::RaiseTop(round) | Pc::RaiseLate(round) => {
                let set = state.set(me, round.set)?;
                set.top = set.top.max(round.index() + 1);
                match pc {
                    Pc::RaiseTop(_) => Pc::LinkChunk(round),
                    _ => self.claimed(round),
                }
            }
            Pc::LinkChunk(round) => {
                let there = state.pointer(me, round.set, round.index())?;
                if there != 0 && !self.has(Bug::LinkByStore) {
                    return Ok(Some(Pc::Pointer(round)));
                }
                let chunk = state.new_chunk(me)?;
                state.set(me, round.set)?.chunks[usize::from(round.index())] = chunk;
                state.threads[me].slot = Some(round.slot(chunk, 0));
                if self.has(Bug::LateTop) { Pc::RaiseLate(round) } else { self.claimed(round) }
            }
            Pc::Bits { round, chunk } => match state.chunk(me, chunk)?.bits {
                seen if seen != self.full() => Pc::Take { round, chunk, seen },
                _ if self.has(Bug::UnlinkAny) => Pc::UnlinkFull { round, chunk },
                _ => Pc::Pointer(self.next(round)),
            },
            Pc::Take { round, chunk, seen } => {
                let bit = seen.trailing_ones() as u8;
                let taken = state.chunk(me, chunk)?;
                if taken.bits != seen && !self.has(Bug::ClaimBySight) {
                    return Ok(Some(Pc::Pointer(round)));
                }
                taken.bits |= 1 << bit;
                state.threads[me].slot = Some(round.slot(chunk, bit));
                match self.has(Bug::LateHash) {
                    true => self.claimed(round),
                    false => Pc::Hash { round, chunk },
                }
            }
            Pc::UnlinkFull { round, chunk } => {
                let pointer = &mut state.set(me, round.set)?.chunks[usize::from(round.index())];
                if *pointer == chunk {
                    *pointer = 0;
                    state.retire_chunk(chunk)?;
                }
                Pc::Pointer(round)
            }
            Pc::Hash { round, chunk } => {
                self.write_hash(state, me, chunk)?;
                self.claimed(round)
            }
            Pc::MoveCursor(round) => {
                state.set(me, round.set)?.cursor = round.index();
                Pc::Publish
            }
            Pc::Publish => {
                state.threads[me].public = true;
                if self.has(Bug::LateHash) {
                    return Ok(Some(Pc::HashLate));
                }
                self.done(state, me)?
            }
            Pc::HashLate => {
                let slot = state.threads[me].slot.ok_or("nothing was claimed")?;
                self.write_hash(state, me, slot.chunk)?;
                self.done(state, me)?
            }
            _ => return Ok(None),
        }))
    }

    /// What comes after a claimed slot is written.
    fn claimed(&self, round: Round) -> Pc {
        if round.index() == round.cursor { Pc::Publish } else { Pc::MoveCursor(round) }
    }

    /// The next chunk to look at.
    fn next(&self, round: Round) -> Round {
        let looked_at = round.looked_at + 1;
        let again = self.has(Bug::StayInRange) && looked_at == round.range;
        Round { looked_at: if again { 0 } else { looked_at }, ..round }
    }

    fn write_hash(&self, state: &mut State, me: usize, chunk: u8) -> Checked<()> {
        let slot = state.threads[me].slot.ok_or("nothing was claimed")?;
        state.chunk(me, chunk)?.hashes[usize::from(slot.bit)] = me as u8 + 1;
        Ok(())
    }

    /// A step of a release.
    pub(super) fn release(&self, state: &mut State, me: usize, pc: Pc) -> Checked<Pc> {
        Ok(match pc {
            Pc::Clear { slot } => {
                let bits = &mut state.chunk(me, slot.chunk)?.bits;
                *bits &= !(1 << slot.bit);
                let empty = *bits == 0;
                state.threads[me].slot = None;
                match empty {
                    true => Pc::Close { slot },
                    false => Pc::GiveUnit { set: slot.set },
                }
            }
            Pc::Close { slot } => {
                let full = self.full();
                let bits = &mut state.chunk(me, slot.chunk)?.bits;
                if *bits != 0 && !self.has(Bug::CloseByStore) {
                    return Ok(Pc::GiveUnit { set: slot.set });
                }
                // A closed chunk looks like a full one: nobody can tell, and nobody need.
                if !self.has(Bug::CloseUnmarked) {
                    *bits = full;
                }
                Pc::Unlink { slot }
            }
            Pc::Unlink { slot } => {
                let pointer = &mut state.set(me, slot.set)?.chunks[usize::from(slot.index)];
                if *pointer != slot.chunk {
                    return Err("a chunk is unlinked by another than its closer");
                }
                *pointer = 0;
                state.retire_chunk(slot.chunk)?;
                match self.has(Bug::LowerTop) {
                    true => Pc::LowerTop { slot },
                    false => Pc::GiveUnit { set: slot.set },
                }
            }
            Pc::LowerTop { slot: Slot { set, index, .. } } => {
                let top = &mut state.set(me, set)?.top;
                if *top == index + 1 {
                    *top = index;
                }
                Pc::GiveUnit { set }
            }
            Pc::GiveUnit { set } => {
                let live = &mut state.set(me, set)?.live;
                *live = live.checked_sub(1).ok_or("a unit is given back twice")?;
                if *live == 0 {
                    return Ok(Pc::CloseSet { set });
                }
                self.done(state, me)?
            }
            Pc::CloseSet { set } => {
                let closing = state.set(me, set)?;
                if closing.live != 0 || closing.closed {
                    return self.done(state, me);
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
                self.done(state, me)?
            }
            _ => return Err("a step that no operation has"),
        })
    }

    /// A step of a scan.
    pub(super) fn scan(&self, state: &mut State, me: usize, pc: Pc) -> Checked<Pc> {
        let (set, index, top) = match pc {
            Pc::ScanTop { set } => {
                let scanned = state.set(me, set)?;
                match self.has(Bug::ScanToRange) {
                    true => (set, 0, scanned.top.min(self.range(scanned.live))),
                    false => (set, 0, scanned.top),
                }
            }
            Pc::ScanPointer { set, index, top } => match state.pointer(me, set, index)? {
                0 if self.has(Bug::ScanToGap) => (set, top, top),
                0 => (set, index + 1, top),
                chunk => return Ok(Pc::ScanBits { set, index, top, chunk }),
            },
            Pc::ScanBits { set, index, top, chunk } => match state.chunk(me, chunk)?.bits {
                0 => (set, index + 1, top),
                bits => return Ok(Pc::ScanHash { set, index, top, chunk, bits }),
            },
            Pc::ScanHash { set, index, top, chunk, bits } => {
                let bit = bits.trailing_zeros() as u8;
                let hash = state.chunk(me, chunk)?.hashes[usize::from(bit)];
                // The probe of the primary index: is this that member's slot?
                if let Some(member) = hash.checked_sub(1) {
                    let thread = &state.threads[usize::from(member)];
                    let place = thread.slot.map(Slot::place);
                    let found = thread.public && place == Some((chunk, bit));
                    state.threads[me].due &= !(u8::from(found) << member);
                }
                match bits & (bits - 1) {
                    0 => (set, index + 1, top),
                    bits => return Ok(Pc::ScanHash { set, index, top, chunk, bits }),
                }
            }
            _ => return Err("a step that no scan has"),
        };
        if index == top { self.done(state, me) } else { Ok(Pc::ScanPointer { set, index, top }) }
    }
}

impl State {
    fn pointer(&mut self, me: usize, set: u8, index: u8) -> Checked<u8> {
        if usize::from(index) >= INDICES {
            return Err("the model is out of indices");
        }
        Ok(self.set(me, set)?.chunks[usize::from(index)])
    }
}
