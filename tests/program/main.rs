//! Tests of the program and of every step on a tiny exposure with all its reference files.

mod animate;
mod bad_input;
mod common;
mod manual;
mod navigate;
mod planet;
mod plot;
mod report;
mod run;
mod spectral;
mod steps;
