//! Seeded bugs: each weakens one step of the protocol, and some check must then fail.
//!
//! They exist only in builds with the cfg `process_registry_mutants`; in every other build
//! [`mutant`] is the constant `false` and nothing of a mutant is left in the code.

/// A bug that can be switched on at run time, in one build of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(process_registry_mutants), allow(dead_code))]
#[repr(u32)]
pub(crate) enum Mutant {
    /// A slot word is published and read without Release and Acquire.
    RelaxedPublish = 1,
    /// An entry is retired before it is unlinked.
    RetireBeforeUnlink,
    /// A killed entry is published again instead of a new one.
    RepublishKilled,
    /// A source is called MIGRATED before its targets are filled.
    MigratedBeforeFill,
    /// A reader ignores MIGRATED.
    ReaderIgnoresMigrated,
    /// An insert commits without its validation pass.
    NoValidation,
    /// The validation pass begins without its fence.
    NoPassFence,
    /// `was_committed` is never set.
    NeverCommitted,
    /// A member slot is freed before the CAS that unpublishes its entry.
    FreeSlotEarly,
    /// A replace claims its member slots anew.
    ClaimAnew,
    /// A member's hash is written after the CAS that publishes its entry.
    LateHash,
    /// A closing set accepts a claim.
    ClaimClosed,
    /// A closed set takes any set of its name out of the directory.
    UnlinkAny,
    /// An entry's count is taken after it may have been zero.
    CountAfterZero,
    /// A reader of an expired entry does not load its slot word again.
    NoSecondLoad,
    /// A scan follows the directory to a set and ignores which slot an entry names.
    AnySlot,
    /// Freezing skips the overflow word.
    NoFreezeOverflow,
    /// A new chunk is linked before scans are told that there is one more.
    LateTop,
    /// A walk that goes on in a smaller table takes what is not of its class.
    WidenClass,
    /// The pass on behalf of a rival begins without its fence.
    NoHelperFence,
    /// A helper of a halving begins with its own source, whichever that is.
    OwnFirst,
    /// A migration moves a pending element and commits it.
    MovePending,
    /// A lookup returns a pending element.
    TakePending,
    /// A removal leaves its slot as if it had never been written.
    RemoveToUninit,
    /// A writer goes on in the successor without migrating its own chain.
    SkipHelping,
    /// Freezing a slot only looks at it.
    FreezeBySight,
    /// A frozen word counts as current even if its chain is MIGRATED.
    FrozenIsCurrent,
    /// A shelf of limbo is handed on without Release and Acquire.
    RelaxedShelf,
    /// A chunk goes on naming the block that its set has moved out of.
    StaleSetPointer,
    /// Readers are told only after its commit that an element is in a chain.
    LateFilter,
    /// A migration leaves the filters of the successor empty.
    EmptyFilter,
    /// A chain is called MIGRATED while its filter still lets few keys pass.
    OpenFilter,
    /// A glance follows a frozen word without a look whether its chain is MIGRATED.
    NoSecondLook,
    /// A pin lets go of the past, and reads on, without a fence between.
    NoRepinFence,
    /// The index of deadlines is changed, and the entry looked at, without a fence between.
    NoDeadlineFence,
}

#[cfg(process_registry_mutants)]
impl Mutant {
    /// All of them.
    pub(crate) const ALL: &[Mutant] = &[
        Mutant::RelaxedPublish,
        Mutant::RetireBeforeUnlink,
        Mutant::RepublishKilled,
        Mutant::MigratedBeforeFill,
        Mutant::ReaderIgnoresMigrated,
        Mutant::NoValidation,
        Mutant::NoPassFence,
        Mutant::NeverCommitted,
        Mutant::FreeSlotEarly,
        Mutant::ClaimAnew,
        Mutant::LateHash,
        Mutant::ClaimClosed,
        Mutant::UnlinkAny,
        Mutant::CountAfterZero,
        Mutant::NoSecondLoad,
        Mutant::AnySlot,
        Mutant::NoFreezeOverflow,
        Mutant::LateTop,
        Mutant::WidenClass,
        Mutant::NoHelperFence,
        Mutant::OwnFirst,
        Mutant::MovePending,
        Mutant::TakePending,
        Mutant::RemoveToUninit,
        Mutant::SkipHelping,
        Mutant::FreezeBySight,
        Mutant::FrozenIsCurrent,
        Mutant::RelaxedShelf,
        Mutant::StaleSetPointer,
        Mutant::LateFilter,
        Mutant::EmptyFilter,
        Mutant::OpenFilter,
        Mutant::NoSecondLook,
        Mutant::NoRepinFence,
        Mutant::NoDeadlineFence,
    ];
}

/// Whether `_which` is switched on.
#[cfg(not(process_registry_mutants))]
#[inline(always)]
pub(crate) const fn mutant(_which: Mutant) -> bool {
    false
}

#[cfg(process_registry_mutants)]
pub(crate) use switch::mutant;

/// The switch of the mutants: the models set it, and an ordinary program takes it from its
/// environment.
#[cfg(process_registry_mutants)]
pub(crate) mod switch {
    use super::Mutant;
    use std::env;
    use std::process;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Says which mutant is on, by its name; none if it is absent or empty.
    const VARIABLE: &str = "PROCESS_REGISTRY_MUTANT";

    /// The environment has not been read.
    const UNREAD: u32 = u32::MAX;

    // Not the facade's: the switch itself must add no scheduling point.
    static ON: AtomicU32 = AtomicU32::new(UNREAD);

    /// Whether `which` is switched on.
    pub(crate) fn mutant(which: Mutant) -> bool {
        // Relaxed: a model sets it before its threads start, and threads that read the environment
        // at once all read the same.
        let mut on = ON.load(Ordering::Relaxed);
        if on == UNREAD {
            on = from_environment();
            ON.store(on, Ordering::Relaxed);
        }
        on == which as u32
    }

    /// Ends the process if there is no such mutant: it must not be taken for one that does nothing,
    /// nor for one that was caught.
    #[cold]
    fn from_environment() -> u32 {
        let Some(name) = env::var_os(VARIABLE).filter(|name| !name.is_empty()) else { return 0 };
        match Mutant::ALL.iter().find(|mutant| *name == *format!("{mutant:?}")) {
            Some(mutant) => *mutant as u32,
            None => {
                eprintln!("{VARIABLE}: there is no {}", name.display());
                process::exit(2);
            }
        }
    }

    /// Switches mutant `number` on, and every other off; 0 is none.
    #[cfg(any(process_registry_loom, process_registry_shuttle))]
    pub(crate) fn set(number: u32) {
        ON.store(number, Ordering::Relaxed);
    }
}
