//! Measures the registry against the maps and the registries it competes with.
//!
//! Only ratios are reported, each from alternating rounds of ours and one peer ([`paired`]); they
//! hold on a busy machine, where times do not. [`maps`] has one adapter for each peer, [`rows`] the
//! workloads, [`registries`] whole registries built by hand, [`report`] what becomes of the results.

pub mod cli;
pub mod keys;
pub mod maps;
pub mod pages;
pub mod paired;
pub mod payload;
pub mod plot;
pub mod registries;
pub mod report;
pub mod rows;
pub mod run;
pub mod threads;
