//! Slot words, overflow words and filters: every reading of their bits and every transition, against plain
//! structs that keep each part in a field of its own.
//!
//! The crate's own files are compiled in here, bit for bit: what they define is visible nowhere else.

use std::ptr;

use arbitrary::Arbitrary;

#[path = "../../src/raw/word.rs"]
#[allow(dead_code, clippy::module_inception, reason = "each of the crate's modules uses its part")]
mod word;

#[path = "../../src/raw/filter.rs"]
#[allow(dead_code, reason = "as above")]
mod filter;

/// What the files expect beside them.
mod table {
    #[derive(Debug)]
    pub(super) struct Bucket<E>(#[allow(dead_code, reason = "never made")] E);
}

use filter::{Bits, Filter};
use table::Bucket;
use word::{Fingerprint, Link, Overflow, Slot, Word};

/// What the fuzzer makes up for this target.
#[derive(Arbitrary, Debug)]
pub struct Input {
    hashes: [u64; 3],
    addresses: [u64; 3],
    slots: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// With an element, where a word that was seen before is expected.
    Publish {
        which: u8,
        expected: u8,
    },
    Commit {
        expected: u8,
    },
    Kill {
        expected: u8,
    },
    Replace {
        which: u8,
        expected: u8,
    },
    Remove {
        expected: u8,
    },
    Freeze,
    FillElement {
        which: u8,
    },
    FillEmpty,
    Link {
        which: u8,
    },
    Extend {
        which: u8,
    },
    FillEnd,
    /// To the filter.
    Announce {
        which: u8,
    },
    FreezeLink,
    MarkMigrated,
    /// To the filter, all at once.
    Add,
    Touch,
    Saturate,
}

type Element = u64;

/// A slot, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plain {
    content: Content,
    frozen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Uninit,
    Empty,
    Pending(usize),
    Committed(usize),
}

/// An overflow word, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PlainLink {
    filled: bool,
    next: Option<usize>,
    frozen: bool,
    migrated: bool,
}

impl PlainLink {
    const UNFILLED: Self = PlainLink { filled: false, next: None, frozen: false, migrated: false };
}

struct Run {
    fingerprints: [Fingerprint; 3],
    /// The bits of each in a filter: the upper eight of a fingerprint tell which.
    bits: [u32; 3],
    elements: [*mut Element; 3],
    buckets: [*mut Bucket<Element>; 3],
    slot: Slot<Element>,
    plain: Plain,
    /// Every word the slot has held.
    seen: Vec<(Word<Element>, Plain)>,
    overflow: Overflow<Element>,
    link: PlainLink,
    filter: Filter,
    /// What is set in it.
    set: u32,
}

/// Runs an input. Panics where the words and the structs do not agree.
pub fn run(input: &Input) {
    let log2 = u32::from(input.slots) % 48;
    let fingerprints = input.hashes.map(|hash| Fingerprint::of(hash, log2));
    let slots = usize::from(input.slots).max(1);
    for (hash, fingerprint) in input.hashes.iter().zip(fingerprints) {
        assert!(fingerprint.preferred(slots) < slots);
        for (other, another) in input.hashes.iter().zip(fingerprints) {
            // Fifteen bits tell hashes apart, from a multiple of eight on.
            assert_eq!(fingerprint == another, (hash ^ other) >> (log2 / 8 * 8) & 0x7fff == 0);
        }
        // Among them is the one that a split goes by.
        assert_eq!(fingerprint.bit(log2, log2), hash >> log2 & 1 != 0);
        let larger = Fingerprint::of(*hash, log2 + 1);
        assert!(fingerprint == larger || !Fingerprint::carries_over(log2, log2 + 1));
    }
    // What an allocator could answer: never null, and aligned as elements and buckets are.
    let place = |raw: u64, align: u64| {
        let address = (raw & 0x0000_7fff_ffff_ffff & !(align - 1)).max(align);
        usize::try_from(address).expect("an address of this target")
    };
    let plain = Plain { content: Content::Uninit, frozen: false };
    let mut run = Run {
        fingerprints,
        bits: input.hashes.map(|hash| {
            let upper = hash >> (log2 / 8 * 8) >> 7 & 255;
            1 << (upper & 31) | 1 << (upper >> 3)
        }),
        elements: input.addresses.map(|a| ptr::without_provenance_mut(place(a, 16))),
        buckets: input.addresses.map(|a| ptr::without_provenance_mut(place(a, 64))),
        slot: Slot::new(Word::UNINIT),
        plain,
        seen: vec![(Word::UNINIT, plain)],
        overflow: Overflow::unfilled(),
        link: PlainLink::UNFILLED,
        filter: Filter::new(),
        set: 0,
    };
    for element in run.elements {
        Word::check_address(element);
    }
    for step in input.steps.iter().take(64) {
        run.step(*step);
        run.check();
    }
}

/// What an element says of itself, which never changes: here by where it lies.
fn is_special(element: *mut Element) -> bool {
    element.addr() & 16 != 0
}

impl Run {
    fn expected(&self, at: u8) -> (Word<Element>, Plain) {
        self.seen[usize::from(at) % self.seen.len()]
    }

    fn committed(&self, which: usize) -> Word<Element> {
        let element = self.elements[which];
        Word::committed(element, self.fingerprints[which], is_special(element))
    }

    /// Whether that word is what the slot holds: then, and only then, a transition succeeds.
    fn holds(&self, word: Word<Element>) -> bool {
        self.slot.load() == word
    }

    /// Does a transition on the structs if the word is the one expected.
    fn follow(&mut self, from: Word<Element>, done: bool, to: Content, holds: bool) {
        assert_eq!(done, holds, "expected {from:?} in {:?}", self.plain);
        if done {
            self.plain.content = to;
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish { which, expected } => {
                let (from, plain) = self.expected(expected);
                let vacant = matches!(plain.content, Content::Uninit | Content::Empty);
                if vacant && !plain.frozen {
                    let which = usize::from(which) % 3;
                    let holds = self.holds(from);
                    let done = self.slot.publish(from, self.committed(which).pending());
                    self.follow(from, done, Content::Pending(which), holds);
                }
            }
            Step::Commit { expected } | Step::Kill { expected } => {
                let (from, plain) = self.expected(expected);
                if let (Content::Pending(which), false) = (plain.content, plain.frozen) {
                    let holds = self.holds(from);
                    let before = self.slot.load();
                    let (result, to) = if matches!(step, Step::Commit { .. }) {
                        (self.slot.commit(from), Content::Committed(which))
                    } else {
                        (self.slot.kill(from), Content::Empty)
                    };
                    assert!(result.is_ok() || result == Err(before), "what was there comes back");
                    self.follow(from, result.is_ok(), to, holds);
                }
            }
            Step::Replace { which, expected } => {
                let (from, plain) = self.expected(expected);
                if let (Content::Committed(_), false) = (plain.content, plain.frozen) {
                    let which = usize::from(which) % 3;
                    let holds = self.holds(from);
                    let done = self.slot.replace(from, self.committed(which));
                    self.follow(from, done, Content::Committed(which), holds);
                }
            }
            Step::Remove { expected } => {
                let (from, plain) = self.expected(expected);
                if let (Content::Committed(_), false) = (plain.content, plain.frozen) {
                    let holds = self.holds(from);
                    let done = self.slot.remove(from);
                    self.follow(from, done, Content::Empty, holds);
                }
            }
            Step::Freeze => {
                let before = self.slot.load();
                assert!(self.slot.freeze() == before, "freezing returns what was there");
                self.plain.frozen = true;
            }
            Step::FillElement { which } => {
                let which = usize::from(which) % 3;
                let holds = self.holds(Word::UNINIT);
                let done = self.slot.fill(self.committed(which));
                self.follow(Word::UNINIT, done, Content::Committed(which), holds);
            }
            Step::FillEmpty => {
                let holds = self.holds(Word::UNINIT);
                let done = self.slot.fill(Word::EMPTY);
                self.follow(Word::UNINIT, done, Content::Empty, holds);
            }
            Step::Announce { which } => {
                let which = usize::from(which) % 3;
                self.filter.announce(Bits::of(self.fingerprints[which]));
                self.set |= self.bits[which];
            }
            Step::Add => {
                let all = self.fingerprints.map(Bits::of).into_iter();
                self.filter.add(all.fold(Bits::NONE, Bits::and));
                self.set |= self.bits.iter().fold(0, |all, bits| all | bits);
            }
            Step::Touch => self.filter.touch(),
            Step::Saturate => {
                self.filter.saturate();
                self.set = u32::MAX;
            }
            _ => self.step_of_the_link(step),
        }
    }

    fn step_of_the_link(&mut self, step: Step) {
        match step {
            Step::Link { which } => {
                let which = usize::from(which) % 3;
                let filled = self.overflow.fill(Link::to(self.buckets[which]));
                assert_eq!(filled, self.unfilled());
                if filled {
                    (self.link.filled, self.link.next) = (true, Some(which));
                }
            }
            Step::FillEnd => {
                let filled = self.overflow.fill(Link::END);
                assert_eq!(filled, self.unfilled());
                self.link.filled |= filled;
            }
            Step::Extend { which } => {
                let from = self.overflow.load();
                let open = !from.is_frozen() && !from.is_migrated();
                if self.link.filled && from.next().is_null() && open {
                    let which = usize::from(which) % 3;
                    assert!(self.overflow.extend(from, self.buckets[which]));
                    assert!(!self.overflow.extend(from, self.buckets[which]), "it has changed");
                    self.link.next = Some(which);
                }
            }
            Step::FreezeLink => {
                let link = self.overflow.freeze();
                assert_eq!(link.is_frozen(), self.link.frozen, "what was there");
                self.link.frozen = true;
            }
            Step::MarkMigrated => {
                self.overflow.mark_migrated();
                self.link.migrated = true;
            }
            _ => unreachable!("not a step of the link"),
        }
    }

    fn unfilled(&self) -> bool {
        self.link == PlainLink::UNFILLED
    }

    fn check(&mut self) {
        let (word, plain) = (self.slot.load(), self.plain);
        let element = match plain.content {
            Content::Uninit | Content::Empty => None,
            Content::Pending(which) | Content::Committed(which) => Some(which),
        };
        let pending = matches!(plain.content, Content::Pending(_));
        assert_eq!(word.is_element(), element.is_some(), "is_element");
        assert_eq!(word.is_pending(), pending, "is_pending");
        assert_eq!(word.is_committed(), element.is_some() && !pending, "is_committed");
        assert_eq!(word.is_frozen(), plain.frozen, "is_frozen");
        assert_eq!(word.is_vacant(), element.is_none() && !plain.frozen, "is_vacant");
        assert!(word.frozen().is_frozen() && !word.without_frozen().is_frozen());
        if let Some(which) = element {
            assert_eq!(word.element(), self.elements[which], "element");
            assert_eq!(word.is_special(), is_special(self.elements[which]), "special");
            assert!(word.fingerprint() == self.fingerprints[which], "fingerprint");
            assert!(word.without_pending().is_committed() && word.pending().is_pending());
        }
        for fingerprint in self.fingerprints {
            let same = element.is_some_and(|which| self.fingerprints[which] == fingerprint);
            assert_eq!(word.resembles(fingerprint), same, "resembles");
            assert_eq!(word.matches(fingerprint), same && !pending, "matches");
        }
        // Different contents are different words, and the same ones are the same.
        for (other, content) in &self.seen {
            if word == *other {
                assert_eq!(plain.frozen, content.frozen);
                assert_eq!(self.parts(plain), self.parts(*content));
            } else {
                assert!(
                    (plain.frozen, self.parts(plain)) != (content.frozen, self.parts(*content))
                );
            }
        }
        self.seen.push((word, plain));

        let link = self.overflow.load();
        let next = self.link.next.map_or(ptr::null_mut(), |which| self.buckets[which]);
        assert_eq!(link.next(), next, "next");
        assert_eq!(link.is_frozen(), self.link.frozen, "is_frozen");
        assert_eq!(link.is_migrated(), self.link.migrated, "is_migrated");
        for (fingerprint, bits) in self.fingerprints.into_iter().zip(self.bits) {
            assert_eq!(self.filter.passes(fingerprint), self.set & bits == bits, "passes");
        }
    }

    /// A content by its parts: elements of the input may be at one address, with one fingerprint.
    fn parts(&self, plain: Plain) -> (u8, Option<(*mut Element, usize)>) {
        let of = |which: usize| {
            let print = self.fingerprints[which];
            let same = self.fingerprints.iter().position(|other| *other == print);
            Some((self.elements[which], same.expect("it is one of them")))
        };
        match plain.content {
            Content::Uninit => (0, None),
            Content::Empty => (1, None),
            Content::Pending(which) => (2, of(which)),
            Content::Committed(which) => (3, of(which)),
        }
    }
}
