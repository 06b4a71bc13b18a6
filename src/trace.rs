//! What is told to a subscriber of `tracing`.
//!
//! Two arms with one face: `events` with the feature `tracing`, and `silence` without it, where all of this
//! is nothing.

#[cfg(feature = "tracing")]
mod events;
#[cfg(feature = "tracing")]
use events as arm;

#[cfg(not(feature = "tracing"))]
mod silence;
#[cfg(not(feature = "tracing"))]
use silence as arm;

pub(crate) use self::arm::{Log, handler_panicked};
