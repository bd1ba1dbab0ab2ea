//! What of the search for secrets is the same work for every byte of a text, compiled.
//!
//! Tidegate's interceptors `secrets` and `pii` do all of this in Python too, which takes several times as long. What is
//! here undoes what is disguised character by character, says where rules could match and where encoded runs may be, and
//! which strings of a message are new; rules, decoders and judgements stay in Python.

mod bytes;
mod edits;
mod grams;
mod prefilter;
mod signs;
mod strings;
mod syntax;
mod tails;
mod undo;

use pyo3::prelude::*;

/// See `plugins/tidegate_scan/native.py`.
#[pymodule(gil_used = true)]
mod tidegate_native {
    /// Counts up with each change of what is called from Python; another one isn't used there.
    #[pymodule_export]
    const INTERFACE: u32 = 2;
    #[pymodule_export]
    use crate::bytes::{ascii, from_base64, readable};
    #[pymodule_export]
    use crate::prefilter::Prefilter;
    #[pymodule_export]
    use crate::signs::Signs;
    #[pymodule_export]
    use crate::strings::{New, Strings};
    #[pymodule_export]
    use crate::undo::Ways;
}
