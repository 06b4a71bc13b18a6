//! The measurements with the system's allocator.

use std::process::ExitCode;

use process_registry_benches::cli::{self, HugePages};

fn main() -> ExitCode {
    // With this, glibc asks for huge pages wherever it maps memory.
    let huge = HugePages { variable: "GLIBC_TUNABLES", value: "glibc.malloc.hugetlb=1" };
    cli::main("system", huge)
}
