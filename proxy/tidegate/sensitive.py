"""Which paths of this machine no server is given, be it in a container or in a sandbox, and why.

A path is refused where it is one of these, lies inside of one, or holds one: / holds /proc, a home holds its ~/.ssh.
Whether the guarded path exists plays no part, as it may tomorrow.
"""

from __future__ import annotations

import os
import pwd
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def _each(what: str, names: str, under: str = "") -> tuple[tuple[str, str], ...]:
    return tuple((f"{under}{name}", what) for name in names.split())


OWN = "Tidegate's own"

_ENGINE = "what controls or makes up containers"
_SERVICES = "the sockets and secrets of the machine's services"
_KEYS = "keys or passwords"
_KEYRING = "a keyring"
_BROWSER = "a browser's profile"
_ASSISTANT = "an assistant's keys and settings"
_HISTORY = "a history of what was typed"
_LOGIN = "what is run at the next login"

MACHINE = (
    ("/proc", "the kernel's view of all processes"),
    ("/sys", "the kernel's switches"),
    ("/dev", "the machine's devices"),
    ("/boot", "what the machine starts from"),
    ("/var/spool/cron", "what is run on a schedule"),
    *_each(_SERVICES, "/run /var/run"),
    *_each(_ENGINE, "docker containerd containers kubelet rancher", "/var/lib/"),
    *_each(_ENGINE, "docker kubernetes", "/etc/"),
    *_each(_KEYS, "shadow shadow- gshadow gshadow- sudoers sudoers.d ssh ssl/private pki/tls/private", "/etc/"),
    *_each(_KEYS, "letsencrypt krb5.keytab wireguard NetworkManager/system-connections", "/etc/"),
)
"""Paths of the machine, and what each is."""

HOME = (
    *_each(_KEYS, ".ssh .gnupg .password-store .netrc _netrc .vault-token .pgpass .my.cnf .git-credentials"),
    *_each(_KEYS, ".aws .azure .boto .s3cfg .kube .terraform.d .terraformrc"),
    *_each(_KEYS, ".npmrc .yarnrc.yml .pypirc .pip .cargo/credentials .cargo/credentials.toml .gem/credentials .m2"),
    *_each(_KEYS, "gcloud gh glab-cli hub git pip op sops age rclone doctl heroku configstore tidegate", ".config/"),
    (".local/state/tidegate", OWN),
    *_each(_KEYRING, ".local/share/keyrings .local/share/kwalletd .gnome2 Library/Keychains"),
    *_each(_ENGINE, ".docker .local/share/docker .local/share/containers"),
    *_each(_ASSISTANT, ".claude .claude.json .codex .cursor .gemini"),
    *_each(_ASSISTANT, "Claude Code Cursor github-copilot", ".config/"),
    *_each(_BROWSER, ".mozilla .thunderbird snap/firefox snap/chromium .var/app"),
    *_each(_BROWSER, "google-chrome chromium BraveSoftware microsoft-edge vivaldi opera", ".config/"),
    *_each(_BROWSER, "Library/Cookies Library/Safari"),
    ("Library/Application Support", "what programs remember"),
    *_each(_HISTORY, ".bash_history .zsh_history .python_history .node_repl_history .psql_history .mysql_history"),
    *_each(_HISTORY, ".sqlite_history .local/share/fish"),
    *_each(_LOGIN, ".profile .bashrc .bash_profile .zshrc .zshenv .zprofile"),
    *_each(_LOGIN, "autostart systemd fish", ".config/"),
)
"""Paths in a home, and what each is."""

NAMED = (
    *_each(_ENGINE, "DOCKER_HOST CONTAINER_HOST DOCKER_CONFIG DOCKER_CERT_PATH"),
    *_each(_KEYS, "SSH_AUTH_SOCK GNUPGHOME KUBECONFIG NETRC PGPASSFILE GOOGLE_APPLICATION_CREDENTIALS"),
    *_each(_KEYS, "AWS_SHARED_CREDENTIALS_FILE AWS_CONFIG_FILE CLOUDSDK_CONFIG"),
    ("XDG_RUNTIME_DIR", _SERVICES),
)
"""Variables of the environment that name such paths, and what each is."""

_HOMES = ("/home", "/Users", "/var/home")  # each folder in these is one
_KINDS = (
    (stat.S_ISSOCK, "a socket, behind which a service of this machine may be"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


def refusal(path: str, own: Iterable[str] = ()) -> str | None:
    """Return why a path may not be given to a server, as a clause without a full stop; None where it may.

    Both the path as it is written and what it leads to through symbolic links, now, are looked at. Whoever can change
    a link between this and the use of the path has stepped round it.

    Args:
        path: an absolute path.
        own: more paths to guard: Tidegate's own files.
    """
    written = "/" + os.path.normpath(path).lstrip("/")
    told = _by_name(written, own)
    if told is not None:
        return told
    try:
        followed = os.path.realpath(written)
    except OSError as error:
        return f"{written} can't be followed: {error.strerror}"
    if followed != written:
        told = _by_name(followed, own)
        if told is not None:
            return f"{written} leads to {followed}, and {told}"
    return _by_kind(written)


def _by_name(path: str, own: Iterable[str]) -> str | None:
    seen = _stat(path)
    for guarded, what in _guarded(path, own):
        told = _relation(path, seen, guarded, what)
        if told is not None:
            return told
    return None


def _relation(path: str, seen: os.stat_result | None, guarded: str, what: str) -> str | None:
    # Some file systems don't tell upper and lower case apart; none has a reason to hold both.
    inner, outer = path.casefold(), guarded.casefold()
    if inner == outer or _is_it(seen, guarded):
        return f"{path} is {what}"
    if _is_inside(inner, outer):
        return f"{path} is in {guarded}, {what}"
    if _is_inside(outer, inner):
        return f"{path} holds {guarded}, {what}"
    return None


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder if folder.endswith("/") else folder + "/")


def _is_it(seen: os.stat_result | None, guarded: str) -> bool:
    """Whether two paths are one file: by a bind mount, or a hard link."""
    other = _stat(guarded) if seen is not None else None
    return seen is not None and other is not None and os.path.samestat(seen, other)


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - the same, without making a Path of every guarded one
    except (OSError, ValueError):
        return None  # whoever uses it says that it isn't there


def _by_kind(path: str) -> str | None:
    seen = _stat(path)
    for is_kind, what in _KINDS:
        if seen is not None and is_kind(seen.st_mode):
            return f"{path} is {what}"
    return None


def _guarded(path: str, own: Iterable[str]) -> Iterator[tuple[str, str]]:
    yield from MACHINE
    for home in _homes(path):
        yield from ((f"{home}/{name}", what) for name, what in HOME)
    for variable, what in NAMED:
        for named in os.environ.get(variable, "").removeprefix("unix://").split(":"):
            if named.startswith("/"):
                yield os.path.normpath(named), what
    state = os.environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):
        yield f"{os.path.normpath(state)}/tidegate", OWN
    for mine in own:
        yield mine, OWN
        yield os.path.realpath(mine), OWN


def homes() -> list[str]:
    """Return the homes of this user, by the environment and by the system, and of root."""
    found = ["/root"]
    for mine in (os.path.expanduser("~"), _home_of_record()):  # noqa: PTH111 - of strings
        if mine.startswith("/") and mine != "/":
            found += [os.path.normpath(mine), os.path.realpath(mine)]
    return list(dict.fromkeys(found))


def _homes(path: str) -> Iterator[str]:
    """Yield the homes that a path may have to do with: this user's, root's, and the one it is in or above of."""
    yield from homes()
    for folder in _HOMES:
        if path.casefold() == folder.casefold():
            yield f"{folder}/USER"
        elif _is_inside(path.casefold(), folder.casefold()):
            name, _, _ = path[len(folder) + 1 :].partition("/")
            yield f"{path[: len(folder)]}/{name}"


def _home_of_record() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
