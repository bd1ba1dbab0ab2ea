"""How two wordings differ: a typo, other words, a new address, a new instruction to the model, hidden characters.

What is recognised here only decides which of two changed wordings is worse; a wording that changed in any other way
than a typo is a change of its own class, whatever it says. So what isn't recognised isn't let through by it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_TYPOS = 5  # words
_TYPO_LETTERS = 5  # of the shortest word that a typo is looked for in; in shorter ones a letter makes another word

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[.!?;:\n\r]+\s*")
_ADDRESS = re.compile(
    r"""(?x)
    \b [a-z][a-z0-9+.-]{1,20} :// [^\s"'<>)\]}]+          # any scheme
    | \b (?: mailto | data | javascript | tel ) : [^\s"'<>)\]}]+
    | (?<![\w.+-]) [\w.+-]{1,64} @ [\w-]{1,63} (?: \. [\w-]{1,63} )+    # mail
    | (?<![\w.@-]) (?: [\w-]{1,63} \. ){1,8} (?: [a-z]{2,18} | xn--[a-z0-9-]{1,59} ) (?= [/:?\#] )
    | (?<![\w.@-]) (?: [\w-]{1,63} \. ){1,8}
      (?: com | net | org | io | dev | app | ai | co | info | biz | xyz | top | ru | cn | tk | site | online
        | cloud | me )
      (?! [\w-] )
    | (?<![\w.]) (?: \d{1,3} \. ){3} \d{1,3} (?! [\w.] )
    """
)
_INSTRUCTION = re.compile(
    r"""(?x)
    \b (?:
      (?: do \s+ not | don \W? t | never | always | must | shall | should | ought | have \s+ to | need \s+ to
        | required | require s? | mandatory | essential | important | critical | crucial | warning | attention | note )
      | (?: ignore | disregard | forget | override | bypass | skip | instead | obey | follow | comply )
      | (?: before | after | prior \s+ to | when(?:ever)? | each \s+ time | every \s+ time | first )
        \s+ (?: \w+ \s+ ){0,3}
        (?: tool | tools | use | using | call | calling | invoke | invoking | answer | answering | repl\w+ | respon\w+ )
      | (?: tell | inform | mention | notify | reveal | disclose | say | show | hide | conceal | keep | secret(?:ly)?
        | silently | quietly | without \s+ (?: asking | telling | mention\w* | confirm\w* ) )
      | (?: user | assistant | system | developer | model | llm | agent | prompt | instruction s? )
      | (?: read | open | send | upload | post | forward | copy | paste | include | append | attach | pass | add | put
        | fetch | execute | run | download | email | mail | bcc | write ) \s+ (?: \w+ \s+ ){0,6}
        (?: file | files | content s? | conversation | history | context | key s?
        | token s? | password s? | credential s?
        | data | parameter | argument | field | result s? | output | message s? | command s? | script | tool )
      | (?: ssh | id_rsa | id_ed25519 | env | credentials | passwd | password s? | api \W? key s? | private \W key s?
        | access \W token s? | cookie s? | wallet | mcp \W json )
    ) \b
    """
)
_SEEN = frozenset("\n\r\t")


def hidden(text: str) -> int:
    """Return how many characters of a text nobody sees: controls, format characters, private and unassigned ones."""
    if text.isprintable():
        return 0
    return sum(1 for char in text if char not in _SEEN and unicodedata.category(char) in ("Cc", "Cf", "Co", "Cn", "Cs"))


def plain(text: str) -> str:
    """Return a text as it reads: compatibility characters as the plain ones, no capitals, nothing hidden."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(char for char in text if char in _SEEN or unicodedata.category(char) not in ("Cf", "Co", "Cn"))
    return text.casefold()


def addresses(texts: Iterable[str]) -> frozenset[str]:
    """Return the addresses in texts: URLs, mail, hosts by name and number."""
    return frozenset(found[0].rstrip(".,;:!?") for text in texts for found in _ADDRESS.finditer(plain(text)))


def instructions(texts: Iterable[str]) -> frozenset[str]:
    """Return the sentences in texts that read like instructions to a model."""
    out = set()
    for text in texts:
        for sentence in _SENTENCE.split(plain(text)):
            if _INSTRUCTION.search(sentence):
                out.add(" ".join(_WORD.findall(sentence)))
    return frozenset(out)


def is_typo(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether texts differ only as by a corrected typo: in a few long words, each like the one it takes the place of.

    Space, punctuation and capitals don't count.
    """
    old = [_WORD.findall(plain(text)) for text in before]
    new = [_WORD.findall(plain(text)) for text in after]
    if [len(words) for words in old] != [len(words) for words in new]:
        return False
    pairs = [(a, b) for one, other in zip(old, new, strict=True) for a, b in zip(one, other, strict=True) if a != b]
    return len(pairs) <= _MOST_TYPOS and all(_alike(a, b) for a, b in pairs)


def _alike(before: str, after: str) -> bool:
    """Whether two words are one misspelt: a letter too many, too few or wrong, or two swapped, and not at its ends.

    At the ends of a word such a letter turns its meaning round: ``encrypt`` and ``decrypt`` differ by no more.
    """
    if min(len(before), len(after)) < _TYPO_LETTERS or not (before.isalpha() and after.isalpha()):
        return False
    if before.isascii() != after.isascii() or (before[0], before[-1]) != (after[0], after[-1]):
        return False
    start = 0
    while before[start : start + 1] == after[start : start + 1] != "":
        start += 1
    one, other = before[start:], after[start:]
    swapped = one[:2] == other[1::-1] and one[2:] == other[2:]
    return swapped or one[1:] == other[1:] or one[1:] == other or one == other[1:]


def fewer(before: Iterable[str], after: Iterable[str]) -> bool:
    """Whether nothing was added: every text there is now was there before."""
    return not Counter(after) - Counter(before)
