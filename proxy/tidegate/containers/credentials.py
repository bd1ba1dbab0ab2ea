"""What ``docker login`` knows: the credentials of registries, in Docker's own file and its helpers' hands."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate import image_names
from tidegate.containers.trusted import TrustError

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9_.-]+")
_TOKEN_USER = "<token>"  # noqa: S105 - the word by which a helper says that its secret is an identity token
_SECONDS = 10.0
_LONGEST = 64 * 1024  # bytes of an answer of a helper


@dataclass(frozen=True, slots=True)
class Credentials:
    """One registry's: user and password, or an identity token; none of them is ever shown."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


async def credentials_of(registry: str) -> Credentials | None:
    """Return the credentials that Docker keeps for a registry; None where it keeps none.

    Raises:
        TrustError: where they can't be read.
    """
    config = _config()
    keys = (_HUB_KEY,) if registry == image_names.HUB else (registry, f"https://{registry}")
    helpers = config.get("credHelpers")
    named = next((helpers[key] for key in keys if key in helpers), None) if isinstance(helpers, dict) else None
    helper = named or config.get("credsStore")
    if isinstance(helper, str) and helper:
        return await _from_helper(helper, keys[0])
    kept = config.get("auths")
    for key in keys:
        entry = kept.get(key) if isinstance(kept, dict) else None
        if isinstance(entry, dict):
            return _from_entry(entry, registry)
    return None


def _config() -> dict[str, Any]:
    folder = os.environ.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise TrustError(f"Docker's file {path} can't be read") from None
    return found if isinstance(found, dict) else {}


def _from_entry(entry: dict[str, Any], registry: str) -> Credentials | None:
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credentials(identity_token=token)
    auth = entry.get("auth")
    if not isinstance(auth, str) or not auth:
        return None
    try:
        user, colon, password = base64.b64decode(auth, validate=True).decode().rstrip("\0").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = user = password = ""
    if not colon:
        raise TrustError(f"Docker's credentials for {registry} can't be read")
    return Credentials(user, password)


async def _from_helper(helper: str, key: str) -> Credentials | None:
    """Ask one of the programs ``docker-credential-…``, as Docker does."""
    problem = TrustError(f"docker-credential-{helper} doesn't tell the credentials for {key}")
    if not _HELPER.fullmatch(helper):
        raise TrustError("Docker's file names a credential helper that can't be one")
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            f"docker-credential-{helper}", "get", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        raise problem from None
    assert process.stdin is not None
    assert process.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(_SECONDS):
            with suppress(ConnectionError):
                process.stdin.write(f"{key}\n".encode())
                process.stdin.close()
            while len(said) <= _LONGEST and (more := await process.stdout.read(_LONGEST)):
                said += more
            if len(said) <= _LONGEST:
                await process.wait()
    except TimeoutError:
        raise problem from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        if b"credentials not found" in said:
            return None
        raise problem
    try:
        found = json.loads(said)
        user, secret = str(found["Username"]), str(found["Secret"])
    except (ValueError, KeyError, TypeError):
        raise problem from None
    return Credentials(identity_token=secret) if user == _TOKEN_USER else Credentials(user, secret)
