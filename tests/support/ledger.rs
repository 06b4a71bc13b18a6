//! Accounts of what was made and what was dropped, value by value.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

const ALIVE: u8 = 1;
const DROPPED: u8 = 2;
/// What the canary of a value says while the value may be read.
const SOUND: u64 = 0x5EED_CAFE_F00D_BEEF;

#[derive(Debug)]
struct Book {
    states: Box<[AtomicU8]>,
    next: AtomicUsize,
    dropped_twice: AtomicUsize,
}

/// Hands out tokens and knows of each whether it was dropped.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<Book>);

impl Ledger {
    /// For at most `most` tokens.
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Book {
            states: (0..most).map(|_| AtomicU8::new(0)).collect(),
            next: AtomicUsize::new(0),
            dropped_twice: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn token(&self) -> Token {
        let serial = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.states[serial].store(ALIVE, Ordering::Relaxed);
        Token { serial, check: AtomicU64::new(SOUND ^ serial as u64), ledger: self.clone() }
    }

    pub(crate) fn made(&self) -> usize {
        self.0.next.load(Ordering::Relaxed)
    }

    /// How many are not dropped yet.
    pub(crate) fn alive(&self) -> usize {
        let made = &self.0.states[..self.made()];
        let alive = |state: &&AtomicU8| state.load(Ordering::Relaxed) == ALIVE;
        made.iter().filter(alive).count()
    }

    /// Checks that every value was dropped, and once.
    #[track_caller]
    pub(crate) fn closed(&self) {
        let made = &self.0.states[..self.made()];
        let alive = |state: &AtomicU8| state.load(Ordering::Relaxed) == ALIVE;
        let leaked: Vec<usize> = (0..made.len()).filter(|at| alive(&made[*at])).collect();
        assert!(leaked.is_empty(), "leaked of {}: {leaked:?}", made.len());
        let twice = self.0.dropped_twice.load(Ordering::Relaxed);
        assert_eq!(twice, 0, "dropped twice");
    }
}

/// Part of a value that is to be dropped exactly once, and not to be read afterwards.
#[derive(Debug)]
pub(crate) struct Token {
    serial: usize,
    check: AtomicU64,
    ledger: Ledger,
}

impl Token {
    /// Checks that the memory is still a token that was not dropped.
    #[track_caller]
    pub(crate) fn sound(&self) {
        let check = self.check.load(Ordering::Relaxed);
        assert_eq!(check, SOUND ^ self.serial as u64, "read after its drop");
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        self.sound();
        self.ledger.token()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.check.store(0, Ordering::Relaxed);
        let before = self.ledger.0.states[self.serial].swap(DROPPED, Ordering::Relaxed);
        if before != ALIVE {
            self.ledger.0.dropped_twice.fetch_add(1, Ordering::Relaxed);
        }
    }
}
