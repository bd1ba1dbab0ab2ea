"""What holds for any lists and any names."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.testing import Harness, flow, harness, request, result_of
from tidegate_lists import Lists, uris

PIECES = st.sampled_from(
    ["a", "B", "é", "..", ".", "/", "//", "%2e", "%2F", "%41", ":", "#", "?", "\\", "file:", "\uff45", "\t"]
)
NAMES = st.lists(PIECES, min_size=1, max_size=8).map("".join)
GLOBS = st.lists(PIECES | st.sampled_from(["*", "[a-c]", "[!a]"]), min_size=1, max_size=6).map("".join)


def has_dot_segment(name: str) -> bool:
    """Whether a glob over URIs would be refused for its segments `.` or `..`."""
    return not {".", ".."}.isdisjoint(name.replace("%2e", ".").replace(":", "/").split("/"))


ENTRIES = st.builds(
    lambda kind, server, name: f"{kind}{server}/{name}",
    st.sampled_from(["", "tool:", "prompt:", "resource:"]),
    st.sampled_from(["server", "*", "s[e]rver"]),
    GLOBS,
).filter(lambda entry: not has_dot_segment(entry))
LISTS = st.lists(ENTRIES, max_size=4)
CONFIGS = st.fixed_dictionaries({"deny": LISTS}, optional={"allow": LISTS.filter(bool)})

CALLS: dict[str, tuple[str, str, str, str]] = {
    "tools/list": ("tools", "name", "tools/call", "name"),
    "prompts/list": ("prompts", "name", "prompts/get", "name"),
    "resources/list": ("resources", "uri", "resources/read", "uri"),
}


# A pipeline is loaded for each example, some once per list: no haste, and fewer of them.
patiently = settings(deadline=None, max_examples=60)


def run(config: dict[str, Any], work: Callable[[Harness], Awaitable[None]]) -> None:
    async def main() -> None:
        async with harness(Lists, config) as h:
            await work(h)

    asyncio.run(main())


async def allowed(h: Harness, name: str, method: str, member: str) -> bool:
    return (await h.judge(request(method, {member: name}))).allowed


@patiently
@given(CONFIGS, st.lists(NAMES, max_size=6), st.sampled_from(sorted(CALLS)))
def test_listed_is_exactly_what_may_be_called_in_the_order_it_came(
    config: dict[str, Any], names: list[str], method: str
) -> None:
    member, key, call, by = CALLS[method]

    async def work(h: Harness) -> None:
        asked = request(method)
        items = [{key: name, "at": index} for index, name in enumerate(names)]
        reply = result_of(asked, {"a": None, member: items, "nextCursor": "c", "z": [1]}, extra=1.5)
        decision = await h.judge(reply, flow(reply, request=asked))
        assert decision.allowed
        assert decision.message is not None
        expected = [item for item in items if await allowed(h, str(item[key]), call, by)]
        was = json.loads(reply.encoded)
        was["result"][member] = expected
        assert decision.message.encoded == json.dumps(was, separators=(",", ":"), ensure_ascii=False).encode()

    run(config, work)


@patiently
@given(CONFIGS, ENTRIES, NAMES)
def test_one_more_deny_never_allows_more(config: dict[str, Any], entry: str, name: str) -> None:
    before: list[bool] = []

    async def look(h: Harness) -> None:
        before.extend([await allowed(h, name, call, by) for _, _, call, by in CALLS.values()])

    async def compare(h: Harness) -> None:
        for was, (_, _, call, by) in zip(before, CALLS.values(), strict=True):
            assert was or not await allowed(h, name, call, by)

    run(config, look)
    run({**config, "deny": [*config["deny"], entry]}, compare)


@patiently
@given(CONFIGS, CONFIGS, NAMES)
def test_a_principals_own_lists_never_allow_more(config: dict[str, Any], own: dict[str, Any], name: str) -> None:
    before: list[bool] = []

    async def look(h: Harness) -> None:
        before.extend([await allowed(h, name, call, by) for _, _, call, by in CALLS.values()])

    async def compare(h: Harness) -> None:
        for was, (_, _, call, by) in zip(before, CALLS.values(), strict=True):
            assert was or not await allowed(h, name, call, by)

    run(config, look)
    run({**config, "principals": {"anonymous": own}}, compare)


@patiently
@given(CONFIGS, NAMES, st.randoms())
def test_the_order_of_the_entries_does_not_matter(config: dict[str, Any], name: str, random: Any) -> None:
    shuffled = {key: random.sample(entries, len(entries)) for key, entries in config.items()}
    verdicts: list[list[bool]] = []

    async def look(h: Harness) -> None:
        verdicts.append([await allowed(h, name, call, by) for _, _, call, by in CALLS.values()])

    run(config, look)
    run(shuffled, look)
    assert verdicts[0] == verdicts[1]


@patiently
@given(NAMES.filter(lambda name: not has_dot_segment(name)))
def test_what_is_denied_by_its_own_spelling_or_allowed_by_it_alone_is_so(name: str) -> None:
    """A list of one name without wildcards denies or allows that name."""
    literal = "".join(f"[{char}]" if char in "*?[" else char for char in name)

    async def denied(h: Harness) -> None:
        assert not await allowed(h, name, "resources/read", "uri")
        assert not await allowed(h, name, "tools/call", "name")

    async def passes(h: Harness) -> None:
        assert await allowed(h, name, "tools/call", "name")

    run({"deny": [f"server/{literal}"]}, denied)
    run({"allow": [f"server/{literal}"]}, passes)


@given(NAMES)
def test_the_short_way_for_plain_uris_says_what_the_long_one_says(name: str) -> None:
    for uri in (f"file:///{name}", f"https://example.com/{name}", name):
        if uris._PLAIN.match(uri):
            assert {uris._normal(uri), *(uris._lenient(text) for text in uris._decodings(uri))} == {uri}
            assert list(uris._cuts(uri)) == [uri]
