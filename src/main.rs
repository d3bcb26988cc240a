//! The program `sifu`; see [`sifu::cli`].

use std::process::ExitCode;

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in mimalloc's list of options.
const PURGE_DELAY: mi_option_t = 15;

fn main() -> ExitCode {
    // memory that is given back stays with the program for what comes next: fresh pages cost images a tenth to a quarter of the
    // time, and the most that is used at any time grows by less than a tenth to a third
    // SAFETY: no other thread runs yet, and the option exists
    unsafe { mi_option_set(PURGE_DELAY, -1) };
    ExitCode::from(sifu::cli::main())
}
