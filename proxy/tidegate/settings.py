"""The settings: one frozen model of one TOML file. An unknown key, a wrong type or a contradiction is an error.

:func:`load` reads a file and says in one sentence, with the key's path, what is wrong with it.
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tidegate import flow, gateway_settings, own_files, sandbox
from tidegate.gateway_settings import GatewaySettings, ProfileSettings
from tidegate.image_settings import ImagePolicy, Keyless
from tidegate.secret_settings import SecretsSettings
from tidegate.secret_stores.base import Secret
from tidegate.server_settings import ServerSettings
from tidegate.settings_types import (
    Address,
    Count,
    Flag,
    IpAddress,
    Model,
    Name,
    Seconds,
    SettingsError,
    is_loopback,
    split_address,
)
from tidegate.wire import Limits

__all__ = [
    "AuthSettings",
    "GatewaySettings",
    "ImagePolicy",
    "InterceptorSettings",
    "Keyless",
    "Model",
    "Name",
    "ProfileSettings",
    "ProxySettings",
    "ServerSettings",
    "SessionSettings",
    "Settings",
    "SettingsError",
    "Token",
    "When",
    "build",
    "command_server",
    "is_loopback",
    "load",
    "parse",
    "sentence",
    "split_address",
]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_IN_TOML = {
    "dict_type": "input should be a table",
    "model_type": "input should be a table",
    "tuple_type": "input should be a list",
}
"""What TOML calls the types of pydantic's errors."""


class ProxySettings(Model):
    """``[proxy]``: where clients connect, and what a message may measure."""

    listen: Address = Field(
        "127.0.0.1:8811", description="Where clients connect. A non-loopback address needs `[auth]`."
    )
    admin: Address | None = Field(None, description="Where health and readiness are served; off when absent.")
    deny_as: Literal["tool_result", "error"] = Field(
        "tool_result",
        description="How a denied `tools/call` is answered: as a tool result a model reads, or as an error.",
    )
    max_message_bytes: Count = Field(4 * 1024 * 1024, ge=1024, description="Bytes of one message as received.")
    max_depth: Count = Field(64, ge=4, le=190, description="Nested objects and arrays of one message.")
    max_members: Count = Field(100_000, ge=16, description="Members and items of one message, all together.")
    max_string_bytes: Count = Field(4 * 1024 * 1024, ge=64, description="Bytes of one string.")
    deadline: Seconds = Field(2.0, description="Seconds an interceptor may take for one message.")
    start_timeout: Seconds = Field(60.0, description="Seconds a server may take to start or to accept a connection.")
    call_timeout: Seconds = Field(
        600.0, description="Seconds a server may be silent about a request before the request is failed."
    )
    idle_timeout: Seconds = Field(1800.0, description="Seconds after which an unused session is closed.")
    client_timeout: Seconds = Field(
        60.0,
        description="Seconds a client may take to send a request's head, its body (at 16 KiB a second or more), "
        "or to take what waits for it, until it is cut off.",
    )
    max_sessions: Count = Field(10_000, ge=1, description="Sessions open at the same time.")
    launcher: str | None = Field(
        None,
        description="The UNIX socket of a `tidegate launcher` that starts the containers; "
        "when absent, Tidegate starts a launcher of its own where a server runs in a container.",
    )
    control: str | None = Field(
        None,
        description="The UNIX socket that `tidegate ps` and `tidegate servers` reach this Tidegate by; "
        "by default one in this user's folder for what runs, by the settings file's path. "
        "See [what runs](../how-to/running.md).",
    )
    min_isolation: sandbox.Minimum = Field(
        "none",
        description="The least that servers on this machine are started in: nothing, a `sandbox`, or a `container`. "
        "One with less is a mistake in the settings, and doesn't start where its sandbox can't be had.",
    )
    egress_image: str = Field(
        "tidegate",
        description="The image of the sidecars that hold containers to their `egress`, and that carry connections to "
        "their `port`: any with Python 3.11 or later as `python`; Tidegate's own by default, as "
        "`docker build -t tidegate .` makes it.",
    )
    egress_dns: tuple[IpAddress, ...] = Field(
        (), description="Addresses of the name servers that it asks; those of the engine's host by default."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="More values of the Host header to serve, like `mcp.example.com`."
    )
    allowed_origins: tuple[str, ...] = Field((), description="More values of the Origin header to accept.")

    @functools.cached_property
    def limits(self) -> Limits:
        """The limits on one message."""
        return Limits(self.max_message_bytes, self.max_depth, self.max_members, self.max_string_bytes)


class Token(Model):
    """One entry of ``[auth] tokens``: a principal and the SHA-256 of its token."""

    name: Name = Field(description="The principal's name.")
    sha256: str = Field(description="The SHA-256 of its token, 64 hexadecimal digits; never the token.")
    roles: tuple[str, ...] = Field((), description="The principal's roles, for policy.")
    profile: Name | None = Field(
        None, description="The profile that this token is for, and nothing else; by default all endpoints."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError("sha256 is 64 lower-case hexadecimal digits, as `tidegate token new` prints them")
        return self


class AuthSettings(Model):
    """``[auth]``: who may connect. Without tokens everyone on this machine may."""

    tokens: tuple[Token, ...] = Field((), description="The principals and their tokens' digests.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        digests = [token.sha256 for token in self.tokens]
        if len(set(digests)) != len(digests):
            raise ValueError("two tokens have the same sha256")
        return self

    def principal(self, token: str) -> flow.Principal | None:
        """Return whose token it is; ``None`` for nobody's. Compares digests, so timing tells nothing of a token."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        for entry in self.tokens:
            if entry.sha256 == digest:
                return flow.Principal(entry.name, "token", entry.roles, entry.profile or "")
        return None


class SessionSettings(Model):
    """``[session]``: what a conversation is, for its history."""

    by: Literal["principal", "mcp-session"] = Field(
        "principal", description="What a conversation is: all a principal does, or one MCP session of it."
    )
    ttl: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)] = Field(
        8 * 3600.0, description="Seconds after its last message until a conversation is forgotten."
    )


class When(Model):
    """``when``: the messages an entry applies to; globs, and an empty list means all."""

    servers: tuple[str, ...] = Field((), description="Names of servers.")
    methods: tuple[str, ...] = Field((), description="Methods; a reply has that of its request.")
    targets: tuple[str, ...] = Field((), description="Names of tools and prompts, or URIs of resources.")


class InterceptorSettings(BaseModel):
    """One ``[[interceptors]]`` entry; keys beyond these are the interceptor's own settings."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    use: str = Field(description="The interceptor: the name of its entry point.")
    name: Name | None = Field(None, description="What it is called in records; by default as in `use`.")
    required: Flag = Field(
        default=False, description="Whether a message whose record this entry can't write is denied."
    )
    report_only: Flag = Field(default=False, description="Whether what it says is recorded but not carried out.")
    deadline: Seconds | None = Field(
        None, description="Seconds it may take for one message; by default as in `[proxy]`."
    )
    when: When = Field(When(), description="The messages it applies to; all by default.")

    @property
    def config(self) -> dict[str, Any]:
        """The interceptor's own settings."""
        return dict(self.model_extra or {})


class Settings(Model):
    """All of ``tidegate.toml``."""

    proxy: ProxySettings = ProxySettings()
    auth: AuthSettings = AuthSettings()
    session: SessionSettings = SessionSettings()
    secrets: SecretsSettings = SecretsSettings()
    servers: dict[Name, ServerSettings] = Field({})
    gateway: GatewaySettings = GatewaySettings()
    profiles: dict[Name, ProfileSettings] = Field({})
    images: tuple[ImagePolicy, ...] = ()
    interceptors: tuple[InterceptorSettings, ...] = ()
    _folder: Path = Path()
    _file: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        for address in (self.proxy.listen, self.proxy.admin):
            if address and not is_loopback(split_address(address)[0]) and not self.auth.tokens:
                raise ValueError(
                    f"{address} can be reached from other machines, so [auth] must have tokens "
                    "(make one with `tidegate token new NAME`)"
                )
        names = [entry.name or entry.use for entry in self.interceptors]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two interceptors are called {name!r}; give one of them another `name`")
        least = self.proxy.min_isolation
        refused = [said for name, server in self.servers.items() if (said := sandbox.refusal(name, server, least))]
        if refused:
            raise ValueError("; ".join(refused))
        gateway_settings.check(self)
        return self

    @property
    def folder(self) -> Path:
        """The folder that relative paths start from: the settings file's."""
        return self._folder

    @functools.cached_property
    def own_files(self) -> tuple[str, ...]:
        """The files of Tidegate's own that these settings are in, or name; no server may see them."""
        return own_files.of(self, self._file)

    def check_environment(self) -> None:
        """See that what the settings want of the environment is there.

        Raises:
            SettingsError: where it isn't.
        """
        for name, server in self.servers.items():
            try:
                server.resolved_headers(lambda _: Secret("read later"))
            except SettingsError as error:
                raise SettingsError(f"servers.{name}.{error}") from None

    def start_timeout(self, name: str) -> float:
        """Return the seconds that a server may take to start."""
        found = self.servers.get(name)
        return self.proxy.start_timeout if found is None or found.start_timeout is None else found.start_timeout

    def call_timeout(self, name: str) -> float:
        """Return the seconds that a server may be silent about a request."""
        found = self.servers.get(name)
        return self.proxy.call_timeout if found is None or found.call_timeout is None else found.call_timeout

    def idle_timeout(self, name: str) -> float:
        """Return the seconds after which an unused instance of a server is stopped."""
        found = self.servers.get(name)
        return self.proxy.idle_timeout if found is None or found.idle_timeout is None else found.idle_timeout

    def server(self, name: str) -> flow.Server:
        """Return a server as flows show it."""
        found = self.servers[name]
        return flow.Server(name, found.kind, found.trust, found.labels)


def load(path: Path) -> Settings:
    """Read a settings file.

    Raises:
        SettingsError: where it can't be read, isn't TOML, or isn't valid.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file (write one with `tidegate init`)") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not text in UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from None
    return parse(text, folder=path.resolve().parent, source=str(path), file=path)


def parse(text: str, *, folder: Path, source: str = "settings", file: Path | None = None) -> Settings:
    """Read settings from TOML text.

    Args:
        text: the TOML.
        folder: where relative paths start from.
        source: what to call the text in errors.
        file: where the text is from.

    Raises:
        SettingsError: where it isn't TOML, or isn't valid.
    """
    try:
        tree = tomllib.loads(text)
    except ValueError as error:  # an integer of too many digits is one, but no TOMLDecodeError
        raise SettingsError(f"{source}: not TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{source}: not TOML that can be read: it is nested too deeply") from None
    return build(tree, folder=folder, source=source, file=file)


def build(tree: dict[str, Any], *, folder: Path, source: str = "settings", file: Path | None = None) -> Settings:
    """Make settings of a parsed tree.

    Raises:
        SettingsError: where it isn't valid.
    """
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(f"{source}: {sentence(error)}") from None
    settings._folder, settings._file = folder, file  # noqa: SLF001 - a frozen model's own, set where it is made
    for name, server in settings.servers.items():
        refused = own_files.refused_mount(server, settings)
        if refused is not None:
            raise SettingsError(f"{source}: servers.{name}.mounts: {refused}")
    return settings


def sentence(error: ValidationError) -> str:
    """Return what is wrong with settings in one sentence: the first error, and how many more there are."""
    errors = error.errors(include_input=False, include_url=False)
    first = errors[0]
    where = ".".join(_shown(part) for part in first["loc"] if part != "[key]")
    if first["type"] == "extra_forbidden":
        said = "there is no such setting"
    else:
        said = first["msg"].removeprefix("Value error, ")
        said = said[:1].lower() + said[1:]
    said = _IN_TOML.get(first["type"], said)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {said}{more}" if where else f"{said}{more}"


def _shown(part: str | int) -> str:
    """Return a key as it may stand in a sentence of one line."""
    return part if isinstance(part, str) and part.isprintable() else ascii(part)


def command_server(command: list[str]) -> tuple[str, ServerSettings]:
    """Return name and settings of the server that ``tidegate wrap -- COMMAND…`` runs.

    Raises:
        SettingsError: for an empty command.
    """
    if not command or not command[0].strip():
        raise SettingsError("say which server to run: tidegate wrap -- COMMAND [ARGUMENT]…")
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(command[0].split(maxsplit=1)[0]).name).strip("-")
    name = stem[:64].strip("-")
    return "server" if name in ("", gateway_settings.SERVER) else name, ServerSettings(command=tuple(command))
