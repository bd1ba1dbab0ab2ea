"""Attempts on the box: becoming more, and seeing and reaching what is outside."""

import ctypes
import errno
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from containers.hostile.attempt import attempt, syscall

NO_ROOT = "no-new-privileges, no capabilities"
READ_ONLY = "read-only root file system"
SECCOMP = "system calls"
NO_NETWORK = "no network but its own loopback"
OWN_VIEW = "namespaces of its own"
PIPES = "each opened once, for one direction, and unlinked"
STREAMS = "/run/tidegate"
MIB = 1 << 20
PROGRAMS = os.path.dirname(os.path.realpath(sys.executable))
# What the test knows of the host, and the server is to find out.
TOLD = json.loads(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].startswith("{") else {}


def capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("CapEff:")[2].split()[0], 16)


def ran(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@attempt("become root (`setuid`)", NO_ROOT, "EPERM")
def setuid() -> None:
    os.setuid(0)


@attempt("join root's group (`setgroups`)", NO_ROOT, "EPERM")
def setgroups() -> None:
    os.setgroups([0])


@attempt("take capabilities (`capset`)", NO_ROOT, "EPERM")
def capset() -> None:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    syscall(126, 91, ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)))


@attempt("run a program that is root's whoever runs it (setuid)", NO_ROOT, "65534 65534 0000000000000000")
def setuid_program() -> str:
    said = (
        "import os; print(os.geteuid(), os.getegid(), open('/proc/self/status').read().split('CapEff:')[1].split()[0])"
    )
    return ran(f"{PROGRAMS}/setuid", "-I", "-c", said)


@attempt("run a program that brings capabilities", NO_ROOT, "EPERM", "0")
def capable_program() -> str:
    said = "s = open('/proc/self/status').read(); print(int(s.split('CapEff:')[1].split()[0], 16))"
    return ran(f"{PROGRAMS}/capable", "-I", "-c", said)


@attempt("have been root, or have capabilities, from the start", NO_ROOT, "65534 65534 0 0")
def who_it_is() -> str:
    return f"{os.getuid()} {os.getgid()} {os.getgroups().count(0)} {capabilities()}"


@attempt("trace its container's first process (`ptrace`)", SECCOMP, "EPERM")
def ptrace() -> None:
    syscall(101, 117, 16, 1, 0, 0)


@attempt("read that process's memory (`process_vm_readv`)", SECCOMP, "EPERM")
def read_memory() -> None:
    syscall(310, 270, 1, 0, 0, 0, 0, 0)


@attempt("take that process's files (`pidfd_getfd`)", SECCOMP, "EPERM")
def take_files() -> None:
    syscall(438, 438, os.pidfd_open(1), 0, 0)


@attempt("stop or kill that process", OWN_VIEW, "it runs")
def stop_the_first() -> str:
    os.kill(1, signal.SIGSTOP)
    os.kill(1, signal.SIGKILL)
    time.sleep(0.1)
    return "it runs" if Path("/proc/1/stat").read_text().rpartition(")")[2].split()[0] != "T" else "stopped"


@attempt("see processes of the host", OWN_VIEW, "none")
def see_processes() -> str:
    commands = [Path(path).read_bytes() for path in glob.glob("/proc/[0-9]*/cmdline")]
    others = [each.decode() for each in commands if each and b"containers.hostile" not in each]
    return " ".join(others) or "none"


@attempt("read the environments of all processes it sees", OWN_VIEW, "no secrets")
def read_environments() -> str:
    found = b""
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            found += Path(path).read_bytes()
        except OSError:
            continue
    return TOLD["environment"] if TOLD["environment"].encode() in found else "no secrets"


@attempt("follow `/proc/PID/root` out of the container", OWN_VIEW, "its own")
def follow_roots() -> str:
    for path in glob.glob("/proc/[0-9]*/root"):
        try:
            if os.path.exists(path + TOLD["file"]):
                return "the host's"
        except OSError:
            continue
    return "its own"


@attempt("find a secret file of the host's, or of another container's", OWN_VIEW, "none")
def find_secrets() -> str:
    name = os.path.basename(TOLD["file"])
    found = [place for place, _, files in os.walk("/") if name in files and not place.startswith("/proc")]
    return ", ".join(found) or "none"


@attempt("reach the engine by its socket", "not in the container", "none there")
def engine_socket() -> str | None:
    names = ("docker.sock", "containerd/containerd.sock", "podman/podman.sock", "crio/crio.sock")
    for path in [f"{folder}/{name}" for folder in ("/run", "/var/run", "") for name in names]:
        if os.path.exists(path):
            return None
    return "none there"


@attempt("find the pipes to Tidegate by their names", PIPES, "none")
def find_pipes() -> str:
    return " ".join(os.listdir(STREAMS)) or "none"


@attempt("put a file where those were", PIPES, "EROFS", "ENOENT")
def beside_pipes() -> None:
    os.close(os.open(f"{STREAMS}/x", os.O_WRONLY | os.O_CREAT))


@attempt("open its output for reading, and so take what Tidegate is to get", PIPES, "EACCES")
def read_output() -> None:
    os.close(os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK))


@attempt("open its input for writing, and so keep it open", PIPES, "EACCES")
def write_input() -> None:
    os.close(os.open("/proc/self/fd/0", os.O_WRONLY | os.O_NONBLOCK))


@attempt("change who may open those", PIPES, "EROFS", "EPERM")
def change_pipes() -> None:
    os.fchmod(0, 0o777)


@attempt("connect to an abstract socket of the host", OWN_VIEW, "ECONNREFUSED")
def abstract_socket() -> None:
    socket.socket(socket.AF_UNIX).connect("\0" + TOLD["abstract"])


@attempt("use shared memory of the host's", OWN_VIEW, "ENOENT")
def shared_memory() -> None:
    syscall(29, 194, TOLD["shm_key"], 0, 0)


@attempt("learn the host's name servers", "no DNS", "not told")
def name_servers() -> str | None:
    text = Path("/etc/resolv.conf").read_text()
    return (
        None
        if [line for line in text.splitlines() if line.startswith("nameserver") and "127.0.0.1" not in line]
        else "not told"
    )


@attempt("see network interfaces of the host", OWN_VIEW, "none")
def interfaces() -> str:
    up = [name for _, name in socket.if_nameindex() if int(Path(f"/sys/class/net/{name}/flags").read_text(), 16) & 1]
    return " ".join(name for name in up if name != "lo") or "none"


def connected(address: str, port: int) -> None:
    with socket.create_connection((address, port), 3):
        pass


def sent(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"x", (address, port))


@attempt("connect to the Internet", NO_NETWORK, "ENETUNREACH")
def connect_outside() -> None:
    connected("192.0.2.1", 443)


@attempt("connect to the Internet by IPv6", NO_NETWORK, "ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT")
def connect_outside_v6() -> None:
    connected("2001:db8::1", 443)


@attempt("connect to the host by its bridge's address", NO_NETWORK, "ENETUNREACH")
def connect_to_gateway() -> None:
    connected(TOLD["gateway"], TOLD["port"])


@attempt("connect to a port of the host's loopback", OWN_VIEW, "ECONNREFUSED")
def connect_to_loopback() -> None:
    connected("127.0.0.1", TOLD["port"])


@attempt("ask the cloud's metadata address", NO_NETWORK, "ENETUNREACH")
def metadata() -> None:
    connected("169.254.169.254", 80)


@attempt("send datagrams out", NO_NETWORK, "ENETUNREACH")
def datagram() -> None:
    sent("192.0.2.1", 53)


@attempt("send to all by multicast or broadcast", NO_NETWORK, "ENETUNREACH", "EACCES")
def multicast() -> None:
    sent("224.0.0.251", 5353)


@attempt("send a ping", NO_NETWORK, "ENETUNREACH", "EACCES")
def ping() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as made:
        made.sendto(b"\x08\0\0\0\0\0\0\0", ("192.0.2.1", 0))


@attempt("look up a name, and so tell its owner", "no DNS", "no answer")
def look_up() -> str | None:
    try:
        socket.getaddrinfo("secret-value.example.com", 443)
    except socket.gaierror:
        return "no answer"
    return None


@attempt("ask the engine's name server, past the settings", NO_NETWORK, "ECONNREFUSED")
def ask_the_engines_resolver() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.connect(("127.0.0.11", 53))
        made.send(b"\0" * 12)
        made.settimeout(3)
        made.recv(100)


@attempt("bring an interface up", NO_ROOT, "EPERM")
def interface_up() -> None:
    import fcntl
    import struct

    with socket.socket() as made:
        fcntl.ioctl(made, 0x8914, struct.pack("16sH22x", b"lo", 0x41 | 0x100))


@attempt("write to `/etc`, `/usr`, `/run`, `/var` and `/`", READ_ONLY, "EROFS")
def write_root() -> str | None:
    found = set()
    for path in (
        "/etc/passwd",
        "/usr/local/bin/python",
        "/run/x",
        "/var/tmp/x",
        "/x",
        "/srv/x",
        "/etc/hosts",
        "/etc/resolv.conf",
    ):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
            found.add("done")
        except OSError as error:
            name = errno.errorcode[error.errno or 0]
            found.add("EROFS" if name in ("EROFS", "EACCES", "ENOENT") else name)
    return " ".join(sorted(found))


@attempt("find any other folder to write to", READ_ONLY, "none")
def other_folders() -> str:
    known = ("/tmp", "/dev/shm", "/dev/mqueue", "/data", "/var/lib/hostile")
    found = []
    for place, folders, _ in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(place, name) not in ("/proc", *known)]
        if os.access(place, os.W_OK):
            found.append(place)
    return " ".join(found) or "none"


@attempt("get a volume of the host's disk by declaring one in its image", "a folder in memory instead", "tmpfs, empty")
def declared_volume() -> str:
    mounts = {line.split()[1]: line.split()[2] for line in Path("/proc/mounts").read_text().splitlines()}
    return f"{mounts.get('/data')}, {'full' if os.listdir('/data') else 'empty'}"


@attempt("have a health check run beside it by declaring one in its image", "switched off", "none ran")
def health_check() -> str | None:
    time.sleep(1.2)
    return None if os.path.exists("/tmp/health") else "none ran"


def executed(folder: str) -> None:
    path = f"{folder}/program"
    Path(path).write_text("#!/bin/sh\n")
    os.chmod(path, 0o755)
    os.execv(path, [path])


@attempt("run a program from `/tmp`", "mounted noexec", "EACCES")
def run_from_tmp() -> None:
    executed("/tmp")


@attempt("run a program from `/dev/shm`", "mounted noexec", "EACCES")
def run_from_shm() -> None:
    executed("/dev/shm")
