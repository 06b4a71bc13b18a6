//! Member sets as step machines: claiming and releasing slots, the hint, and closing.
//!
//! One name, sets of one stripe, and a directory that is one word; the index that the directory is in
//! the source has a model of its own.

use std::fmt;

use super::checker::{Checked, Model};

/// Indices of a set's array of chunks.
pub(super) const INDICES: usize = 3;
const SETS: usize = 6;
const CHUNKS: usize = 12;
const THREADS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bug {
    /// Whoever raises the hint does not look again.
    BlindHint,
    /// Whoever gives a slot back does not lower the hint.
    HintNotLowered,
    /// Whoever meets a chunk without room takes it out: it may only be full.
    UnlinkAny,
    /// A chunk is closed by a store, because it was empty a moment ago.
    CloseByStore,
    /// A closed set accepts a claim.
    ClaimClosed,
    /// A set leaves its directory whatever has taken its place.
    LeaveByStore,
    /// A claim that meets a closed set waits until its closer has taken it out.
    WaitForCloser,
    /// A scan looks no further than the hint.
    ScanToHint,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Life {
    Unused,
    Linked,
    Retired(u8),
    Freed,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Chunk {
    pub(super) life: Life,
    pub(super) bits: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Set {
    pub(super) life: Life,
    pub(super) live: u8,
    pub(super) closed: bool,
    pub(super) hint: u8,
    pub(super) top: u8,
    pub(super) chunks: [u8; INDICES],
}

/// A member's place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Slot {
    pub(super) set: u8,
    pub(super) index: u8,
    pub(super) bit: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Pc {
    Begin,
    // A claim.
    Directory,
    NewSet,
    Enter { set: u8 },
    TakeOut { set: u8 },
    Hint { set: u8 },
    Top { set: u8, index: u8 },
    End { set: u8, index: u8 },
    Pointer { set: u8, index: u8 },
    RaiseTop { set: u8, index: u8 },
    LinkChunk { set: u8, index: u8 },
    Bits { set: u8, index: u8, chunk: u8 },
    Take { set: u8, index: u8, chunk: u8, seen: u8 },
    UnlinkFull { set: u8, index: u8, chunk: u8 },
    Raise { set: u8, index: u8 },
    LookPointer { set: u8, index: u8 },
    LookBits { set: u8, index: u8, chunk: u8 },
    LowerAgain { set: u8, index: u8 },
    // A release.
    Find { slot: Slot },
    Clear { slot: Slot, chunk: u8 },
    Close { slot: Slot, chunk: u8 },
    Unlink { slot: Slot, chunk: u8 },
    Lower { slot: Slot },
    GiveUnit { set: u8 },
    CloseSet { set: u8 },
    Leave { set: u8 },
    // A scan.
    ScanTop { set: u8 },
    ScanPointer { set: u8, index: u8, top: u8 },
    ScanBits { set: u8, index: u8, top: u8, chunk: u8 },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Thread {
    done: u8,
    /// What the thread has claimed.
    pub(super) held: Option<Slot>,
    /// Those threads whose members a scan must still find: claimed before it, and still held.
    pub(super) due: u8,
    pc: Pc,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) directory: u8,
    pub(super) sets: [Set; SETS],
    chunks: [Chunk; CHUNKS],
    pub(super) pinned: u8,
    pub(super) threads: [Thread; THREADS],
}

/// A configuration.
pub(crate) struct Members {
    /// Slots of a chunk.
    slots: u8,
    /// A program for each thread: `+` claims, `-` gives back, `?` scans. In front of a `:` is what
    /// the thread has done before the others begin.
    programs: &'static [&'static str],
    bug: Option<Bug>,
}

impl Members {
    pub(crate) fn new(slots: u8, programs: &'static [&'static str]) -> Members {
        Members { slots, programs, bug: None }
    }

    pub(crate) fn with(self, bug: Bug) -> Members {
        Members { bug: Some(bug), ..self }
    }

    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(super) fn full(&self) -> u8 {
        (1 << self.slots) - 1
    }

    fn op(&self, state: &State, thread: usize) -> Option<u8> {
        let done = usize::from(state.threads[thread].done);
        self.programs[thread].bytes().filter(|&op| op != b':').nth(done)
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chunks of {}: {}", self.slots, self.programs.join(" | "))
    }
}

impl Model for Members {
    type State = State;

    fn threads(&self) -> usize {
        self.programs.len()
    }

    fn initial(&self) -> State {
        let set = Set {
            life: Life::Unused,
            live: 0,
            closed: false,
            hint: 0,
            top: 0,
            chunks: [0; INDICES],
        };
        let mut state = State {
            directory: 0,
            sets: [set; SETS],
            chunks: [Chunk { life: Life::Unused, bits: 0 }; CHUNKS],
            pinned: 0,
            threads: [Thread { done: 0, held: None, due: 0, pc: Pc::Begin }; THREADS],
        };
        for (thread, program) in self.programs.iter().enumerate() {
            let before = program.find(':').unwrap_or(0);
            while usize::from(state.threads[thread].done) < before {
                self.step(&mut state, thread, 0).expect("a thread alone does no wrong");
            }
        }
        state
    }

    fn ways(&self, state: &State, thread: usize) -> usize {
        usize::from(self.op(state, thread).is_some())
    }

    fn step(&self, state: &mut State, me: usize, _: usize) -> Checked<()> {
        let next = match state.threads[me].pc {
            Pc::Begin => self.begin(state, me)?,
            pc @ (Pc::ScanTop { .. } | Pc::ScanPointer { .. } | Pc::ScanBits { .. }) => {
                self.scan(state, me, pc)?
            }
            pc => match self.claim(state, me, pc)? {
                Some(next) => next,
                None => self.release(state, me, pc)?,
            },
        };
        state.threads[me].pc = next;
        Ok(())
    }

    fn check(&self, state: &State) -> Checked<()> {
        let held = state.threads.iter().filter_map(|thread| thread.held);
        for (number, slot) in held.clone().enumerate() {
            if held.clone().skip(number + 1).any(|other| other == slot) {
                return Err("a slot has two owners");
            }
            let set = &state.sets[usize::from(slot.set)];
            let chunk = &state.chunks[usize::from(set.chunks[usize::from(slot.index)])];
            let linked = set.life == Life::Linked && chunk.life == Life::Linked;
            if !linked || chunk.bits >> slot.bit & 1 == 0 {
                return Err("a member's slot is not there");
            }
            if state.directory != slot.set {
                return Err("a member's set has left the directory");
            }
        }
        Ok(())
    }

    fn at_rest(&self, state: &State) -> Checked<()> {
        let held = state.threads.iter().filter(|thread| thread.held.is_some()).count();
        let linked = |life: Life| matches!(life, Life::Linked);
        let kept = |life: Life| matches!(life, Life::Linked | Life::Retired(_));
        if state.sets[1..].iter().filter(|set| kept(set.life)).count() != usize::from(held > 0) {
            return Err("a set without members is left, or one is not freed");
        }
        let chunk = |id: u8| state.chunks[usize::from(id)];
        let linked_chunks = state.sets[usize::from(state.directory)].chunks;
        let known = linked_chunks.iter().filter(|&&id| id != 0 && linked(chunk(id).life)).count();
        if held > 0 && state.chunks.iter().filter(|chunk| kept(chunk.life)).count() != known {
            return Err("a chunk is not freed");
        }
        let set = &state.sets[usize::from(state.directory)];
        let room = |&id: &u8| id == 0 || chunk(id).bits != self.full();
        if held > 0 && set.chunks[..usize::from(set.hint)].iter().any(room) {
            return Err("there is room below the hint");
        }
        if held > 0 && usize::from(set.live) != held {
            return Err("a set has lost count of its members");
        }
        Ok(())
    }

    fn describe(&self, state: &State, thread: usize) -> String {
        format!("{:?}", state.threads[thread].pc)
    }
}

impl State {
    pub(super) fn set(&mut self, me: usize, id: u8) -> Checked<&mut Set> {
        match self.sets[usize::from(id)].life {
            Life::Linked => Ok(&mut self.sets[usize::from(id)]),
            Life::Retired(waits) if waits >> me & 1 != 0 => Ok(&mut self.sets[usize::from(id)]),
            _ => Err("I8: a set is touched that was retired before this pin"),
        }
    }

    pub(super) fn chunk(&mut self, me: usize, id: u8) -> Checked<&mut Chunk> {
        match self.chunks[usize::from(id)].life {
            Life::Linked => Ok(&mut self.chunks[usize::from(id)]),
            Life::Retired(waits) if waits >> me & 1 != 0 => Ok(&mut self.chunks[usize::from(id)]),
            _ => Err("I8: a chunk is touched that was retired before this pin"),
        }
    }

    /// A new set with one member.
    pub(super) fn new_set(&mut self) -> Checked<u8> {
        let id = (1..SETS).find(|&id| self.sets[id].life == Life::Unused);
        let id = id.ok_or("the model is out of sets")?;
        let mut chunks = [0; INDICES];
        chunks[0] = self.new_chunk()?;
        self.sets[id] = Set { life: Life::Linked, live: 1, closed: false, hint: 0, top: 1, chunks };
        Ok(id as u8)
    }

    /// A new chunk with one member.
    pub(super) fn new_chunk(&mut self) -> Checked<u8> {
        let id = (1..CHUNKS).find(|&id| self.chunks[id].life == Life::Unused);
        let id = id.ok_or("the model is out of chunks")?;
        self.chunks[id] = Chunk { life: Life::Linked, bits: 1 };
        Ok(id as u8)
    }

    pub(super) fn retire_chunk(&mut self, id: u8) -> Checked<()> {
        match &mut self.chunks[usize::from(id)].life {
            life @ Life::Linked => *life = Life::Retired(self.pinned),
            _ => return Err("a chunk is retired twice"),
        }
        Ok(())
    }

    fn unpin(&mut self, me: usize) -> Checked<()> {
        self.pinned &= !(1 << me);
        let passed = |life: Life| match life {
            Life::Retired(waits) if waits & !(1 << me) == 0 => Life::Freed,
            Life::Retired(waits) => Life::Retired(waits & !(1 << me)),
            life => life,
        };
        for chunk in &mut self.chunks {
            chunk.life = passed(chunk.life);
            chunk.bits = if chunk.life == Life::Freed { 0 } else { chunk.bits };
        }
        for set in 1..SETS {
            let before = self.sets[set].life;
            self.sets[set].life = passed(before);
            if self.sets[set].life == Life::Freed && before != Life::Freed {
                // Whatever is linked in it goes with it.
                for id in std::mem::take(&mut self.sets[set].chunks) {
                    match &mut self.chunks[usize::from(id)].life {
                        _ if id == 0 => {}
                        life @ Life::Linked => *life = Life::Freed,
                        _ => return Err("a chunk is freed twice"),
                    }
                }
            }
        }
        Ok(())
    }
}

impl Members {
    fn begin(&self, state: &mut State, me: usize) -> Checked<Pc> {
        state.pinned |= 1 << me;
        match self.op(state, me) {
            Some(b'+') => Ok(Pc::Directory),
            Some(b'-') => {
                let slot = state.threads[me].held.take().ok_or("nothing to give back")?;
                // Those who scan need not find it any more.
                state.threads.iter_mut().for_each(|thread| thread.due &= !(1 << me));
                Ok(Pc::Find { slot })
            }
            _ => {
                let due = (0..THREADS).filter(|&other| state.threads[other].held.is_some());
                state.threads[me].due = due.fold(0, |due, other| due | 1 << other);
                match state.directory {
                    0 => self.done(state, me, None),
                    set => Ok(Pc::ScanTop { set }),
                }
            }
        }
    }

    pub(super) fn done(&self, state: &mut State, me: usize, claimed: Option<Slot>) -> Checked<Pc> {
        if state.threads[me].due != 0 {
            return Err("a scan has missed a member");
        }
        state.unpin(me)?;
        let thread = &mut state.threads[me];
        thread.done += 1;
        thread.held = claimed.or(thread.held);
        Ok(Pc::Begin)
    }
}
