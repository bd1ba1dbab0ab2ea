"""Taking back a change, whatever else was done to the file, and what a change may touch."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tidegate.clients import edits, undoing
from tidegate.clients.edits import Append, Drop, Edit, Format, Prefix, Set
from tidegate.clients.records import Changed

ENTRY = {"url": "http://127.0.0.1:8811/mcp", "headers": {"A": "b"}}

_names = st.from_regex(r"[a-z]{1,6}", fullmatch=True).filter(lambda name: name not in ("tidegate", "mine"))
_texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\x7f"),
    max_size=8,
)
_servers = st.dictionaries(_names, st.lists(_texts, max_size=3), max_size=4)
_remarks = st.lists(st.from_regex(r"[a-z ,:{}\[\]'-]{0,12}", fullmatch=True), min_size=12, max_size=12)


def json_of(servers: dict[str, list[str]], remarks: list[str], style: int) -> str:
    """A client's JSON with comments, trailing commas and layouts of all kinds."""
    left = iter(remarks * 8)
    eol = "\r\n" if style & 1 else "\n"
    last = "," if style & 2 else ""
    spread = bool(style & 4)

    def entry(name: str, args: list[str]) -> str:
        words = f",{eol if spread else ' '}".join(json.dumps(word, ensure_ascii=False) for word in args)
        inside = f'"command": "x", "args": [{words}{last if args else ""}]{last}'
        return f"    {json.dumps(name)}: {{{eol + '      ' if spread else ' '}{inside} /*{next(left)}*/ }}"

    lines = [entry(name, args) for name, args in servers.items()]
    body = "".join(
        f"{line}{',' if index + 1 < len(lines) else last} // {next(left)}{eol}" for index, line in enumerate(lines)
    )
    head = f'// {next(left)}{eol}{{{eol}  "a": [1, 2],{eol}  "mcpServers": {{{eol}'
    return f'{head}{body}  }},{eol}  "z": null{last}{eol}}}{eol}'


def toml_of(servers: dict[str, list[str]], remarks: list[str], style: int) -> str:
    """A client's TOML with comments and layouts of all kinds."""
    left = iter(remarks * 8)
    eol = "\r\n" if style & 1 else "\n"
    lines = [f"# {next(left)}", "a = [", "  1, # one", "]", ""]
    for name, args in servers.items():
        words = (", " if style & 2 else f", # {next(left)}{eol}  ").join(
            json.dumps(word, ensure_ascii=False) for word in args
        )
        lines += [f"[ mcp_servers . {name} ]  # {next(left)}", 'command = "x"', f"args = [{words}]  # {next(left)}"]
        lines += [f"# {next(left)}"] if style & 4 else ["", ""]
    lines += ["[z]", "text = '''", "[mcp_servers.fake]", "'''"]
    return eol.join(lines) + ("" if style & 8 else eol)


def yaml_of(servers: dict[str, list[str]], remarks: list[str], style: int) -> str:
    """A client's YAML with comments and layouts of all kinds."""
    left = iter(remarks * 8)
    eol = "\r\n" if style & 1 else "\n"
    lines = [f"# {next(left)}", "a: [1, 2]", "mcpServers:" + ("" if servers else " {}")]
    for name, args in servers.items():
        lines += [f'  "{name}":  # {next(left)}', "    command: x"]
        if style & 2 and args:
            lines += [
                "    args:",
                *(f"      - {json.dumps(word, ensure_ascii=False)}  # {next(left)}" for word in args),
            ]
        else:
            lines.append(f"    args: {json.dumps(args, ensure_ascii=False)}")
        lines += [f"  # {next(left)}"] if style & 4 else [""]
    lines += ["z: |", "  mcpServers:", "    fake: 1", "", "last: 1"]
    return eol.join(lines) + ("" if style & 8 else eol)


MADE = {"json": json_of, "toml": toml_of, "yaml": yaml_of}
AT: dict[str, str] = {"json": "mcpServers", "toml": "mcp_servers", "yaml": "mcpServers"}
_formats: st.SearchStrategy[Any] = st.sampled_from(["json", "toml", "yaml"])


def connected(kind: Format, text: str, how: str) -> str:
    """A text after connecting in one of three ways."""
    at = AT[kind]
    there = edits.language(kind).read(text).get(at) or {}
    todo: list[Edit] = []
    if how == "wrap":
        for name, entry in there.items():
            words = ("wrap", "--", "x")
            todo.append(Prefix((at, name, "args"), words) if entry["args"] else Set((at, name, "args"), list(words)))
            todo.append(Set((at, name, "command"), "tidegate"))
    else:
        todo.append(Set((at, "tidegate"), ENTRY))
        if how == "move":
            todo += [Drop((at, name)) for name in there]
    return edits.apply(kind, text, todo)


def changed(kind: Format, before: str, after: str) -> Changed:
    return Changed(Path("f"), kind, before.encode(), after.encode())


def is_part_of(small: str, large: str) -> bool:
    """Whether a text is another with only insertions."""
    rest = iter(large)
    return all(char in rest for char in small)


@given(_formats, _servers, _remarks, st.integers(0, 15))
def test_adding_only_inserts_and_moving_only_deletes_besides(
    kind: Format, servers: dict[str, list[str]], remarks: list[str], style: int
) -> None:
    text = MADE[kind](servers, remarks, style)
    added = connected(kind, text, "add")
    if servers or kind != "yaml":  # there, `{}` gives way
        assert is_part_of(text, added)
    bare = edits.apply(kind, text, [Drop((AT[kind], name)) for name in servers])
    assert is_part_of(bare, text)
    tree = edits.language(kind).read(text)
    assert edits.same(edits.language(kind).read(bare), {**tree, AT[kind]: None})


@given(_formats, _servers, _remarks, st.integers(0, 15), st.sampled_from(["add", "wrap", "move"]))
@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
def test_undoing_is_the_identity_on_bytes_whatever_lines_others_have_changed(
    kind: Format, servers: dict[str, list[str]], remarks: list[str], style: int, how: str
) -> None:
    text = MADE[kind](servers, remarks, style)
    after = connected(kind, text, how)
    record = changed(kind, text, after)
    assert undoing.undo(record, after.encode()) == undoing.Undone(text.encode())
    assert undoing.undo(record, text.encode()) == undoing.Undone(text.encode())
    comment = "// elsewhere" if kind == "json" else "# elsewhere"
    eol = "\r\n" if style & 1 else "\n"
    assert undoing.undo(record, f"{comment}{eol}{after}".encode()).data == f"{comment}{eol}{text}".encode()
    last = {"json": '"z": null', "toml": "[z]", "yaml": "last: 1"}[kind]
    else_where = {"json": '"z": true', "toml": "[z]\nmine = 1", "yaml": "last: 2"}[kind]
    back = undoing.undo(record, after.replace(last, else_where).encode())
    assert (back.data, back.kept) == (text.replace(last, else_where).encode(), [])


@given(_formats, _servers, _remarks, st.integers(0, 15), st.sampled_from(["add", "wrap", "move"]))
@example("json", {}, [""] * 12, 0, "add")
@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
def test_a_server_of_others_right_beside_it_survives_undoing(
    kind: Format, servers: dict[str, list[str]], remarks: list[str], style: int, how: str
) -> None:
    text = MADE[kind](servers, remarks, style)
    after = connected(kind, text, how)
    mine = {"command": "y", "args": ["1"]}
    now = edits.apply(kind, after, [Set((AT[kind], "mine"), mine)])
    back = undoing.undo(changed(kind, text, after), now.encode())
    assert back.data is not None
    tree = edits.language(kind).read(text)
    wanted = {**tree, AT[kind]: {**(tree.get(AT[kind]) or {}), "mine": mine}}
    assert edits.same(edits.language(kind).read(back.data.decode()), wanted)
    assert not back.kept


@given(st.lists(_names, unique=True, max_size=4), st.integers(0, 3))
def test_members_of_a_list_are_known_by_their_names(names: list[str], style: int) -> None:
    lines = ["name: x", "mcpServers:" if names else "mcpServers: []"]
    for name in names:
        lines += [f"  - name: {name}   # one", "    command: x", *(["    args: [a]"] if style & 1 else []), ""]
    text = "\n".join([*lines, "z: 1"]) + "\n"
    after = edits.apply("yaml", text, [Append(("mcpServers",), {"name": "tidegate", **ENTRY})])
    if names:
        after = edits.apply("yaml", after, [Set(("mcpServers", names[0], "command"), "y")])
    record = changed("yaml", text, after)
    assert undoing.undo(record, after.encode()).data == text.encode()
    now = edits.apply("yaml", after, [Append(("mcpServers",), {"name": "mine", "command": "z"})])
    back = undoing.undo(record, now.encode()).data
    assert back is not None
    read = edits.language("yaml").read
    wanted = {**read(text), "mcpServers": [*(read(text)["mcpServers"] or []), {"name": "mine", "command": "z"}]}
    assert edits.same(read(back.decode()), wanted)


@pytest.mark.parametrize("kind", ["json", "toml", "yaml"])
def test_what_cannot_be_read_any_more_is_not_touched(kind: Format) -> None:
    record = changed(kind, "", connected(kind, "", "add"))
    with pytest.raises(edits.FileRefused):
        undoing.undo(record, b"\xff")
    with pytest.raises(edits.FileRefused):
        undoing.undo(record, b"{[")
