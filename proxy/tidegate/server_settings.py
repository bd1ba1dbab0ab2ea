"""``[servers.NAME]``: what a server is, and how it is run or reached."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from tidegate import box_settings as box
from tidegate import flow, image_names, remote, sandbox, secret_refs
from tidegate.settings_types import Egress, Flag, Line, Model, Prefix, Seconds, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.secret_stores.base import Secret

_MEANT_FOR = {
    "args": ("image",),
    "env": ("command", "image"),
    "cwd": ("command",),
    "mounts": ("command", "image"),
    "pull": ("image",),
    "sandbox": ("command",),
    "egress": ("command", "image"),
    **dict.fromkeys(("user", "workdir", "memory", "cpus", "pids", "tmpfs", "shm", "runtime"), ("image",)),
    **dict.fromkeys(("read_only", "capabilities", "seccomp"), ("image",)),
    "transport": ("image", "url"),
    "streams": ("image",),
    "port": ("image",),
    "path": ("image",),
    "share": ("command", "image"),
    "warm": ("command", "image"),
    "idle_timeout": ("command", "image"),
    "headers": ("url",),
    "secrets": ("command", "image"),
    "secrets_as": ("command", "image"),
}
"""The keys that have a meaning for some kinds of servers only, and for which."""


class ServerSettings(Model):
    """``[servers.NAME]``: one server, by exactly one of ``command``, ``image`` and ``url``."""

    command: tuple[str, ...] | None = Field(None, description="A local process: program and arguments.")
    image: str | None = Field(
        None, description="A container: its image, pinned by a digest or an image id (see `tidegate pin`)."
    )
    pull: Literal["pinned", "tag-ok"] = Field(
        "pinned", description="Whether `image` may be a mere tag, which can come to mean another image: `tag-ok`."
    )
    url: str | None = Field(None, description="A remote server: its URL.")
    args: tuple[str, ...] = Field((), description="Arguments of the container's program.")
    env: dict[str, str] = Field({}, description="Environment variables of the process or container.")
    cwd: str | None = Field(None, description="Working folder of the process.")
    mounts: tuple[str, ...] = Field(
        (), description="Bind mounts of the container or sandbox, `HOST:TARGET[:ro|rw]`; `ro` by default."
    )
    sandbox: Literal["auto", "bubblewrap", "none"] = Field(
        "auto",
        description="What the process runs in: `auto` is bubblewrap where it works, and else nothing, with the label "
        "`unsandboxed`; with `bubblewrap` it doesn't start without. See [sandbox](../sandbox.md).",
    )
    egress: Egress = Field(
        (),
        description='What the container may connect to: `"HOST:PORT"`, `"*.HOST:PORT"`, an address or a range '
        'with a port; or `"unrestricted"`. Nothing by default. A process in its sandbox has the whole network, this '
        "machine's own addresses too, or none. See [egress](../egress.md).",
    )
    user: box.BoxUser | None = Field(
        None,
        description="Who the container's processes are, `UID:GID` or a name of the image's; `65534:65534` by default. "
        "Root only where this says `root` or `0:0`.",
    )
    workdir: box.Workdir | None = Field(None, description="Working folder in the container; the image's by default.")
    memory: box.Memory = Field(
        "256m", description="Memory of the container, files in memory included; there is no swap."
    )
    cpus: box.Cpus = Field(1.0, description="Processors the container may use, all together.")
    pids: box.Pids = Field(128, description="Processes and threads in the container.")
    tmpfs: box.TmpfsPaths = Field(
        (),
        description="Folders in the container's memory, `PATH[:size=SIZE][,exec]`; each holds 16m by default. "
        "There is one at `/tmp` in any case, and at each volume of the image's.",
    )
    shm: box.Size = Field("1m", description="What `/dev/shm` holds; browsers and the like need more.")
    read_only: Flag = Field(default=True, description="Whether the container's own files are read-only.")
    capabilities: box.Capabilities = Field(
        (), description="Capabilities of the container's root, like `CHOWN`; none by default."
    )
    seccomp: Literal["tidegate", "engine"] = Field(
        "tidegate",
        description="Whose list of allowed system calls holds: Tidegate's, or the engine's, which is longer.",
    )
    runtime: box.Runtime | None = Field(
        None,
        description="What runs the container, like `runsc`; the server doesn't start where the engine hasn't got it.",
    )
    streams: Literal["auto", "direct", "engine"] = Field(
        "auto",
        description="How its standard input and output get to Tidegate: by pipes of Tidegate's own, which is quicker "
        "(`direct`; without them the server doesn't start), by the engine (`engine`), or by pipes where they work.",
    )
    transport: Literal["streamable-http", "sse"] = Field(
        "streamable-http", description="What a remote server, or one with `port`, speaks."
    )
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] | None = Field(
        None,
        description="The port that the container's server listens on, on its 127.0.0.1 or 0.0.0.0; without it, the "
        "server speaks over its standard input and output. Nothing but Tidegate reaches the port.",
    )
    path: box.UrlPath = Field("/mcp", description="The path of its endpoint at that port.")
    headers: dict[str, str] = Field(
        {},
        description="Headers sent to the remote server. `env:NAME` reads a variable and `secret:NAME` a secret, alone "
        "or after one word, as in `Bearer secret:NAME`.",
    )
    secrets: dict[str, str] = Field(
        {}, description="Secrets for the process or container: names of variables, and `secret:NAME` for each."
    )
    secrets_as: Literal["file", "env", "plain-env"] | None = Field(
        None,
        description="How it gets them: as files in memory, whose places the variables `…_FILE` say (what containers "
        "get by default); as variables, which `docker inspect` doesn't show (what processes get by default); or as "
        "plain variables of the container, which it does.",
    )
    labels: tuple[str, ...] = Field((), description="Labels for policy.")
    prefix: Prefix | None = Field(
        None,
        description="What the gateway puts before the names of its tools and prompts: by default the server's own name "
        'and two underscores, as in `files__read`; with `""` nothing, where no other has the name.',
    )
    on_demand: Flag = Field(
        default=False,
        description="Whether the gateway serves it only to sessions that have added it; see `dynamic`. It "
        "has its own address in any case.",
    )
    description: Line = Field("", description="What it is for: people and models read it, and search in it.")
    share: Literal["session", "principal", "all", "call"] = Field(
        "session",
        description="Who has an instance together: one session of a client, all sessions of a principal, all clients; "
        "or each `tools/call` has one of its own. Clients without sessions share one per principal at least.",
    )
    warm: Annotated[int, Field(strict=True, ge=0, le=100)] = Field(
        0, description="Instances kept started and ready ahead of need."
    )
    start_timeout: Seconds | None = Field(
        None, description="Seconds it may take to start or to accept a connection; by default as in `[proxy]`."
    )
    call_timeout: Seconds | None = Field(
        None, description="Seconds it may be silent about a request; by default as in `[proxy]`."
    )
    idle_timeout: Seconds | None = Field(
        None,
        description="Seconds after which an instance that nobody uses is stopped; the session stays, and its next call "
        "starts another. By default as in `[proxy]`.",
    )
    trust: Literal["low", "high"] = Field("low", description="For policy.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [key for key in ("command", "image", "url") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("a server has exactly one of command, image and url")
        if self.command is not None and not (self.command and self.command[0]):
            raise ValueError("command is a list: the program and its arguments")
        if self.image is not None:
            self._check_image(self.image)
        if self.url is not None:
            remote.check_url(self.url)
            remote.check_headers(self.headers)
            secret_refs.check_headers(self.headers)
        secret_refs.check_secrets(self.secrets, self.env, self.secrets_as)
        if self.secrets_as == "plain-env" and self.image is None:
            raise ValueError('secrets_as = "plain-env" is for containers; a process gets variables by "env"')
        for key in _MEANT_FOR:
            if key in self.model_fields_set and not self.meant(key):
                raise ValueError(f"{key} has no meaning for a server with {given[0]}")
        if self.command is not None and (said := sandbox.mistake(self)):
            raise ValueError(said)
        if self.image is not None:
            self._check_port()
            box.check(self)
        return self

    def _check_image(self, image: str) -> None:
        pinned = image_names.parse(image).pinned
        if not pinned and self.pull == "pinned":
            raise ValueError('image is a tag, which can change: pin it with `tidegate pin`, or say pull = "tag-ok"')
        if pinned and self.pull == "tag-ok":
            raise ValueError('pull = "tag-ok" has no meaning for an image that is pinned')

    def meant(self, key: str) -> bool:
        """Whether a setting has a meaning for a server of this kind."""
        return any(getattr(self, kind) is not None for kind in _MEANT_FOR.get(key, ("command", "image", "url")))

    def _check_port(self) -> None:
        if self.port is None:
            for key in ("transport", "path"):
                if key in self.model_fields_set:
                    raise ValueError(f"{key} has no meaning for a container without port")
        elif self.streams == "direct":
            raise ValueError('port and streams = "direct" exclude each other: its streams are a log')
        elif self.egress == "unrestricted":
            raise ValueError('port and egress = "unrestricted" exclude each other: others would reach the port')

    @property
    def kind(self) -> flow.ServerKind:
        """``process``, ``container`` or ``remote``."""
        return "process" if self.command is not None else "container" if self.image is not None else "remote"

    @property
    def remote(self) -> bool:
        """Whether it is reached by streamable HTTP, so that it has no instances."""
        return self.url is not None and self.transport == "streamable-http"

    @property
    def delivery(self) -> Literal["file", "env", "plain-env"]:
        """How the server gets its secrets."""
        return self.secrets_as or ("file" if self.image is not None else "env")

    def resolved_headers(self, secret: Callable[[str], Secret]) -> dict[str, str]:
        """Return :attr:`headers`, names in lower case, with what ``env:NAME`` and ``secret:NAME`` refer to.

        Args:
            secret: returns a secret by its name.

        Raises:
            SettingsError: where a variable isn't set, or ``secret`` raises it.
        """
        return {key.lower(): _resolved(key, value, secret) for key, value in self.headers.items()}


def _resolved(key: str, value: str, secret: Callable[[str], Secret]) -> str:
    said = secret_refs.in_header(value)
    if said is None:
        return value
    if said.kind == "secret":
        found: str | None = secret(said.name).reveal().strip()
    else:
        found = os.environ.get(said.name)
    if found is None:
        raise SettingsError(f"headers.{key}: the environment variable {said.name} is not set")
    if said.kind == "secret" and not remote.is_value(found):
        raise SettingsError(f"headers.{key}: the secret {said.name} is no plain text on one line")
    return said.scheme + found
