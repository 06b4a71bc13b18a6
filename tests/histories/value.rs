//! Entries as the histories speak of them: what was asked to be stored, what was seen.

use std::fmt;
use std::time::{Duration, Instant};

use process_registry::{Child, Entry, Node, Registration, Registry};

use crate::shaky::{Id, Shaky};
use crate::support::Hashing;

pub(crate) type Table = Registry<Shaky, Shaky, u32, Id, Hashing>;
pub(crate) type Lease = Registration<Shaky, Shaky, u32, Id, Hashing>;
pub(crate) type Item = Entry<Shaky, Shaky, u32, Id>;
pub(crate) type Offspring = Child<Shaky, Shaky, u32>;

pub(crate) const NODES: [&str; 3] = ["here", "there", "far"];
pub(crate) const TAGS: [&str; 3] = ["red", "green", "blue"];
/// "No deadline", later than any.
pub(crate) const NEVER: u64 = u64::MAX;

/// The pid that the write `serial` binds to a node; it tells both.
pub(crate) fn pid(serial: u32, node: u8) -> u32 {
    serial * 4 + u32::from(node)
}

/// The metadata that goes with a spec.
pub(crate) fn data(serial: u32) -> u32 {
    !serial
}

fn node_of(name: &Node) -> u8 {
    NODES.iter().position(|node| name == node).expect("a known node") as u8
}

/// Nodes and pids, in order, each node once.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bindings {
    len: u8,
    // What is not in use is zero, so that equality can be derived.
    at: [(u8, u32); NODES.len()],
}

impl Bindings {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, u32)> + '_ {
        self.at[..usize::from(self.len)].iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn pid_on(&self, node: u8) -> Option<u32> {
        self.iter().find(|(bound, _)| *bound == node).map(|(_, pid)| pid)
    }

    pub(crate) fn bind(&mut self, node: u8, pid: u32) {
        let used = &mut self.at[..usize::from(self.len)];
        if let Some(binding) = used.iter_mut().find(|(bound, _)| *bound == node) {
            binding.1 = pid;
        } else {
            self.at[usize::from(self.len)] = (node, pid);
            self.len += 1;
        }
    }

    /// Those of which `keep` says so, in order.
    pub(crate) fn filter(&self, keep: impl Fn(u8, u32) -> bool) -> Self {
        self.iter().filter(|(node, pid)| keep(*node, *pid)).collect()
    }

    /// Equal but for the order.
    pub(crate) fn same_set(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().all(|(node, pid)| other.pid_on(node) == Some(pid))
    }

    pub(crate) fn of(bindings: &[(Node, Shaky)]) -> Self {
        bindings.iter().map(|(node, pid)| (node_of(node), pid.0)).collect()
    }

    /// What the pids alone tell.
    pub(crate) fn of_pids(pids: &[Shaky]) -> Self {
        pids.iter().map(|pid| ((pid.0 % 4) as u8, pid.0)).collect()
    }
}

impl FromIterator<(u8, u32)> for Bindings {
    fn from_iter<T: IntoIterator<Item = (u8, u32)>>(items: T) -> Self {
        let mut bindings = Self::default();
        for (node, pid) in items {
            assert_eq!(bindings.pid_on(node), None, "a node is bound once");
            bindings.bind(node, pid);
        }
        bindings
    }
}

impl fmt::Debug for Bindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, (node, pid)) in self.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}{}={pid}", NODES[usize::from(node)])?;
        }
        f.write_str("]")
    }
}

/// A set of tags.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tags(pub(crate) u8);

impl Tags {
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        TAGS.into_iter()
            .enumerate()
            .filter(move |(at, _)| self.0 >> at & 1 == 1)
            .map(|(_, tag)| tag)
    }

    pub(crate) fn has_all(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    fn of(tags: &[process_registry::Tag]) -> Self {
        let bit = |tag: &process_registry::Tag| {
            1 << TAGS.iter().position(|name| tag == name).expect("a known tag")
        };
        Self(tags.iter().map(bit).sum())
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join("+"))
    }
}

/// How long something is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Unsaid,
    For(u64),
}

/// What a write asks to have stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The number of the write: its spec, in its metadata, and in all its pids.
    pub(crate) serial: u32,
    pub(crate) bindings: Bindings,
    pub(crate) tags: Tags,
    pub(crate) life: Life,
}

impl Wish {
    pub(crate) fn child(&self) -> Offspring {
        let mut child = Child::new(Shaky(self.serial)).metadata(data(self.serial));
        for (node, pid) in self.bindings.iter() {
            child.bind(NODES[usize::from(node)], Shaky(pid));
        }
        for tag in self.tags.names() {
            child.add_tag(tag);
        }
        if let Life::For(ttl) = self.life {
            child.set_ttl(Duration::from_secs(ttl));
        }
        child
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {:?} {:?}", self.serial, self.bindings, self.tags)?;
        match self.life {
            Life::Unsaid => Ok(()),
            Life::For(ttl) => write!(f, " ttl {ttl}"),
        }
    }
}

/// What one answer told of an entry; `None` is what it did not tell.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) spec: Option<u32>,
    pub(crate) data: Option<u32>,
    pub(crate) bindings: Option<Bindings>,
    /// A node, and its pid or that it is not bound.
    pub(crate) pid_on: Option<(u8, Option<u32>)>,
    pub(crate) tags: Option<Tags>,
    /// In seconds since the beginning of the history.
    pub(crate) due: Option<u64>,
    /// Incarnation and version.
    pub(crate) stamp: Option<(u64, u64)>,
}

impl Seen {
    pub(crate) fn entry(entry: &Item, zero: Instant) -> Self {
        let due = entry.deadline().map_or(NEVER, |deadline| (deadline - zero).as_secs());
        Self {
            spec: Some(entry.spec().0),
            data: Some(*entry.metadata()),
            bindings: Some(Bindings::of(entry.bindings())),
            pid_on: None,
            tags: Some(Tags::of(entry.tags())),
            due: Some(due),
            stamp: Some((entry.incarnation(), entry.version())),
        }
    }

    /// What the closure of an update is shown.
    pub(crate) fn child(child: &Offspring) -> Self {
        Self {
            spec: Some(child.spec().0),
            data: Some(*child.get_metadata()),
            tags: Some(Tags::of(child.tags())),
            ..Self::bindings(Bindings::of(child.bindings()))
        }
    }

    pub(crate) fn bindings(bindings: Bindings) -> Self {
        Self { bindings: Some(bindings), ..Self::default() }
    }

    pub(crate) fn pid_on(node: u8, pid: Option<u32>) -> Self {
        Self { pid_on: Some((node, pid)), ..Self::default() }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.bindings.is_some_and(|bindings| !bindings.is_empty())
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        if let Some(spec) = self.spec {
            write!(f, "#{spec}")?;
        }
        if let Some((incarnation, version)) = self.stamp {
            write!(f, " i{incarnation}v{version}")?;
        }
        if let Some(bindings) = self.bindings {
            write!(f, " {bindings:?}")?;
        }
        if let Some((node, pid)) = self.pid_on {
            write!(f, " {}={pid:?}", NODES[usize::from(node)])?;
        }
        if let Some(tags) = self.tags {
            write!(f, " {tags:?}")?;
        }
        match self.due {
            None | Some(NEVER) => {}
            Some(due) => write!(f, " due {due}")?,
        }
        f.write_str("}")
    }
}
