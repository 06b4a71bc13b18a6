//! Slot words and overflow words.

/// The number of an entry: it stands for its address.
pub(crate) type Id = u8;

/// A slot word, as in the source: an entry and three flags. All zero is UNINIT.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Word(u16);

const FROZEN: u16 = 1;
const PENDING: u16 = 2;
const EMPTY: u16 = 4;

impl Word {
    pub(crate) const UNINIT: Word = Word(0);
    pub(crate) const EMPTY: Word = Word(EMPTY);

    pub(crate) fn committed(entry: Id) -> Word {
        Word(u16::from(entry) << 3)
    }
    pub(crate) fn pending(entry: Id) -> Word {
        Word(u16::from(entry) << 3 | PENDING)
    }
    pub(crate) fn entry(self) -> Id {
        (self.0 >> 3) as Id
    }
    pub(crate) fn is_element(self) -> bool {
        self.entry() != 0
    }
    pub(crate) fn is_pending(self) -> bool {
        self.0 & PENDING != 0
    }
    pub(crate) fn is_committed(self) -> bool {
        self.is_element() && !self.is_pending()
    }
    pub(crate) fn is_frozen(self) -> bool {
        self.0 & FROZEN != 0
    }
    pub(crate) fn is_vacant(self) -> bool {
        self.0 & !EMPTY == 0
    }
    pub(crate) fn frozen(self) -> Word {
        Word(self.0 | FROZEN)
    }
    pub(crate) fn without_frozen(self) -> Word {
        Word(self.0 & !FROZEN)
    }
    pub(crate) fn without_pending(self) -> Word {
        Word(self.0 & !PENDING)
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.entry(), self.is_pending()) {
            (0, _) => write!(f, "{}", if *self == Word::UNINIT { "uninit" } else { "empty" })?,
            (entry, true) => write!(f, "pending {entry}")?,
            (entry, false) => write!(f, "committed {entry}")?,
        }
        write!(f, "{}", if self.is_frozen() { " frozen" } else { "" })
    }
}

/// An overflow word. All zero is not filled yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Link(u16);

const FILLED: u16 = 1;
const LINK_FROZEN: u16 = 2;
const MIGRATED: u16 = 4;

impl Link {
    pub(crate) const UNFILLED: Link = Link(0);
    pub(crate) const END: Link = Link(FILLED);

    pub(crate) fn to(bucket: usize) -> Link {
        Link((bucket as u16) << 3 | FILLED)
    }
    pub(crate) fn next(self) -> Option<usize> {
        let next = usize::from(self.0 >> 3);
        (next != 0).then_some(next)
    }
    pub(crate) fn frozen(self) -> Link {
        Link(self.0 | LINK_FROZEN)
    }
    pub(crate) fn migrated(self) -> Link {
        Link(self.0 | MIGRATED)
    }
    pub(crate) fn is_migrated(self) -> bool {
        self.0 & MIGRATED != 0
    }
    pub(crate) fn is_frozen(self) -> bool {
        self.0 & LINK_FROZEN != 0
    }
}
