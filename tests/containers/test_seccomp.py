"""The list of system calls: complete, without contradictions, and right about arguments.

What it does to programs is shown in tests/containers/test_hostile.py and tests/containers/test_real_servers.py.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tidegate.containers import seccomp

HEADERS = (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h"))
OF_32_BITS = re.compile(
    r"\w+_time64|(clock|timer|timerfd)_[gs]ettime64|fcntl64|statfs64|fstatfs64|truncate64|ftruncate64|llseek|mmap2|fstatat64|f?l?stat64"
)
ALIASES = {
    "fadvise64_64",
    "sendfile64",
    "clock_adjtime64",
    "sync_file_range2",
    "syscalls",
    "arch_specific_syscall",
    "fstatat",
}
RULES = seccomp.rules()
WHOLE = (1 << 64) - 1


def matches(condition: dict[str, Any], arguments: tuple[int, ...]) -> bool:
    value = arguments[condition["index"]]
    if condition["op"] == "SCMP_CMP_EQ":
        return bool(value == condition["value"])
    assert condition["op"] == "SCMP_CMP_MASKED_EQ"
    return bool(value & condition["value"] == condition["valueTwo"])


def allowed(call: str, *arguments: int) -> bool:
    found = [rule for rule in RULES if call in rule["names"]]
    return any(
        rule["action"] == "SCMP_ACT_ALLOW" and all(matches(each, arguments) for each in rule.get("args", ()))
        for rule in found
    )


def test_each_call_is_in_one_place() -> None:
    counted = Counter(name for names in seccomp.lists().values() for name in names)
    counted.update({name for rule in seccomp.rules() if "args" in rule for name in rule["names"]})
    assert [name for name, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.parts[3])
def test_each_call_that_the_kernels_headers_know_is_in_the_list(header: Path) -> None:
    if not header.exists():
        pytest.skip("platform: the kernel's headers aren't here")
    named = {name for rule in seccomp.rules() for name in rule["names"]}
    known = set(re.findall(r"__NR(?:3264)?_(\w+)", header.read_text())) - ALIASES
    assert {name for name in known if not OF_32_BITS.fullmatch(name)} <= named


def test_a_condition_looks_at_one_argument_once() -> None:
    """Engines take two conditions on the same argument for alternatives."""
    for rule in seccomp.rules():
        places = [condition["index"] for condition in rule.get("args", ())]
        assert len(places) == len(set(places))


def test_no_other_architecture_is_let_in() -> None:
    read = json.loads(seccomp.profile())
    assert {entry["architecture"] for entry in read["archMap"]} == {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"}
    assert not any(entry["subArchitectures"] for entry in read["archMap"])
    assert (read["defaultAction"], read["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)


def test_every_request_of_ioctl_is_allowed_but_typing_into_terminals() -> None:
    refused = [number for number in range(1 << 16) if not allowed("ioctl", 0, number)]
    assert refused == [0x5412, 0x541C]


@pytest.mark.parametrize("above", [1 << 32, 1 << 63, WHOLE ^ 0xFFFFFFFF])
def test_higher_bits_that_the_kernel_ignores_are_no_way_round(above: int) -> None:
    assert not allowed("ioctl", 0, 0x5412 | above)
    assert not allowed("ioctl", 0, 0x541C | above)
    assert allowed("ioctl", 0, 0x5401 | above)
    assert not allowed("clone", 0x10000000 | above)
    assert not allowed("socket", 40 | above, 1, 0)
    assert not allowed("personality", 0x0004_0000 | above)


@pytest.mark.parametrize("flag", [1 << 17, *(1 << bit for bit in range(25, 31))])
def test_clone_makes_threads_and_processes_but_no_namespaces(flag: int) -> None:
    threads = 0x3D0F00
    assert allowed("clone", threads)
    assert allowed("clone", 17)
    assert not allowed("clone", threads | flag)


def test_sockets_are_of_the_internet_the_machine_or_for_routes() -> None:
    assert [family for family in range(64) if allowed("socket", family, 1, 6)] == [1, 2, 10]
    assert [protocol for protocol in range(32) if allowed("socket", 16, 3, protocol)] == [0]


@pytest.mark.parametrize(("call", "before"), [("mknod", (0,)), ("mknodat", (0, 0))])
def test_pipes_can_be_made_but_no_devices(call: str, before: tuple[int, ...]) -> None:
    kinds = {0o010000: True, 0o100000: True, 0o060000: False, 0o020000: False, 0o140000: False}
    assert {kind: allowed(call, *before, kind | 0o666, 0) for kind in kinds} == kinds
