//! Big tables ask for huge pages if they are told to, and so do those that come after them. The
//! kernel says so: among what it tells of each part of this process's memory is the advice taken.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hasher};
use std::path::Path;

use process_registry::{Child, Registry};

const MIB: usize = 1 << 20;
/// Entries for which a table of 4 MiB has room, the least that asks.
const LEAST: usize = 1 << 18;

/// The parts of this process's memory that are to be in huge pages: where each begins, and how many
/// bytes it has.
fn advised() -> BTreeMap<usize, usize> {
    let number = |hex| usize::from_str_radix(hex, 16).ok();
    let mut part = None;
    let mut advised = BTreeMap::new();
    for line in fs::read_to_string("/proc/self/smaps").expect("Linux has it").lines() {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let Some((start, end)) = first.split_once('-') {
            part = number(start).zip(number(end));
        } else if first == "VmFlags:" && rest.split_whitespace().any(|flag| flag == "hg") {
            let (start, end) = part.expect("the flags are those of a part");
            advised.insert(start, end - start);
        }
    }
    advised
}

/// How much memory is to be in huge pages.
fn advised_bytes() -> usize {
    advised().values().sum()
}

/// A hasher that leaves 31 of 32 chains empty and so crowds the others.
#[derive(Default)]
struct Narrow(DefaultHasher);

impl Hasher for Narrow {
    fn finish(&self) -> u64 {
        self.0.finish() & !(0b1_1111 << 11)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }
}

type Jobs<H> = Registry<(), u32, (), u32, H>;

fn fill<H: BuildHasher>(registry: &Jobs<H>, entries: u32) {
    for id in 0..entries {
        registry.insert(id, Child::new(()));
    }
}

/// Frees the tables that have been replaced.
fn collect<H: BuildHasher>(registry: &Jobs<H>) {
    (0..8).for_each(|_| registry.collect());
}

#[test]
fn the_kernel_has_taken_the_advice_for_every_big_table() {
    if !Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
        println!("not run: this kernel has no transparent huge pages");
        return;
    }
    assert_eq!(advised_bytes(), 0, "nobody else asks");

    let _usual: Registry<(), u32> = Registry::builder("node-a").capacity(4 * LEAST).build();
    let _small: Registry<(), u32> =
        Registry::builder("node-a").capacity(LEAST / 2).huge_pages(true).build();
    assert_eq!(advised_bytes(), 0, "not told to, and too small");

    // Rebuilt at its size, for chains are crowded.
    let hasher = BuildHasherDefault::<Narrow>::default();
    let crowded: Jobs<_> =
        Registry::builder("node-a").capacity(LEAST).hasher(hasher).huge_pages(true).build();
    let first = advised();
    assert_eq!(first.values().sum::<usize>(), 4 * MIB);
    fill(&crowded, 100_000);
    fill(&crowded, 100_000);
    collect(&crowded);
    assert_eq!((crowded.capacity(), advised_bytes()), (LEAST, 4 * MIB));
    assert_ne!(advised(), first, "it was not rebuilt");
    drop(crowded);
    assert_eq!(advised_bytes(), 0, "given back");

    // Halved, as soon as so few need no more.
    let halved: Jobs<_> = Registry::builder("node-a").huge_pages(true).capacity(2 * LEAST).build();
    assert_eq!(advised_bytes(), 8 * MIB);
    fill(&halved, LEAST as u32 / 2 + 1);
    halved.shrink_to_fit();
    collect(&halved);
    assert_eq!((halved.capacity(), advised_bytes()), (LEAST, 4 * MIB));

    // Grown. (The allocator may give a table of a size that there has been before memory for which
    // there was advice already, so this one is larger than all of them.)
    let grown: Registry<(), u32> =
        Registry::builder("node-a").huge_pages(true).capacity(4 * LEAST).build();
    assert_eq!(advised_bytes(), (4 + 16) * MIB);
    grown.reserve(8 * LEAST);
    (0..8).for_each(|_| grown.collect());
    // Its filters take two more, which is a huge page.
    assert_eq!((grown.capacity(), advised_bytes()), (8 * LEAST, (4 + 34) * MIB));
}
