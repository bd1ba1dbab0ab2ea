"""Searches of this package that are compiled, in the package `tidegate-native`, where that is installed.

What is compiled undoes what is disguised character by character, and says where to look: which rules could match and
where, where encoded runs may be, which strings of a message are new. Python does the same where it isn't there; what is
found is the same, several times as fast.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tidegate_scan.budget import OverBudget
from tidegate_scan.edits import Edits
from tidegate_scan.rules import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
    from types import ModuleType

    from tidegate_scan.literals import Literals
    from tidegate_scan.spans import Cuts

INTERFACE = 2
"""Which version of `tidegate-native` is called here; one that was installed for another Tidegate isn't used."""


def found(name: str, interface: int = INTERFACE) -> ModuleType | None:
    """The compiled module of a name, where it is installed and fits."""
    try:
        module = import_module(name)
    except ImportError:  # a package of its own, for which there has to be a wheel, or a compiler where it is installed
        return None
    return module if getattr(module, "INTERFACE", None) == interface else None


_MODULE = found("tidegate_native")
_used = ContextVar("_used", default=True)


def compiled() -> ModuleType | None:
    """What is compiled; None where that isn't there, or isn't to be used."""
    return _MODULE if _used.get() else None


@contextmanager
def unused() -> Iterator[None]:
    """Search in Python alone meanwhile, so that the two can be compared; engines that are there keep what they have."""
    token = _used.set(False)
    try:
        yield
    finally:
        _used.reset(token)


class Windows:
    """Where rules could match: see `prefilter.Prefilter.windows`."""

    def __init__(self, searches: Sequence[Literals], close: int, row: int, chunk: int, around: int) -> None:
        """Take the searches for literals, how those are tried that follow each other closely, and what counts around.

        Raises:
            ValueError: one of the rules' regexes isn't read there, or nothing is compiled.
        """
        module = compiled()
        if module is None:
            raise ValueError("tidegate-native isn't installed")
        self._prefilter = module.Prefilter([each.written() for each in searches], close, row, chunk, around)

    def of(
        self, text: str, scale: int, until: float, learnt: Sized | None = None, edits: Edits | None = None
    ) -> tuple[dict[int, list[Window]], Sized]:
        """Where each rule's regex has to be run, in bytes of UTF-8, by its number, in order; and what was learnt.

        What was learnt of a text that this one came from by edits saves reading the rest again; where nothing was
        edited there is nothing to run then. Its size is the number of literals.

        Raises:
            UnicodeEncodeError: the text has a lone surrogate.
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        try:
            since = None if learnt is None or edits is None else (learnt, *edits)
            drawn, told = self._prefilter.windows(text, scale, max(0.0, until - monotonic()), since)
        except TimeoutError:
            raise OverBudget("a text would take too long to search") from None
        return {number: [Window(*each) for each in windows] for number, windows in drawn}, told


def windows(searches: Sequence[Literals], close: int, row: int, chunk: int, around: int) -> Windows | None:
    """The compiled search for where rules could match; None where there is none for these rules."""
    try:
        return Windows(searches, close, row, chunk, around)
    except ValueError:
        return None


Signs = tuple[list[int], list[int], list[int], list[int]]
"""Where base64 and hex of letters begin (see `triggers`), and where there is any other sign of either."""


def signs(bits: bytes, rare_base64: str, rare_hex: str) -> Callable[[bytes], Signs | None]:
    """The compiled search for encoded runs, which says None where there is none.

    Args:
        bits: what each byte may be (see `triggers`).
        rare_base64: the regex of the signs of base64 that those don't show, in RE2's syntax.
        rare_hex: the same for hex.
    """
    search: Callable[[bytes], Signs] | None = None if _MODULE is None else _MODULE.Signs(bits, rare_base64, rare_hex).of
    return lambda raw: search(raw) if search is not None and _used.get() else None


class Layout(NamedTuple):
    """How the strings of a message are put together to be searched (see `leaves`); sizes are in characters."""

    separator: str
    own: str
    fixed: frozenset[str]
    short: int
    edge: int
    short_clean: int
    most_clean: int
    most_parts: int
    least_number: int
    most: int
    """Bytes of a message's new strings; what has more is looked at in Python."""


class New(Protocol):
    """What of a message's strings isn't known to be clean: by themselves, and what may be parts together."""

    pieces: str
    runs: str


class Strings(Protocol):
    """Remembers texts in which nothing was found."""

    def known(self, tree: Any, *, numbers: bool) -> bool:
        """Whether all strings of a JSON value are known to be clean, by themselves and together."""
        ...

    def new_in(self, tree: Any, *, numbers: bool) -> New | None:
        """Those that aren't; None where that has to be told in Python."""
        ...

    def learn(self, texts: str, *, together: bool) -> None:
        """Remember that nothing was found in texts by themselves, or put together: one says nothing of the other."""
        ...


def strings(layout: Layout) -> Strings | None:
    """The compiled look at a message's strings; None where there is none."""
    module = compiled()
    return None if module is None else module.Strings(layout)


def ascii_of(text: str) -> bytes:
    """A text with a question mark for each character beyond ASCII: one byte for each character."""
    module = compiled()
    if module is None or text.isascii():
        return text.encode("ascii", "replace")
    try:
        raw: bytes = module.ascii(text)
    except UnicodeEncodeError:  # a lone surrogate
        return text.encode("ascii", "replace")
    return raw


class Undone(NamedTuple):
    """What came of a text where disguises were undone."""

    text: str
    cuts: list[tuple[int, Cuts]]
    """Where each of `inline.WAYS` that had something to undo cut, by its number."""
    edits: tuple[Edits, Edits] | None
    """What was replaced in all, in characters, and in bytes of UTF-8; where it is worth to be told."""


class Worth(NamedTuple):
    """From when on edits are worth to be told."""

    shortest: int
    apart: int
    each_piece: int
    each_edit: int


class Undo(Protocol):
    """The compiled ways of undoing what is written character by character."""

    def __call__(self, text: str, *, settled: bool) -> Undone | None:
        """Undo all ways; None where that can't be done here. `settled`: the last of them was undone in it before."""
        ...


def ways(entities: Mapping[str, str], plain: Callable[[str], str], worth: Worth) -> Undo:
    """The compiled ways of undoing what is written character by character.

    Args:
        entities: what the names of HTML stand for.
        plain: how a character beyond ASCII is written plainly.
        worth: from when on edits are told.
    """
    undo = None if _MODULE is None else _MODULE.Ways(entities, plain, *worth).undo

    def undone(text: str, *, settled: bool) -> Undone | None:
        if undo is None or not _used.get():
            return None
        try:
            told = undo(text, settled)
        except UnicodeEncodeError:  # a lone surrogate
            return None
        if told is None:
            return Undone(text, [], None)
        plain, cuts, edits = told
        return Undone(plain, cuts, edits and (Edits(*edits[0]), Edits(*edits[1])))

    return undone


def from_base64(run: bytes) -> bytes | None:
    """What base64 digits of either alphabet stand for (RFC 4648); None where that can't be told here."""
    module = compiled()
    data: bytes | None = None if module is None else module.from_base64(run)
    return data


def readable(data: bytes) -> bool | None:
    """Whether bytes are text in ASCII; None where that can't be told here."""
    module = compiled()
    told: bool | None = None if module is None else module.readable(data)
    return told
