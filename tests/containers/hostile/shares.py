"""Attempts to take more than a share: of memory, files, processes, processors, and of the machine's attention."""

import os
import resource
import signal
import threading
import time

from containers.hostile.attempt import attempt, syscall, write
from containers.hostile.box import MIB, NO_ROOT, SECCOMP


def filled(folder: str, most: int) -> str:
    path = f"{folder}/fill"
    try:
        with open(path, "wb", buffering=0) as file:
            while file.tell() <= most:
                file.write(b"x" * (MIB // 4))
        return "more"
    finally:
        os.unlink(path)


@attempt("fill `/tmp`", "it holds 16 MiB", "ENOSPC")
def fill_tmp() -> str:
    return filled("/tmp", 16 * MIB)


@attempt("fill `/dev/shm`", "it holds 1 MiB", "ENOSPC")
def fill_shm() -> str:
    return filled("/dev/shm", MIB)


@attempt("fill a volume that its image declares", "it holds 16 MiB", "ENOSPC")
def fill_volume() -> str:
    return filled("/data", 16 * MIB)


@attempt("use up the inodes of `/tmp`", "it holds 16384 files", "ENOSPC")
def inodes() -> str:
    made: list[str] = []
    try:
        for number in range(17_000):
            os.close(os.open(f"/tmp/i{number}", os.O_CREAT))
            made.append(f"/tmp/i{number}")
        return "more"
    finally:
        for path in made:
            os.unlink(path)


@attempt("fork without end", "limit on processes", "EAGAIN at most 128")
def fork_bomb() -> str:
    count = 0
    try:
        while count < 1000:
            if os.fork() == 0:
                signal.pause()
            count += 1
    except BlockingIOError:
        return "EAGAIN at most 128" if count <= 128 else f"EAGAIN at {count}"
    return "more"


@attempt("start threads without end", "limit on processes", "at most 128")
def thread_bomb() -> str:
    for count in range(1000):
        try:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        except RuntimeError:
            return "at most 128" if count <= 128 else f"at {count}"
    return "more"


@attempt("take all memory", "limit on memory, no swap", "SIGKILL", "ENOMEM")
def memory_hog() -> None:
    held = [bytearray(os.urandom(1) * (8 * MIB)) for _ in range(128)]
    assert held


@attempt("take memory by files without a folder (`memfd`)", "limit on memory, no swap", "SIGKILL", "ENOMEM", "ENOSPC")
def memory_files() -> None:
    file = os.memfd_create("x")
    for _ in range(128):
        os.write(file, b"x" * (8 * MIB))


@attempt("open files without end", "limit on files", "EMFILE")
def file_hog() -> None:
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(2000)]
    assert held


@attempt("use every processor", "limit on processor time", "its share")
def spin() -> str:
    begun, children = time.monotonic(), []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            while time.monotonic() - begun < 1.5:
                pass
            os._exit(0)
        children.append(pid)
    usages = [os.wait4(pid, 0)[2] for pid in children]
    used = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return "its share" if used / (time.monotonic() - begun) < 1.3 else f"{used:.1f} s"


@attempt("raise its limits (`setrlimit`)", NO_ROOT, "ValueError", "EPERM")
def raise_limit() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))


@attempt("dump its memory to the host's core handler", "core size 0", "0")
def core_dump() -> str:
    return str(max(resource.getrlimit(resource.RLIMIT_CORE)))


@attempt("be spared when memory is short (`oom_score_adj`)", NO_ROOT, "EACCES", "EPERM")
def oom_score() -> None:
    write("/proc/self/oom_score_adj", "-1000")


@attempt("run before all others (`nice`)", NO_ROOT, "EPERM", "EACCES")
def nice() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, -20)


@attempt("run in real time (`SCHED_FIFO`)", NO_ROOT, "EPERM")
def real_time() -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


@attempt("read and write before all others (`ioprio_set`)", SECCOMP, "EPERM")
def io_priority() -> None:
    syscall(251, 30, 1, 0, 1 << 13)


@attempt("hold all disks up (`sync`)", SECCOMP, "EPERM")
def sync_all() -> None:
    syscall(306, 267, os.open("/", os.O_RDONLY))
