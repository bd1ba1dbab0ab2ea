"""A stand-in for `python:3.12-slim`, made of this machine's own files, where no image registry is reached.

The root file system holds the CPython that runs the tests, pip, a shell, git where the machine has it, and the
libraries they and binary wheels load: no package manager, no network and no root is needed to make it. Where the
machine's clients need a certificate bundle, its path is in the image's environment and the file in the image: so pip
works in a build.
"""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path, PurePosixPath

_PYTHON = Path(sys.executable).resolve()  # outside of the virtual environment
# Clients in a build look for the machine's certificate bundle under these names.
_CERTIFICATE_VARIABLES = (
    "PIP_CERT",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)
# What binary wheels may expect of any Linux (PEP 600), and name lookup, which no `ldd` shows.
_LIBRARIES = (
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
)
# Parts of the standard library that no server needs, and places for packages, which stay empty but for pip.
_LEFT_OUT = re.compile(
    r"(^|/)(test|tests|idlelib|tkinter|turtledemo|lib2to3|ensurepip|site-packages|dist-packages|config-[^/]*"
    r"|EXTERNALLY-MANAGED|_tkinter\.[^/]*|[^/]*\.opt-[12]\.pyc)(/|$)"
)
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n"
_FOLDERS = {"/dev", "/etc", "/proc", "/root", "/run", "/sys", "/tmp", "/usr/local/bin", "/var"}
_GROUP = "root:x:0:\nnogroup:x:65534:\n"


def environment() -> dict[str, str]:
    """Return the environment variables of the image: a search path, a locale, and where certificates are."""
    found = {name: os.environ[name] for name in _CERTIFICATE_VARIABLES if os.environ.get(name)}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **found}


def recipe_key() -> str:
    """Return 12 hex digits that change with this recipe, the interpreter, or the machine's certificates."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    versions = (sys.version, sys.base_prefix, distribution("pip").version, os.confstr("CS_GNU_LIBC_VERSION"))
    digest.update(repr((versions, sorted(environment().items()))).encode())
    for bundle in sorted(_certificates()):
        digest.update(bundle.read_bytes())
    return digest.hexdigest()[:12]


def write(target: Path) -> None:
    """Write the root file system as a tar archive to `target`.

    Raises:
        RuntimeError: this is not Linux with the GNU C library, so there is nothing to copy.

    """
    if not sys.platform.startswith("linux") or shutil.which("ldd") is None:
        raise RuntimeError("a stand-in image is made on Linux with ldd: set TIDEGATE_TEST_BASE to an image instead")
    files = {_binary(): _PYTHON}
    files |= dict(_standard_library())
    files |= dict(_pip())
    files["/bin/sh"] = Path("/bin/sh").resolve()
    git = shutil.which("git")
    if git is not None:
        files["/usr/bin/git"] = Path(git).resolve()
    files |= _libraries([path for path in files.values() if _is_binary(path)])
    files |= {str(bundle): bundle.resolve() for bundle in _certificates()}
    with tarfile.open(target, "w") as tar:
        parents = {str(parent) for place in files for parent in PurePosixPath(place).parents}
        for folder in sorted((parents | _FOLDERS) - {"/"}):
            _add_folder(tar, folder, 0o1777 if folder == "/tmp" else 0o755)
        for place, path in sorted(files.items()):
            _add_file(tar, place, path)
        for name in ("python", "python3"):
            _add_link(tar, f"/usr/local/bin/{name}", _binary())
        for place, text in (("passwd", _PASSWD), ("group", _GROUP), ("nsswitch.conf", "hosts: files dns\n")):
            _add_text(tar, f"/etc/{place}", text)


def _binary() -> str:
    """Return the interpreter's path in the image."""
    return f"{_prefix()}/bin/{_PYTHON.name}"


def _standard_library() -> Iterator[tuple[str, Path]]:
    """Yield the modules' files: where in the image, and where here."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    home = f"{_prefix()}/{stdlib.relative_to(sys.base_prefix)}"
    for path in sorted(stdlib.rglob("*")):
        inside = path.relative_to(stdlib).as_posix()
        if path.is_file() and not _LEFT_OUT.search(inside):
            yield f"{home}/{inside}", path.resolve()


def _prefix() -> str:
    """Return the image's prefix: a system's Python has /usr compiled in, any other may live in /usr/local."""
    return "/usr" if sys.base_prefix == "/usr" else "/usr/local"


def _pip() -> Iterator[tuple[str, Path]]:
    """Yield pip, from the environment that runs the tests, into the image's place for packages."""
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    home = subprocess.check_output([_PYTHON, "-I", "-c", asked], text=True).strip()
    if _prefix() == "/usr/local":
        home = f"/usr/local/{Path(home).relative_to(sys.base_prefix)}"
    for file in distribution("pip").files or ():
        if not file.as_posix().startswith(".."):
            yield f"{home}/{file}", Path(str(file.locate())).resolve()


def _libraries(binaries: list[Path]) -> dict[str, Path]:
    """Return the shared libraries that `binaries` load, and those any wheel may: where in the image, where here.

    The system's own keep their paths; others, such as a private libpython, go where the loader looks by itself.

    """
    run = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False)
    named = {Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", run.stdout, flags=re.MULTILINE)}
    system = next(path.parent for path in named if path.name.startswith("libc.so"))
    places = {path if str(path).startswith(("/lib", "/usr/lib")) else system / path.name: path for path in named}
    places |= {system / name: system / name for name in _LIBRARIES}
    return {str(place): path.resolve() for place, path in places.items() if path.exists()}


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _certificates() -> set[Path]:
    named = {value for name, value in environment().items() if name in _CERTIFICATE_VARIABLES}
    default = ssl.get_default_verify_paths().cafile
    return {Path(path) for path in {*named, *([default] if default else [])} if Path(path).is_file()}


def _entry(place: str, mode: int) -> tarfile.TarInfo:
    """Return an entry owned by root; names in the archive are relative to its root."""
    entry = tarfile.TarInfo(place.lstrip("/"))
    entry.mode = mode
    return entry


def _add_folder(tar: tarfile.TarFile, place: str, mode: int) -> None:
    entry = _entry(place, mode)
    entry.type = tarfile.DIRTYPE
    tar.addfile(entry)


def _add_link(tar: tarfile.TarFile, place: str, to: str) -> None:
    entry = _entry(place, 0o777)
    entry.type = tarfile.SYMTYPE
    entry.linkname = to
    tar.addfile(entry)


def _add_text(tar: tarfile.TarFile, place: str, text: str) -> None:
    entry = _entry(place, 0o644)
    entry.size = len(text)
    tar.addfile(entry, BytesIO(text.encode()))


def _add_file(tar: tarfile.TarFile, place: str, path: Path) -> None:
    """Add a file with its time kept, so that the compiled modules beside the sources stay valid."""
    entry = _entry(place, 0o755 if os.access(path, os.X_OK) else 0o644)
    status = path.stat()
    entry.size, entry.mtime = status.st_size, int(status.st_mtime)
    with path.open("rb") as file:
        tar.addfile(entry, file)
