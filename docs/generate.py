"""Writes the reference pages that come from the code: settings, command line, hooks and deny codes.

``python docs/generate.py`` writes them; ``--check`` says which are not in step, and ends with 1 if any is not.
"""
# ruff: noqa: INP001, T201 - a script, which says what it did

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import textwrap
import typing
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import BaseModel

import tidegate
from tidegate import cli, hookspecs, importer, plugins, secret_settings, settings, verdict
from tidegate.cli import output
from tidegate.secret_stores import opening

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parent / "reference"
NOTICE = "<!-- Written from the code by docs/generate.py: change the code, then run `python docs/generate.py`. -->"
_WIDTH = 116


def pages() -> dict[str, str]:
    """Return every generated page by file name."""
    made = {
        "settings.md": settings_page(),
        "cli.md": cli_page(),
        "hooks.md": hooks_page(),
        "deny-codes.md": deny_codes_page(),
    }
    return {name: text.rstrip() + "\n" for name, text in made.items()}


def _page(title: str, *blocks: str) -> str:
    return "\n\n".join([f"# {title}", NOTICE, *(block.strip("\n") for block in blocks if block)])


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _markdown(docstring: str) -> str:
    """Return a docstring's text as Markdown: reStructuredText's literals and roles are code."""
    text = re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", docstring)
    return text.replace("``", "`")


# -- settings -----------------------------------------------------------------------------------------------

_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("[proxy]", settings.ProxySettings),
    ("[auth]", settings.AuthSettings),
    ("[[auth.tokens]]", settings.Token),
    ("[session]", settings.SessionSettings),
    ("[secrets]", secret_settings.SecretsSettings),
    ("[[secrets.stores]]", secret_settings.StoreSettings),
    ("[servers.NAME]", settings.ServerSettings),
    ("[gateway]", settings.GatewaySettings),
    ("[profiles.NAME]", settings.ProfileSettings),
    ("[[images]]", settings.ImagePolicy),
    ("keyless", settings.Keyless),
    ("[[interceptors]]", settings.InterceptorSettings),
    ("when", settings.When),
)


def settings_page() -> str:
    """Return the page of all settings, with those of the interceptors that Tidegate brings."""
    intro = (
        "Settings are one TOML file, `tidegate.toml` by default. A key that isn't here is an error, and so is a value "
        "of another type: Tidegate doesn't start, and says which key it is. Relative paths start from the file's "
        "folder. `tidegate init` writes a file to begin with, `tidegate check` tries one."
    )
    blocks = [intro]
    for heading, model in _SECTIONS:
        blocks += [f"## `{heading}`", _doc_of(model), _fields(model)]
    for name, config in stores().items():
        blocks += [f'## `[[secrets.stores]]` with `use = "{name}"`', _doc_of(config), _fields(config)]
    for name, config in configs().items():
        blocks += [f'## `[[interceptors]]` with `use = "{name}"`', _doc_of(config), _fields(config)]
        for inner in _inner_models(config):
            blocks += [f"### {name}: `{_where_used(config, inner)}`", _doc_of(inner), _fields(inner)]
    return _page("Settings", *blocks)


def configs() -> dict[str, type[BaseModel]]:
    """Return the settings models of the interceptors that Tidegate brings, by name."""
    out = {}
    for name, found in sorted(plugins.installed().items()):
        if found.distribution == "tidegate":
            cls = next(iter(metadata.entry_points(group=plugins.GROUP, name=name))).load()
            if hasattr(cls, "Config"):
                out[name] = cls.Config
    return out


def stores() -> dict[str, type[BaseModel]]:
    """Return the settings models of the stores of secrets that Tidegate brings, by name."""
    points = metadata.entry_points(group=opening.GROUP)
    return {
        point.name: point.load().Config
        for point in sorted(points, key=lambda point: point.name)
        if point.dist is not None and point.dist.name == "tidegate"
    }


def _inner_models(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = []
    for info in model.model_fields.values():
        for inner in _models_in(info.annotation):
            found += [inner, *_inner_models(inner)]
    return list(dict.fromkeys(found))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]


def _where_used(model: type[BaseModel], inner: type[BaseModel]) -> str:
    names = [name for name, info in model.model_fields.items() if inner in _models_in(info.annotation)]
    return names[0] if names else inner.__name__


def _doc_of(model: type[BaseModel]) -> str:
    """Return a model's docstring; its heading says already what stands before a colon in literals."""
    said = _markdown(inspect.cleandoc(model.__doc__ or ""))
    found = re.match(r"`[^`]+`: (.)(.*)", said, re.DOTALL)
    return found[1].upper() + found[2] if found else said


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    infos = {info.alias or name: info for name, info in model.model_fields.items()}
    rows = []
    for name, part in schema.get("properties", {}).items():
        info = infos[name]
        default = "required" if name in required else _default(info.get_default(call_default_factory=True))
        rows.append((f"`{name}`", _type(part, schema), default, _sentence(info.description or "")))
    return _table(("key", "type", "default", "meaning"), rows) if rows else ""


def _sentence(text: str) -> str:
    return _markdown(" ".join(text.split()))


def _default(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True)
    return f"`{settings_value(value)}`"


def settings_value(value: Any) -> str:
    """Return a value as TOML writes it."""
    plain = list(value) if isinstance(value, tuple | set | frozenset) else value
    plain = str(plain) if isinstance(plain, Path) else plain
    return str(importer.value(plain)) if plain != {} else "{}"


def _type(part: dict[str, Any], schema: dict[str, Any]) -> str:
    if "anyOf" in part:
        return " or ".join(_type(item, schema) for item in part["anyOf"] if item.get("type") != "null")
    if "$ref" in part:
        return "table"
    if "enum" in part:
        return " or ".join(f'`"{item}"`' for item in part["enum"])
    if "const" in part:
        return f'`"{part["const"]}"`'
    kind = part.get("type", "any")
    if kind == "array":
        items = part.get("items", {})
        return "list of " + ("tables" if "$ref" in items else f"{_type(items, schema)}s")
    if kind == "object":
        return "table of strings" if part.get("additionalProperties", {}) == {"type": "string"} else "table"
    plain = str(kind)
    low = part.get("minimum", part.get("exclusiveMinimum"))
    high = part.get("maximum")
    if low is None and high is None:
        return plain
    above = "above" if "exclusiveMinimum" in part else "at least"
    bounds = [f"{above} {low}"] if low is not None else []
    bounds += [f"at most {high}"] if high is not None else []
    return f"{plain}, {', '.join(bounds)}"


# -- command line -------------------------------------------------------------------------------------------


def cli_page() -> str:
    """Return the page of all commands, those of the built-in groups too."""
    cli.add_commands(None, every=True)
    root = typer.main.get_command(cli.app)
    intro = (
        "`tidegate COMMAND --help` says the same. What a command finds goes to standard output, what it has to say "
        "about it to standard error. With `--json` the output is for scripts."
    )
    blocks = [
        intro,
        "## Exit codes",
        _table(
            ("code", "meaning"),
            [
                (f"`{output.WELL}`", "All is well."),
                (f"`{output.NOT_WELL}`", "The thing checked is not well: a finding, a failed test, a broken chain."),
                (f"`{output.MISTAKE}`", "A mistake of the user's, in the command or in a file."),
                (f"`{output.MISSING}`", "Something Tidegate depends on is missing or down."),
            ],
        ),
    ]
    for path, command in commands(root):
        blocks += _command(path, command)
    return _page("Command line", *blocks)


def commands(root: Any) -> list[tuple[str, Any]]:
    """Return every command with its path, such as ``tidegate token new``, groups left out."""
    out = []
    pending = [("tidegate", root)]
    while pending:
        path, command = pending.pop(0)
        below = getattr(command, "commands", None)
        if below is None:
            out.append((path, command))
        else:
            pending += [(f"{path} {name}", inner) for name, inner in below.items()]
    return sorted(out, key=lambda item: item[0])


def _command(path: str, command: Any) -> list[str]:
    rows = []
    usage = [path]
    for param in command.params:
        if param.name == "help":
            continue
        said = _sentence(getattr(param, "help", "") or "")
        default = param.default
        if default not in (None, False, ()) and not callable(default):
            said += f" Default: `{getattr(default, 'value', default)}`."
        if getattr(param, "envvar", None):
            said += f" Also from the environment variable `{param.envvar}`."
        if param.param_type_name == "argument":
            name = (param.metavar or param.name or "").strip("[]").upper()
            many = "…" if param.nargs == -1 else ""
            usage.append(f"{name}{many}" if param.required else f"[{name}{many}]")
            rows.append((f"`{name}`", said))
        else:
            value = "" if param.is_flag else f" {_value_name(param)}"
            rows.append((", ".join(f"`{name}{value}`" for name in param.opts), said))
    if len(usage) - 1 < len(rows):
        usage.insert(1, "[OPTIONS]")
    text = _markdown(inspect.cleandoc(command.help or ""))
    blocks = [f"## `{path}`", f"```text\n{' '.join(usage)}\n```", text]
    return [*blocks, _table(("argument or option", "meaning"), rows)] if rows else blocks


def _value_name(param: Any) -> str:
    choices = getattr(param.type_descriptor, "choices", None)
    if choices:
        return "|".join(str(getattr(choice, "value", choice)) for choice in choices)
    return str(param.metavar or param.name).upper()


# -- hooks --------------------------------------------------------------------------------------------------

_TYPES = ("Message", "Flow", "Finding", "Deny", "Redact", "Hold", "Note", "Decision", "Step", "Edit", "Leaf", "Server")
_MORE_TYPES = ("Principal", "Client", "Target", "Session", "Call", "Proxy")
_FOR_THE_CORE = {"rewired", "answering", "label", "called"}  # methods that no interceptor has a use for


def hooks_page() -> str:
    """Return the page of all hooks, and of what they are given and may return."""
    module = inspect.cleandoc(hookspecs.__doc__ or "").split("\n", 1)[1]
    blocks = [_markdown(module), "Everything named here is imported from `tidegate`.", "## Hooks"]
    for name in hookspecs.HOOKS:
        function = getattr(hookspecs, name)
        blocks += [f"### `{name}`", f"```python\n{_signature(function)}\n```", _sections(function.__doc__ or "")]
    blocks.append("## Types")
    for name in (*_TYPES, *_MORE_TYPES):
        blocks += [f"### `{name}`", *_class(getattr(tidegate, name))]
    blocks.append("## Functions")
    functions = [name for name in tidegate.__all__ if inspect.isfunction(getattr(tidegate, name))]
    for name in functions:
        function = getattr(tidegate, name)
        blocks += [f"### `{name}`", f"```python\n{_signature(function)}\n```", _sections(function.__doc__ or "")]
    blocks += ["## Errors", "### `OffloadError`", _sections(tidegate.OffloadError.__doc__ or "")]
    blocks += ["### `PointerError`", _sections(tidegate.PointerError.__doc__ or "")]
    return _page("Hooks and types", *blocks)


def _signature(function: Any) -> str:
    inner = inspect.unwrap(function)
    word = "async def" if inspect.iscoroutinefunction(inner) else "def"
    return f"{word} {inner.__name__}{inspect.signature(inner)}".replace("'", "")  # annotations are texts, in quotes


def _sections(docstring: str) -> str:
    """Return a docstring in Google's style as Markdown: its sections become lists."""
    out: list[str] = []
    for block in re.split(r"\n(?=(?:Args|Attributes|Returns|Raises):\n)", inspect.cleandoc(docstring)):
        heading, _, rest = block.partition("\n")
        if heading not in ("Args:", "Attributes:", "Returns:", "Raises:"):
            out.append(block)
        elif heading == "Returns:":
            out.append(f"Returns: {' '.join(rest.split())}")
        else:
            title = {"Args:": "Arguments:", "Attributes:": "Members:", "Raises:": "Raises:"}[heading]
            out.append(f"{title}\n\n{_items(rest)}")
    return _markdown("\n\n".join(part.strip() for part in out))


def _items(text: str) -> str:
    entries = re.split(r"\n(?=\S)", textwrap.dedent(text).strip())
    lines = []
    for entry in entries:
        name, _, said = " ".join(entry.split()).partition(": ")
        lines.append(f"- `{name}`: {said}")
    return "\n".join(lines)


def _class(cls: Any) -> list[str]:
    blocks = [_sections(cls.__doc__ or "")]
    names = [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else list(cls._fields)
    defaults = _defaults(cls)
    shown = [name for name in names if not name.startswith("_") and name != "tree"]
    lines = [f"    {name}: {_annotation(cls, name)}{defaults.get(name, '')}" for name in shown]
    blocks.insert(0, f"```python\nclass {cls.__name__}:\n" + "\n".join(lines) + "\n```")
    members = []
    for name, member in vars(cls).items():
        if name.startswith("_") or name in names or name in _FOR_THE_CORE:
            continue
        if isinstance(member, property):
            members.append(f"- `{name}`: {_first(member.fget)}")
        elif inspect.isfunction(member) and member.__doc__:
            members.append(f"- `{_signature(member).removeprefix('def ')}`: {_first(member)}")
    return [*blocks, "Also:\n\n" + "\n".join(members)] if members else blocks


def _first(function: Any) -> str:
    return _markdown(" ".join(inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].split()))


def _annotation(cls: Any, name: str) -> str:
    found = cls.__annotations__.get(name, "")
    return str(getattr(found, "__forward_arg__", found)).replace("'", '"')


def _defaults(cls: Any) -> dict[str, str]:
    if not dataclasses.is_dataclass(cls):
        return {name: f" = {_python(value)}" for name, value in cls._field_defaults.items()}
    return {
        field.name: f" = {_python(field.default)}"
        for field in dataclasses.fields(cls)
        if field.default is not dataclasses.MISSING and isinstance(field.default, str | int | float | tuple | None)
    }


def _python(value: Any) -> str:
    """Return a value as the formatter writes it."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


# -- deny codes ---------------------------------------------------------------------------------------------


def deny_codes_page() -> str:
    """Return the page of all deny codes."""
    rows = [(f"`{code}`", f"`{number}`", said) for code, (number, said) in verdict.CODES.items()]
    return _page(
        "Deny codes",
        "A message that Tidegate stops is answered to its sender, if it is a request: with a JSON-RPC error, or, for "
        '`tools/call` unless `deny_as = "error"`, with a tool result (`isError: true`) that a model can read. The '
        "error's `data`, or the tool result's `_meta` under `io.tidegate/decision`, holds `decision` (the id in the "
        "audit log), `rule` and `code`, one of these. A notification that is denied is dropped.",
        "The numbers of Tidegate's own lie outside -32768 to -32000, which JSON-RPC 2.0 and MCP reserve.",
        _table(("code", "number", "meaning"), rows),
    )


def main() -> int:
    """Write the pages, or check them."""
    check = "--check" in sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.write_text(text)
    if stale:
        print(f"{'Not in step' if check else 'Written'}: {', '.join(stale)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
