"""`tidegate scan` and `tidegate secrets rules`: what they find, what they print (never a value), how they end."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from plugins.scan.tokens import OTHER, TOKEN, Command
from tidegate_scan import fingerprint
from tidegate_scan.choosing import shipped


def test_a_text_is_reported_by_line_and_column_and_ends_with_1(command: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text(f"é first\n  the key is {TOKEN}, mind\n")
    ended = command("scan", "notes.txt")
    assert ended.code == 1
    assert [row[:4] for row in ended.rows] == [["notes.txt:2:14", "github-pat", "0.99", "plain"]]
    assert re.fullmatch("[0-9a-f]{16}", ended.rows[0][4])
    assert "1 finding in 1 of 1 file." in ended.err


def test_a_clean_file_ends_with_0_and_prints_nothing(command: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Nothing to see.\n")
    ended = command("scan", "notes.txt")
    assert (ended.code, ended.out, ended.err) == (0, "", "Nothing found in 1 file.\n")


def test_a_disguise_is_undone_and_named_and_equal_values_have_equal_fingerprints(
    command: Command, tmp_path: Path
) -> None:
    encoded = base64.b64encode(f"the key is {TOKEN}".encode()).decode()
    (tmp_path / "notes.txt").write_text(f"{TOKEN}\ndata: {encoded}\n")
    plain, disguised = command("scan", "notes.txt").rows
    assert disguised[:4] == ["notes.txt:2:7", "github-pat", "0.99", "base64"]
    assert plain[4] == disguised[4]


def test_standard_input_is_scanned_for_a_dash(command: Command) -> None:
    ended = command("scan", "-", given=f"a\n{TOKEN}".encode())
    assert ended.code == 1
    assert ended.rows[0][0] == "-:2:1"


def test_a_folder_is_scanned_without_git_node_modules_binaries_and_links(command: Command, tmp_path: Path) -> None:
    for folder in (".", "deep/er", ".git", "node_modules/x", "deep/.git"):
        (tmp_path / "tree" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / folder / "a.txt").write_text(TOKEN)
    (tmp_path / "tree" / "b.bin").write_bytes(b"\0" + TOKEN.encode())
    (tmp_path / "tree" / "link").symlink_to(tmp_path)
    (tmp_path / "tree" / "large.txt").write_text(TOKEN + " " * 2000)
    ended = command("scan", "tree", "--max-bytes", "1000")
    assert ended.code == 1
    assert sorted(row[0] for row in ended.rows) == ["tree/a.txt:1:1", "tree/deep/er/a.txt:1:1"]
    assert "tree/large.txt was not scanned: it is larger than 1,000 bytes" in ended.err
    assert "1 binary file not scanned." in ended.err
    assert "2 findings in 2 of 2 files." in ended.err


def test_comments_that_other_scanners_obey_switch_nothing_off(command: Command, tmp_path: Path) -> None:
    marks = ("gitleaks:allow", "pragma: allowlist secret", "noqa", "tidegate:ignore", "kingfisher:ignore")
    (tmp_path / "a.py").write_text("".join(f'x = "{TOKEN}"  # {mark}\n' for mark in marks))
    assert len(command("scan", "a.py").rows) == len(marks)


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig", "latin-1"])
def test_text_of_other_encodings_is_read(codec: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(f"clé\n é {TOKEN}".encode(codec))
    assert command("scan", "a.txt").rows[0][0] == "a.txt:2:4"


def message(text: str) -> dict[str, Any]:
    call = {"name": "send", "arguments": {"text": text, "nested": json.dumps({"deep": [text]})}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}


def test_a_recorded_message_is_reported_by_pointer(command: Command, tmp_path: Path) -> None:
    (tmp_path / "message.json").write_text("\n" + json.dumps(message(TOKEN), indent=2))
    ended = command("scan", "message.json")
    assert [row[0] for row in ended.rows] == [
        "message.json:9:/params/arguments/text",
        "message.json:10:/params/arguments/nested/~2/deep/0",
    ]


def test_in_a_message_of_several_lines_the_line_of_the_finding_is_told(command: Command, tmp_path: Path) -> None:
    tree = [message("hello"), message(json.dumps({"a": {"b": TOKEN}}))]
    tree[0]["params"]["arguments"] = {"": ["x", {"a/b": f'say "hi": {OTHER}'}, [[], {}, TOKEN]]}
    text = "\n\n" + json.dumps(tree, indent=2)
    (tmp_path / "batch.json").write_text(text)
    ended = command("scan", "batch.json")
    assert ended.code == 1
    told = sorted(int(line.split(":")[1]) for line in ended.out.splitlines())
    lines = text.split("\n")
    assert told == [number for number, line in enumerate(lines, 1) if TOKEN in line or OTHER in line]


def test_json_lines_of_messages_are_reported_by_line_and_pointer(command: Command) -> None:
    lines = [message("hello"), [message("hello"), message(TOKEN)], {"jsonrpc": "2.0", "id": 1, "result": {"a": OTHER}}]
    ended = command("scan", "-", given="\n\n".join(map(json.dumps, lines)).encode())
    assert [row[0] for row in ended.rows] == [
        "-:3:/1/params/arguments/nested/~2/deep/0",
        "-:3:/1/params/arguments/text",
        "-:5:/result/a",
    ]


def test_a_message_that_two_parsers_could_read_differently_is_scanned_as_text(command: Command) -> None:
    ended = command("scan", "-", given=f'{{"jsonrpc": "2.0", "result": "{TOKEN}", "result": ""}}'.encode())
    assert ended.rows[0][:2] == ["-:1:31", "github-pat"]


def test_a_value_that_is_a_key_is_masked_in_every_pointer(command: Command) -> None:
    tree = {"jsonrpc": "2.0", "id": 1, "result": {"keys": {TOKEN: {"inside": OTHER}, f"my-{OTHER}": "x"}}}
    for option in ("--json", "--sarif"):
        assert command("scan", "-", option, given=json.dumps(tree).encode()).code == 1
    found = json.loads(command("scan", "-", "--json", given=json.dumps(tree).encode()).out)
    assert [(each["pointer"], each["in_key"]) for each in found] == [
        ("/result/keys/[masked]", True),
        ("/result/keys/[masked]", True),
        ("/result/keys/[masked]/inside", False),
    ]


def test_json_says_all_of_a_finding_but_its_value(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"x\n{TOKEN}\n")
    (found,) = json.loads(command("scan", "a.txt", "--json").out)
    assert re.fullmatch("[0-9a-f]{16}", found.pop("fingerprint"))
    assert found == {
        "path": "a.txt",
        "line": 2,
        "column": 1,
        "end_line": 2,
        "end_column": 1 + len(TOKEN),
        "pointer": None,
        "span": [2, 2 + len(TOKEN)],
        "in_key": False,
        "kind": "secret",
        "rule": "github-pat",
        "title": "GitHub personal access token",
        "confidence": 0.99,
        "view": "",
    }
    (tmp_path / "a.txt").write_text("x")
    assert json.loads(command("scan", "a.txt", "--json").out) == []


def test_sarif_has_what_code_scanning_needs(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a file.txt").write_text(f"x\nkey {TOKEN}\n")
    (tmp_path / "message.json").write_text(json.dumps(message(TOKEN)))
    told = json.loads(command("scan", "a file.txt", "message.json", "--sarif", "--key-file", "k").out)
    assert told["version"] == "2.1.0"
    (run,) = told["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["github-pat"]
    first, _, last = run["results"]
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == [each["ruleId"] for each in run["results"]]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20file.txt"}
    assert place["region"] == {"startLine": 2, "endLine": 2, "startColumn": 5, "endColumn": 5 + len(TOKEN)}
    assert last["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "/params/arguments/text"
    prints = [each["partialFingerprints"] for each in run["results"]]
    assert len({each["placeHash/v1"] for each in prints}) == 3
    assert len({each["valueHmac/v1"] for each in prints}) == 1


def test_sarif_knows_a_finding_again_that_moved_down(command: Command, tmp_path: Path) -> None:
    def prints() -> list[dict[str, str]]:
        run = json.loads(command("scan", "a.txt", "--sarif").out)["runs"][0]
        return [each["partialFingerprints"] for each in run["results"]]

    (tmp_path / "a.txt").write_text(TOKEN)
    before = prints()
    (tmp_path / "a.txt").write_text(f"one line more\n{TOKEN}")
    assert prints() == before
    assert list(before[0]) == ["placeHash/v1"]


def test_fingerprints_stay_with_a_key_file_and_only_then(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TOKEN)
    first, second = (command("scan", "a.txt") for _ in range(2))
    assert first.rows[0][4] != second.rows[0][4]
    assert "--key-file" in first.err
    made, again = (command("scan", "a.txt", "--key-file", "my.key") for _ in range(2))
    assert "Made my.key" in made.err
    assert "my.key" not in again.err
    assert made.rows == again.rows
    assert made.rows[0][4] == fingerprint.with_key_of(tmp_path / "my.key").of(TOKEN)


def test_settings_bring_their_rules_disable_allow_and_key(command: Command, tmp_path: Path) -> None:
    own = """
[[rule]]
id = "acme-key"
title = "Key of Acme"
regex = '''\\b(acme_[a-z]{20})\\b'''
literals = ["acme_"]
confidence = 0.9
examples = ["acme_qzjvkwpxybmfhgtdcrnl"]
"""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "acme.toml").write_text(own)
    known = fingerprint.with_key_of(tmp_path / "conf" / "tidegate-scan.key").of(OTHER)
    (tmp_path / "conf" / "tidegate.toml").write_text(
        f'[[interceptors]]\nuse = "secrets"\nrules = ["acme.toml"]\nallow = [{{ fingerprint = "{known}" }}]\n'
    )
    (tmp_path / "a.txt").write_text(f"{TOKEN}\n{OTHER}\nacme_wpxybmfhqzjvkgtdcrnl\n")
    ended = command("scan", "a.txt", "--settings", "conf/tidegate.toml")
    assert [row[1] for row in ended.rows] == ["github-pat", "acme-key"]
    assert [row[1] for row in command("scan", "a.txt", "--rules", "conf/acme.toml").rows] == [
        "github-pat",
        "github-pat",
        "acme-key",
    ]
    (tmp_path / "tidegate.toml").write_text('[[interceptors]]\nuse = "secrets"\ndisable = ["github-*"]\n')
    assert "github-pat" not in command("scan", "a.txt", "--settings", "tidegate.toml").out


def test_an_allowance_for_a_server_or_a_tool_is_none_for_a_file(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TOKEN)
    entry = '[[interceptors]]\nuse = "secrets"\nallow = [{ rules = ["github-pat"]%s }]\n'
    for more, code in (("", 0), (', servers = ["*"]', 1), (', targets = ["*"]', 1)):
        (tmp_path / "tidegate.toml").write_text(entry % more)
        assert command("scan", "a.txt", "--settings", "tidegate.toml").code == code


def test_disable_leaves_rules_out(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TOKEN)
    assert "github-pat" not in command("scan", "a.txt", "--disable", "github-*").out


def test_personal_data_is_looked_for_where_it_is_asked_for(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Write to ada.lovelace@analytical.engine.org\n")
    assert command("scan", "a.txt").code == 0
    (found,) = json.loads(command("scan", "a.txt", "--pii", "--json").out)
    assert (found["kind"], found["rule"], found["column"]) == ("pii", "email", 10)


def test_what_would_take_too_long_is_a_finding_of_its_own(command: Command, tmp_path: Path) -> None:
    text = TOKEN
    for _ in range(8):
        text = base64.b64encode(f"once more: {text}".encode()).decode()
    (tmp_path / "a.txt").write_text(text)
    ended = command("scan", "a.txt")
    assert ended.code == 1
    assert ended.rows == [["a.txt:1:1", "scan-budget", "1.00", "plain", "-"]]
    (tmp_path / "a.txt").write_text(json.dumps(message(text)))
    run = json.loads(command("scan", "a.txt", "--sarif").out)["runs"][0]
    assert [each["ruleId"] for each in run["results"]] == ["scan-budget"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.txt"], "nowhere.txt: there is no such file or folder"),
        (["a.txt", "--disable", "githup-*"], "there is no rule 'githup-*'"),
        (["a.txt", "--json", "--sarif"], "exclude each other"),
        (["a.txt", "--rules", "none.toml"], "none.toml: can't be read"),
        (["a.txt", "--settings", "none.toml"], "none.toml: can't be read"),
        (["a.txt", "--settings", "a.txt"], "a.txt: isn't TOML"),
        (["a.txt", "--settings", "other.toml"], "no interceptor there has use = 'secrets'"),
        (["a.txt", "--settings", "wrong.toml"], "wrong.toml: interceptors.0.requst: "),
        (["a.txt", "--key-file", "a.txt"], "holds no key of fingerprints"),
        (["a.txt", "--max-bytes", "3"], "a.txt was not scanned: it is larger than 3 bytes"),
    ],
)
def test_a_mistake_is_one_sentence_and_ends_with_2(
    arguments: list[str], said: str, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("Nothing to see.")
    (tmp_path / "other.toml").write_text('[[interceptors]]\nuse = "lists"\n')
    (tmp_path / "wrong.toml").write_text('[[interceptors]]\nuse = "secrets"\nrequst = "deny"\n')
    ended = command("scan", *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert not ended.out


def test_a_file_that_cannot_be_read_is_noted_and_ends_with_2(command: Command, tmp_path: Path) -> None:
    (tmp_path / "loop.txt").symlink_to("loop.txt")  # nobody can open it, root neither
    ended = command("scan", "loop.txt")
    assert ended.code == 2
    assert "loop.txt was not scanned: it can't be read" in ended.err


def test_a_name_cannot_steer_the_terminal(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m\n.txt").write_text(TOKEN)
    ended = command("scan", ".")
    assert "\x1b" not in ended.out
    assert len(ended.rows) == 1


def test_rules_are_listed(command: Command) -> None:
    ended = command("secrets", "rules")
    assert ended.code == 0
    listed = json.loads(command("secrets", "rules", "--json").out)
    assert {each["id"] for each in listed} == {rule.id for rule in shipped("rules")}
    assert all(set(each) == {"id", "title", "confidence", "source"} for each in listed)
    assert [each["id"] for each in listed if f"\n{each['id']} " not in ended.out] == []
