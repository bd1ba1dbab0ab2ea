"""The file of pins: whole or not at all, one writer at a time, its owner's alone."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from tidegate_pins.book import Book, Item, Scope
from tidegate_pins.store import PinsError, Store


def with_item(book: Book, server: str, name: str) -> Book:
    scope = book.scope(server, "")
    items = {**scope.items.get("tool", {}), name: Item(digest="0" * 64, definition={"name": name})}
    return book.with_scope(scope.model_copy(update={"items": {"tool": items}}))


def named(book: Book, server: str = "a") -> set[str]:
    return set(book.scope(server, "").items.get("tool", {}))


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    store = Store.acquire(path)
    store.change(lambda book: with_item(book, "a", "x"))
    for made in tmp_path.iterdir():
        assert made.stat().st_mode & 0o077 == 0
    store.release()


def test_what_one_writes_another_reads(tmp_path: Path) -> None:
    one, other = Store(tmp_path / "pins.json"), Store(tmp_path / "pins.json")
    one.change(lambda book: with_item(book, "a", "x"), always=True)
    assert named(other.book()) == {"x"}
    other.change(lambda book: with_item(book, "a", "y"))
    assert named(one.book()) == {"x", "y"}
    assert one.generation == 2


def test_writers_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    Store(path).change(lambda book: book, always=True)

    def write(number: int) -> None:
        store = Store(path)
        for turn in range(10):
            store.change(partial(with_item, server="a", name=f"{number}-{turn}"), seconds=30)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(named(Store(path).book())) == 40


def test_a_lock_that_somebody_keeps_is_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path / "pins.json")
    store.change(lambda book: book, always=True)
    with (tmp_path / "pins.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PinsError, match="somebody else"):
            store.change(lambda book: with_item(book, "a", "x"), seconds=0.05)
    assert named(store.book()) == set()


@pytest.mark.parametrize("text", ["", "[]", "{}x", '{"tidegate_pins": 2}', '{"scopes": [{}]}', '{"a": 1}', "\x00"])
def test_what_is_no_file_of_pins_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pins.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(PinsError, match="not as Tidegate writes it"):
        Store(path).book()


def test_a_file_that_grew_broken_is_refused_until_it_is_well_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "pins.json")
    store.change(lambda book: with_item(book, "a", "x"), always=True)
    well = store.path.read_bytes()
    store.path.write_bytes(well[:-5])
    for _ in range(2):
        with pytest.raises(PinsError):
            store.book()
    store.path.write_bytes(well)
    assert named(store.book()) == {"x"}


KILLED = """
import sys
from pathlib import Path
from tidegate_pins.book import Book, Item
from tidegate_pins.store import Store

store = Store(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    def change(book):
        scope = book.scope("a", "")
        items = {f"t{n}": Item(digest="0" * 64, definition={"n": n, "x": "y" * 200}) for n in range(200 + number % 7)}
        return book.with_scope(scope.model_copy(update={"items": {"tool": items}, "begun": ("tool",)}))
    store.change(change, always=True)
    if number % 5 == 0:
        print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_whole_file_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    for turn in range(6):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE) as writing:
            assert writing.stdout is not None
            for _ in range(turn + 1):
                writing.stdout.readline()
            os.kill(writing.pid, signal.SIGKILL)
        assert len(named(Store(path).book())) >= 200
    Store(path).change(lambda book: with_item(book, "b", "x"))
    assert {made.name for made in tmp_path.iterdir()} == {"pins.json", "pins.json.lock"}


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "pins.json", tmp_path / "pins.json"
    link.symlink_to(real)
    store = Store.acquire(link)
    store.change(lambda book: book.with_scope(Scope(server="a", begun=("tool",))))
    store.release()
    assert link.is_symlink()
    assert b'"a"' in real.read_bytes()
