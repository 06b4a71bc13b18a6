//! The measurements with mimalloc.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use process_registry_benches::cli::{self, HugePages};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // mimalloc asks for transparent huge pages anyway unless this variable is 0, so that its rows
    // are with huge pages in either case; with the switch they are judged accordingly.
    let huge = HugePages { variable: "MIMALLOC_ALLOW_THP", value: "1" };
    cli::main("mimalloc", huge)
}
