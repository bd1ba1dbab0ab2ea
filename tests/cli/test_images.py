"""`pin` and `pull`, and what `check` says of images; real engine, real registry."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cli.running import Command
from support.hub import Hub, hub
from support.images import Images
from support.played_registry import pem
from tidegate.cli import output

pytestmark = [pytest.mark.docker, pytest.mark.registry]

SETTINGS = """\
# Ours.
[servers.files]
image = "{image}"   # approved
pull = "tag-ok"

[servers.time]
command = ["true"]
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with hub(tmp_path_factory.mktemp("registry")) as made:
        yield made


def written(home: Path, image: str, text: str = SETTINGS) -> Path:
    path = home / "tidegate.toml"
    path.write_text(text.format(image=image))
    return path


def test_pin_puts_the_digest_beside_the_tag_and_keeps_all_else(
    command: Command, home: Path, registry: Hub, images: Images
) -> None:
    digest = registry.push(images.echo, "pin")
    path = written(home, f"{registry.name('pin')}:1")
    before = path.read_text()
    shown = command("pin", "--dry-run")
    assert (shown.code, path.read_text()) == (output.WELL, before)
    assert shown.out.splitlines() == [
        "servers.files",
        f'- image = "{registry.name("pin")}:1"',
        f'+ image = "{registry.name("pin")}:1@{digest}"',
        '- pull = "tag-ok"',
        "Nothing is written (--dry-run).",
    ]
    assert command("pin").code == output.WELL
    after = before.replace(":1", f":1@{digest}").replace('pull = "tag-ok"\n', "")
    assert path.read_text() == after
    assert (home / "tidegate.toml.bak").read_text() == before
    again = command("pin")
    assert (again.code, again.out) == (output.WELL, "tidegate.toml: nothing to pin\n")


def test_pin_mends_a_tag_that_the_settings_may_not_have_and_pulls_what_the_engine_lacks(
    command: Command, home: Path, registry: Hub, images: Images
) -> None:
    digest = registry.push(images.echo, "lacking")
    registry.forget(f"{registry.name('lacking')}:1")
    path = written(home, f"{registry.name('lacking')}:1", '[servers.files]\nimage = "{image}"\n')
    refused = command("check")
    assert (refused.code, "`tidegate pin`" in refused.err) == (output.MISTAKE, True)
    pinned = command("pin", "--json")
    assert pinned.code == output.WELL
    assert "Pulling" in pinned.err
    told = json.loads(pinned.out)
    image = f"{registry.name('lacking')}:1@{digest}"
    assert (told["written"], told["servers"][0]["after"]) == (True, image)
    assert command("check", "--no-servers").code == output.WELL
    registry.forget(f"{registry.name('lacking')}:1")
    assert command("pull").out == f"files: {image}: pulled\n"
    assert command("pull").out == f"files: {image}: there already\n"
    assert str(path)


def test_pin_update_takes_the_newer_image_of_a_tag(command: Command, home: Path, registry: Hub, images: Images) -> None:
    registry.push(images.echo, "update")
    path = written(home, f"{registry.name('update')}:1")
    command("pin")
    digest = registry.push(registry.other(images.echo), "update")
    registry.engine.images.get(images.echo).tag(registry.name("update"), "1")  # here, it means the old one
    assert command("pin").out == "tidegate.toml: nothing to pin\n"
    assert command("pin", "--update").code == output.WELL
    assert f':1@{digest}"   # approved' in path.read_text()


def test_an_image_of_no_registry_is_pinned_by_its_id(
    command: Command, home: Path, registry: Hub, images: Images
) -> None:
    registry.engine.images.get(images.echo).tag(registry.name("local"), "1")
    path = written(home, f"{registry.name('local')}:1", '[servers.files]\nimage = "{image}"\n')
    ended = command("pin")
    assert f"{registry.name('local')}:1 is from no registry, so it is pinned by its image id" in ended.err
    assert path.read_text() == f'[servers.files]\nimage = "{images.echo}" # {registry.name("local")}:1\n'


def test_only_the_named_servers_are_pinned(command: Command, home: Path, registry: Hub, images: Images) -> None:
    registry.push(images.echo, "one")
    path = written(home, f"{registry.name('one')}:1")
    path.write_text(path.read_text() + f'[servers.other]\nimage = "{registry.name("one")}:1"\n')
    command("pin", "--server", "other")
    assert path.read_text().count("@sha256:") == 1
    assert path.read_text().index("@sha256:") > path.read_text().index("servers.other")
    assert command("pin", "--server", "nobody").code == output.MISTAKE


def test_what_cant_be_pinned_or_pulled_is_told_and_changes_nothing(command: Command, home: Path, registry: Hub) -> None:
    path = written(home, f"{registry.name('nothing')}:1")
    ended = command("pin")
    assert (ended.code, path.read_text()) == (output.MISSING, SETTINGS.format(image=f"{registry.name('nothing')}:1"))
    assert f"The engine can't get {registry.name('nothing')}:1" in ended.err
    written(home, f"{registry.name('nothing')}@sha256:{'0' * 64}", '[servers.a]\nimage = "{image}"\n')
    ended = command("pull", "--json")
    assert (ended.code, json.loads(ended.out)["images"][0]["present"]) == (output.NOT_WELL, False)
    written(home, f"sha256:{'0' * 64}", '[servers.a]\nimage = "{image}"\n')
    ended = command("pull")
    assert (ended.code, "build or load it" in ended.out) == (output.NOT_WELL, True)


def test_an_engine_that_is_away_is_told(command: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    written(home, "files:1")
    ended = command("pin")
    assert (ended.code, ended.err) == (
        output.MISSING,
        "Error: The Docker engine can't be reached at unix:///nonexistent/docker.sock\n",
    )
    assert command("pin", "nothing.toml").code == output.MISTAKE


def test_pin_takes_out_what_has_no_meaning_for_an_image_that_is_pinned(command: Command, home: Path) -> None:
    image = f"files:1@sha256:{'0' * 64}"
    path = written(home, image)
    assert command("check", "--no-servers").code == output.MISTAKE
    assert command("pin").code == output.WELL
    assert path.read_text() == SETTINGS.format(image=image).replace('pull = "tag-ok"\n', "")
    assert command("check", "--no-servers").code == output.WELL


def test_check_says_of_each_image_whether_it_is_pinned_there_and_signed(
    command: Command, home: Path, registry: Hub, images: Images
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (home / "key.pub").write_bytes(pem(key))
    signed = registry.push(images.echo, "signed")
    unsigned = registry.push(images.echo, "unsigned")
    registry.sign("signed", signed, key)
    text = f"""
        [servers.signed]
        image = "{registry.name("signed")}@{signed}"
        [servers.unsigned]
        image = "{registry.name("unsigned")}@{unsigned}"
        [servers.tag]
        image = "{registry.name("signed")}:1"
        pull = "tag-ok"
        [[images]]
        match = "{registry.address}/tidegate-test/*"
        cosign_key = "key.pub"
    """
    (home / "tidegate.toml").write_text(text)
    ended = command("check", "--json")
    told = {server["name"]: server for server in json.loads(ended.out)["servers"]}
    assert ended.code == output.NOT_WELL
    assert {name: server["ok"] for name, server in told.items()} == {"signed": True, "unsigned": False, "tag": True}
    assert told["unsigned"]["detail"] == "unsigned can't be started: its image isn't trusted: it has no signature."
    assert {name: (server["image"]["pinned"], server["image"]["signed"]) for name, server in told.items()} == {
        "signed": (True, True),
        "unsigned": (True, False),
        "tag": (False, True),
    }
    shown = command("check").out
    assert "no, a tag" in shown
    assert "it has no signature" in shown
