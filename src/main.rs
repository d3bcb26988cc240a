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

/// Lets memory that is given back be used again whenever that may be: otherwise work on many files one after the other, or on
/// NIRSpec's images, spends a fifth to a third of its time on fresh pages. The most that is used at any time grows by a tenth to a third.
fn keep_memory() {
    // SAFETY: the option exists; the allocator reads it with an atomic load
    unsafe { mi_option_set(PURGE_DELAY, -1) };
}
