"""Finds, configures, registers and checks interceptors; on any doubt Tidegate doesn't start.

Installing a package enables nothing: the settings name each interceptor. pluggy registers and validates the hooks;
the pipeline drives the implementations itself (see ``pipeline.py``).
"""

from __future__ import annotations

import fnmatch
import inspect
import re
from dataclasses import dataclass, field
from importlib import metadata
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy
from pydantic import BaseModel, ValidationError

from tidegate import gateway_settings, hookspecs, methods
from tidegate.message import BODY
from tidegate.settings import SettingsError, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tidegate.flow import Flow, Server
    from tidegate.message import Kind, Message
    from tidegate.settings import InterceptorSettings, Settings, When

GROUP = "tidegate"
SAID_EVERY = 1.0
_BY_KIND = ("transform", "inspect", "decide")

# What the code of others raises where it is imported or an interceptor is made; it stops the start.
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def unheard(server: str, kinds: Iterable[str]) -> None:
    """Tell nobody: there are no clients."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """What an interceptor is told at ``startup``.

    Attributes:
        entry: the name of its own entry in the settings.
        folder: where relative paths in its settings start from.
        servers: the servers of the settings.
        principals: the names of ``[auth] tokens``; empty where everyone may connect.
        deadline: how long it may take for one message, in seconds.
        secrets: what the settings give to servers and nobody else may learn. Never to be shown, logged or kept.
        lists_changed: to be called, in the event loop, with a server's name and ``tools``, ``prompts`` or
            ``resources``, where the interceptor makes something else of these lists now: clients that may be told are
            told to ask for them again.
    """

    entry: str
    folder: Path
    servers: tuple[Server, ...] = ()
    principals: tuple[str, ...] = ()
    deadline: float = 2.0
    secrets: tuple[str, ...] = field(default=(), repr=False)
    lists_changed: Callable[[str, Iterable[str]], None] = field(default=unheard, compare=False)


class Found(NamedTuple):
    """An interceptor that is installed, enabled or not."""

    name: str
    distribution: str
    version: str
    value: str
    point: metadata.EntryPoint


class Matcher:
    """An entry's ``when``, compiled: globs over server, method and targets."""

    def __init__(self, when: When) -> None:
        self._servers = _compile(when.servers)
        self._methods = _compile(when.methods)
        self.targets = _compile(when.targets)

    def covers(self, server: str, method: str | None) -> bool:
        """Whether it covers a server and method, targets aside. What has no method is covered by all."""
        if self._servers and not self._servers.match(server):
            return False
        return not (self._methods and method is not None and not self._methods.match(method))

    def hits(self, flow: Flow, message: Message | None) -> bool:
        """Whether it covers the targets of a flow; a target that can't be read may be any, so it is covered."""
        if self.targets is None or any(self.targets.match(target.name) for target in flow.targets):
            return True
        subject = flow.request or message
        return subject is not None and bool(methods.unreadable(subject))


def _compile(globs: Iterable[str]) -> re.Pattern[str] | None:
    patterns = [fnmatch.translate(glob) for glob in globs]
    return re.compile("|".join(patterns)) if patterns else None


class Said:
    """How often something was to be said: at most once in :data:`SAID_EVERY` seconds it is."""

    __slots__ = ("_next", "_unsaid")

    def __init__(self) -> None:
        self._next = 0.0
        self._unsaid = 0

    def often(self) -> int | None:
        """Return how often it wasn't said since it was said last; ``None`` where it isn't to be said now."""
        now = monotonic()
        if now < self._next:
            self._unsaid += 1
            return None
        unsaid, self._unsaid, self._next = self._unsaid, 0, now + SAID_EVERY
        return unsaid


@dataclass(frozen=True, slots=True, eq=False)
class Hook:
    """One hook of one interceptor, ready to be called.

    Attributes:
        by: the entry's name.
        name: the hook's name.
        call: calls it with message, flow and findings (or decision and flow), of which it takes what it names.
        deadline_ns: how long it may take, in nanoseconds.
        report_only: whether what it says is only recorded.
        required: whether, for ``observe``, its failure denies.
        matcher: which messages it is for, by the settings.
        kinds: which kinds of messages it is for, by its own mark; ``None`` for all.
        said: keeps its failures from flooding the log.
    """

    by: str
    name: str
    call: Callable[[Any, Any, Any], Any]
    deadline_ns: int
    report_only: bool = False
    required: bool = False
    matcher: Matcher | None = None
    kinds: tuple[Kind, ...] | None = None
    said: Said = field(default_factory=Said)

    def covers(self, server: str, method: str | None, kind: Kind | None) -> bool:
        """Whether it is for a kind of message of a server and method, targets aside."""
        if self.kinds is not None and kind not in self.kinds:
            return False
        return self.matcher is None or self.matcher.covers(server, method)


@dataclass(slots=True)
class Interceptor:
    """One entry of the settings with the instance made for it."""

    name: str
    entry: InterceptorSettings
    instance: Any
    hooks: dict[str, Hook] = field(default_factory=dict)
    started: bool = False


def installed() -> dict[str, Found]:
    """Return the interceptors that are installed, by name; nothing is imported.

    Raises:
        SettingsError: where two distributions give an interceptor the same name.
    """
    out: dict[str, Found] = {}
    for point in metadata.entry_points(group=GROUP):
        dist = point.dist
        found = Found(point.name, dist.name if dist else "?", dist.version if dist else "?", point.value, point)
        other = out.get(found.name)
        if other is not None and other[:4] != found[:4]:
            raise SettingsError(
                f"interceptor {found.name!r} is in both {other.distribution} and {found.distribution}; uninstall one"
            )
        out[found.name] = found
    return out


def load(settings: Settings, extra: dict[str, type] | None = None) -> list[Interceptor]:
    """Make the interceptors that the settings name, in their order, and check them.

    Args:
        settings: the settings.
        extra: classes by name that are used beside the installed ones; for tests.

    Raises:
        SettingsError: for an interceptor that isn't installed, can't be imported, has wrong settings, or has
            hooks that don't fit.
    """
    own = extra or {}
    known = installed() if any(entry.use not in own for entry in settings.interceptors) else {}
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    made = []
    for entry in settings.interceptors:
        _check_servers(settings, entry)
        cls = own.get(entry.use) or _import(entry.use, known)
        interceptor = Interceptor(entry.name or entry.use, entry, _make(cls, entry))
        _register(manager, interceptor)
        made.append(interceptor)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise SettingsError(_pending(error)) from None
    deadline = settings.proxy.deadline
    for interceptor in made:
        _collect(manager, interceptor, deadline)
    return made


def _check_servers(settings: Settings, entry: InterceptorSettings) -> None:
    """Refuse a ``when`` for a server that isn't there: misspelt, it would switch the entry off unnoticed."""
    for name in entry.when.servers:
        if (
            name not in settings.servers
            and name != gateway_settings.SERVER
            and not any(character in name for character in "*?[")
        ):
            have = ", ".join(sorted(settings.servers)) or "none"
            said = f"when.servers names {name!r}, which isn't there (there are: {have})"
            raise SettingsError(f"interceptor {entry.use!r}: {said}")


def _pending(error: pluggy.PluginValidationError) -> str:
    found = re.search(r"unknown hook '(\w+)'", str(error))
    return _unknown(found[1] if found else "?")


def _unknown(hook: str) -> str:
    names = ", ".join(hookspecs.HOOKS)
    return f"an interceptor implements the hook {hook!r}, which doesn't exist; the hooks are {names}"


def _import(use: str, known: dict[str, Found]) -> type:
    if use not in known:
        have = ", ".join(sorted(known)) or "none"
        raise SettingsError(f"interceptors: {use!r} is not installed (installed are: {have})")
    try:
        cls = known[use].point.load()
    except _FAULTS as error:
        raise SettingsError(f"interceptor {use!r} can't be imported: {_told(error)}") from error
    if not isinstance(cls, type):
        raise SettingsError(f"interceptor {use!r} is not a class")
    return cls


def _make(cls: type, entry: InterceptorSettings) -> Any:
    config_class = getattr(cls, "Config", None)
    if config_class is None:
        if entry.config:
            raise SettingsError(f"interceptor {entry.use!r} has no settings, but {min(entry.config)!r} is given")
        return _built(entry, cls)
    if not (isinstance(config_class, type) and issubclass(config_class, BaseModel)):
        raise SettingsError(f"interceptor {entry.use!r}: its Config is not a pydantic model")
    unknown = sorted(entry.config.keys() - _keys(config_class))
    if unknown and config_class.model_config.get("extra") != "allow":
        raise SettingsError(f"interceptor {entry.use!r} has no setting {unknown[0]!r}")
    try:
        config = config_class.model_validate(entry.config)
    except ValidationError as error:
        raise SettingsError(f"interceptor {entry.use!r}: {sentence(error)}") from None
    return _built(entry, cls, config)


def _built(entry: InterceptorSettings, cls: type, *given: BaseModel) -> Any:
    try:
        return cls(*given)
    except ValueError as error:  # how an interceptor refuses its settings
        raise SettingsError(f"interceptor {entry.use!r}: {_line(str(error))}") from None
    except _FAULTS as error:
        raise SettingsError(f"interceptor {entry.use!r} can't be made: {_told(error)}") from error


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {_line(str(error))}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _keys(config: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in config.model_fields.items()}


def _register(manager: pluggy.PluginManager, interceptor: Interceptor) -> None:
    cls = type(interceptor.instance)
    for name in hookspecs.HOOKS:
        method = getattr(cls, name, None)
        if method is not None and not hasattr(method, f"{hookspecs.PROJECT}_impl"):
            raise SettingsError(
                f"interceptor {interceptor.entry.use!r}: its method {name} is not marked with @tidegate.hook"
            )
        if method is not None:
            _check_arguments(interceptor.entry.use, name, getattr(interceptor.instance, name))
    try:
        manager.register(interceptor.instance, name=interceptor.name)
    except (pluggy.PluginValidationError, ValueError) as error:
        raise SettingsError(f"interceptor {interceptor.entry.use!r}: {_line(str(error))}") from None


def _check_arguments(use: str, name: str, method: Callable[..., Any]) -> None:
    """See that all arguments of an implementation are passed to it: pluggy leaves out those with a default."""
    allowed = inspect.signature(getattr(hookspecs, name)).parameters
    for argument in inspect.signature(method).parameters.values():
        named = argument.kind in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD)
        if argument.name in allowed and not (named and argument.default is argument.empty):
            why = "it has a default" if named else "it comes by keyword only"
            raise SettingsError(f"interceptor {use!r}: {name} gets no argument {argument.name!r}, because {why}")
        if argument.name not in allowed and argument.default is argument.empty:
            may = f"it may have {', '.join(allowed)}" if allowed else "it has none"
            shown = str(argument.replace(annotation=argument.empty))
            raise SettingsError(f"interceptor {use!r}: {name} has an argument {shown!r}; {may}")


def _collect(manager: pluggy.PluginManager, interceptor: Interceptor, deadline: float) -> None:
    entry = interceptor.entry
    seconds = entry.deadline or deadline
    matcher = Matcher(entry.when) if entry.when.model_fields_set else None
    for caller in manager.get_hookcallers(interceptor.instance) or []:
        for impl in caller.get_hookimpls():
            if impl.plugin is not interceptor.instance:
                continue
            if impl.wrapper or impl.hookwrapper:
                raise SettingsError(
                    f"interceptor {entry.use!r}: {caller.name} is a hook wrapper, which could swallow a deny"
                )
            if inspect.isasyncgenfunction(impl.function):
                raise SettingsError(f"interceptor {entry.use!r}: {caller.name} must return its results, not yield them")
            if caller.name not in hookspecs.HOOKS:  # an optionalhook, which check_pending() lets pass
                raise SettingsError(_unknown(caller.name))
            kinds = getattr(impl.function, hookspecs.KINDS_MARK, None)
            if kinds is not None and not (caller.name in _BY_KIND and set(kinds) <= BODY.keys()):
                raise SettingsError(
                    f"interceptor {entry.use!r}: {caller.name} is marked with kinds; {', '.join(_BY_KIND)} may be, "
                    f"and the kinds are {', '.join(BODY)}"
                )
            if caller.name in interceptor.hooks:
                raise SettingsError(f"interceptor {entry.use!r} implements {caller.name} twice")
            call = _adapt(impl.function, tuple(impl.argnames))
            interceptor.hooks[caller.name] = Hook(
                interceptor.name,
                caller.name,
                call,
                int(seconds * 1e9),
                entry.report_only,
                entry.required,
                matcher,
                kinds,
            )
    if not interceptor.hooks:
        raise SettingsError(f"interceptor {entry.use!r} implements no hook")


def _adapt(function: Callable[..., Any], names: tuple[str, ...]) -> Callable[[Any, Any, Any], Any]:
    """Return the implementation as a call of three positions, whatever arguments it names."""
    positions = {"message": 0, "decision": 0, "proxy": 0, "flow": 1, "findings": 2}
    wanted = tuple(positions[name] for name in names)
    shapes: dict[tuple[int, ...], Callable[[Any, Any, Any], Any]] = {
        (): lambda _a, _b, _c: function(),
        (0,): lambda a, _b, _c: function(a),
        (1,): lambda _a, b, _c: function(b),
        (2,): lambda _a, _b, c: function(c),
        (0, 1): lambda a, b, _c: function(a, b),
        (0, 2): lambda a, _b, c: function(a, c),
        (1, 2): lambda _a, b, c: function(b, c),
        (0, 1, 2): function,
    }
    found = shapes.get(wanted)
    if found is not None:
        return found
    return lambda a, b, c: function(*((a, b, c)[position] for position in wanted))
