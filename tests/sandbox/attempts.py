"""What a hostile server tries in the sandbox: each name with a program, which prints as JSON how it went.

The programs find in `sys.argv` what a test tells them.
"""

CALL = """
import ctypes, errno, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *arguments):
    ctypes.set_errno(0)
    got = libc.syscall(*map(ctypes.c_long, (number, *arguments)))
    return "done" if got >= 0 else errno.errorcode[ctypes.get_errno()]
def tried(function, *arguments):
    try:
        return ["done", str(function(*arguments))[:200]]
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
def tell(what):
    print(json.dumps(what), flush=True)
"""

CALLS = {  # on x86_64
    "ptrace": (101, 16, 1, 0, 0),  # PTRACE_ATTACH
    "keyctl": (250, 0, -3, 1),
    "add_key": (248, 0, 0, 0, 0, -3),
    "io_uring_setup": (425, 8, 0),
    "userfaultfd": (323, 0),
    "bpf": (321, 0, 0, 0),
    "perf_event_open": (298, 0, 0, -1, -1, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "mount": (165, 0, 0, 0, 0, 0),
    "fsopen": (430, 0, 0),
    "pivot_root": (155, 0, 0),
    "open_by_handle_at": (304, -1, 0, 0),
    "init_module": (175, 0, 0, 0),
    "kexec_load": (246, 0, 0, 0, 0),
    "reboot": (169, 0, 0, 0, 0),
    "swapon": (167, 0, 0),
    "acct": (163, 0),
    "setns": (308, 0, 0),
    "unshare_user": (272, 0x10000000),
    "unshare_mount": (272, 0x00020000),
    "clone_user": (56, 0x10000000 | 17, 0, 0, 0, 0),
    "clone3": (435, 0, 0),
    "personality": (135, 0x0040000),  # ADDR_NO_RANDOMIZE
    "a_call_of_the_future": (470, 0, 0),
}
ABSENT = {"io_uring_setup", "clone3", "a_call_of_the_future"}

ASK = CALL + "tell(syscall(*map(int, sys.argv[1:])))"
READ = CALL + "tell(tried(lambda: open(sys.argv[1], 'rb').read(100)))"
LIST = CALL + "tell(tried(lambda: sorted(os.listdir(sys.argv[1]))))"
WRITE = CALL + "tell(tried(lambda: open(sys.argv[1], 'wb').write(b'x')))"
CONNECT = (
    CALL
    + """
import socket
def connect():
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 3):
        return "connected"
tell(tried(connect))
"""
)
UNIX = (
    CALL
    + """
import socket
def connect():
    with socket.socket(socket.AF_UNIX) as made:
        made.connect("\\0" + sys.argv[1][1:] if sys.argv[1].startswith("@") else sys.argv[1])
tell(tried(connect))
"""
)
SOCKETS = (
    CALL
    + """
import socket
def made(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()
    return "done"
tell({name: tried(made, *words) for name, words in {
    "packet": (17, 3), "vsock": (40, 1), "alg": (38, 5), "raw": (2, 3, 1), "audit": (16, 3, 9), "bluetooth": (31, 3),
    "stream": (2, 1), "routes": (16, 3, 0), "unix": (1, 1)}.items()})
"""
)
FILL = (
    CALL
    + """
def fill():
    with open(sys.argv[1] + "/big", "wb", 0) as file:
        written = 0
        while written < 1 << 30:
            written += file.write(bytes(1 << 20))
tell([tried(fill), os.stat(sys.argv[1] + "/big").st_size])
os.unlink(sys.argv[1] + "/big")
"""
)
PROCESSES = CALL + "tell(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()))"
KILL = CALL + "tell([tried(os.kill, int(pid), 9) for pid in sys.argv[1:]])"
TIOCSTI = (
    CALL
    + """
import fcntl, pty
master, slave = pty.openpty()
tell([tried(fcntl.ioctl, slave, 0x5412, b"x"), tried(fcntl.ioctl, slave, (1 << 32) - 1 & 0x541C, b"x")])
"""
)
PRIVILEGES = (
    CALL
    + """
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
told = {name: status[name] for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
told["uid"] = os.getuid()
told["setuid"] = tried(os.setuid, 0)
told["chown"] = tried(os.chown, sys.argv[1], 0, 0)
told["mknod"] = tried(os.mknod, "/tmp/node", 0o60666, os.makedev(8, 0))
told["chroot"] = tried(os.chroot, "/tmp")
tell(told)
"""
)
KERNEL = (
    CALL
    + """
tell({path: tried(lambda: open(path, "r+b", 0).close()) for path in (  # opened, never written: it is this machine's
    "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches",
    "/sys/kernel/uevent_helper", "/dev/mem", "/dev/kvm", "/dev/sda", "/dev/vda")})
"""
)
SETUID = (
    CALL
    + """
here = sys.argv[1]
def made(mode):
    os.close(os.open(here + "/made", os.O_CREAT | os.O_WRONLY, mode))
open(here + "/plain", "w").close()
tell([tried(os.chmod, here + "/plain", mode) for mode in (0o4755, 0o2755, 0o6755)]
    + [tried(made, 0o4755), tried(os.chmod, here + "/plain", 0o755), tried(made, 0o755)])
"""
)
FORKS = (
    CALL
    + """
import signal, time
made = 0
try:
    while made < 2000:
        if os.fork() == 0:
            signal.pause()
        made += 1
except OSError as error:
    tell([errno.errorcode[error.errno], made])
else:
    tell(["done", made])
sys.stdin.read()
"""
)
