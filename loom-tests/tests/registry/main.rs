//! Scenarios on a whole registry, under shuttle: see the README next to this package.

#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
mod bulks;
#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
mod changes;
#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
mod harness;
#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
mod holders;
#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
mod scenarios;
#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
mod tables;
#[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
mod world;

fn main() {
    #[cfg(all(process_registry_shuttle, not(process_registry_loom)))]
    scenarios::main();
}
