"""Reads one repository of a container registry (OCI Distribution Specification 1.1): manifests, blobs, referrers.

Nothing that a registry says is believed: what has a digest is held against it, all is limited in size and time, and
credentials go to the registry and to the token service that it names, over TLS, and to nobody else.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

import httpx

from tidegate import image_names
from tidegate.containers.credentials import credentials_of
from tidegate.containers.trusted import BLOB_BYTES, MANIFEST_BYTES, TrustError, json_object, objects
from tidegate.settings_types import is_loopback

if TYPE_CHECKING:
    from types import TracebackType

    from tidegate.image_names import ImageName

_ACCEPT = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_HUB_HOST = "registry-1.docker.io"
_SECONDS = 10.0  # for a connection, and for each piece of an answer
_REDIRECTS = 3
_TOKEN_BYTES = 64 * 1024
_CHALLENGE = re.compile(r'([a-zA-Z_]+)="([^"]*)"')


class Registry:
    """One image's repository, to be read.

    Args:
        image: the image.
    """

    def __init__(self, image: ImageName) -> None:
        self._image = image
        self._local = image.is_local
        host = _HUB_HOST if image.registry == image_names.HUB else image.registry
        self._origin = f"{'http' if self._local else 'https'}://{host}"
        self._base = f"{self._origin}/v2/{image.path}/"
        self._authorization: str | None = None
        # The system's own certificates: those of a company are there. A web proxy of the environment is used, but for
        # a registry on this machine.
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(), trust_env=not self._local, timeout=_SECONDS, follow_redirects=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def manifest(self, reference: str) -> tuple[str, dict[str, Any]] | None:
        """Return a manifest with its digest; None where there is none.

        Args:
            reference: its tag, or its digest, which it is then held against.

        Raises:
            TrustError: where it can't be had, or isn't what it is to be.
        """
        data = await self._read(f"manifests/{reference}", MANIFEST_BYTES, _ACCEPT)
        if data is None:
            return None
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if image_names.DIGEST.fullmatch(reference) and digest != reference:
            raise TrustError(f"the registry {self._image.registry} gave another manifest than the one of that digest")
        tree = json_object(data)
        if tree is None:
            raise TrustError(f"the registry {self._image.registry} gave a manifest that is none")
        return digest, tree

    async def blob(self, digest: object) -> bytes:
        """Return a blob.

        Args:
            digest: its digest, as a manifest says it.

        Raises:
            TrustError: where it can't be had, or isn't of that digest.
        """
        if not isinstance(digest, str) or not image_names.DIGEST.fullmatch(digest):
            raise TrustError("a manifest names a blob by something else than a SHA-256 digest")
        data = await self._read(f"blobs/{digest}", BLOB_BYTES, "*/*")
        if data is None:
            raise TrustError(f"the registry {self._image.registry} lacks a blob that a manifest names")
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
            raise TrustError(f"the registry {self._image.registry} gave another blob than the one of that digest")
        return data

    async def referrers(self, digest: str) -> list[dict[str, Any]]:
        """Return the descriptors of what refers to a manifest: signatures, among others.

        Registries without the interface have them in an index under a tag.

        Raises:
            TrustError: where they can't be had.
        """
        data = await self._read(f"referrers/{digest}", MANIFEST_BYTES, "application/vnd.oci.image.index.v1+json")
        if data is not None:
            tree = json_object(data)
            if tree is not None and isinstance(tree.get("manifests"), list):
                return objects(tree, "manifests")
        found = await self.manifest(digest.replace(":", "-"))
        return objects(found[1], "manifests") if found is not None else []

    async def _read(self, path: str, most: int, accept: str) -> bytes | None:
        """Return what is under a path; None where there is nothing."""
        url = self._base + path
        status, headers, data = await self._get(url, most, accept)
        if status == httpx.codes.UNAUTHORIZED and self._authorization is None:
            self._authorization = await self._authorized(headers.get("www-authenticate", ""))
            if self._authorization is not None:
                status, headers, data = await self._get(url, most, accept)
        for _ in range(_REDIRECTS):
            if status not in (301, 302, 303, 307, 308):
                break
            url = _joined(url, headers.get("location", ""))
            status, headers, data = await self._get(url, most, accept)
        if status == httpx.codes.NOT_FOUND:
            return None
        if status != httpx.codes.OK:
            raise TrustError(f"the registry {self._image.registry} answered {status}")
        return data

    async def _get(self, url: str, most: int, accept: str) -> tuple[int, httpx.Headers, bytes]:
        headers = {"accept": accept, "accept-encoding": "identity"}
        if self._authorization is not None and self._is_own(url):
            headers["authorization"] = self._authorization
        return await self._ask(httpx.Request("GET", self._allowed(url), headers=headers), most)

    async def _ask(self, request: httpx.Request, most: int) -> tuple[int, httpx.Headers, bytes]:
        try:
            answer = await self._client.send(request, stream=True)
            try:
                data = bytearray()
                async for piece in answer.aiter_raw():
                    data += piece
                    if len(data) > most:
                        raise TrustError(f"the registry {self._image.registry} gave more than {most} bytes")
            finally:
                await answer.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError):
            raise TrustError(f"the registry {self._image.registry} can't be reached") from None
        return answer.status_code, answer.headers, bytes(data)

    def _is_own(self, url: str) -> bool:
        return url.startswith(f"{self._origin}/")

    def _allowed(self, url: str) -> httpx.URL:
        """Return an address that may be asked: over TLS, unless the registry itself is on this machine."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            parsed = httpx.URL()
        if parsed.userinfo or not parsed.host or not (parsed.scheme == "https" or (self._local and _is_local(url))):
            raise TrustError(f"the registry {self._image.registry} sends on to an address without TLS")
        return parsed

    async def _authorized(self, challenge: str) -> str | None:
        """Return the header that answers a challenge (RFC 7235; the registries' token authentication)."""
        known = await credentials_of(self._image.registry)
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return known.basic if known is not None and known.user else None
        asked = dict(_CHALLENGE.findall(rest))
        if scheme.lower() != "bearer" or not asked.get("realm"):
            return None
        realm = self._allowed(asked["realm"])
        query = {"service": asked.get("service", ""), "scope": f"repository:{self._image.path}:pull"}
        if known is not None and known.identity_token:
            form = query | {
                "grant_type": "refresh_token",
                "refresh_token": known.identity_token,
                "client_id": "tidegate",
            }
            request = httpx.Request("POST", realm, data=form)
        else:
            headers = {"authorization": known.basic} if known is not None else {}
            request = httpx.Request("GET", realm.copy_merge_params(query), headers=headers)
        status, _, data = await self._ask(request, _TOKEN_BYTES)
        tree = json_object(data) or {}
        token = tree.get("token") or tree.get("access_token")
        if status != httpx.codes.OK or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise TrustError(f"the registry {self._image.registry} gives no access")
        return f"Bearer {token}"


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""  # where there is no TLS


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")
