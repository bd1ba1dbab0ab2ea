//! Which rules could match in a text, and where: see `plugins/tidegate_scan/prefilter.py`, whose results are the same.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyTimeoutError, PyValueError};
use pyo3::prelude::*;

use crate::edits::Edits;
use crate::grams::{Beginning, Grams};
use crate::tails::{Tail, Tried};

const STRIDE: usize = 64; // literals between two looks at the clock
const EDGE: u8 = 0; // stands for what is before a text and behind it

type Table = [bool; 256];
type Written = (u32, Vec<u8>, Vec<u8>, String, usize, usize);
type Group = (Vec<Vec<u8>>, Vec<Written>);
type Window = (usize, usize, bool);
type Drawn = (u32, Vec<Window>);
type Places = Vec<usize>;

struct Member {
    rule: u32,
    before: Table,
    first: Table,
    tail: Option<usize>,
    most_before: usize,
    most_after: usize,
}

/// One way to write a literal, in small letters, and the literal's number.
struct Spelling {
    text: Vec<u8>,
    literal: usize,
}

struct Literal {
    exactly: Vec<u8>, // how it is written; empty where its case doesn't matter
    search: usize,
    before: Table,
    first: Table,
    members: Vec<Member>,
    gate: Option<usize>, // the tails of all its rules as one, if there are several
    most_before: usize,
    most_after: usize,
}

/// The limits within which literals that follow each other closely are tried one by one.
#[derive(Clone, Copy)]
struct Limits {
    close: usize,
    row: usize,
    chunk: usize,
    around: usize, // bytes beside a window that may say whether what is found there counts
}

/// The literals of all rules and their tails.
///
/// The text is read once, in small letters, for all searches.
#[pyclass]
pub struct Prefilter {
    grams: Grams,
    spellings: Vec<Spelling>,
    single: Vec<usize>, // those of one byte
    literals: Vec<Literal>,
    searches: usize,
    tails: Vec<Tail>,
    limits: Limits,
    longest: usize, // literal
}

fn table(bytes: &[u8]) -> PyResult<Table> {
    let bytes: &[u8; 256] = bytes.try_into().map_err(|_| PyValueError::new_err("a table has 256 bytes"))?;
    Ok(bytes.map(|byte| byte != 0))
}

fn any(tables: impl Iterator<Item = Table>) -> Table {
    tables.fold([false; 256], |found, each| std::array::from_fn(|code| found[code] || each[code]))
}

#[pymethods]
impl Prefilter {
    /// Takes for each search whether case is ignored, and its literals: spellings, and for each rule its number, the
    /// bytes that may stand before the literal and behind it, its tail ("" for none), and how much there may be on each side.
    #[new]
    fn new(searches: Vec<(bool, Vec<Group>)>, close: usize, row: usize, chunk: usize, around: usize) -> PyResult<Self> {
        let mut spelled = Vec::new();
        let mut literals = Vec::new();
        let mut tails = Tails::default();
        let count = searches.len();
        for (search, (ignore_case, groups)) in searches.into_iter().enumerate() {
            for (spellings, members) in groups {
                let written = spellings.iter().map(|each| each.to_ascii_lowercase());
                spelled.extend(written.map(|text| Spelling { text, literal: literals.len() }));
                let exactly = if ignore_case { Vec::new() } else { spellings.concat() };
                let regexes: Vec<String> = members.iter().map(|each| each.3.clone()).collect();
                let gated = members.len() > 1 && regexes.iter().all(|each| !each.is_empty());
                let gate = if gated { Some(tails.number(regexes.join("|"))?) } else { None };
                let most_before = members.iter().map(|each| each.4).max().unwrap_or(0);
                let most_after = members.iter().map(|each| each.5).max().unwrap_or(0);
                let members = members.into_iter().map(|each| tails.member(each)).collect::<PyResult<Vec<_>>>()?;
                let before = any(members.iter().map(|each| each.before));
                let first = any(members.iter().map(|each| each.first));
                literals.push(Literal { exactly, search, before, first, members, gate, most_before, most_after });
            }
        }
        let longest = spelled.iter().map(|each| each.text.len()).max().unwrap_or(0);
        let single = (0..spelled.len()).filter(|number| spelled[*number].text.len() == 1).collect();
        let behind = |spelling: &Spelling| &literals[spelling.literal].first;
        let grams = Grams::new(spelled.iter().map(|each| Beginning { text: &each.text, behind: behind(each) }));
        let limits = Limits { close, row, chunk, around };
        Ok(Self { grams, spellings: spelled, single, literals, searches: count, tails: tails.made, limits, longest })
    }

    /// The windows of each rule, by its number, in order; and what was learnt of the text.
    ///
    /// `scale` is how many bytes a character may take. `since` is what was learnt of a text that this one came from, with the
    /// edits between the two: only what they touch is read, and windows that they don't touch are left out. Raises TimeoutError
    /// where it takes longer than so many seconds.
    #[pyo3(signature = (text, scale, seconds, since=None))]
    fn windows(
        &mut self,
        text: &str,
        scale: usize,
        seconds: f64,
        since: Option<(PyRef<Learnt>, Places, Places, Places, Places)>,
    ) -> PyResult<(Vec<Drawn>, Learnt)> {
        let until = Duration::try_from_secs_f64(seconds).ok().and_then(|left| Instant::now().checked_add(left));
        let text = Text { data: text.as_bytes(), scale };
        let mut searches = match since {
            None => self.stops(text.data),
            Some((learnt, old_starts, old_ends, new_starts, new_ends)) => {
                let edits = Edits { old_starts, old_ends, new_starts, new_ends };
                self.moved(&text, &learnt, &edits)
            }
        };
        let mut found = Found::default();
        for stops in &mut searches {
            draw(&self.literals, &mut self.tails, stops, &mut found, &text, until, self.limits)?;
        }
        Ok((found.windows.into_iter().collect(), Learnt { searches, scale }))
    }
}

impl Prefilter {
    /// The literals in a text beside which there is what any of their rules allows, in order, by search.
    fn stops(&self, data: &[u8]) -> Vec<Vec<Stop>> {
        let text = data.to_ascii_lowercase();
        let mut stops: Vec<Vec<Stop>> = (0..self.searches).map(|_| Vec::new()).collect();
        let mut look = |begin: usize, number: usize| {
            let spelling = &self.spellings[number];
            if let Some(stop) = self.stop(spelling, begin, &text, data) {
                stops[self.literals[spelling.literal].search].push(stop);
            }
        };
        self.grams.each(&text, |begin, numbers| numbers.iter().for_each(|number| look(begin, *number)));
        for number in &self.single {
            memchr::memchr_iter(self.spellings[*number].text[0], &text).for_each(|begin| look(begin, *number));
        }
        if !self.single.is_empty() {
            stops.iter_mut().for_each(|each| each.sort_by_key(|stop| stop.begin));
        }
        stops
    }

    /// The literal that is written so, if it is at a place, with what is beside it.
    fn stop(&self, spelling: &Spelling, begin: usize, text: &[u8], data: &[u8]) -> Option<Stop> {
        let end = begin + spelling.text.len();
        if end > text.len() {
            return None;
        }
        let literal = &self.literals[spelling.literal];
        let case = |at: usize| if literal.exactly.is_empty() { text[at] } else { data[at] };
        let behind = if end < text.len() { case(end) } else { EDGE };
        let before = if begin > 0 { case(begin - 1) } else { EDGE };
        let fits = literal.first[usize::from(behind)]
            && literal.before[usize::from(before)]
            && text[begin..].starts_with(&spelling.text)
            && data[begin..].starts_with(&literal.exactly);
        fits.then_some(Stop { begin, end, literal: spelling.literal, before, behind, idle: false, done: false })
    }

    /// The same as `stops`, of a text that came by edits from another one of which they are known.
    fn moved(&self, text: &Text, learnt: &Learnt, edits: &Edits) -> Vec<Vec<Stop>> {
        let mut searches: Vec<Vec<Stop>> = Vec::new();
        for old in &learnt.searches {
            let kept = old.iter().filter(|stop| edits.kept(stop.begin.saturating_sub(1), stop.end + 1));
            searches.push(kept.map(|stop| self.at_its_new_place(stop, text, learnt, edits)).collect());
        }
        let mut joined = Vec::new();
        let mut parts = Vec::new();
        for (begin, end) in edits.around(self.longest + 2, text.data.len()) {
            parts.push((joined.len(), begin));
            joined.extend_from_slice(&text.data[begin..end]);
            joined.push(EDGE);
        }
        for (search, stops) in self.stops(&joined).into_iter().enumerate() {
            for stop in stops {
                let (first, begin) = parts[parts.partition_point(|(first, _)| *first <= stop.begin) - 1];
                let (begin, end) = (stop.begin - first + begin, stop.end - first + begin);
                if edits.is_new(begin.saturating_sub(1), end + 1) {
                    searches[search].push(Stop { begin, end, ..stop });
                }
            }
            searches[search].sort_by_key(|stop| stop.begin);
        }
        searches
    }

    /// A literal that wasn't touched. It is done with if nothing within reach of its rules was touched; and as idle as it was
    /// if nothing behind it was that they can reach, nor takes more bytes.
    fn at_its_new_place(&self, stop: &Stop, text: &Text, learnt: &Learnt, edits: &Edits) -> Stop {
        let literal = &self.literals[stop.literal];
        let stretch = |before: usize, after: usize| {
            edits.kept(stop.begin.saturating_sub(before + 1), stop.end + learnt.scale * after + 1)
        };
        let around = self.limits.around;
        let done = stretch(learnt.scale * literal.most_before + around, literal.most_after + around);
        let idle = stop.idle && learnt.scale >= text.scale && stretch(0, literal.most_after);
        let begin = edits.moved(stop.begin);
        Stop { begin, end: begin + (stop.end - stop.begin), idle, done, ..*stop }
    }
}

/// Tails, each made once.
#[derive(Default)]
struct Tails {
    made: Vec<Tail>,
    known: HashMap<String, usize>,
}

impl Tails {
    fn member(&mut self, written: Written) -> PyResult<Member> {
        let (rule, before, first, regex, most_before, most_after) = written;
        let tail = if regex.is_empty() { None } else { Some(self.number(regex)?) };
        Ok(Member { rule, before: table(&before)?, first: table(&first)?, tail, most_before, most_after })
    }

    fn number(&mut self, regex: String) -> PyResult<usize> {
        if let Some(number) = self.known.get(&regex) {
            return Ok(*number);
        }
        let tail = Tail::new(&regex).ok_or_else(|| PyValueError::new_err("a regex that isn't read here"))?;
        self.made.push(tail);
        self.known.insert(regex, self.made.len() - 1);
        Ok(self.made.len() - 1)
    }
}

#[derive(Clone)]
struct Stop {
    begin: usize,
    end: usize,
    literal: usize,
    before: u8,
    behind: u8,
    idle: bool, // whether it is known that none of the literal's rules matches here
    done: bool, // whether the text that this one came from told what there is to find
}

/// What was learnt of a text: where its literals are, and which of them are idle.
#[pyclass(frozen)]
pub struct Learnt {
    searches: Vec<Vec<Stop>>,
    scale: usize,
}

#[pymethods]
impl Learnt {
    /// How many literals there are beside which there is what any of their rules allows.
    fn __len__(&self) -> usize {
        self.searches.iter().map(Vec::len).sum()
    }
}

#[derive(Default)]
struct Found {
    windows: BTreeMap<u32, Vec<Window>>, // by the rule
    until: BTreeMap<u32, usize>,         // where the last match of a rule's tail ends
}

struct Text<'a> {
    data: &'a [u8],
    scale: usize,
}

fn draw(
    literals: &[Literal],
    tails: &mut [Tail],
    stops: &mut [Stop],
    found: &mut Found,
    text: &Text,
    until: Option<Instant>,
    limits: Limits,
) -> PyResult<()> {
    let mut covered: BTreeMap<usize, usize> = BTreeMap::new();
    let (mut last, mut row) = (0, 0);
    for (number, stop) in stops.iter_mut().enumerate() {
        if number % STRIDE == 0 && until.is_some_and(|until| Instant::now() > until) {
            return Err(PyTimeoutError::new_err("a text would take too long to search"));
        }
        row = if stop.begin - last < limits.close { row + 1 } else { 0 };
        last = stop.begin;
        let literal = &literals[stop.literal];
        if row < limits.row {
            stop.idle = stop.idle || (!stop.done && !attempt(literal, tails, stop, found, text));
        } else if covered.get(&stop.literal).is_none_or(|until| stop.begin >= *until) {
            cover(literal, stop, found, text, limits.chunk);
            covered.insert(stop.literal, stop.begin + limits.chunk);
        }
    }
    Ok(())
}

/// Draws the windows of a literal's rules round a stretch.
fn cover(literal: &Literal, stop: &Stop, found: &mut Found, text: &Text, chunk: usize) {
    for member in &literal.members {
        let end = text.data.len().min(stop.end + chunk + text.scale * member.most_after);
        let start = stop.begin.saturating_sub(text.scale * member.most_before);
        join(found.windows.entry(member.rule).or_default(), start, end, false);
    }
}

/// Draws the windows of those rules that a literal may belong to; whether there are any.
fn attempt(literal: &Literal, tails: &mut [Tail], stop: &Stop, found: &mut Found, text: &Text) -> bool {
    let mut drawn = false;
    if let Some(gate) = literal.gate {
        let end = text.data.len().min(stop.end + text.scale * literal.most_after);
        if !tails[gate].matches(text.data, stop.begin, end) {
            return false;
        }
    }
    for member in &literal.members {
        if !(member.before[usize::from(stop.before)] && member.first[usize::from(stop.behind)]) {
            continue;
        }
        let mut end = text.data.len().min(stop.end + text.scale * member.most_after);
        if let Some(tail) = member.tail
            && found.until.get(&member.rule).is_none_or(|until| stop.begin >= *until)
        {
            match tails[tail].tried(text.data, stop.begin, end) {
                Tried::No => continue,
                Tried::Until(place) if member.most_before > 0 => {
                    // Where the tail ends is where the whole match ends, so the window need not be longer.
                    end = place;
                    found.until.insert(member.rule, place);
                }
                _ => {}
            }
        }
        let start = stop.begin.saturating_sub(text.scale * member.most_before);
        let anchored = member.tail.is_some() && member.most_before == 0;
        join(found.windows.entry(member.rule).or_default(), start, end, anchored);
        drawn = true;
    }
    drawn
}

/// Adds a window to others in order, as one with the last if the two overlap and that isn't anchored.
fn join(windows: &mut Vec<Window>, start: usize, stop: usize, anchored: bool) {
    match windows.last_mut() {
        Some(last) if last.1 > start && !last.2 => *last = (last.0.min(start), last.1.max(stop), false),
        _ => windows.push((start, stop, anchored)),
    }
}
