//! The workloads.

pub mod batch;
pub mod lookup;
pub mod memory;
pub mod mix;
pub mod reads;
pub mod tails;

use std::io;

use crate::maps;
use crate::registries;
use crate::run::Run;

/// Measures all that is wanted, one group after the other.
///
/// # Errors
///
/// If the results cannot be written.
pub fn run_all(run: &mut Run) -> io::Result<()> {
    reads::run(run)?;
    mix::run(run)?;
    tails::run(run)?;
    registries::rows::run(run)
}

/// The names of all peers.
pub fn peers() -> impl Iterator<Item = &'static str> {
    maps::NAMES.into_iter()
}
