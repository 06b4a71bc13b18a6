//! Hashers that put the registry under every kind of strain a hash can cause.

use std::hash::{BuildHasher, DefaultHasher, Hasher};

/// Which of the bits of a hash tell ids apart. One type with the choice at run time, so that a test
/// over all of them is compiled once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hashing {
    /// A good hash.
    #[default]
    Normal,
    /// One hash for all ids: one chain, one fingerprint, told apart by `Eq` alone.
    Constant,
    /// Only five hashes: several ids under each, several chains.
    Colliding,
    /// Sixty-one hashes: for larger sets of ids, so that a chain is long but not everything.
    Crowded,
    /// Only the upper sixteen bits differ: one chain, many fingerprints.
    UpperBits,
    /// Only the lower sixteen bits differ: many chains, one fingerprint.
    LowerBits,
}

impl Hashing {
    pub(crate) const ALL: [Self; 6] = [
        Self::Normal,
        Self::Constant,
        Self::Colliding,
        Self::Crowded,
        Self::UpperBits,
        Self::LowerBits,
    ];
}

impl BuildHasher for Hashing {
    type Hasher = Bent;

    fn build_hasher(&self) -> Bent {
        Bent { inner: DefaultHasher::new(), hashing: *self }
    }
}

/// The hasher of [`Hashing`].
#[derive(Clone, Debug)]
pub(crate) struct Bent {
    inner: DefaultHasher,
    hashing: Hashing,
}

impl Hasher for Bent {
    fn finish(&self) -> u64 {
        // Odd multipliers spread the few values over all bits.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let hash = self.inner.finish();
        match self.hashing {
            Hashing::Normal => hash,
            Hashing::Constant => 0,
            Hashing::Colliding => (hash % 5).wrapping_mul(SPREAD),
            Hashing::Crowded => (hash % 61).wrapping_mul(SPREAD),
            Hashing::UpperBits => hash << 48,
            Hashing::LowerBits => hash & 0xFFFF,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.inner.write(bytes);
    }
}
