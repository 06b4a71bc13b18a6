//! The words the fuzzer makes its sentences of: few ids, few names, few numbers, so that equal ones
//! meet.
//!
//! A byte says what most of them are, so that a byte that is changed changes one thing.

use std::fmt;
use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use process_registry::{Child, Node};

use crate::support::oracle::{Answer, Bindings, Choice, Edit, Life, Wish};
use crate::support::{Hashing, plain};

/// Ids in use, but for [`CROWD`].
pub(crate) const IDS: u32 = 6;
/// Where the ids begin that come and go as a crowd.
pub(crate) const CROWD: u32 = 100;
/// Time passes in these, and deadlines lie on them: an operation may meet its deadline exactly.
const TICK: Duration = Duration::from_millis(10);
pub(crate) const GRACE: Duration = Duration::from_millis(30);

pub(crate) const NODES: [&str; 3] = ["n0", "n1", "n2"];
pub(crate) const TAGS: [&str; 3] = ["t0", "t1", "t2"];

/// A byte with a meaning.
macro_rules! byte {
    ($($(#[$doc:meta])* $name:ident: $show:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Arbitrary, Clone, Copy)]
        pub(crate) struct $name(u8);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let show: fn($name) -> _ = $show;
                write!(f, "{:?}", show(*self))
            }
        }
    )*};
}

byte! {
    Id: Id::number;
    NodeName: NodeName::get;
    TagName: TagName::get;
    /// A pid, spec or metadata.
    Small: Small::get;
    Time: Time::get;
    Hash: Hash::get;
}

impl Id {
    pub(crate) fn number(self) -> u32 {
        u32::from(self.0) % IDS
    }
}

impl NodeName {
    pub(crate) fn get(self) -> &'static str {
        NODES[usize::from(self.0) % NODES.len()]
    }
}

impl TagName {
    pub(crate) fn get(self) -> &'static str {
        TAGS[usize::from(self.0) % TAGS.len()]
    }
}

impl Small {
    pub(crate) fn get(self) -> u32 {
        u32::from(self.0) % 4
    }
}

impl Time {
    pub(crate) fn get(self) -> Duration {
        TICK * (u32::from(self.0) % 5)
    }
}

impl Hash {
    pub(crate) fn get(self) -> Hashing {
        Hashing::ALL[usize::from(self.0) % Hashing::ALL.len()]
    }
}

/// At most `MOST` of something.
pub(crate) struct Few<T, const MOST: usize = 3>(pub(crate) Vec<T>);

impl<'a, T: Arbitrary<'a>, const MOST: usize> Arbitrary<'a> for Few<T, MOST> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let count = usize::from(u8::arbitrary(u)?) % (MOST + 1);
        (0..count).map(|_| T::arbitrary(u)).collect::<Result<_>>().map(Few)
    }
}

impl<T: fmt::Debug, const MOST: usize> fmt::Debug for Few<T, MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is to be stored.
#[derive(Arbitrary, Debug)]
pub(crate) struct Offer {
    spec: Small,
    metadata: Small,
    bindings: Few<(NodeName, Small)>,
    tags: Few<TagName>,
    life: Lifetime,
}

/// Mostly not said.
#[derive(Clone, Copy, Debug)]
struct Lifetime(Life);

impl<'a> Arbitrary<'a> for Lifetime {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let byte = u8::arbitrary(u)?;
        Ok(Self(match byte % 8 {
            0 => Life::Permanent,
            1 | 2 => Life::For(Time(byte / 8).get()),
            _ => Life::Unsaid,
        }))
    }
}

impl Offer {
    /// For the model.
    pub(crate) fn wish(&self) -> Wish {
        Wish {
            spec: self.spec.get(),
            bindings: self.bindings.0.iter().map(|(n, p)| (n.get().into(), p.get())).collect(),
            tags: self.tags.0.iter().map(|tag| tag.get().into()).collect(),
            metadata: self.metadata.get(),
            life: self.life.0,
        }
    }

    /// For the registry.
    pub(crate) fn child(&self) -> Child<u32, u32, u32> {
        let mut child = Child::new(self.spec.get()).metadata(self.metadata.get());
        for (node, pid) in &self.bindings.0 {
            child = child.on(node.get(), pid.get());
        }
        for tag in &self.tags.0 {
            child = child.tag(tag.get());
        }
        match self.life.0 {
            Life::Unsaid => child,
            Life::Permanent => child.permanent(),
            Life::For(ttl) => child.ttl(ttl),
        }
    }
}

/// An edit in an `update`.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Change {
    SetSpec(Small),
    Bind(NodeName, Small),
    BindAgain(NodeName, Small),
    Unbind(NodeName),
    UnbindAll,
    AddTag(TagName),
    RemoveTag(TagName),
    ClearTags,
    SetMetadata(Small),
    SetTtl(Time),
    MakePermanent,
}

impl Change {
    /// For the model.
    pub(crate) fn edit(self) -> Edit {
        match self {
            Self::SetSpec(spec) => Edit::SetSpec(spec.get()),
            Self::Bind(node, pid) | Self::BindAgain(node, pid) => {
                Edit::Bind(node.get().into(), pid.get())
            }
            Self::Unbind(node) => Edit::Unbind(node.get().into()),
            Self::UnbindAll => Edit::UnbindAll,
            Self::AddTag(tag) => Edit::AddTag(tag.get().into()),
            Self::RemoveTag(tag) => Edit::RemoveTag(tag.get().into()),
            Self::ClearTags => Edit::ClearTags,
            Self::SetMetadata(metadata) => Edit::SetMetadata(metadata.get()),
            Self::SetTtl(ttl) => Edit::SetTtl(ttl.get()),
            Self::MakePermanent => Edit::MakePermanent,
        }
    }

    /// Does it to a child of the registry.
    pub(crate) fn apply(self, child: &mut Child<u32, u32, u32>) -> Answer {
        match self {
            Self::SetSpec(spec) => Answer::Number(child.set_spec(spec.get())),
            Self::Bind(node, pid) | Self::BindAgain(node, pid) => {
                Answer::Pid(child.bind(node.get(), pid.get()))
            }
            Self::Unbind(node) => Answer::Pid(child.unbind(node.get())),
            Self::UnbindAll => Answer::All(bindings(&child.unbind_all())),
            Self::AddTag(tag) => Answer::Flag(child.add_tag(tag.get())),
            Self::RemoveTag(tag) => Answer::Flag(child.remove_tag(tag.get())),
            Self::ClearTags => {
                child.clear_tags();
                Answer::Nothing
            }
            Self::SetMetadata(metadata) => Answer::Number(child.set_metadata(metadata.get())),
            Self::SetTtl(ttl) => {
                child.set_ttl(ttl.get());
                Answer::Nothing
            }
            Self::MakePermanent => {
                child.make_permanent();
                Answer::Nothing
            }
        }
    }
}

fn bindings(given: &[(Node, u32)]) -> Bindings {
    plain(given)
}

/// What a `compute` decides.
#[derive(Arbitrary, Debug)]
pub(crate) enum Decide {
    Keep,
    Put(Offer),
    PutAgain(Offer),
    Remove,
}

impl Decide {
    /// For the model.
    pub(crate) fn choice(&self) -> Choice {
        match self {
            Self::Keep => Choice::Keep,
            Self::Put(offer) | Self::PutAgain(offer) => Choice::Put(offer.wish()),
            Self::Remove => Choice::Remove,
        }
    }
}
