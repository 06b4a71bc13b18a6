//! Member sets as step machines: claims that go round, releases, scans, and closing.
//!
//! One name, sets of one stripe, and a directory that is one word; the index that the directory is in
//! the source has a model of its own.

use std::fmt;

use super::checker::{Checked, Model};

/// Indices of a set's array of chunks.
pub(super) const INDICES: usize = 5;
const SETS: usize = 6;
const CHUNKS: usize = 16;
const THREADS: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bug {
    /// A chunk is linked before scans are told that there is one more.
    LateTop,
    /// A chunk is linked by a store, because there was none a moment ago.
    LinkByStore,
    /// A bit is set without a look at what has become of the bitmap.
    ClaimBySight,
    /// A member is published before its slot says whose it is.
    LateHash,
    /// A claim goes round its range until there is room.
    StayInRange,
    /// Whoever meets a chunk without room takes it out: it may only be full.
    UnlinkAny,
    /// A chunk that closes looks as if it had room.
    CloseUnmarked,
    /// A chunk is closed by a store, because it was empty a moment ago.
    CloseByStore,
    /// Whoever unlinks the last chunk has scans end before it.
    LowerTop,
    /// A closed set accepts a claim.
    ClaimClosed,
    /// A set leaves its directory whatever has taken its place.
    LeaveByStore,
    /// A claim that meets a closed set waits until its closer has taken it out.
    WaitForCloser,
    /// A scan looks no further than claims go round.
    ScanToRange,
    /// A scan ends where there is no chunk.
    ScanToGap,
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
    /// What the slots say: a thread's number, from 1.
    pub(super) hashes: [u8; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Set {
    pub(super) life: Life,
    pub(super) live: u8,
    pub(super) closed: bool,
    pub(super) cursor: u8,
    pub(super) top: u8,
    pub(super) chunks: [u8; INDICES],
}

/// A member's place: a chunk, by its address, and a bit; and what the head of the chunk says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Slot {
    pub(super) chunk: u8,
    pub(super) bit: u8,
    pub(super) set: u8,
    pub(super) index: u8,
}

impl Slot {
    /// What an entry knows of it, and what a scan compares.
    pub(super) fn place(self) -> (u8, u8) {
        (self.chunk, self.bit)
    }
}

/// A claim on its way round.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Round {
    pub(super) set: u8,
    pub(super) range: u8,
    /// What it has read.
    pub(super) cursor: u8,
    pub(super) looked_at: u8,
}

impl Round {
    pub(super) fn index(self) -> u8 {
        let start = if self.cursor < self.range { self.cursor } else { 0 };
        if self.looked_at < self.range {
            (start + self.looked_at) % self.range
        } else {
            self.looked_at
        }
    }

    pub(super) fn slot(self, chunk: u8, bit: u8) -> Slot {
        Slot { chunk, bit, set: self.set, index: self.index() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Pc {
    Begin,
    // A claim.
    Directory,
    NewSet,
    Enter { set: u8 },
    TakeOut { set: u8 },
    Cursor { set: u8, range: u8 },
    Pointer(Round),
    RaiseTop(Round),
    LinkChunk(Round),
    RaiseLate(Round),
    Bits { round: Round, chunk: u8 },
    Take { round: Round, chunk: u8, seen: u8 },
    UnlinkFull { round: Round, chunk: u8 },
    Hash { round: Round, chunk: u8 },
    MoveCursor(Round),
    Publish,
    HashLate,
    // A release.
    Clear { slot: Slot },
    Close { slot: Slot },
    Unlink { slot: Slot },
    LowerTop { slot: Slot },
    GiveUnit { set: u8 },
    CloseSet { set: u8 },
    Leave { set: u8 },
    // A scan.
    ScanTop { set: u8 },
    ScanPointer { set: u8, index: u8, top: u8 },
    ScanBits { set: u8, index: u8, top: u8, chunk: u8 },
    ScanHash { set: u8, index: u8, top: u8, chunk: u8, bits: u8 },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Thread {
    done: u8,
    /// What the thread has claimed, until it clears the bit.
    pub(super) slot: Option<Slot>,
    /// Whether that is a member's: from its publication until it is unpublished.
    pub(super) public: bool,
    /// Those threads whose members a scan must still find: published before it, and still so.
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
    /// Whether claims go round one chunk alone, so that they often look beyond: nothing but speed
    /// hangs on how many it is.
    narrow: bool,
    bug: Option<Bug>,
}

impl Members {
    pub(crate) fn new(slots: u8, programs: &'static [&'static str]) -> Members {
        Members { slots, programs, narrow: false, bug: None }
    }

    pub(crate) fn narrow(self) -> Members {
        Members { narrow: true, ..self }
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

    /// How many chunks have a quarter more slots than there are members, and at least one more.
    pub(super) fn range(&self, members: u8) -> u8 {
        match self.narrow {
            true => 1,
            false => (members + members / 4 + 1).div_ceil(self.slots),
        }
    }

    fn op(&self, state: &State, thread: usize) -> Option<u8> {
        let done = usize::from(state.threads[thread].done);
        self.programs[thread].bytes().filter(|&op| op != b':').nth(done)
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = if self.narrow { ", a range of one" } else { "" };
        write!(f, "chunks of {}{range}: {}", self.slots, self.programs.join(" | "))
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
            cursor: 0,
            top: 0,
            chunks: [0; INDICES],
        };
        let mut state = State {
            directory: 0,
            sets: [set; SETS],
            chunks: [Chunk { life: Life::Unused, bits: 0, hashes: [0; 2] }; CHUNKS],
            pinned: 0,
            threads: [Thread { done: 0, slot: None, public: false, due: 0, pc: Pc::Begin };
                THREADS],
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
            pc @ (Pc::ScanTop { .. }
            | Pc::ScanPointer { .. }
            | Pc::ScanBits { .. }
            | Pc::ScanHash { .. }) => self.scan(state, me, pc)?,
            pc => match self.claim(state, me, pc)? {
                Some(next) => next,
                None => self.release(state, me, pc)?,
            },
        };
        state.threads[me].pc = next;
        Ok(())
    }

    fn check(&self, state: &State) -> Checked<()> {
        let held = state.threads.iter().filter_map(|thread| thread.slot);
        for (number, slot) in held.clone().enumerate() {
            if held.clone().skip(number + 1).any(|other| other.place() == slot.place()) {
                return Err("a slot has two owners");
            }
            let set = &state.sets[usize::from(slot.set)];
            let chunk = &state.chunks[usize::from(slot.chunk)];
            let linked = set.life == Life::Linked
                && chunk.life == Life::Linked
                && set.chunks[usize::from(slot.index)] == slot.chunk;
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
        let held = state.threads.iter().filter(|thread| thread.slot.is_some()).count();
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
        let in_use = set.chunks.iter().map(|&id| chunk(id).bits.count_ones()).sum::<u32>();
        if held > 0 && in_use as usize != held {
            return Err("a slot is lost");
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

    /// A new set with one member, that of a thread, and the chunk that it is in.
    pub(super) fn new_set(&mut self, me: usize) -> Checked<(u8, u8)> {
        let id = (1..SETS).find(|&id| self.sets[id].life == Life::Unused);
        let id = id.ok_or("the model is out of sets")?;
        let mut chunks = [0; INDICES];
        let chunk = self.new_chunk(me)?;
        chunks[0] = chunk;
        self.sets[id] =
            Set { life: Life::Linked, live: 1, closed: false, cursor: 0, top: 1, chunks };
        Ok((id as u8, chunk))
    }

    /// A new chunk with one member, that of a thread. Memory that was freed is used again first: an
    /// address is to mean another chunk as soon as it may.
    pub(super) fn new_chunk(&mut self, me: usize) -> Checked<u8> {
        let with = |life| (1..CHUNKS).find(|&id| self.chunks[id].life == life);
        let id = with(Life::Freed).or_else(|| with(Life::Unused));
        let id = id.ok_or("the model is out of chunks")?;
        self.chunks[id] = Chunk { life: Life::Linked, bits: 1, hashes: [me as u8 + 1, 0] };
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
            if chunk.life == Life::Freed {
                (chunk.bits, chunk.hashes) = (0, [0; 2]);
            }
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
                let slot = state.threads[me].slot.ok_or("nothing to give back")?;
                state.threads[me].public = false;
                // Those who scan need not find it any more.
                state.threads.iter_mut().for_each(|thread| thread.due &= !(1 << me));
                Ok(Pc::Clear { slot })
            }
            _ => {
                let due = (0..THREADS).filter(|&other| state.threads[other].public);
                state.threads[me].due = due.fold(0, |due, other| due | 1 << other);
                match state.directory {
                    0 => self.done(state, me),
                    set => Ok(Pc::ScanTop { set }),
                }
            }
        }
    }

    pub(super) fn done(&self, state: &mut State, me: usize) -> Checked<Pc> {
        if state.threads[me].due != 0 {
            return Err("a scan has missed a member");
        }
        state.unpin(me)?;
        state.threads[me].done += 1;
        Ok(Pc::Begin)
    }
}
