//! The program `sifu`; see [`sifu::cli`].

use std::process::ExitCode;

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in mimalloc's list of options.
const PURGE_DELAY: mi_option_t = 15;

fn main() -> ExitCode {
    // images are given back to the system within milliseconds, not kept for a second (mimalloc's default): a quarter less memory
    // SAFETY: no other thread runs yet, and the option exists
    unsafe { mi_option_set(PURGE_DELAY, 10) };
    ExitCode::from(sifu::cli::main(&keep_memory))
}

/// Lets memory that is given back be used again whenever that may be: work on many files one after the other spends a quarter of
/// its time on fresh pages otherwise, and the most that is used at any time hardly grows.
fn keep_memory() {
    // SAFETY: the option exists; the allocator reads it with an atomic load
    unsafe { mi_option_set(PURGE_DELAY, -1) };
}
