//! What the two programs share: options, lines on stdout, waiting, and the account of what was checked.
//!
//! The programs are `tasks`, tokio tasks under a supervisor, and `sessions`, a chat server. Each says at its
//! head what it shows about the registry.

pub mod checks;
pub mod options;
pub mod terminal;
pub mod waiting;
