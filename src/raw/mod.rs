//! The unsafe core: it knows keys, values and names, and nothing of registries.
//!
//! ```text
//!   ┌────► query ─────────────────────────────┐
//!   │        │                                ▼
//! store ─► operation (named) ─► directory ─► members ─► chunks ─► chunk
//!   │        │                    │
//!   ├────────┴────────────────────┴─► primary (lanes, insert, resolve, migrate, walk, batch) ─► table ─► filter ─► word
//!   └─► limbo ─► shelf ─► (draft, counted) ─► room ─► block ─► parts
//! ```
//!
//! Who may touch what: only `word` knows the bits of slot words; only `primary`, `insert`, `resolve`
//! and `migrate` change them; only `operation` claims and gives back member slots; only `limbo`
//! decides when memory is freed. No safe call from outside this module can break memory.
#![allow(unsafe_code)]

mod batch;
mod block;
mod chunk;
mod chunks;
mod counted;
mod directory;
mod draft;
mod filter;
mod flags;
#[cfg(feature = "metrics")]
mod gauges;
mod insert;
mod lanes;
mod limbo;
mod members;
mod migrate;
#[cfg(any(process_registry_loom, process_registry_shuttle))]
pub mod model_api;
mod named;
mod operation;
mod pad;
mod pages;
mod parts;
mod prefetch;
mod primary;
mod query;
#[cfg(feature = "tracing")]
mod resizes;
mod resolve;
mod room;
mod shelf;
mod slack;
mod store;
mod table;
mod walk;
mod word;

#[cfg(test)]
mod tests;

pub(crate) use block::{Block, Dim, Element, Parts};
pub(crate) use counted::Counted;
pub(crate) use draft::Draft;
pub(crate) use pad::CachePadded;
pub(crate) use pages::Pages;
pub(crate) use primary::{Found, Held};
pub(crate) use query::Members;
#[cfg(feature = "tracing")]
pub(crate) use resizes::Resize;
pub(crate) use store::{PinnedRef, Store, Verdict};
pub(crate) use walk::Walk;
