//! The sequential specification: what one step does to one id, written from the rules.
//!
//! A step that could do this or that leads to a **set** of states; so whatever the registry may do
//! and does not tell (who looked at a deadline when) is followed up in all its ways at once.
//!
//! # Deadlines
//!
//! The time is part of the state, and `Advance` a step. A read that saw an entry saw it at an
//! instant before its deadline. One that saw none, though there is one, saw it at an instant after
//! the deadline. That is strict. The one relaxation is about writes that made something of an
//! entry: they may take effect after its deadline, provided that they began before it, for then they
//! may have looked at the clock in time. Reads in between have answered "absent", and overlap such
//! a write of necessity: they began after the deadline, it began before and ends after them.
//!
//! A deadline is a time to live added to what the clock said at some instant of the call. Until
//! somebody sees the deadline it is a range, which every answer narrows.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use smallvec::SmallVec;
use todc_utils::specifications::Specification;

use crate::value::{Bindings, Life, NEVER, NODES, Seen, Tags, Wish, data};

/// How many seconds a tombstone lasts.
pub(crate) const GRACE: u64 = 2;

/// Which entries a read is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    Any,
    Live,
    Tagged(Tags),
    On(u8),
}

impl Query {
    fn admits(self, row: &Row) -> bool {
        match self {
            Self::Any => true,
            Self::Live => !row.bindings.is_empty(),
            Self::Tagged(tags) => !row.bindings.is_empty() && row.tags.has_all(tags),
            Self::On(node) => row.bindings.pid_on(node).is_some(),
        }
    }
}

/// A change that an update makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    Spec(u32),
    Bind(u8, u32),
    Unbind(u8),
    UnbindAll,
    AddTag(u8),
    RemoveTag(u8),
    Ttl(u64),
    MakePermanent,
}

/// What the hooks told of a write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It came without hooks.
    Unasked,
    Nothing,
    /// The bindings, incarnation and version of the event.
    Event(Bindings, (u64, u64)),
}

impl Told {
    /// Whether this is what is told of a write that made `row`, if `news` are its bindings.
    fn of(&self, news: Bindings, row: &mut Row) -> bool {
        match self {
            Self::Unasked => true,
            Self::Nothing => news.is_empty(),
            Self::Event(bindings, stamp) => {
                *bindings == news && !news.is_empty() && row.stamped(*stamp)
            }
        }
    }
}

/// What happened to an id in one atomic step.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The time went on.
    Advance(u64),
    /// An entry like this was there, and is what was asked for.
    See(Query, Seen),
    /// Nothing was there that was asked for. Changes nothing.
    Miss(Query),
    /// A write found nothing there. It has swept what had expired, so that nobody revives it.
    Void,
    /// An unconditional write replaced what was seen, or found nothing.
    Replace { before: Option<Seen>, wish: Wish, after: Seen },
    /// A write found the id free, or with an empty entry.
    Claim { wish: Wish, after: Seen },
    /// What was seen was removed.
    Take(Seen),
    /// What was seen, a live entry, was edited.
    Change { seen: Seen, edits: SmallVec<[Edit; 2]>, after: Seen },
    /// What was seen, a live entry, was replaced within its incarnation.
    Carry { seen: Seen, wish: Wish, after: Seen },
    /// A child was merged in.
    Merge(Wish, Told),
    /// The bindings to a set of nodes were taken away.
    Unbind(u8, Told),
    /// The binding to a node was taken away, and the entry with its last.
    Evict(u8),
    /// What was seen in an earlier step of the call was removed, if it was still there.
    RemoveThat(Seen),
    /// What was there was removed, or had come too late for that: which of the two is not told.
    Clear,
    /// An expired entry like this was swept.
    Sweep(Seen),
    /// There was no expired entry to sweep.
    NoSweep,
}

/// One step of one call.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    /// What the clock said after the beginning and before the end of the call.
    pub(crate) clock: (u64, u64),
    /// The marks of the steps of the call that come before this, and its own.
    pub(crate) needs: u64,
    pub(crate) gives: u64,
}

/// An entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    spec: u32,
    data: u32,
    bindings: Bindings,
    tags: Tags,
    /// The earliest and the latest that the deadline can be.
    due: (u64, u64),
    /// 0 as long as nobody has seen it.
    incarnation: u64,
    /// That of the entry whose place this one has taken, as far as known.
    floor: u64,
    version: u64,
}

impl Row {
    /// The first version of a new incarnation, put into the place of another entry or of none.
    fn fresh(wish: &Wish, (from, now): (u64, u64), place: Option<Self>) -> Self {
        Self {
            spec: wish.serial,
            data: data(wish.serial),
            bindings: wish.bindings,
            tags: wish.tags,
            due: match wish.life {
                Life::Unsaid => (NEVER, NEVER),
                Life::For(ttl) => (from + ttl, now + ttl),
            },
            incarnation: 0,
            floor: place.map_or(0, |old| old.incarnation.max(old.floor)),
            version: 1,
        }
    }

    /// The same, if it is there later than `time`.
    fn outlasting(mut self, time: u64) -> Option<Self> {
        self.due.0 = self.due.0.max(time + 1);
        (self.due.0 <= self.due.1).then_some(self)
    }

    /// The same, if it has expired at `time`.
    fn expired(mut self, time: u64) -> Option<Self> {
        self.due.1 = self.due.1.min(time);
        (self.due.0 <= self.due.1).then_some(self)
    }

    /// Whether this can have that incarnation and version.
    fn stamped(&mut self, (incarnation, version): (u64, u64)) -> bool {
        if self.version != version {
            return false;
        }
        if self.incarnation == 0 && incarnation > self.floor {
            self.incarnation = incarnation;
        }
        self.incarnation == incarnation
    }

    /// The same, if it looks like what was seen.
    fn like(mut self, seen: &Seen) -> Option<Self> {
        let told = seen.spec.is_none_or(|spec| spec == self.spec)
            && seen.data.is_none_or(|data| data == self.data)
            && seen.bindings.is_none_or(|bindings| bindings == self.bindings)
            && seen.pid_on.is_none_or(|(node, pid)| self.bindings.pid_on(node) == pid)
            && seen.tags.is_none_or(|tags| tags == self.tags)
            && seen.stamp.is_none_or(|stamp| self.stamped(stamp));
        if let Some(due) = seen.due {
            if due < self.due.0 || due > self.due.1 {
                return None;
            }
            self.due = (due, due);
        }
        told.then_some(self)
    }

    fn edited(mut self, edits: &[Edit], from: u64, now: u64) -> Self {
        for edit in edits {
            match *edit {
                Edit::Spec(serial) => (self.spec, self.data) = (serial, data(serial)),
                Edit::Bind(node, pid) => self.bindings.bind(node, pid),
                Edit::Unbind(node) => {
                    self.bindings = self.bindings.filter(|bound, _| bound != node)
                }
                Edit::UnbindAll => self.bindings = Bindings::default(),
                Edit::AddTag(tag) => self.tags.0 |= 1 << tag,
                Edit::RemoveTag(tag) => self.tags.0 &= !(1 << tag),
                Edit::Ttl(ttl) => self.due = (from + ttl, now + ttl),
                Edit::MakePermanent => self.due = (NEVER, NEVER),
            }
        }
        self.version += 1;
        self
    }
}

impl Hash for Row {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Few rows agree in these and differ in the rest, and the checker hashes a lot.
        (u64::from(self.spec) << 32 | self.version).hash(state);
    }
}

/// What is known of an id at an instant.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    row: Option<Row>,
    now: u64,
    /// The marks of the steps that are done.
    done: u64,
}

/// All that may be the case. Almost always that is one slot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct State(SmallVec<[Slot; 1]>);

impl State {
    fn add(&mut self, slot: Slot) {
        if !self.0.contains(&slot) {
            self.0.push(slot);
        }
    }
}

impl Slot {
    /// The same with another entry, or without.
    fn with(self, row: Option<Row>) -> Self {
        Self { row, ..self }
    }

    /// The same, if nothing is there that `query` is about.
    fn missing(self, query: Query) -> Option<Self> {
        match self.row {
            Some(row) if query.admits(&row) => {
                Some(Self { row: Some(row.expired(self.now)?), ..self })
            }
            _ => Some(self),
        }
    }

    /// The entry as a read at this instant sees it.
    fn read(&self, query: Query, seen: &Seen) -> Option<Row> {
        let row = self.row.filter(|row| query.admits(row))?.outlasting(self.now)?;
        row.like(seen)
    }

    /// The entry as a write sees it that looked at the clock at `since` and takes effect now.
    fn base(&self, query: Query, seen: &Seen, since: u64) -> Option<Row> {
        let row = self.row.filter(|row| query.admits(row))?.outlasting(since)?;
        row.like(seen)
    }

    /// The entry whose place a new one takes. Not one that may have been swept before: after an
    /// absence an incarnation may be smaller, if its number was drawn before.
    fn place(&self) -> Option<Row> {
        self.row.filter(|row| row.due.0 > self.now)
    }

    /// The same with the entry of a new incarnation, if it looks like `after`.
    fn renewed(self, wish: &Wish, from: u64, after: &Seen) -> Option<Self> {
        let row = Row::fresh(wish, (from, self.now), self.place()).like(after)?;
        Some(self.with(Some(row)))
    }

    /// Does a step, in all the ways it can be done from here.
    ///
    /// `since` is when a write that takes effect now may have looked at a deadline at the earliest.
    fn step(self, step: &Step, since: u64, next: &mut State) {
        let (from, now) = (step.clock.0, self.now);
        let mut can = |slot: Option<Self>| {
            if let Some(slot) = slot {
                next.add(Self { done: slot.done | step.gives, ..slot });
            }
        };
        match &step.kind {
            Kind::Advance(by) => can(Some(Self { now: now + by, ..self })),
            Kind::See(query, seen) => {
                can(self.read(*query, seen).map(|row| self.with(Some(row))));
            }
            Kind::Miss(query) => can(self.missing(*query)),
            Kind::Void => can(self.missing(Query::Any).map(|slot| slot.with(None))),
            Kind::Replace { before: None, wish, after } => {
                can(self.missing(Query::Any).and_then(|slot| slot.renewed(wish, from, after)));
            }
            Kind::Replace { before: Some(seen), wish, after } => {
                let base = self.base(Query::Any, seen, since);
                can(base.and_then(|row| self.with(Some(row)).renewed(wish, from, after)));
            }
            Kind::Claim { wish, after } => {
                can(self.missing(Query::Live).and_then(|slot| slot.renewed(wish, from, after)));
            }
            Kind::Take(seen) => {
                let base = self.base(Query::Any, seen, since);
                can(base.map(|_| self.with(None)));
            }
            Kind::Change { seen, edits, after } => {
                let base = self.base(Query::Live, seen, since);
                let row = base.and_then(|row| row.edited(edits, from, now).like(after));
                can(row.map(|row| self.with(Some(row))));
            }
            Kind::Carry { seen, wish, after } => {
                let base = self.base(Query::Live, seen, since);
                let row = base.map(|row| row.carried(wish, from, now));
                let row = row.and_then(|row| row.like(after));
                can(row.map(|row| self.with(Some(row))));
            }
            Kind::Merge(wish, told) => self.merge(wish, told, (from, since), &mut can),
            Kind::Unbind(nodes, told) => self.unbind(*nodes, told, (from, since), &mut can),
            Kind::Evict(node) => {
                let base = self.base(Query::On(*node), &Seen::default(), since);
                can(base.map(|mut row| {
                    row.bindings = row.bindings.filter(|bound, _| bound != *node);
                    row.version += 1;
                    self.with((!row.bindings.is_empty()).then_some(row))
                }));
            }
            Kind::RemoveThat(seen) => {
                let that = self.row.and_then(|row| row.like(seen));
                can(Some(if that.is_some() { self.with(None) } else { self }));
            }
            Kind::Clear => {
                can(Some(self.with(None)));
                can(Some(self));
            }
            Kind::Sweep(seen) => {
                let row = self.row.and_then(|row| row.expired(now)?.like(seen));
                can(row.map(|_| self.with(None)));
            }
            Kind::NoSweep => match self.row {
                None => can(Some(self)),
                Some(row) => {
                    can(row.outlasting(now).map(|row| self.with(Some(row))));
                    // Somebody else has swept it, which is not told.
                    can(row.expired(now).map(|_| self.with(None)));
                }
            },
        }
    }

    fn merge(
        self,
        wish: &Wish,
        told: &Told,
        (from, since): (u64, u64),
        can: &mut impl FnMut(Option<Self>),
    ) {
        let fresh = self.missing(Query::Live).and_then(|slot| {
            let mut row = Row::fresh(wish, (from, slot.now), slot.place());
            told.of(wish.bindings, &mut row).then(|| slot.with(Some(row)))
        });
        can(fresh);

        let Some(live) = self.row.filter(|row| Query::Live.admits(row)) else { return };
        let news = wish.bindings.filter(|node, pid| live.bindings.pid_on(node) != Some(pid));
        if live.bindings.same_set(&wish.bindings) {
            let silent = !matches!(told, Told::Event(..));
            can(live.outlasting(self.now).filter(|_| silent).map(|row| self.with(Some(row))));
        } else if let Some(mut row) = live.outlasting(since) {
            let others = live.bindings.filter(|node, _| wish.bindings.pid_on(node).is_none());
            row.bindings = others.iter().chain(wish.bindings.iter()).collect();
            (row.spec, row.data, row.tags) = (wish.serial, data(wish.serial), wish.tags);
            row.version += 1;
            can(told.of(news, &mut row).then(|| self.with(Some(row))));
        }
    }

    fn unbind(
        self,
        nodes: u8,
        told: &Told,
        (from, since): (u64, u64),
        can: &mut impl FnMut(Option<Self>),
    ) {
        let named = |node: u8| nodes >> node & 1 == 1;
        let silent = !matches!(told, Told::Event(..));
        can(self.missing(Query::Live).filter(|_| silent));

        let Some(live) = self.row.filter(|row| Query::Live.admits(row)) else { return };
        let gone = live.bindings.filter(|node, _| named(node));
        if gone.is_empty() {
            can(live.outlasting(self.now).filter(|_| silent).map(|row| self.with(Some(row))));
        } else if let Some(mut row) = live.outlasting(since) {
            row.bindings = live.bindings.filter(|node, _| !named(node));
            row.version += 1;
            if row.bindings.is_empty() {
                row.due = (from + GRACE, self.now + GRACE);
            }
            can(told.of(gone, &mut row).then(|| self.with(Some(row))));
        }
    }
}

impl Row {
    /// What a `compute` that puts `wish` makes of a live entry.
    fn carried(self, wish: &Wish, from: u64, now: u64) -> Self {
        let fresh = Self::fresh(wish, (from, now), None);
        Self {
            due: if wish.life == Life::Unsaid { self.due } else { fresh.due },
            incarnation: self.incarnation,
            floor: self.floor,
            version: self.version + 1,
            ..fresh
        }
    }
}

/// One id of a registry. `STRICT` is without the relaxation, to see whether it is needed at all.
pub(crate) struct OneId<const STRICT: bool = false>;

impl<const STRICT: bool> Specification for OneId<STRICT> {
    type State = State;
    type Operation = Rc<Step>;

    fn init() -> State {
        State(SmallVec::from_buf([Slot::default()]))
    }

    fn apply(step: &Rc<Step>, state: &State) -> (bool, State) {
        let mut next = State(SmallVec::new());
        for slot in &state.0 {
            // The clock was read before and after the step: more is known than the advances tell.
            let in_time = (step.clock.0..=step.clock.1).contains(&slot.now);
            let is_turn = slot.done & step.needs == step.needs;
            if is_turn && (in_time || matches!(step.kind, Kind::Advance(_))) {
                let since = if STRICT { slot.now } else { step.clock.0 };
                slot.step(step, since, &mut next);
            }
        }
        (!next.0.is_empty(), next)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any entry"),
            Self::Live => f.write_str("live entry"),
            Self::Tagged(tags) => write!(f, "entry with {tags:?}"),
            Self::On(node) => write!(f, "entry on {}", NODES[usize::from(*node)]),
        }
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unasked => Ok(()),
            Self::Nothing => f.write_str(", no event"),
            Self::Event(bindings, (incarnation, version)) => {
                write!(f, ", event {bindings:?} i{incarnation}v{version}")
            }
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advance(by) => write!(f, "time +{by}"),
            Self::See(query, seen) => write!(f, "{query:?}: saw {seen:?}"),
            Self::Miss(query) => write!(f, "no {query:?}"),
            Self::Void => f.write_str("found nothing"),
            Self::Replace { before: None, wish, after } => {
                write!(f, "found nothing, put {wish:?} {after:?}")
            }
            Self::Replace { before: Some(seen), wish, after } => {
                write!(f, "for {seen:?} put {wish:?} {after:?}")
            }
            Self::Claim { wish, after } => write!(f, "was free, put {wish:?} {after:?}"),
            Self::Take(seen) => write!(f, "removed {seen:?}"),
            Self::Change { seen, edits, after } => {
                write!(f, "changed {seen:?} by {edits:?} {after:?}")
            }
            Self::Carry { seen, wish, after } => write!(f, "made {seen:?} {wish:?} {after:?}"),
            Self::Merge(wish, told) => write!(f, "merged {wish:?}{told:?}"),
            Self::Unbind(nodes, told) => write!(f, "unbound nodes {nodes:#05b}{told:?}"),
            Self::Evict(node) => write!(f, "evicted {}", NODES[usize::from(*node)]),
            Self::RemoveThat(seen) => write!(f, "removes {seen:?} if still there"),
            Self::Clear => f.write_str("cleared"),
            Self::Sweep(seen) => write!(f, "swept {seen:?}"),
            Self::NoSweep => f.write_str("nothing expired"),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} possibilities", self.0.len())
    }
}
