"""A lease tells whether its process lives, and doesn't guess."""

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from tidegate.containers import lease

HERE = lease.this_process()


def test_a_living_process_is_alive_and_a_dead_one_isnt() -> None:
    code = "from tidegate.containers import lease; print(lease.this_process(), flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = lease.read(process.stdout.readline())
    assert told is not None
    assert told.pid == process.pid
    assert told.alive is True
    process.communicate("")
    assert told.alive is False


def test_a_zombie_isnt_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    told = HERE._replace(pid=process.pid, born=lease._born(process.pid))
    before = told.alive
    assert process.stdin is not None
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert (before, told.alive) == (True, False)
    process.wait()
    assert told.alive is False


def test_another_process_of_the_same_number_isnt_the_owner() -> None:
    assert HERE.alive is True
    assert HERE._replace(born="1").alive is False


def test_a_machine_that_was_started_again_has_no_owner_of_before() -> None:
    assert HERE._replace(machine="m", boot="before").alive is None or not HERE.machine
    if HERE.machine:
        assert HERE._replace(boot="before").alive is False


def test_of_another_machine_or_namespace_nothing_is_said() -> None:
    assert HERE._replace(machine="other", boot="other").alive is None
    assert HERE._replace(machine="", boot="other").alive is None
    assert HERE._replace(space="pid:[1]").alive is None
    assert HERE._replace(space="pid:[1]").beside
    assert not HERE._replace(space="pid:[1]", boot="other").beside
    assert not HERE.beside


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(str))
def test_any_text_is_a_lease_or_none(text: str) -> None:
    found = lease.read(text)
    assert found is None or isinstance(found, lease.Lease)


def test_a_lease_is_read_back_from_its_text() -> None:
    assert lease.read(str(HERE)) == HERE
    for text in ("", "{}", "[]", "null", '["","","","","1",""]', '["","","","",true]', "[" * 100_000):
        assert lease.read(text) is None
