//! What the threads of a history do: scripts of random operations.

use fastrand::Rng;
use smallvec::SmallVec;

use crate::model::Edit;
use crate::support::Hashing;
use crate::value::{Bindings, Life, NODES, TAGS, Tags, Wish, pid};

/// Through which part of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) pinned: bool,
    pub(crate) hooked: bool,
    /// Where there are still more ways: which of them.
    pub(crate) variant: u8,
}

/// What the closure of a `compute` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Keep,
    Put,
    Remove,
    /// Put where nothing is, remove what is there.
    Toggle,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Insert(u8, Wish, Way),
    TryInsert(u8, Wish, Way),
    Delete(u8, Way),
    /// If the serial number is odd.
    DeleteIf(u8, Way),
    Update(u8, SmallVec<[Edit; 2]>),
    /// Fails if the serial number is odd.
    TryUpdate(u8, SmallVec<[Edit; 2]>),
    Rebind(u8, u8, u32, Way),
    Compute(u8, Wish, Choice, Way),
    BulkInsert(Vec<(u8, Wish)>, Way),
    /// With the nodes as a set.
    BulkDelete(Vec<(u8, u8)>, Way),
    Lookup(u8, Way),
    Exists(u8, Way),
    GetMany(Way),
    MatchTag(u8, Way),
    MatchAll(Tags, Way),
    ChildrenOn(u8, Way),
    All(Way),
    /// Keeps those whose serial number is odd.
    Retain,
    ClearAll,
    RemoveNode(u8),
    Advance(u64),
    DeleteIfExpired(u8),
    Purge,
}

/// How often which operation occurs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mix {
    pub(crate) insert: u32,
    pub(crate) try_insert: u32,
    pub(crate) delete: u32,
    pub(crate) delete_if: u32,
    pub(crate) update: u32,
    pub(crate) compute: u32,
    pub(crate) rebind: u32,
    pub(crate) bulk: u32,
    pub(crate) lookup: u32,
    pub(crate) get_many: u32,
    pub(crate) by_tag: u32,
    pub(crate) by_node: u32,
    pub(crate) all: u32,
    pub(crate) retain: u32,
    pub(crate) remove_node: u32,
    pub(crate) time: u32,
}

impl Mix {
    /// Everything; what empties more rarely than what fills.
    pub(crate) const ALL: Self = Self {
        insert: 8,
        try_insert: 8,
        delete: 4,
        delete_if: 3,
        update: 12,
        compute: 8,
        rebind: 6,
        bulk: 8,
        lookup: 10,
        get_many: 3,
        by_tag: 9,
        by_node: 6,
        all: 5,
        retain: 2,
        remove_node: 3,
        time: 0,
    };
    /// With leases: everything, and time goes on.
    pub(crate) const LEASES: Self = Self { time: 20, retain: 1, ..Self::ALL };
}

/// What kind of history is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) threads: usize,
    pub(crate) length: usize,
    pub(crate) keys: u8,
    pub(crate) hashing: Hashing,
    /// How many fillers come and go meanwhile.
    pub(crate) fillers: u32,
    pub(crate) mix: Mix,
}

impl Profile {
    pub(crate) fn random(rng: &mut Rng, mix: Mix) -> Self {
        Self {
            threads: rng.usize(3..=4),
            length: rng.usize(15..=25),
            keys: rng.u8(2..=3),
            hashing: Hashing::Normal,
            fillers: 0,
            mix,
        }
    }

    /// The operations of every thread.
    pub(crate) fn scripts(&self, rng: &mut Rng) -> Vec<Vec<Op>> {
        let mut writer = Writer { rng, profile: *self, serial: 0, bound: Bindings::default() };
        let script = |_| (0..self.length).map(|_| writer.op()).collect();
        (0..self.threads).map(script).collect()
    }
}

struct Writer<'a> {
    rng: &'a mut Rng,
    profile: Profile,
    /// Numbers the writes of the history.
    serial: u32,
    /// What some write before has bound.
    bound: Bindings,
}

impl Writer<'_> {
    fn op(&mut self) -> Op {
        let mix = self.profile.mix;
        let weights = [
            mix.insert,
            mix.try_insert,
            mix.delete,
            mix.delete_if,
            mix.update,
            mix.compute,
            mix.rebind,
            mix.bulk,
            mix.lookup,
            mix.get_many,
            mix.by_tag,
            mix.by_node,
            mix.all,
            mix.retain,
            mix.remove_node,
            mix.time,
        ];
        let mut left = self.rng.u32(..weights.iter().sum::<u32>());
        let mut chosen = 0;
        while left >= weights[chosen] {
            left -= weights[chosen];
            chosen += 1;
        }
        let (key, way) = (self.key(), self.way());
        match chosen {
            0 => Op::Insert(key, self.wish(), way),
            1 => Op::TryInsert(key, self.wish(), way),
            2 => Op::Delete(key, way),
            3 => Op::DeleteIf(key, way),
            4 if self.rng.u8(..4) == 0 => Op::TryUpdate(key, self.edits()),
            4 => Op::Update(key, self.edits()),
            5 => {
                let choices =
                    [Choice::Keep, Choice::Put, Choice::Put, Choice::Remove, Choice::Toggle];
                let choice = choices[self.rng.usize(..choices.len())];
                Op::Compute(key, self.wish(), choice, way)
            }
            6 => {
                let (node, serial) = (self.node(), self.serial());
                Op::Rebind(key, node, pid(serial, node), way)
            }
            7 if self.rng.bool() => {
                let mut keys = self.keys();
                if self.rng.u8(..4) == 0 {
                    // The same id twice: the second sees what the first has done.
                    keys.push(keys[0]);
                }
                Op::BulkInsert(keys.into_iter().map(|key| (key, self.bulk_wish())).collect(), way)
            }
            7 => {
                let keys = self.keys();
                Op::BulkDelete(keys.into_iter().map(|key| (key, self.rng.u8(1..8))).collect(), way)
            }
            8 if self.rng.u8(..4) == 0 => Op::Exists(key, way),
            8 => Op::Lookup(key, way),
            9 => Op::GetMany(way),
            10 if self.rng.u8(..4) == 0 => Op::MatchAll(Tags(self.rng.u8(1..8)), way),
            10 => Op::MatchTag(self.rng.u8(..TAGS.len() as u8), way),
            11 => Op::ChildrenOn(self.node(), way),
            12 => Op::All(way),
            13 if self.rng.u8(..4) == 0 => Op::ClearAll,
            13 => Op::Retain,
            14 => Op::RemoveNode(self.node()),
            _ => match self.rng.u8(..8) {
                0..5 => Op::Advance(1),
                5 => Op::DeleteIfExpired(key),
                6 => Op::Purge,
                _ => Op::Advance(2),
            },
        }
    }

    fn serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    fn key(&mut self) -> u8 {
        self.rng.u8(..self.profile.keys)
    }

    /// One or more different ones.
    fn keys(&mut self) -> Vec<u8> {
        let mut keys: Vec<u8> = (0..self.profile.keys).collect();
        self.rng.shuffle(&mut keys);
        keys.truncate(self.rng.usize(1..=keys.len()));
        keys
    }

    fn node(&mut self) -> u8 {
        self.rng.u8(..NODES.len() as u8)
    }

    fn way(&mut self) -> Way {
        Way { pinned: self.rng.bool(), hooked: self.rng.bool(), variant: self.rng.u8(..8) }
    }

    /// How long leases and renewals last.
    fn ttl(&mut self) -> u64 {
        self.rng.u64(1..=3)
    }

    fn wish(&mut self) -> Wish {
        let serial = self.serial();
        let mut bindings = Bindings::default();
        for _ in 0..self.rng.u8(..4) {
            let node = self.node();
            bindings.bind(node, pid(serial, node));
        }
        if self.rng.u8(..3) > 0 {
            self.bound = bindings;
        }
        let leased = self.profile.mix.time > 0 && self.rng.u8(..4) > 0;
        Wish {
            serial,
            bindings,
            tags: Tags(self.rng.u8(..8)),
            life: if leased { Life::For(self.ttl()) } else { Life::Unsaid },
        }
    }

    /// Sometimes with bindings that may be there already.
    fn bulk_wish(&mut self) -> Wish {
        let (bound, mut wish) = (self.bound, self.wish());
        if self.rng.u8(..3) == 0 {
            wish.bindings = bound;
        }
        wish
    }

    fn edits(&mut self) -> SmallVec<[Edit; 2]> {
        let serial = self.serial();
        let mut edits = SmallVec::new();
        for _ in 0..self.rng.u8(1..=2) {
            let node = self.node();
            let tag = self.rng.u8(..TAGS.len() as u8);
            edits.push(match self.rng.u8(..12) {
                0..3 => Edit::Spec(serial),
                3 | 4 => Edit::Bind(node, pid(serial, node)),
                5 => Edit::Unbind(node),
                6 if self.rng.u8(..3) == 0 => Edit::UnbindAll,
                6 | 7 => Edit::AddTag(tag),
                8 => Edit::RemoveTag(tag),
                _ if self.profile.mix.time == 0 => Edit::Spec(serial),
                9 | 10 => Edit::Ttl(self.ttl()),
                _ => Edit::MakePermanent,
            });
        }
        edits
    }
}
