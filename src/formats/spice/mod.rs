//! SPICE kernels: DAF files, text kernels, the variables of a kernel pool, and meta-kernels.
//!
//! What bytes say, and nothing of what they mean: no bodies, frames or times (`nav` has them).
//! Written from NAIF's published format descriptions (the DAF, SPK, PCK and kernel "required
//! reading"); no code of any SPICE toolkit is used.

mod daf;
mod generic;
mod meta;
mod pool;
mod text;

pub use daf::{Array, Content, Daf, Summary};
pub use generic::Generic;
pub use meta::kernels_to_load;
pub use pool::Pool;
pub use text::{Assignment, Value, calendar_seconds, parse_text};
