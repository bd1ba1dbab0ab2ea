//! Tails of rules: regexes that are tried at one place of a text, where their literal stands.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use crate::syntax::rewritten;

const MOST_NFA: usize = 64 << 20; // bytes
const MOST_CACHE: usize = 1 << 19; // bytes of states that each keeps; beyond that they are made anew

/// A regex, compiled twice: for what is ASCII, and, when that is first met, for what isn't, where it takes more.
pub struct Tail {
    regex: String,
    ascii: Automaton,
    unicode: Option<Automaton>,
}

/// A regex as an automaton that is made as texts ask for it; `None` where it is refused.
type Automaton = Option<Box<(DFA, Cache)>>;

/// What trying a tail said.
pub enum Tried {
    No,
    /// It matches, and its longest match ends there.
    Until(usize),
    /// It can't be told here.
    Unknown,
}

impl Tail {
    /// A tail by its regex, in RE2's syntax; `None` where that isn't read.
    pub fn new(re2: &str) -> Option<Self> {
        let regex = rewritten(re2)?;
        let ascii = made(&regex, false);
        Some(Self { regex, ascii, unicode: None })
    }

    /// Whether it may match at a place.
    pub fn matches(&mut self, data: &[u8], begin: usize, stop: usize) -> bool {
        !matches!(self.search(Input::new(data).range(begin..stop).earliest(true)), Tried::No)
    }

    /// Tries it at a place, on what is before the stop; what is around is looked at by `\b` and the like.
    pub fn tried(&mut self, data: &[u8], begin: usize, stop: usize) -> Tried {
        self.search(Input::new(data).range(begin..stop))
    }

    fn search(&mut self, input: Input) -> Tried {
        let input = input.anchored(Anchored::Yes);
        let told = searched(&mut self.ascii, &input);
        told.or_else(|| searched(self.unicode.get_or_insert_with(|| made(&self.regex, true)), &input))
            .unwrap_or(Tried::Unknown)
    }
}

/// What an automaton says; `None` where it doesn't.
fn searched(automaton: &mut Automaton, input: &Input) -> Option<Tried> {
    let (dfa, cache) = automaton.as_deref_mut()?;
    let found = dfa.try_search_fwd(cache, input).ok()?;
    Some(found.map_or(Tried::No, |end| Tried::Until(end.offset())))
}

/// Compiles a regex. For ASCII a class such as `[^"]` need not be read as UTF-8; what is beyond isn't read at all then.
fn made(regex: &str, unicode: bool) -> Automaton {
    let mut config = DFA::config()
        .match_kind(MatchKind::All) // so the longest match counts
        .cache_capacity(MOST_CACHE)
        .skip_cache_capacity_check(true);
    if !unicode {
        for byte in 0x80..=0xFF {
            config = config.quit(byte, true);
        }
    }
    let dfa = DFA::builder()
        .configure(config)
        .syntax(syntax::Config::new().unicode(unicode).utf8(false))
        .thompson(
            thompson::Config::new().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(MOST_NFA)),
        )
        .build(regex)
        .ok()?;
    let cache = dfa.create_cache();
    Some(Box::new((dfa, cache)))
}
