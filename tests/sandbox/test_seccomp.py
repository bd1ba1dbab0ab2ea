"""The filter of system calls, run by a small machine for classic BPF: what it answers about any call."""

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
NAMES = {"x86_64": 0, "aarch64": 1}


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Run a machine's filter on one call."""
    known = seccomp.MACHINES[machine][0] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, known, 0, *(arguments + (0,) * 6)[:6])
    steps = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    place, held = 0, 0
    while True:
        code, yes, no, value = steps[place]
        place += 1
        if code == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        elif code == 0x54:
            held &= value
        elif code in (0x15, 0x35):
            place += yes if (held == value if code == 0x15 else held >= value) else no
        else:
            assert code == 0x06
            return int(value)


def refused(error: int) -> int:
    return 0x00050000 | error


@pytest.mark.parametrize("machine", NAMES)
def test_every_listed_call_is_refused(machine: str) -> None:
    for name, numbers in seccomp._REFUSED.items():
        number = numbers[NAMES[machine]]
        assert number is None or verdict(machine, number) == refused(errno.EPERM), name
    for number in seccomp._REFUSED_ANYWHERE.values():
        assert verdict(machine, number) == refused(errno.EPERM)
    for number in seccomp._ABSENT.values():
        assert verdict(machine, number) == refused(errno.ENOSYS)


@pytest.mark.parametrize("machine", NAMES)
def test_calls_newer_than_the_filter_are_absent_and_other_architectures_kill(machine: str) -> None:
    assert verdict(machine, 470) == verdict(machine, 0x3FFFFFFF) == refused(errno.ENOSYS)
    assert verdict(machine, 1, architecture=0x40000003) == KILL


def test_calls_with_32_bit_pointers_kill() -> None:
    assert verdict("x86_64", 0x40000000 | 39) == KILL


@pytest.mark.parametrize(
    ("name", "allowed", "denied", "error"),
    [
        ("clone", [(17,), (0x3D0F00,)], [(0x10000000 | 17,), (0x20000,), (0x7E020000,)], errno.EPERM),
        ("unshare", [(0x400,), (0,)], [(0x10000000,), (0x80,), (0x40000000,)], errno.EPERM),
        (
            "socket",
            [(1, 1), (2, 2), (10, 1), (16, 3, 0)],
            [(17, 3), (38, 5), (40, 1), (16, 3, 9), (31, 3), (0, 1), (0xFFFFFFFF, 1)],
            errno.EAFNOSUPPORT,
        ),
        ("socketpair", [(1, 1)], [(2, 1), (16, 3)], errno.EAFNOSUPPORT),
        ("personality", [(0,), (8,), (0x20008,), (0xFFFFFFFF,)], [(0x40000,), (4,)], errno.EPERM),
        ("ioctl", [(0, 0x5401), (0, 0x5413)], [(0, 0x5412), (0, 0x541C), (0, (7 << 32) | 0x5412)], errno.EPERM),
    ],
)
@pytest.mark.parametrize("machine", NAMES)
def test_some_calls_depend_on_what_is_asked(
    machine: str, name: str, allowed: list[tuple[int, ...]], denied: list[tuple[int, ...]], error: int
) -> None:
    number = getattr(seccomp, f"_{name.upper()}")[NAMES[machine]]
    for arguments in allowed:
        assert verdict(machine, number, *arguments) == ALLOW, arguments
    for arguments in denied:
        assert verdict(machine, number, *arguments) == refused(error), arguments


@pytest.mark.parametrize("machine", NAMES)
def test_no_call_makes_a_file_setuid(machine: str) -> None:
    column = NAMES[machine]
    for numbers, index in seccomp._SET_MODE:
        number = numbers[column]
        if number is not None:
            assert verdict(machine, number, *[0] * index, 0o4755) == refused(errno.EPERM)
            assert verdict(machine, number, *[0] * index, 0o755) == ALLOW
    opening = seccomp._OPENAT[column]
    assert verdict(machine, opening, 0, 0, 0o101, 0o4755) == refused(errno.EPERM)
    assert verdict(machine, opening, 0, 0, 0o20200001, 0o2755) == refused(errno.EPERM)
    assert verdict(machine, opening, 0, 0, 0o101, 0o755) == ALLOW
    assert verdict(machine, opening, 0, 0, 0o1, 0o7777) == ALLOW, "nothing is made, so the mode is any number"


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_every_call_gets_an_answer(number: int, arguments: list[int]) -> None:
    for machine in NAMES:
        said = verdict(machine, number, *arguments)
        assert said in (ALLOW, KILL) or said & 0xFFFF0000 == 0x00050000
        assert len(seccomp.program(machine)) % 8 == 0


def test_a_filter_is_as_short_as_the_kernel_wants() -> None:
    assert all(len(seccomp.program(machine)) // 8 < 4096 for machine in NAMES)
