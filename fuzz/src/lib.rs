//! What the fuzz targets do, apart from the fuzzer: every target is a type of input and a function
//! that runs it. `cargo test` runs the inputs that are kept.
//!
//! - `ops`: sequences of every operation, on the registry and on the model the tests use, with
//!   every read compared after every step.
//! - `bulk_hooks`: bulk operations, hooks that come and go, and time that meets deadlines exactly.
//! - `word`: the packing and the transitions of slot words, overflow words and filters.

pub mod bulk_hooks;
pub mod ops;
mod vocabulary;
pub mod word;
mod world;

#[path = "../../tests/oracle/reads.rs"]
#[allow(dead_code, reason = "ids are numbers here, and the tests have texts too")]
mod reads;
#[path = "../../tests/oracle/relations.rs"]
mod relations;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../src/sync/mod.rs"]
#[allow(dead_code, unused_imports, reason = "`word` needs its part of the facade")]
mod sync;

#[cfg(test)]
mod kept;
