"""The seccomp filter of the sandbox: what a server in it may not ask of the kernel.

A program of classic BPF, as bubblewrap's ``--seccomp`` takes it. Everything is allowed but what is listed here: the
interfaces that containers' engines refuse too, and those in which the kernel's holes have been. Calls that are newer
than this file don't exist for the server. Sources: seccomp(2), bpf(4), syscall tables of Linux 6.18.
"""

from __future__ import annotations

import errno
import struct

_LOAD, _AND, _EQUAL, _ABOVE_OR_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # where they lie in struct seccomp_data
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32 = 0x40000000  # the bit of x86_64's calls with 32-bit pointers
_NEWEST = 469  # the last call that was looked at

MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Per machine: the kernel's number for its architecture, and its column in the tables below."""

_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "sysfs": (139, None),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "ustat": (136, None),
    "vhangup": (153, 58),
}
_REFUSED_ANYWHERE = {
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
    "statmount": 457,
    "listmount": 458,
    "open_tree_attr": 467,
}
_ABSENT = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435, "openat2": 437}
"""Calls that seem not to exist, so that programs do without: what the last two ask for no filter can see."""

_CLONE, _UNSHARE, _SOCKET, _SOCKETPAIR, _IOCTL, _PERSONALITY = (
    (56, 220),
    (272, 97),
    (41, 198),
    (53, 199),
    (16, 29),
    (135, 92),
)
_NEW_NAMESPACES = 0x7E020080  # all of CLONE_NEW*
_FAMILIES = (1, 2, 10)  # UNIX, IPv4, IPv6
_NETLINK = 16  # for its routes only, protocol 0: how programs list the addresses of the machine
_SET_MODE: tuple[tuple[tuple[int | None, int | None], int], ...] = (
    ((90, None), 1),  # chmod
    ((91, 52), 1),  # fchmod
    ((268, 53), 2),  # fchmodat
    ((452, 452), 2),  # fchmodat2
    ((85, None), 1),  # creat
    ((133, None), 1),  # mknod
    ((259, 33), 2),  # mknodat
)
"""Calls that give a file its mode, and which argument that is."""

_OPEN: tuple[int, int | None] = (2, None)
_OPENAT = (257, 56)
_SETUID, _SETGID = 0o4000, 0o2000
_CREATING = 0o100 | 0o20000000  # O_CREAT and O_TMPFILE: only then a mode is looked at
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # typing into a terminal, pasting into it
_PERSONALITIES = (0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)  # the usual ones, and asking which it is

_Step = tuple[int, int, int, int]


def program(machine: str) -> bytes:
    """Return the filter for a machine, as ``platform.machine()`` calls it.

    Raises:
        KeyError: for a machine whose calls aren't known here.
    """
    architecture, column = MACHINES[machine]
    steps: list[_Step] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        _returning(_KILL),  # another architecture's calls have other numbers
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [(_ABOVE_OR_EQUAL, 0, 1, _X32), _returning(_KILL)]
    steps += [(_ABOVE_OR_EQUAL, 0, 1, _NEWEST + 1), _returning(_ERRNO | errno.ENOSYS)]
    for numbers in _REFUSED.values():
        steps += _when(numbers[column], [_returning(_ERRNO | errno.EPERM)])
    for number in _REFUSED_ANYWHERE.values():
        steps += _when(number, [_returning(_ERRNO | errno.EPERM)])
    for number in _ABSENT.values():
        steps += _when(number, [_returning(_ERRNO | errno.ENOSYS)])
    for call in (_CLONE, _UNSHARE):
        steps += _when(call[column], _namespaces())
    steps += _when(_SOCKET[column], _families())
    steps += _when(_SOCKETPAIR[column], _only(0, _FAMILIES[:1], errno.EAFNOSUPPORT))
    steps += _when(_PERSONALITY[column], _only(0, _PERSONALITIES, errno.EPERM))
    steps += _when(_IOCTL[column], _never(1, (_TIOCSTI, _TIOCLINUX), errno.EPERM))
    for numbers, index in _SET_MODE:
        steps += _when(numbers[column], _plain_mode(index))
    steps += _when(_OPEN[column], _plain_if_made(1)) + _when(_OPENAT[column], _plain_if_made(2))
    steps.append(_returning(_ALLOW))
    return b"".join(struct.pack("=HBBI", code, yes, no, value) for code, yes, no, value in steps)


def _returning(verdict: int) -> _Step:
    return (_RETURN, 0, 0, verdict)


def _when(number: int | None, then: list[_Step]) -> list[_Step]:
    """Return steps that are gone through for one call only; ``then`` ends in a verdict."""
    return [] if number is None else [(_EQUAL, 0, len(then), number), *then]


def _argument(index: int) -> _Step:
    """Load an argument's lower half: those looked at are 32 bits wide, and the kernel looks at no more either."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)


def _namespaces() -> list[_Step]:
    return _without(0, _NEW_NAMESPACES)


def _plain_mode(index: int) -> list[_Step]:
    """Return steps that refuse a mode that would let a file run as its owner, who is Tidegate's user."""
    return _without(index, _SETUID | _SETGID)


def _plain_if_made(index: int) -> list[_Step]:
    """Return the same for a call whose flags are an argument and whose mode is the next."""
    making = [_argument(index), (_AND, 0, 0, _CREATING), (_EQUAL, 0, 1, 0), _returning(_ALLOW)]
    return [*making, *_plain_mode(index + 1)]


def _without(index: int, bits: int) -> list[_Step]:
    """Return steps that refuse an argument with one of some bits."""
    refuse = _returning(_ERRNO | errno.EPERM)
    return [_argument(index), (_AND, 0, 0, bits), (_EQUAL, 1, 0, 0), refuse, _returning(_ALLOW)]


def _only(index: int, values: tuple[int, ...], error: int) -> list[_Step]:
    """Return steps that allow some values of an argument."""
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_argument(index), *tests, _returning(_ERRNO | error), _returning(_ALLOW)]


def _never(index: int, values: tuple[int, ...], error: int) -> list[_Step]:
    """Return steps that refuse some values of an argument."""
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_argument(index), *tests, _returning(_ALLOW), _returning(_ERRNO | error)]


def _families() -> list[_Step]:
    refuse, allow = _returning(_ERRNO | errno.EAFNOSUPPORT), _returning(_ALLOW)
    tests = [(_EQUAL, len(_FAMILIES) + 4 - place, 0, family) for place, family in enumerate(_FAMILIES)]
    return [_argument(0), *tests, (_EQUAL, 1, 0, _NETLINK), refuse, _argument(2), (_EQUAL, 1, 0, 0), refuse, allow]
