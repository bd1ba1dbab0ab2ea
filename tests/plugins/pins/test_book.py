"""What a book learns, and where it stops learning."""

import pytest

from plugins.pins.offering import tool
from tidegate_pins import book as books
from tidegate_pins import definitions
from tidegate_pins.book import Rules, Scope, Seen

RULES = Rules(trust=True, held=lambda _kind, _classes: True, now="now")


def seen(name: str, text: str = "") -> Seen:
    item = tool(name, description=text)
    return Seen("tool", name, item, definitions.digest(item), len(definitions.encoded(item)))


@pytest.mark.parametrize("later", ["b", "a"])
def test_a_scope_that_is_full_learns_nothing_more_and_keeps_what_it_has(later: str) -> None:
    scope = Scope(server="files")
    large = "x" * (books.MAX_DEFINITION - 1000)
    count = books.MAX_BYTES // len(large) + 5
    scope = books.learnt(scope, [seen(f"t{number}", large) for number in range(count)], "", RULES)
    kept = len(scope.items["tool"])
    assert scope.full
    assert not scope.takes("small")
    assert books._size(scope.items) <= books.MAX_BYTES
    again = books.learnt(scope, [seen("small")], "", RULES)
    assert len(again.items["tool"]) == kept
    changed = books.learnt(scope, [seen("t0", large + later)], "", RULES)
    pending = changed.items["tool"]["t0"].pending
    assert pending is not None
    assert pending.classes == ("limit",)
    assert pending.held
    assert books._size(changed.items) <= books.MAX_BYTES


def test_what_is_seen_again_is_the_same_book() -> None:
    scope = books.learnt(Scope(server="files"), [seen("a"), seen("b", "text")], "", RULES)
    assert books.learnt(scope, [seen("b", "text"), seen("a")], "", RULES) == scope


def test_an_approval_pins_what_was_pending_and_its_parts() -> None:
    scope = books.learnt(Scope(server="files"), [seen("a")], "", RULES)
    changed = books.learnt(scope, [seen("a", "Another text.")], "", RULES).items["tool"]["a"]
    assert books.waiting(changed)
    item = books.approved(changed, "approved", "later", "tool")
    assert (item.digest, item.how, item.pending) == (seen("a", "Another text.").digest, "approved", None)
    assert item.parts == definitions.parts("tool", item.definition or {})
