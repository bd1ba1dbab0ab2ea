"""Tidegate's own seccomp profile: which system calls a container's processes may make. Their list is syscalls.toml.

Written as the engines read it: a call that no rule allows fails with EPERM, and one that is newer than all the profile
names, with ENOSYS, by the runtime. Calls of another architecture's (32-bit and x32 on x86-64) end the process.
"""

from __future__ import annotations

import functools
import json
import tomllib
from pathlib import Path
from typing import Any

_LISTS = Path(__file__).with_name("syscalls.toml")
_EPERM, _ENOSYS = 1, 38
_ALLOW = "SCMP_ACT_ALLOW"

# linux/sched.h: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME is none of `clone`'s.
_NEW_NAMESPACES = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000

_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
_NETLINK, _ROUTE = 16, 0  # with it libraries list the interfaces, and learn whether there is IPv6

_PERSONALITIES = (0, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)  # the usual one, and the question which one it is

_FILE_TYPE, _FIFO, _REGULAR = 0o170000, 0o010000, 0o100000

_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # type into a terminal; paste into a console


def _equal(index: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": value, "op": "SCMP_CMP_EQ"}


def _masked(index: int, mask: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}


def _allow(name: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"names": [name], "action": _ALLOW, "args": list(conditions)}


def _ioctls() -> list[dict[str, Any]]:
    """Return rules that allow every `ioctl` but two.

    The kernel reads the request's lower 32 bits and a filter compares all 64, so "anything but this number" could be
    stepped round by setting a higher one. Hence one rule for each lower bit in which a request may differ from both.
    """
    common = [bit for bit in range(32) if not (_TIOCSTI ^ _TIOCLINUX) >> bit & 1]  # all but 1, 2 and 3
    masks = [(1 << bit, ~_TIOCSTI & 1 << bit) for bit in common]
    # Bits 3 to 1 are 001 in the one and 110 in the other; these patterns are the other six.
    masks += [(0b1010, 0b0000), (0b0110, 0b0110), (0b1100, 0b1000)]
    return [_allow("ioctl", _masked(1, mask, value)) for mask, value in masks]


def lists() -> dict[str, list[str]]:
    """Return the calls that are ``allowed``, ``forbidden`` and ``unknown`` whatever their arguments."""
    read = tomllib.loads(_LISTS.read_text())
    return {kind: [name for calls in groups.values() for name in calls.split()] for kind, groups in read.items()}


def rules() -> list[dict[str, Any]]:
    """Return the profile's rules; no two of different actions are about the same call."""
    listed = lists()
    return [
        {"names": listed["allowed"], "action": _ALLOW},
        {"names": listed["forbidden"], "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM},
        {"names": listed["unknown"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
        _allow("clone", _masked(0, _NEW_NAMESPACES, 0)),
        *(_allow("socket", _equal(0, family)) for family in _FAMILIES),
        _allow("socket", _equal(0, _NETLINK), _equal(2, _ROUTE)),
        *(_allow("personality", _equal(0, value)) for value in _PERSONALITIES),
        *(_allow("mknod", _masked(1, _FILE_TYPE, kind)) for kind in (_FIFO, _REGULAR)),
        *(_allow("mknodat", _masked(2, _FILE_TYPE, kind)) for kind in (_FIFO, _REGULAR)),
        *_ioctls(),
    ]


@functools.cache
def profile() -> str:
    """Return the profile as JSON, as the engine takes it."""
    architectures = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64")
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": _EPERM,
            # No sub-architectures: the calls of i386, x32 and 32-bit Arm are nobody's.
            "archMap": [{"architecture": name, "subArchitectures": []} for name in architectures],
            "syscalls": rules(),
        }
    )
