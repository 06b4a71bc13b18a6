//! Makes up ids, children and edits, and turns what the model understands into what the registry does.

use std::time::Duration;

use process_registry::Child;

use crate::driver::{Driver, STEP};
use crate::reads::Key;
use crate::support::oracle::{Answer, Edit, Life, Wish};
use crate::support::plain;

impl<K: Key> Driver<K> {
    pub(crate) fn id(&mut self) -> u32 {
        self.base + self.rng.u32(..self.profile.keys)
    }

    fn one_of(&mut self, names: fn(&Self) -> &Vec<String>) -> String {
        let at = self.rng.usize(..names(self).len());
        names(self)[at].clone()
    }

    pub(crate) fn node(&mut self) -> String {
        self.one_of(|driver| &driver.nodes)
    }

    fn tag(&mut self) -> String {
        self.one_of(|driver| &driver.tags)
    }

    /// Few pids, so that equal ones meet.
    pub(crate) fn pid(&mut self) -> u32 {
        self.rng.u32(..3)
    }

    pub(crate) fn ttl(&mut self) -> Duration {
        STEP * self.rng.u32(..12) + Duration::from_millis(5)
    }

    /// Up to `n`, small numbers and zero included, large ones rare.
    pub(crate) fn few(&mut self, n: u32) -> u32 {
        let most = self.rng.u32(..=n);
        self.rng.u32(..=most)
    }

    pub(crate) fn wish(&mut self) -> Wish {
        let bindings = match self.rng.u8(..8) {
            0 => 0,
            1..=4 => 1,
            _ => 1 + self.few(4),
        };
        let tags = self.few(4);
        Wish {
            spec: self.rng.u32(..100),
            bindings: (0..bindings).map(|_| (self.node(), self.pid())).collect(),
            tags: (0..tags).map(|_| self.tag()).collect(),
            metadata: self.rng.u32(..100),
            life: match self.rng.u8(..10) {
                0 => Life::Permanent,
                1 | 2 => Life::For(self.ttl()),
                _ => Life::Unsaid,
            },
        }
    }

    pub(crate) fn edits(&mut self) -> Vec<Edit> {
        let count = self.few(4);
        let mut edits = Vec::new();
        for _ in 0..count {
            let pid = self.pid();
            edits.push(match self.rng.u8(..18) {
                0..4 => Edit::Bind(self.node(), pid),
                4..7 => Edit::Unbind(self.node()),
                7 => Edit::UnbindAll,
                8..11 => Edit::AddTag(self.tag()),
                11..13 => Edit::RemoveTag(self.tag()),
                13 => Edit::ClearTags,
                14 => Edit::SetMetadata(self.rng.u32(..)),
                15 => Edit::SetSpec(self.rng.u32(..)),
                16 => Edit::SetTtl(self.ttl()),
                _ => Edit::MakePermanent,
            });
        }
        edits
    }
}

/// The child a wish stands for.
pub(crate) fn offered(wish: &Wish) -> Child<u32, u32, u32> {
    let mut child = Child::new(wish.spec).metadata(wish.metadata);
    for (node, pid) in &wish.bindings {
        child = child.on(node.as_str(), *pid);
    }
    child = child.tagged(wish.tags.iter().map(String::as_str));
    match wish.life {
        Life::Unsaid => child,
        Life::Permanent => child.permanent(),
        Life::For(ttl) => child.ttl(ttl),
    }
}

pub(crate) fn edit_all(child: &mut Child<u32, u32, u32>, edits: &[Edit]) -> Vec<Answer> {
    edits.iter().map(|edit| edit_one(child, edit)).collect()
}

fn edit_one(child: &mut Child<u32, u32, u32>, edit: &Edit) -> Answer {
    match edit {
        Edit::SetSpec(spec) => Answer::Number(child.set_spec(*spec)),
        Edit::Bind(node, pid) => Answer::Pid(child.bind(node.as_str(), *pid)),
        Edit::Unbind(node) => Answer::Pid(child.unbind(node)),
        Edit::UnbindAll => Answer::All(plain(&child.unbind_all())),
        Edit::AddTag(tag) => Answer::Flag(child.add_tag(tag.as_str())),
        Edit::RemoveTag(tag) => Answer::Flag(child.remove_tag(tag)),
        Edit::ClearTags => {
            child.clear_tags();
            Answer::Nothing
        }
        Edit::SetMetadata(metadata) => Answer::Number(child.set_metadata(*metadata)),
        Edit::SetTtl(ttl) => {
            child.set_ttl(*ttl);
            Answer::Nothing
        }
        Edit::MakePermanent => {
            child.make_permanent();
            Answer::Nothing
        }
    }
}
