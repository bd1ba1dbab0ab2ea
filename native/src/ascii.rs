//! One byte for each character: see `plugins/tidegate_scan/decoders.py`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A text with a question mark for each character beyond ASCII, so that there is one byte for each character.
#[pyfunction]
pub fn ascii<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyBytes> {
    let begins = text.bytes().filter(|byte| byte & 0xC0 != 0x80);
    PyBytes::new(py, &begins.map(|byte| if byte.is_ascii() { byte } else { b'?' }).collect::<Vec<_>>())
}
