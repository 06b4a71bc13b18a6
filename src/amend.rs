//! Changes of one child that depend on what it is: `update`, `rebind`, `compute`.

use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, Hash};

use equivalent::Equivalent;

use crate::child::Child;
use crate::entry::{Body, Entry};
use crate::error::{NoChild, UpdateError};
use crate::hooks::{HookKey, Hooks};
use crate::name::Node;
use crate::state::Registry;
use crate::sync::Guard;
use crate::write::{Applied, NewEntry, Step, tell};

/// What the closure of [`compute`](crate::Registry::compute) wants done.
///
/// # Examples
///
/// ```
/// use process_registry::{Child, Decision, Registry};
///
/// let registry: Registry<&str, u32> = Registry::new("node-a");
/// registry.compute("worker", |current| match current {
///     None => Decision::Put(Child::new("spec").on("node-a", 4711)),
///     Some(_) => Decision::Keep,
/// });
/// assert_eq!(registry.get_pid("worker"), Some(4711));
/// ```
#[must_use = "a decision does nothing unless it is returned to `compute`"]
pub enum Decision<S, P, M = ()> {
    /// Leave things as they are.
    Keep,
    /// Put this in the place of what is there, if anything is.
    Put(Child<S, P, M>),
    /// Remove what is there, if anything is.
    Remove,
}

impl<S: fmt::Debug, P: fmt::Debug, M: fmt::Debug> fmt::Debug for Decision<S, P, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("Keep"),
            Self::Put(child) => f.debug_tuple("Put").field(child).finish(),
            Self::Remove => f.write_str("Remove"),
        }
    }
}

impl<S, P, M, K, H> Registry<S, P, M, K, H> {
    /// Asks `decide` what is to become of an id, under the caller's pin. Children that it made in vain are
    /// put into `wasted`, for the caller to drop where that does no harm.
    pub(crate) fn compute_in<'g>(
        &'g self,
        hash: u64,
        id: &K,
        guard: &'g Guard,
        wasted: &mut Vec<NewEntry<S, P, M, K>>,
        mut decide: impl FnMut(Option<&Entry<S, P, M, K>>) -> Decision<S, P, M>,
    ) -> Applied<'g, S, P, M, K>
    where
        K: Eq + Clone,
    {
        self.apply(
            hash,
            guard,
            None,
            |entry, _| entry.id() == id,
            |current, waste| {
                wasted.extend(waste);
                match decide(current) {
                    Decision::Put(child) => {
                        let body = match current {
                            Some(base) if !base.is_empty() => {
                                Body::next(base.life(), child, &self.clock)
                            }
                            _ => Body::first(child, None, &self.clock),
                        };
                        Step::Put(self.store.draft(hash, id.clone(), body))
                    }
                    Decision::Remove if current.is_some() => Step::Remove,
                    Decision::Keep | Decision::Remove => Step::Leave(None),
                }
            },
        )
    }
}

impl<S, P, M, K, H> Registry<S, P, M, K, H>
where
    S: Clone,
    P: Clone,
    M: Clone,
    K: Hash + Eq + Clone,
    H: BuildHasher,
{
    /// Lets `change` edit a copy of a child, unpinned, until it is published or refused; one that is not
    /// `wanted` is none. Fires `ChildRegistered` for the binding to `rebound`, if hooks come with it.
    pub(crate) fn amend<Q, R, X>(
        &self,
        id: &Q,
        wanted: impl Fn(&Entry<S, P, M, K>) -> bool,
        rebound: Option<(&Node, &Hooks<P, K>)>,
        mut change: impl FnMut(&mut Child<S, P, M>) -> Result<R, X>,
    ) -> Result<R, UpdateError<X>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let mut answer = Err(UpdateError::NoChild);
        let edited = self.edit(id, rebound.is_some(), |hash, current, spare| {
            // Before there is another.
            drop(spare);
            let Some(current) = current.filter(|entry| wanted(entry)) else {
                answer = Err(UpdateError::NoChild);
                return Step::Leave(None);
            };
            let mut child = current.to_child();
            answer = change(&mut child).map_err(UpdateError::Failed);
            if answer.is_err() {
                return Step::Leave(None);
            }
            let body = Body::next(current.life(), child, &self.clock);
            Step::Put(self.store.draft(hash, current.id().clone(), body))
        });
        self.conclude(|| {
            if let (Some((node, hooks)), Some(entry)) = (rebound, &edited.after) {
                let binding = entry.bindings().iter().find(|(bound, _)| bound == node);
                let binding = binding.map_or(&[][..], std::slice::from_ref);
                tell(Some(hooks), HookKey::ChildRegistered, entry, binding);
            }
        });
        // An answer that is ready leaks if a destructor panics after it.
        drop((edited, change));
        answer
    }
}

/// The error of an update whose closure cannot fail.
pub(crate) fn only_no_child<R>(result: Result<R, UpdateError<Infallible>>) -> Result<R, NoChild> {
    result.map_err(|error| match error {
        UpdateError::NoChild => NoChild,
        UpdateError::Failed(never) => match never {},
    })
}
