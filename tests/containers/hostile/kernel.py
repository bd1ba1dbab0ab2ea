"""Attempts on the kernel: its interfaces, its switches, its devices."""

import ctypes
import fcntl
import glob
import mmap
import os
import platform
import pty
import socket
import stat
import time
from pathlib import Path

from containers.hostile.attempt import attempt, syscall, write

SECCOMP = "system calls"
READ_ONLY = "read-only /proc and /sys"
ABSENT = "not in the container"
NULL = ctypes.c_void_p(None)
ROOT = b"/"


@attempt("set what the kernel runs after a crash (`core_pattern`)", READ_ONLY, "EROFS", "EACCES")
def core_pattern() -> None:
    write("/proc/sys/kernel/core_pattern", "|/tmp/x")


@attempt("set what the kernel runs to load a module (`modprobe`)", READ_ONLY, "EROFS", "EACCES", "ENOENT")
def modprobe_path() -> None:
    write("/proc/sys/kernel/modprobe", "/tmp/x")


@attempt("restart the machine by `/proc/sysrq-trigger`", READ_ONLY, "EROFS", "EACCES", "ENOENT")
def sysrq() -> None:
    write("/proc/sysrq-trigger", "b")


@attempt("set a cgroup's `release_agent`", READ_ONLY, "EROFS", "EACCES", "none there")
def release_agent() -> str | None:
    found = glob.glob("/sys/fs/cgroup/**/release_agent", recursive=True)
    for path in found:
        write(path, "/tmp/x")
    return None if found else "none there"


@attempt("raise its own cgroup's limits", READ_ONLY, "EROFS", "EACCES")
def cgroup_limits() -> None:
    paths = [*glob.glob("/sys/fs/cgroup/**/memory.limit_in_bytes", recursive=True), "/sys/fs/cgroup/memory.max"]
    write(paths[0], "-1")


@attempt("put the machine to sleep by `/sys/power/state`", READ_ONLY, "EROFS", "EACCES", "ENOENT")
def power_state() -> None:
    write("/sys/power/state", "mem")


@attempt("set the kernel's helper for devices (`uevent_helper`)", READ_ONLY, "EROFS", "EACCES", "ENOENT")
def uevent_helper() -> None:
    write("/sys/kernel/uevent_helper", "/tmp/x")


@attempt("take huge pages from the machine", READ_ONLY, "EROFS", "EACCES", "ENOENT")
def huge_pages() -> None:
    write("/proc/sys/vm/nr_hugepages", "1000")


@attempt("map huge pages", "none are given", "ENOMEM", "EINVAL")
def map_huge_pages() -> None:
    mmap.mmap(-1, 2 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)


@attempt("mount the cgroups anew", SECCOMP, "EPERM")
def mount_cgroup() -> None:
    syscall(165, 40, b"none", b"/tmp", b"cgroup", 0, b"memory")


@attempt("mount the host's disk", SECCOMP, "EPERM")
def mount_disk() -> None:
    syscall(165, 40, b"/dev/vda", b"/tmp", b"ext4", 0, NULL)


@attempt("mount its root file system again, writable", SECCOMP, "EPERM")
def remount_root() -> None:
    syscall(165, 40, NULL, ROOT, NULL, 32, NULL)


@attempt("unmount what hides parts of `/proc`", SECCOMP, "EPERM")
def unmount_masks() -> None:
    syscall(166, 39, b"/proc/kcore", 2)


@attempt("open a file system by the new mount calls", SECCOMP, "EPERM")
def new_mount_calls() -> None:
    syscall(430, 430, b"proc", 0)


@attempt("clone its mount tree by the new mount calls", SECCOMP, "EPERM")
def open_tree() -> None:
    syscall(428, 428, -100, ROOT, 1)


@attempt("exchange its root (`pivot_root`)", SECCOMP, "EPERM")
def pivot_root() -> None:
    syscall(155, 41, b"/tmp", b"/tmp")


@attempt("step out of its root by another (`chroot`)", SECCOMP, "EPERM")
def chroot() -> None:
    os.chroot("/tmp")


@attempt("become root in a user namespace (`unshare`)", SECCOMP, "EPERM")
def unshare_user() -> None:
    syscall(272, 97, 0x10000000)


@attempt("get a mount namespace (`unshare`)", SECCOMP, "EPERM")
def unshare_mounts() -> None:
    syscall(272, 97, 0x00020000)


@attempt("become root in a user namespace (`clone`)", SECCOMP, "EPERM")
def clone_user() -> None:
    if syscall(56, 220, 0x10000000 | 17, 0, 0, 0, 0) == 0:
        os._exit(0)


@attempt("the same by `clone3`, whose flags no filter can read", SECCOMP, "ENOSYS")
def clone3() -> None:
    arguments = (ctypes.c_uint64 * 8)(0x10000000, 0, 0, 0, 17)
    if syscall(435, 435, ctypes.byref(arguments), 64) == 0:
        os._exit(0)


@attempt("enter namespaces (`setns`)", SECCOMP, "EPERM")
def setns() -> None:
    with open("/proc/self/ns/net") as file:
        syscall(308, 268, file.fileno(), 0)


@attempt("load a program into the kernel (`bpf`)", SECCOMP, "EPERM")
def bpf() -> None:
    syscall(321, 280, 5, ctypes.create_string_buffer(128), 128)


@attempt("watch the kernel (`perf_event_open`)", SECCOMP, "EPERM")
def perf() -> None:
    syscall(298, 241, ctypes.create_string_buffer(128), 0, -1, -1, 0)


@attempt("hand work to the kernel past filters (`io_uring`)", SECCOMP, "ENOSYS")
def io_uring() -> None:
    syscall(425, 425, 8, ctypes.create_string_buffer(256))


@attempt("hold the kernel in a page fault (`userfaultfd`)", SECCOMP, "EPERM")
def userfaultfd() -> None:
    syscall(323, 282, 1)


@attempt("use the kernel's key rings (`add_key`)", SECCOMP, "EPERM")
def add_key() -> None:
    syscall(248, 217, b"user", b"x", b"x", 1, -3)


@attempt("read others' keys (`keyctl`)", SECCOMP, "EPERM")
def keyctl() -> None:
    syscall(250, 219, 0, -3, 0)


@attempt("load a kernel module", SECCOMP, "EPERM")
def load_module() -> None:
    syscall(175, 105, ctypes.create_string_buffer(64), 64, b"")


@attempt("remove a kernel module", SECCOMP, "EPERM")
def remove_module() -> None:
    syscall(176, 106, b"overlay", 0)


@attempt("start another kernel (`kexec`)", SECCOMP, "EPERM")
def kexec() -> None:
    syscall(246, 104, 0, 0, NULL, 0)


@attempt("restart the machine (`reboot`)", SECCOMP, "EPERM")
def reboot() -> None:
    syscall(169, 142, 0xFEE1DEAD, 672274793, 0x1234567, NULL)


@attempt("swap to a file of its own", SECCOMP, "EPERM")
def swapon() -> None:
    syscall(167, 224, b"/tmp/x", 0)


@attempt("keep accounts of the machine's processes (`acct`)", SECCOMP, "EPERM")
def acct() -> None:
    syscall(163, 89, b"/tmp/x")


@attempt("read the kernel's log", SECCOMP, "EPERM")
def kernel_log() -> None:
    syscall(103, 116, 3, ctypes.create_string_buffer(4096), 4096)


@attempt("set the clock", SECCOMP, "EPERM")
def set_clock() -> None:
    time.clock_settime(time.CLOCK_REALTIME, 0)


@attempt("set the host name", SECCOMP, "EPERM")
def set_host_name() -> None:
    socket.sethostname("x")


@attempt("open a file by its number, past all mounts (`open_by_handle_at`)", SECCOMP, "EPERM")
def open_by_handle() -> None:
    handle = (ctypes.c_uint32 * 4)(8, 1, 2, 0)
    syscall(304, 265, -100, ctypes.byref(handle), 0)


@attempt("switch off the randomness of addresses (`personality`)", SECCOMP, "EPERM")
def personality() -> None:
    syscall(135, 92, 0x0040000)


@attempt("give pages to the kernel (`vmsplice`)", SECCOMP, "EPERM")
def vmsplice() -> None:
    syscall(278, 75, 1, NULL, 0, 0)


@attempt("watch all files of a mount (`fanotify`)", SECCOMP, "EPERM")
def fanotify() -> None:
    syscall(300, 262, 0, 0)


@attempt("use a port of the machine (`iopl`)", SECCOMP, "EPERM", "ENOSYS")
def iopl() -> str | None:
    if platform.machine() != "x86_64":
        return "ENOSYS"
    syscall(172, 0, 3)
    return None


@attempt("type into a terminal (`TIOCSTI`)", SECCOMP, "EPERM")
def type_into_terminal() -> None:
    _, terminal = pty.openpty()
    fcntl.ioctl(terminal, 0x5412, b"x")


@attempt("the same with a bit set that the kernel doesn't look at", SECCOMP, "EPERM")
def type_into_terminal_disguised() -> None:
    _, terminal = pty.openpty()
    syscall(16, 29, terminal, ctypes.c_uint64(0x5412 | 1 << 32), b"x")


@attempt("make 32-bit system calls, which filters may know by other numbers", SECCOMP, "SIGSYS", "SIGSEGV", "none here")
def calls_of_32_bits() -> str | None:
    if platform.machine() != "x86_64":
        return "none here"
    code = bytes.fromhex("b8 14 00 00 00 cd 80 c3")  # mov eax, getpid; int 0x80; ret
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return None


@attempt("make x32 system calls", SECCOMP, "SIGSYS", "ENOSYS", "EPERM", "none here")
def calls_of_x32() -> str | None:
    if platform.machine() != "x86_64":
        return "none here"
    syscall(0x40000000 + 39, 0)
    return None


@attempt("reach the kernel's ciphers (`AF_ALG`)", SECCOMP, "EPERM")
def cipher_socket() -> None:
    socket.socket(38, socket.SOCK_SEQPACKET)


@attempt("reach the hypervisor (`AF_VSOCK`)", SECCOMP, "EPERM")
def hypervisor_socket() -> None:
    socket.socket(40, socket.SOCK_STREAM)


@attempt("reach the firewall (`NETLINK_NETFILTER`)", SECCOMP, "EPERM")
def firewall_socket() -> None:
    socket.socket(16, socket.SOCK_RAW, 12)


@attempt("see all packets (`AF_PACKET`)", SECCOMP, "EPERM")
def packet_socket() -> None:
    socket.socket(17, socket.SOCK_RAW)


@attempt("send packets of its own making (`SOCK_RAW`)", "no capabilities", "EPERM")
def raw_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)


@attempt("make a block device", SECCOMP, "EPERM")
def make_block_device() -> None:
    os.mknod("/tmp/disk", stat.S_IFBLK | 0o666, os.makedev(254, 0))


@attempt("make a character device", SECCOMP, "EPERM")
def make_character_device() -> None:
    os.mknod("/tmp/memory", stat.S_IFCHR | 0o666, os.makedev(1, 1))


@attempt("read the machine's memory by `/dev/mem`", ABSENT, "ENOENT")
def device_mem() -> None:
    write("/dev/mem")


@attempt("write the kernel's log by `/dev/kmsg`", ABSENT, "ENOENT")
def device_kmsg() -> None:
    write("/dev/kmsg")


@attempt("start a machine by `/dev/kvm`", ABSENT, "ENOENT")
def device_kvm() -> None:
    write("/dev/kvm")


@attempt("open a disk of the host", ABSENT, "none there")
def device_disk() -> str | None:
    for path in (*glob.glob("/dev/sd*"), *glob.glob("/dev/vd*"), *glob.glob("/dev/nvme*"), *glob.glob("/dev/dm-*")):
        Path(path).read_bytes()
        return None
    return "none there"


@attempt("mount by `/dev/fuse`", ABSENT, "ENOENT")
def device_fuse() -> None:
    write("/dev/fuse")


@attempt("read the machine's memory by `/proc/kcore`", "hidden by an empty file", "empty", "ENOENT", "EACCES", "EPERM")
def kcore() -> str | None:
    with open("/proc/kcore", "rb") as file:
        return None if file.read(16) else "empty"


@attempt("read the machine's firmware tables", "hidden by an empty folder", "empty", "ENOENT")
def firmware() -> str | None:
    return None if os.listdir("/sys/firmware") else "empty"
