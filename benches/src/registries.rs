//! The whole registry against registries built by hand.
//!
//! Whoever has no registry builds one: a concurrent map of entries, and beside it one map from tags
//! to the ids that carry them and one from nodes to the ids that run there. Here are four, each
//! written as well as its map allows, and this crate's own behind the same face. They are alike in
//! what they hold: a [`Record`] behind an `Arc`, so that an entry can be kept without copying it;
//! sets of ids; ahash.
//!
//! They are not alike in what they promise; each says on its page what it lacks. None has
//! deadlines, versions or hooks, which the registry keeps and checks in every row.

mod dash;
mod hand_built;
mod members;
mod one_lock;
mod ours;
mod papaya;
mod record;
pub mod rows;
mod scc;
#[cfg(test)]
mod tests;

pub use self::dash::Dash;
pub use self::hand_built::{HandBuilt, Reads};
pub use self::one_lock::OneLock;
pub use self::ours::Ours;
pub use self::papaya::Papaya;
pub use self::record::{Pid, Record, Spec};
pub use self::scc::Scc;
