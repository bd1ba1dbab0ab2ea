"""`tidegate policy eval`: prints what is decided, or a rule's value, and says where there is no decision."""

import json
from pathlib import Path

import pytest

from plugins.policy.commands import HEAD, bundle, call, policy


def test_a_decision_is_printed_as_json(tmp_path: Path) -> None:
    done = policy("eval", bundle(tmp_path / "p"), "--input", "-", given=call())
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "deny": [{"rule": "delete", "reason": "Nothing is deleted."}],
        "redact": [],
        "hold": [],
        "labels": [],
    }


def test_the_input_may_be_a_file_and_data_another(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p")
    (folder / "data.json").unlink()
    (tmp_path / "input.json").write_text(json.dumps(call()))
    (tmp_path / "data.json").write_text('{"allowed": ["delete_file"]}')
    done = policy("eval", folder, "--input", tmp_path / "input.json", "--data", tmp_path / "data.json")
    assert json.loads(done.stdout)["deny"] == []


def test_packs_are_asked_beside_the_bundle(tmp_path: Path) -> None:
    done = policy("eval", bundle(tmp_path / "p"), "--packs", "readonly", given=call())
    assert [said["rule"] for said in json.loads(done.stdout)["deny"]] == ["delete", "readonly/tool"]


def test_packs_can_be_asked_alone() -> None:
    done = policy("eval", "--packs", "readonly", given=call("read_file"))
    assert (done.exit_code, json.loads(done.stdout)["deny"]) == (0, [])


def test_a_unit_that_is_not_asked_about_a_message_is_named() -> None:
    done = policy("eval", "--packs", "readonly", given=call(phase="reply"))
    assert done.exit_code == 0
    assert done.stderr == "data.tidegate.packs.readonly.decision: isn't asked about this, because of its `applies`.\n"


def test_any_rule_can_be_asked_for(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p")
    done = policy("eval", folder, "--query", "data.tidegate.labels", given=call())
    assert (done.exit_code, done.stdout) == (0, "[]\n")
    assert policy("eval", folder, "--query", "tidegate.labels", given=call()).stdout == "[]\n"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("decision := {} if input.never", "data.tidegate.decision has no value for this input"),
        ('decision := {"deny": [1]}', "data.tidegate.decision is no decision"),
        ('decision := {"deny": []} if startswith(input.v, "x")', "policy.rego:5: `startswith` expects string"),
    ],
)
def test_no_decision_ends_with_1_and_why(rules: str, said: str, tmp_path: Path) -> None:
    done = policy("eval", bundle(tmp_path / "p", policy=HEAD + rules + "\n", tests=""), given=call())
    assert done.exit_code == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        ((), "{", "standard input:1: is no JSON"),
        ((), "[]", "standard input: is no JSON object"),
        (("--input", "nowhere.json"), "", "nowhere.json: there is no such file"),
        (("--packs", "nonsense"), "{}", "there is no pack 'nonsense'"),
        (("--data", "policy.rego"), "{}", "policy.rego:1: is no JSON"),
        (("--query", "data.tidegate.nothing"), "{}", "there is no rule data.tidegate.nothing"),
        (("nowhere",), "{}", "nowhere"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    arguments: tuple[str, ...], given: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle(tmp_path / "p"))
    done = policy("eval", *arguments, given=given)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_settings_say_what_is_asked(tmp_path: Path) -> None:
    bundle(tmp_path / "p")
    (tmp_path / "p" / "data.json").unlink()
    settings = tmp_path / "tidegate.toml"
    settings.write_text(
        '[[interceptors]]\nuse = "audit"\n\n[[interceptors]]\nuse = "policy"\nname = "mine"\nreport_only = true\n'
        'bundle = "p"\npacks = ["paths"]\ndata = { allowed = ["delete_file"], paths = { roots = ["/data"] } }\n'
    )
    strings = [{"pointer": "/params/arguments/path", "value": "/etc/a", "key": "path", "decoded": []}]
    given = call(arguments={"path": "/etc/a"}, params={"strings": strings})
    done = policy("eval", "--settings", settings, given=given)
    assert done.exit_code == 0, done.output
    assert [said["rule"] for said in json.loads(done.stdout)["deny"]] == ["paths/outside"]
    other = bundle(tmp_path / "other")
    (other / "data.json").unlink()
    done = policy("eval", other, "--settings", settings, "--packs", "readonly", given=given)
    assert [said["rule"] for said in json.loads(done.stdout)["deny"]] == ["readonly/tool"]
    done = policy("explain", other, "--settings", settings, "--json", given=given)
    assert {each["unit"] for each in json.loads(done.stdout)["rules"]} == {"bundle", "paths"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "isn't TOML"),
        ('[[interceptors]]\nuse = "lists"\n', "no interceptor there has use = 'policy'"),
        ('[[interceptors]]\nuse = "policy"\nbundles = "p"\n', "policy.bundles: Extra inputs are not permitted"),
        ('[[interceptors]]\nuse = "policy"\n', "policy: a policy needs a bundle, packs, or both"),
    ],
)
def test_settings_that_can_not_be_used_are_told_in_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "tidegate.toml").write_text(text)
    done = policy("eval", "--settings", tmp_path / "tidegate.toml", given=call())
    assert (done.exit_code, said in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr
