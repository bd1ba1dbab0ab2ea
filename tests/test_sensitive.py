"""Which paths of the machine no server is given: the list, what is in it, and what holds it; however it is reached."""

import socket
from pathlib import Path

import pytest

from tidegate.sensitive import HOME, MACHINE, NAMED, OWN, homes, refusal


def home() -> str:
    return str(Path.home())


@pytest.mark.parametrize(("path", "what"), MACHINE)
def test_what_is_the_machines_is_refused_and_so_is_what_holds_it_or_is_in_it(path: str, what: str) -> None:
    assert str(refusal(path)).endswith((what, what.replace("own", "")))
    assert refusal(f"{path}/x")
    assert refusal(str(Path(path).parent))


@pytest.mark.parametrize(("name", "what"), HOME)
@pytest.mark.parametrize("of", ["/home/somebody", "/Users/somebody", "/root", "~"])
def test_what_is_a_persons_is_refused_in_any_home(of: str, name: str, what: str) -> None:
    path = f"{home() if of == '~' else of}/{name}"
    assert refusal(path) == f"{path} is {what}"
    assert refusal(f"{path}/x/y") == f"{path}/x/y is in {path}, {what}"


@pytest.mark.parametrize(
    "path", ["/", "/home", "/home/", "/home/somebody", "/root", "/etc", "/var", "/var/lib", "/Users"]
)
def test_a_folder_that_would_hold_them_is_refused(path: str) -> None:
    assert " holds " in str(refusal(path))


@pytest.mark.parametrize(
    "path",
    [
        "/var/run/docker.sock",
        "/run/user/1000/podman/podman.sock",
        "/home/somebody/project/../.ssh/id_ed25519",
        "/home/somebody/.config",
        "/home/somebody/.SSH",
        "/proc/1/root",
        "//run//secrets/",
    ],
)
def test_other_ways_to_write_them_make_no_difference(path: str) -> None:
    assert refusal(path)


@pytest.mark.parametrize(
    "path",
    ["/srv/data", "/home/somebody/project", "/opt/x", "/home/somebody/.sshd", "/processes", "/etc/hosts", "/usr"],
)
def test_the_rest_is_allowed(path: str) -> None:
    assert refusal(path) is None


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "link").symlink_to("../link/1")
    assert refusal(f"{tmp_path}/link") == f"{tmp_path}/link is the kernel's view of all processes"
    told = "/proc/1/fd is in /proc, the kernel's view of all processes"
    assert refusal(f"{tmp_path}/deep/link/fd") == f"{tmp_path}/deep/link/fd leads to /proc/1/fd, and {told}"
    assert refusal(f"{tmp_path}/deep") is None  # a link inside leads nowhere in the container


def test_a_socket_or_device_is_refused_wherever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        assert str(refusal(f"{tmp_path}/s")).endswith("a socket, behind which a service of this machine may be")
    assert refusal("/dev/null")


@pytest.mark.parametrize(("name", "what"), NAMED)
def test_what_the_environment_names_is_refused(
    name: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"{'unix://' if name.endswith('_HOST') else ''}{tmp_path}/a/b")
    assert refusal(f"{tmp_path}/a/b") == f"{tmp_path}/a/b is {what}"
    assert refusal(f"{tmp_path}/a") == f"{tmp_path}/a holds {tmp_path}/a/b, {what}"


def test_more_paths_can_be_guarded(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    assert refusal(f"{tmp_path}/real", [f"{tmp_path}/alias"]) == f"{tmp_path}/real is {OWN}"
    assert refusal(str(tmp_path), [f"{tmp_path}/alias"])
    assert refusal(f"{tmp_path}/other", [f"{tmp_path}/alias"]) is None


def test_another_name_of_the_same_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("x")
    (tmp_path / "other").hardlink_to(tmp_path / "own")
    assert refusal(f"{tmp_path}/other", [f"{tmp_path}/own"]) == f"{tmp_path}/other is {OWN}"


def test_where_tidegate_keeps_its_own_is_guarded_wherever_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert refusal(f"{tmp_path}/tidegate/run") == f"{tmp_path}/tidegate/run is in {tmp_path}/tidegate, {OWN}"
    assert refusal(f"{tmp_path}/other") is None


def test_homes_are_those_of_the_environment_and_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere/else")
    assert {"/somewhere/else", "/root"} <= set(homes())
    monkeypatch.setenv("HOME", "/")
    assert "/" not in homes()
