//! Nothing: the counts are in `benches/instructions.rs`.
