//! The strings of a message, and which of them were looked at before: see `plugins/tidegate_scan/leaves.py`.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

const DEEPEST: usize = 200; // values in values

/// How the strings of a message are put together; sizes are in characters.
#[derive(FromPyObject)]
struct Layout {
    separator: String,
    own: String,            // what is read in place of a message's own U+0000
    fixed: HashSet<String>, // members whose values are no part of anything
    short: usize,           // up to which a value stands on one line with its key
    edge: usize,            // at the ends of a long string that may be part of what goes on in the next one
    short_clean: usize,     // of the longest text that is remembered
    most_clean: usize,      // texts that are remembered
    most_parts: usize,      // strings that may be parts of something
    least_number: i64,      // that is read
    most: usize,            // bytes of the new strings of a message
}

/// Remembers by their hashes texts in which nothing was found: by themselves, and together.
#[pyclass]
pub struct Strings {
    layout: Layout,
    pieces: Clean,
    runs: Clean,
}

/// Texts that are known, by their hashes, whose seed is nobody else's.
#[derive(Default)]
struct Clean {
    hashes: HashSet<u64>,
    seed: RandomState,
}

/// What of the strings of a message isn't known to be clean: by themselves, and what may be parts together.
#[pyclass(frozen, get_all)]
pub struct New {
    pieces: String,
    runs: String,
}

/// What has to be looked at in Python.
struct Unread;

impl From<PyErr> for Unread {
    fn from(_: PyErr) -> Self {
        Self
    }
}

type Read = Result<(), Unread>;

#[pymethods]
impl Strings {
    #[new]
    fn new(layout: Layout) -> Self {
        Self { layout, pieces: Clean::default(), runs: Clean::default() }
    }

    /// Whether all strings of a JSON value are known to be clean, by themselves and together.
    #[pyo3(signature = (tree, *, numbers))]
    fn known(&self, tree: &Bound<PyAny>, numbers: bool) -> bool {
        Walk::over(tree, numbers, &self.layout, Known(self)).is_ok()
    }

    /// Those that aren't; `None` where that has to be told in Python.
    #[pyo3(signature = (tree, *, numbers))]
    fn new_in(&self, tree: &Bound<PyAny>, numbers: bool) -> Option<New> {
        let found =
            Walk::over(tree, numbers, &self.layout, Gathered { of: self, pieces: Vec::new(), runs: Vec::new() });
        found.ok().filter(|each| each.size() <= self.layout.most).map(|each| each.joined())
    }

    /// Remembers that nothing was found in texts by themselves, or as parts together: one says nothing of the other.
    #[pyo3(signature = (texts, *, together))]
    fn learn(&mut self, texts: &str, together: bool) {
        let clean = if together { &mut self.runs } else { &mut self.pieces };
        for text in texts.split(&self.layout.separator) {
            if text.chars().count() <= self.layout.short_clean {
                if clean.hashes.len() >= self.layout.most_clean {
                    clean.hashes.clear();
                }
                clean.hashes.insert(clean.hash(&[text]));
            }
        }
    }
}

impl Clean {
    fn hash(&self, parts: &[&str]) -> u64 {
        let mut hasher = self.seed.build_hasher();
        parts.iter().for_each(|part| hasher.write(part.as_bytes()));
        hasher.finish()
    }

    fn has(&self, parts: &[&str]) -> bool {
        self.hashes.contains(&self.hash(parts))
    }
}

/// Takes texts, each in parts.
trait Sink {
    fn piece(&mut self, parts: &[&str]) -> Read;
    fn run(&mut self, parts: &[&str]) -> Read;
}

/// Refuses what isn't known to be clean.
struct Known<'a>(&'a Strings);

impl Sink for Known<'_> {
    fn piece(&mut self, parts: &[&str]) -> Read {
        if self.0.pieces.has(parts) { Ok(()) } else { Err(Unread) }
    }

    fn run(&mut self, parts: &[&str]) -> Read {
        if self.0.runs.has(parts) { Ok(()) } else { Err(Unread) }
    }
}

/// Takes what isn't known to be clean.
struct Gathered<'a> {
    of: &'a Strings,
    pieces: Vec<String>,
    runs: Vec<String>,
}

impl Gathered<'_> {
    fn size(&self) -> usize {
        self.pieces.iter().chain(&self.runs).map(String::len).sum()
    }

    fn joined(&self) -> New {
        let separator = &self.of.layout.separator;
        New { pieces: self.pieces.join(separator), runs: self.runs.join(separator) }
    }

    fn text(&self, parts: &[&str]) -> String {
        let text = parts.concat();
        if text.contains('\0') { text.replace('\0', &self.of.layout.own) } else { text }
    }
}

impl Sink for Gathered<'_> {
    fn piece(&mut self, parts: &[&str]) -> Read {
        let text = self.text(parts);
        if !self.of.pieces.has(&[&text]) {
            self.pieces.push(text);
        }
        Ok(())
    }

    fn run(&mut self, parts: &[&str]) -> Read {
        let text = self.text(parts);
        if !self.of.runs.has(&[&text]) {
            self.runs.push(text);
        }
        Ok(())
    }
}

/// The members of an object that are strings: their keys, and which values they are.
type Own<'py> = Vec<(Bound<'py, PyString>, usize)>;

struct Walk<'a, 'py, S> {
    layout: &'a Layout,
    numbers: bool,
    values: Vec<Bound<'py, PyString>>,
    groups: Vec<Vec<usize>>, // of values
    sink: S,
}

impl<'a, 'py, S: Sink> Walk<'a, 'py, S> {
    /// Gives a sink all strings of a JSON value, keys too, and the runs of those that may be parts of one.
    fn over(tree: &Bound<'py, PyAny>, numbers: bool, layout: &'a Layout, sink: S) -> Result<S, Unread> {
        let mut walk = Self { layout, numbers, values: Vec::new(), groups: Vec::new(), sink };
        walk.value(tree, "", DEEPEST)?;
        if walk.groups.iter().map(Vec::len).sum::<usize>() <= layout.most_parts {
            for group in &walk.groups {
                run(group.iter().map(|index| &walk.values[*index]), layout.edge, &mut walk.sink)?;
            }
        }
        Ok(walk.sink)
    }

    fn value(&mut self, value: &Bound<'py, PyAny>, key: &str, depth: usize) -> Result<Own<'py>, Unread> {
        if depth == 0 {
            return Err(Unread);
        }
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.string(text, key, false)?;
        } else if let Ok(members) = value.cast_exact::<PyDict>() {
            return self.members(members, depth);
        } else if let Ok(items) = value.cast_exact::<PyList>() {
            self.items(items, key, depth)?;
        } else {
            self.plain(value)?;
        }
        Ok(Own::new())
    }

    fn members(&mut self, members: &Bound<'py, PyDict>, depth: usize) -> Result<Own<'py>, Unread> {
        let mut own = Own::new();
        for (name, item) in members.iter() {
            let name = name.cast_into_exact::<PyString>().map_err(|_| Unread)?;
            if let Ok(text) = item.cast_exact::<PyString>() {
                let index = self.string(text, name.to_str()?, true)?;
                own.push((name, index));
            } else {
                self.sink.piece(&[name.to_str()?])?;
                self.value(&item, name.to_str()?, depth - 1)?;
            }
        }
        let mut group = Vec::with_capacity(own.len());
        for (name, index) in &own {
            if !self.layout.fixed.contains(name.to_str()?) {
                group.push(*index);
            }
        }
        if group.len() > 1 {
            self.groups.push(group);
        }
        Ok(own)
    }

    fn items(&mut self, items: &Bound<'py, PyList>, key: &str, depth: usize) -> Read {
        let mut alike: HashMap<String, Vec<usize>> = HashMap::new();
        let alone = items.len() < 2;
        for item in items.iter() {
            if let Ok(text) = item.cast_exact::<PyString>() {
                let index = self.string(text, key, false)?;
                if !alone {
                    alike.entry(String::new()).or_default().push(index);
                }
            } else {
                for (name, index) in self.value(&item, key, depth - 1)? {
                    if !alone {
                        alike.entry(format!("/{}", name.to_str()?)).or_default().push(index);
                    }
                }
            }
        }
        self.groups.extend(alike.into_values().filter(|group| group.len() > 1));
        Ok(())
    }

    fn string(&mut self, value: &Bound<'py, PyString>, key: &str, keyed: bool) -> Result<usize, Unread> {
        let text = value.to_str()?;
        if !key.is_empty() && fits(text, self.layout.short) && !text.contains('\n') {
            self.sink.piece(&[key, "=", text])?;
        } else {
            if keyed {
                self.sink.piece(&[key])?;
            }
            self.sink.piece(&[text])?;
        }
        self.values.push(value.clone());
        Ok(self.values.len() - 1)
    }

    /// Passes over what is no string, unless it is a number that is to be read.
    fn plain(&self, value: &Bound<'py, PyAny>) -> Read {
        if value.is_none() || value.is_exact_instance_of::<PyBool>() {
            return Ok(());
        }
        let least = self.layout.least_number;
        let passed = if value.is_exact_instance_of::<PyInt>() {
            !self.numbers || value.extract::<i64>().is_ok_and(|number| -least < number && number < least)
        } else if value.is_exact_instance_of::<PyFloat>() {
            !self.numbers || value.extract::<f64>().is_ok_and(|number| number.abs() < least as f64)
        } else {
            false
        };
        if passed { Ok(()) } else { Err(Unread) }
    }
}

/// Gives a sink what follows each other in a group: short values whole, of long ones the end and the beginning alone.
fn run<'a, 'py: 'a>(values: impl Iterator<Item = &'a Bound<'py, PyString>>, edge: usize, sink: &mut impl Sink) -> Read {
    let mut parts: Vec<&str> = Vec::new();
    for value in values {
        let text = value.to_str()?;
        if fits(text, 2 * edge) {
            parts.push(text);
            continue;
        }
        let (first, last) = (text.char_indices().nth(edge), text.char_indices().nth_back(edge - 1));
        parts.push(&text[..first.map_or(text.len(), |(at, _)| at)]);
        if parts.len() > 1 {
            sink.run(&parts)?;
        }
        parts = vec![&text[last.map_or(0, |(at, _)| at)..]];
    }
    if parts.len() > 1 { sink.run(&parts) } else { Ok(()) }
}

/// Whether a text has so many characters at most.
fn fits(text: &str, most: usize) -> bool {
    text.len() <= most || (text.len() <= 4 * most && text.chars().count() <= most)
}
