"""The page of the documentation that a run of the matrix makes."""

from typing import TYPE_CHECKING, Any

from matrix.features import FEATURES, IMPOSSIBLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matrix.run import Outcome

_INTRO = """# What works between which versions

<!-- Written from a run by `make matrix`: don't change it by hand. -->

One gateway, with a server of every protocol version over every transport behind it, and a client of every version and
transport in front of it. The clients and servers are played by the tests. Each speaks exactly one version, by its
schema, and a message, member, error code, kind of content or header that its version doesn't have fails the run, as
does a reply that nobody waits for. The clients of stdio have started `tidegate run --stdio`; the others talk to `/mcp`,
or to `/sse` in 2024-11-05.

A member that a later version with sessions has added, such as a tool's `title`, is not taken out for an older client:
the schemas of all those versions let clients ignore it.
"""


def text(outcomes: "Iterable[Outcome]") -> str:
    """The page, of a run in which nothing is broken."""
    found = list(outcomes)
    clients = list(dict.fromkeys(outcome.client for outcome in found))
    servers = list(dict.fromkeys(outcome.server for outcome in found))
    barred: dict[Any, list[str]] = {}
    for each in found:
        if each.how == "impossible":
            barred.setdefault((each.client, each.server), []).append(each.feature)
    count = sum(outcome.how == "works" for outcome in found)
    said = [
        _INTRO,
        f"{len(FEATURES)} features for each client in front of each server make {len(found)} cells: {count} work, and",
        f"{len(found) - count} are impossible by the specification, where nothing of it is seen to be asked or told.\n",
        "## Pairings\n",
        "Clients are the rows, servers the columns. *all*: every feature works. *all but elicitation*: see below.\n",
        _row("", *(f"{version}<br>{transport}" for version, transport in servers)),
        _row(*("---" for _ in range(len(servers) + 1))),
        *(
            _row(
                f"**{client[0]}** {client[1]}",
                *(_but(barred.get((client, server), [])) for server in servers),
            )
            for client in clients
        ),
        "\n## Features\n",
        _row("feature", "what is seen in each pairing", "impossible"),
        _row("---", "---", "---"),
    ]
    for name, play in FEATURES.items():
        seen = (play.__doc__ or "").strip().replace("\n    ", " ")
        said.append(_row(name, seen, IMPOSSIBLE[name][2] if name in IMPOSSIBLE else "nowhere"))
    return "\n".join(said) + "\n"


def _but(barred: list[str]) -> str:
    return f"all but {', '.join(barred)}" if barred else "all"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
