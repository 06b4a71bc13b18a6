//! What a map holds of each key: one cache line and a half, of which a lookup reads one word.

/// A value of 96 bytes, about what a child's specification, pid and tags take.
///
/// The maps that keep their values in their own nodes hold it there; those that would copy it on
/// every move hold a [`Box`] or an `Arc` of it. Either way a lookup ends with a read from the heap,
/// as it does in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    word: u64,
    rest: [u64; 11],
}

impl Payload {
    /// A payload with this as its first word.
    #[must_use]
    pub const fn new(word: u64) -> Self {
        Self { word, rest: [word; 11] }
    }

    /// Its first word: what every lookup reads.
    #[inline]
    #[must_use]
    pub const fn word(&self) -> u64 {
        self.word
    }

    /// All of it added up.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.rest.iter().fold(self.word, |sum, word| sum.wrapping_add(*word))
    }
}

const _: () = assert!(size_of::<Payload>() == 96);
