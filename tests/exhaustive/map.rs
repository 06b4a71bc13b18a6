//! The primary index as step machines: its state, its threads, and what must hold of them.

use std::fmt;

use super::checker::{Checked, Model};
use super::insert::Insert;
use super::linear::{ABSENT, Do, Histories, History, KEYS, Op, REFUSED, THREADS, Value};
use super::locate::Locate;
use super::memory::{Place, Shared};
use super::migrate::Migrate;
use super::read::Read;
use super::resolve::Resolve;
use super::word::{Id, Word};

/// Ways of doing it wrong; each must be found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bug {
    /// A killed entry itself is published again.
    RepublishKilled,
    /// An insert commits at once.
    NoValidation,
    /// A pass begins above its target.
    BlindToLower,
    /// A pass ignores committed entries of the key.
    BlindToCommitted,
    /// A pass leaves rivals at higher positions alone.
    SpareHigher,
    /// A helper commits a rival without a pass of its own for it.
    CommitRivalUnseen,
    /// A helper spins until a rival is done.
    WaitForRival,
    /// `was_committed` is never set.
    NeverMarked,
    /// `was_committed` is set after the swap.
    MarkedLate,
    /// A frozen word of one's own counts as dropped, whether it was committed or not.
    FrozenIsDropped,
    /// A migration moves pending words too.
    MovePending,
    /// MIGRATED is set before the successor is filled.
    MigratedBeforeFill,
    /// The overflow word of a chain is not frozen.
    LinkNotFrozen,
    /// A migration leaves vacant slots as they are,
    VacantNotFrozen,
    /// or committed words.
    CommittedNotFrozen,
    /// A writer goes on in the successor without a look at its chain.
    NoHelp,
    /// A reader stays in the old table.
    ReaderIgnoresMigrated,
    /// A reader returns what is pending.
    ReaderTakesPending,
    /// A reader looks for MIGRATED only after its pass over the slots.
    ReaderLooksLate,
    /// A glance takes a frozen word without a look whether the chain is MIGRATED.
    NoSecondLook,
    /// An entry is retired before its word is swapped.
    RetireBeforeUnlink,
    /// What was unlinked is freed at once, epoch or not.
    FreedAtOnce,
    /// A key passes the filter only after its commit.
    LateFilter,
    /// A migration leaves the filters of the successor as they are.
    EmptyFilter,
    /// A chain is MIGRATED while its filter lets only those pass that were in it.
    OpenFilter,
}

/// A configuration: what is there, and who does what.
pub(crate) struct Map {
    start: &'static str,
    text: &'static [&'static str],
    programs: Vec<Vec<Op>>,
    /// Whether some thread starts a migration. If none does, the root and the successor are
    /// constants, and loading them is not worth a step.
    grows: bool,
    /// Chains of the successor: one, or two that keys are dealt out to.
    pub(crate) targets: u8,
    pub(crate) bug: Option<Bug>,
    pub(crate) histories: Histories,
}

/// All there is to know at one moment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) shared: Shared,
    threads: [Thread; THREADS],
    history: History,
}

/// What a thread knows besides what its next step is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Thread {
    /// Operations of its program that are done.
    done: u8,
    pub(crate) stage: Stage,
    /// The table it works in.
    pub(crate) table: u8,
    /// The entry it wants to publish.
    pub(crate) entry: Id,
    /// Whether that entry has ever been published.
    pub(crate) seen: bool,
    /// Where it was published last.
    pub(crate) at: u8,
    pc: Pc,
}

const IDLE: Thread =
    Thread { done: 0, stage: Stage::Locate, table: 0, entry: 0, seen: false, at: 0, pc: Pc::Begin };

/// Which loop over tables a writer is in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Stage {
    Locate,
    Insert,
    Grow,
}

/// The next step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Pc {
    /// Pin, and load the root: an operation is called.
    Begin,
    /// Load the root again.
    Root,
    /// Load the table's successor.
    Successor,
    Read(Read),
    Locate(Locate),
    Insert(Insert),
    Resolve(Resolve),
    Migrate(Migrate),
}

/// A thread at work: all machines are written in terms of this.
pub(crate) struct Turn<'a> {
    pub(crate) map: &'a Map,
    pub(crate) state: &'a mut State,
    pub(crate) me: usize,
    pub(crate) op: Op,
}

impl Map {
    /// `start` as in [`Shared::start`]; a program is operations with commas between them, such as
    /// `insert a, remove a`, or `grow`.
    pub(crate) fn new(start: &'static str, text: &'static [&'static str]) -> Map {
        let op = |thread: usize, (number, text): (usize, &str)| {
            let (what, key) = text.trim().split_once(' ').unwrap_or((text.trim(), "a"));
            let what = match what {
                "lookup" => Do::Lookup,
                "insert" => Do::Insert,
                "upsert" => Do::Upsert,
                "replace" => Do::Replace,
                "remove" => Do::Remove,
                "grow" => Do::Grow,
                _ => unreachable!("no such operation: {what}"),
            };
            let value = (1 + thread * 8 + number) as Value;
            Op { what, key: key.as_bytes()[0] - b'a', value }
        };
        let program = |(thread, text): (usize, &&str)| -> Vec<Op> {
            text.split(',').enumerate().map(|numbered| op(thread, numbered)).collect()
        };
        let programs: Vec<Vec<Op>> = text.iter().enumerate().map(program).collect();
        let grows = programs.iter().flatten().any(|op| op.what == Do::Grow);
        let histories = Histories::default();
        Map { start, text, programs, grows, targets: 1, bug: None, histories }
    }

    /// The same with a successor of two chains.
    pub(crate) fn split(self) -> Map {
        Map { targets: 2, ..self }
    }

    /// The same with a bug.
    pub(crate) fn with(self, bug: Bug) -> Map {
        Map { bug: Some(bug), ..self }
    }

    fn op(&self, state: &State, thread: usize) -> Option<Op> {
        self.programs.get(thread)?.get(usize::from(state.threads[thread].done)).copied()
    }

    /// Which chain of a table a key is in.
    pub(crate) fn chain(&self, table: u8, key: u8) -> u8 {
        if table == 0 { 0 } else { key % self.targets }
    }

    /// What the map holds: the chains that a lookup would read now.
    fn contents(&self, state: &State) -> Checked<[Value; KEYS]> {
        let mut map = [ABSENT; KEYS];
        let (table, chains) = if state.shared.is_migrated() { (1, self.targets) } else { (0, 1) };
        for id in (0..chains).flat_map(|chain| state.shared.committed(table, chain)) {
            let (key, value) = state.shared.live(id).ok_or("a current entry is retired")?;
            let place = &mut map[usize::from(key)];
            if *place != ABSENT {
                return Err("I1: a key is committed twice");
            }
            *place = value;
        }
        Ok(map)
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chains = if self.grows { format!(" → {}", self.targets) } else { String::new() };
        write!(f, "{}{chains}: {}", self.start, self.text.join(" | "))
    }
}

impl Model for Map {
    type State = State;

    fn threads(&self) -> usize {
        self.programs.len()
    }

    fn initial(&self) -> State {
        let mut map = [ABSENT; KEYS];
        for key in (0..KEYS as u8).filter(|key| self.start.as_bytes().contains(&(b'a' + key))) {
            map[usize::from(key)] = Shared::first_value(key);
        }
        let history = self.histories.start(map);
        State { shared: Shared::start(self.start), threads: [IDLE; THREADS], history }
    }

    fn ways(&self, state: &State, thread: usize) -> usize {
        if self.op(state, thread).is_none() {
            return 0;
        }
        match &state.threads[thread].pc {
            Pc::Insert(insert) => insert.ways(),
            // Whether the chains of other keys are migrated by now is anybody's guess.
            Pc::Migrate(Migrate::Promote) => 2,
            _ => 1,
        }
    }

    fn step(&self, state: &mut State, me: usize, way: usize) -> Checked<()> {
        let op = self.op(state, me).ok_or("a thread without an operation takes a step")?;
        let pc = state.threads[me].pc;
        let mut turn = Turn { map: self, state, me, op };
        let next = match pc {
            Pc::Begin => turn.begin()?,
            Pc::Root => turn.root(),
            Pc::Successor => turn.successor(),
            Pc::Read(read) => turn.read(read)?,
            Pc::Locate(locate) => turn.locate(locate)?,
            Pc::Insert(insert) => turn.insert(insert, way)?,
            Pc::Resolve(resolve) => turn.resolve(resolve)?,
            Pc::Migrate(migrate) => turn.migrate(migrate, way)?,
        };
        state.threads[me].pc = next;
        Ok(())
    }

    fn check(&self, state: &State) -> Checked<()> {
        let shared = &state.shared;
        let filled = |chain| {
            let moved =
                shared.committed(0, 0).filter(|&id| self.chain(1, shared.key_at_rest(id)) == chain);
            shared.is_filled(1, chain, moved.count())
        };
        if shared.is_migrated() && !(0..self.targets).all(filled) {
            return Err("I4: MIGRATED before the successor was filled");
        }
        self.contents(state).map(drop)
    }

    fn at_rest(&self, state: &State) -> Checked<()> {
        let map = self.contents(state)?;
        if !self.histories.ends_with(state.history, map) {
            return Err("the map does not hold what the operations made of it");
        }
        if state.shared.kept() != map.iter().filter(|&&value| value != ABSENT).count() {
            return Err("an entry leaks");
        }
        Ok(())
    }

    fn describe(&self, state: &State, thread: usize) -> String {
        let Thread { pc, entry, at, .. } = state.threads[thread];
        let what = self.op(state, thread).map(|op| op.what);
        format!("{what:?} {pc:?}, own entry {entry} at {at}")
    }
}

impl Turn<'_> {
    pub(crate) fn thread(&mut self) -> &mut Thread {
        &mut self.state.threads[self.me]
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.map.bug == Some(bug)
    }

    /// A place in the chain of the operation's key, in the table it works in.
    pub(crate) fn place(&mut self, at: u8) -> Place {
        let table = self.thread().table;
        Place { table, chain: self.map.chain(table, self.op.key), at }
    }

    /// Whether an entry that was met in a slot is of the operation's key.
    pub(crate) fn is_mine(&self, word: Word) -> Checked<bool> {
        Ok(word.is_element() && self.state.shared.key(self.me, word.entry())? == self.op.key)
    }

    /// A writer's compare-and-swap.
    pub(crate) fn swap(&mut self, at: u8, from: Word, to: Word) -> Checked<Result<(), Word>> {
        let place = self.place(at);
        if place.table == 1 && !self.state.shared.is_migrated() {
            return Err("I5: a writer works in the successor of a chain that is not MIGRATED");
        }
        self.state.shared.swap(self.me, place, from, to)
    }

    /// The beginning of an operation. Its draft is written before it is called, as in the source;
    /// nobody can tell that from here.
    fn begin(&mut self) -> Checked<Pc> {
        self.state.shared.pin(self.me);
        self.state.history = self.map.histories.call(self.state.history, self.me);
        if matches!(self.op.what, Do::Insert | Do::Upsert | Do::Replace) {
            self.draft()?;
        }
        self.thread().stage = match self.op.what {
            Do::Insert => Stage::Insert,
            Do::Grow => Stage::Grow,
            _ => Stage::Locate,
        };
        if self.op.what == Do::Grow {
            self.state.shared.grown = true;
            return Ok(Pc::Migrate(Migrate::Head));
        }
        Ok(self.root())
    }

    fn root(&mut self) -> Pc {
        self.thread().table = self.state.shared.root;
        if self.op.what == Do::Lookup { Pc::Read(Read::Filter) } else { self.go_on() }
    }

    /// The top of a writer's loop over the tables.
    pub(crate) fn go_on(&mut self) -> Pc {
        // The last table has no successor in this model.
        if self.map.grows && self.thread().table == 0 { Pc::Successor } else { self.enter() }
    }

    fn successor(&mut self) -> Pc {
        if self.state.shared.grown { Pc::Migrate(Migrate::Head) } else { self.enter() }
    }

    /// To the chain in the table the thread is in.
    fn enter(&mut self) -> Pc {
        match self.thread().stage {
            Stage::Locate => Pc::Locate(Locate::Link { at: 0 }),
            _ => Pc::Insert(Insert::scan()),
        }
    }

    /// Looks for the key once more, from the root on.
    pub(crate) fn again(&mut self, stage: Stage) -> Pc {
        self.thread().stage = stage;
        if self.map.grows { Pc::Root } else { self.root() }
    }

    /// A newly allocated entry with the operation's value.
    pub(crate) fn draft(&mut self) -> Checked<()> {
        let entry = self.state.shared.allocate(self.me, self.op.key, self.op.value)?;
        let thread = self.thread();
        (thread.entry, thread.seen) = (entry, false);
        Ok(())
    }

    /// Takes the value out of an entry that was published and not committed, which goes.
    pub(crate) fn salvage(&mut self) -> Checked<()> {
        let entry = self.thread().entry;
        self.state.shared.hollow(entry);
        self.state.shared.retire(entry)
    }

    /// The draft is not wanted: an insert is refused, an upsert looks again.
    pub(crate) fn take_back(&mut self) -> Checked<Pc> {
        let Thread { entry, seen, .. } = *self.thread();
        if seen {
            self.salvage()?;
        }
        if self.op.what == Do::Upsert {
            if seen {
                self.draft()?;
            }
            return Ok(self.again(Stage::Locate));
        }
        if !seen {
            self.state.shared.discard(entry)?;
        }
        self.answer(REFUSED)
    }

    /// The end of an operation.
    pub(crate) fn answer(&mut self, value: Value) -> Checked<Pc> {
        self.state.shared.unpin(self.me);
        let open = std::array::from_fn(|thread| self.map.op(self.state, thread));
        self.state.history = self
            .map
            .histories
            .answer(self.state.history, self.me, value, open)
            .ok_or("no order of the operations explains what they answered")?;
        let thread = self.thread();
        *thread = Thread { done: thread.done + 1, ..IDLE };
        Ok(Pc::Begin)
    }
}
