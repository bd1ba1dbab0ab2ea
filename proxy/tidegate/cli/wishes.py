"""From the options of ``connect`` to what is asked for: the entry for Tidegate, and what goes before a command."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.cli import output

if TYPE_CHECKING:
    from tidegate.clients.known import Client
    from tidegate.clients.planning import Wish

_DEFAULT_FILE = Path("tidegate.toml")
_LISTEN = "127.0.0.1:8811"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line says.

    Attributes:
        client: the client.
        place: its file.
        in_project: whether that is a project's.
        given: the settings, where they are named.
        url: Tidegate's address, where it is given.
        name: what the entry is called.
        stdio: whether the client is to start Tidegate itself.
        token_env: the variable that holds a token.
        token_clear: whether the token is to stand in the file.
    """

    client: Client
    place: Path
    in_project: bool
    given: Path | None
    url: str | None
    name: str
    stdio: bool
    token_env: str | None
    token_clear: bool

    @property
    def settings(self) -> Path:
        """The settings' path, whole."""
        return (self.given or _DEFAULT_FILE).absolute()

    @property
    def program(self) -> str:
        """How the client starts Tidegate: clients have a PATH of their own, and projects have many users."""
        return "tidegate" if self.in_project else _program()


def _program() -> str:
    beside = Path(sys.executable).with_name("tidegate")
    return shutil.which("tidegate") or (str(beside) if beside.exists() else "tidegate")


def wish_of(chosen: Choice, *, wrap: bool, move: bool) -> Wish:
    """Return what is asked for.

    Raises:
        Failure: where options don't go together.
        SettingsError: where the settings that say the address are not well.
    """
    from tidegate.clients.planning import Wish  # noqa: PLC0415 - heavy

    if wrap and move:
        raise output.Failure("--wrap and --move exclude each other")
    client = chosen.client
    if wrap:
        if chosen.stdio or chosen.url is not None or chosen.token_env is not None or chosen.token_clear:
            raise output.Failure("--wrap adds no entry, so --stdio, --url and tokens have no meaning with it")
        given = () if chosen.given is None else ("--settings", str(chosen.settings))
        used = None if chosen.given is None else chosen.settings
        return Wish(client, chosen.place, "wrap", words=(chosen.program, "wrap", *given), settings=used)
    return Wish(
        client,
        chosen.place,
        "move" if move else "add",
        name=chosen.name,
        entry=_entry(chosen, needs_settings=move),
        settings=chosen.settings,
        begin=client.preamble,
    )


def _entry(chosen: Choice, *, needs_settings: bool) -> dict[str, Any]:
    """Return the entry for Tidegate: an address where the client speaks HTTP, or else a command."""
    from tidegate.clients import shapes  # noqa: PLC0415 - heavy

    client, shape = chosen.client, chosen.client.shape
    variable = chosen.token_env
    if chosen.stdio or shape.url is None:
        if chosen.url is not None or variable is not None:
            why = "with --stdio" if chosen.stdio else f"for {client.title}, whose file holds local servers only"
            raise output.Failure(f"--url and --token-env have no meaning {why}")
        named = chosen.given is not None or needs_settings or chosen.settings.exists()
        words = [chosen.program, "run", "--stdio", *([str(chosen.settings)] if named else [])]
        return shapes.over_stdio(shape, chosen.name, words)
    value = None
    if chosen.token_clear:
        value = os.environ.get(variable or "")
        if variable is None or not value:
            raise output.Failure(
                "--token-clear takes the token from the variable that --token-env names, which isn't set"
            )
    elif variable is not None and shape.token is None:
        raise output.Failure(
            f"the file of {client.title} knows no way to refer to a variable: give --stdio, or --token-clear to have "
            "the token stand there in clear"
        )
    return shapes.over_http(shape, chosen.name, chosen.url or _address(chosen), token_env=variable, token=value)


def _address(chosen: Choice) -> str:
    """Return the gateway's address, as the settings say it."""
    from tidegate import settings  # noqa: PLC0415 - heavy
    from tidegate.settings_types import split_address  # noqa: PLC0415 - heavy

    listen = settings.load(chosen.settings).proxy.listen if chosen.settings.exists() else _LISTEN
    host, port = split_address(listen)
    if port == 0:
        raise output.Failure(f"{chosen.settings}: listen has no port that stays the same; give --url")
    if host in ("0.0.0.0", "::"):  # noqa: S104 - where it listens, which isn't where to connect to
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/mcp"
