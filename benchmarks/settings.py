"""The settings that Tidegate is measured with: lists and audit on, as the targets ask."""

import json

LISTS = """
[[interceptors]]
use = "lists"
allow = ["bench/read_*", "bench/git_*", "bench/echo", "*/search*"]
deny = ["bench/delete_*", "bench/git_push", "*/drop_*", "resource:*/file:///etc/**"]
"""
AUDIT = """
[[interceptors]]
use = "audit"
required = true
path = "audit.jsonl"
"""
SECRETS = """
[[interceptors]]
use = "secrets"
"""


def http(url: str) -> str:
    """The section of a server behind a URL, named `bench`."""
    return f'[servers.bench]\nurl = "{url}"\n'


def stdio(command: list[str]) -> str:
    """The section of a server that is a local process, named `bench` too."""
    return f'[servers.bench]\ncommand = {json.dumps(command)}\nsandbox = "none"\n'


def text(server: str, more: str = "") -> str:
    """`tidegate.toml` for one server's section, on an ephemeral port; more interceptors come before the audit."""
    return f'[proxy]\nlisten = "127.0.0.1:0"\n\n{server}{LISTS}{more}{AUDIT}'
