//! Writes of many children, each a step of its own: what `bulk_insert` and `bulk_delete` do about one id.

use std::hash::{BuildHasher, Hash};
use std::mem;

use equivalent::Equivalent;
use smallvec::SmallVec;

use crate::child::{Bindings, Child};
use crate::clock::Moment;
use crate::entry::{Body, Life};
use crate::hooks::{HookKey, Hooks};
use crate::query::bound;
use crate::state::Registry;
use crate::write::{Step, tell};

impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    S: Clone,
    P: Clone,
    M: Clone,
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Stores a child where nothing or something empty is, and merges it by node into a live one.
    pub(crate) fn merge(
        &self,
        id: K,
        child: Child<S, P, M>,
        mut same: impl FnMut(&P, &P) -> bool,
        hooks: Option<&Hooks<P, K>>,
    ) {
        // Per given binding, whether it is news to the entry; and how many of the entry's own stand before
        // the given ones in the merged list.
        let mut news: SmallVec<[bool; 8]> = SmallVec::new();
        let mut kept = 0;
        // What of the given ones is news, if that is not all: cloned before anything is published, for a clone
        // that panicked afterwards would take the event along.
        let mut diff: Option<Bindings<P>> = None;
        let mut first = Some(Body::first(child, None, &self.clock));
        let deadline = first.as_ref().map_or(Moment::NEVER, |first| first.life.deadline);
        let edited = self.edit(&id, hooks.is_some(), |hash, current, spare| {
            // What was given is moved from attempt to attempt; only what was merged into it goes.
            let spare = spare.map(|draft| {
                let (id, given) = draft.into_parts();
                // Before what was given is in nobody's hands.
                drop(id);
                given
            });
            let Some(mut given) = first.take().or(spare) else {
                unreachable!("a body that is not published comes back");
            };
            // From the end, for what `SmallVec::drain` has in hand leaks if a destructor panics.
            given.bindings.rotate_left(kept);
            given.bindings.truncate(given.bindings.len() - kept);
            news.clear();
            kept = 0;
            diff = None;
            let Some(live) = current.filter(|entry| bound(entry)) else {
                news.resize(given.bindings.len(), true);
                given.life = Life { deadline, incarnation: 0, version: 1 };
                return Step::Put(self.store.draft(hash, id.clone(), given));
            };

            news.extend(
                given
                    .bindings
                    .iter()
                    .map(|(node, pid)| live.pid_on(node).is_none_or(|known| !same(known, pid))),
            );
            if live.bindings().len() == news.len() && !news.contains(&true) {
                return Step::Leave(None);
            }
            if hooks.is_some() && news.contains(&false) {
                let news = given.bindings.iter().zip(&news).filter(|(_, news)| **news);
                diff = Some(news.map(|(binding, _)| binding.clone()).collect());
            }
            let others = live
                .bindings()
                .iter()
                .filter(|(node, _)| given.bindings.iter().all(|(bound, _)| bound != node));
            let mut bindings: Bindings<P> = others.cloned().collect();
            kept = bindings.len();
            bindings.extend(given.bindings);
            let body = Body { bindings, life: live.life().next(), ..given };
            Step::Put(self.store.draft(hash, id.clone(), body))
        });
        self.conclude(|| {
            let Some(entry) = &edited.after else { return };
            let told = diff.as_deref().unwrap_or(&entry.bindings()[kept..]);
            tell(hooks, HookKey::ChildRegistered, entry, told);
        });
    }

    /// Takes the bindings to the named nodes from a live entry; one that has none left becomes a tombstone.
    pub(crate) fn unbind<Q, T>(&self, id: &Q, nodes: &[T], hooks: Option<&Hooks<P, K>>)
    where
        Q: Hash + Equivalent<K> + ?Sized,
        T: AsRef<str>,
    {
        let mut gone = Bindings::new();
        let edited = self.edit(id, hooks.is_some(), |hash, current, spare| {
            // Before there is another.
            drop(spare);
            let Some(live) = current.filter(|entry| bound(entry)) else {
                return Step::Leave(None);
            };
            let named = |node: &str| nodes.iter().any(|name| name.as_ref() == node);
            if !live.bindings().iter().any(|(node, _)| named(node)) {
                return Step::Leave(None);
            }
            // One clone of each: those that stay go into the next version, the others to the handlers.
            let mut rest = Bindings::new();
            gone = Bindings::new();
            for (node, pid) in live.bindings() {
                if !named(node) {
                    rest.push((node.clone(), pid.clone()));
                } else if hooks.is_some() {
                    gone.push((node.clone(), pid.clone()));
                }
            }
            let mut body = live.rebound(rest);
            if body.bindings.is_empty() {
                body.life.deadline = self.clock.now().saturating_add(self.tombstone_ttl);
            }
            Step::Put(self.store.draft(hash, live.id().clone(), body))
        });
        self.conclude(|| {
            if let Some(entry) = &edited.after {
                tell(hooks, HookKey::ChildUnregistered, entry, &mem::take(&mut gone));
            }
        });
    }
}
