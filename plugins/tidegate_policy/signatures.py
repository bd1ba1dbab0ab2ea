"""Signatures of bundles, as ``opa sign`` makes them: a JWT in ``.signatures.json`` over the hashes of all files.

The algorithm is the settings' word, never the token's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tidegate_policy.sources import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = ".signatures.json"

Algorithm = Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512"]
"""Those of ``opa sign`` that are kept to; RSA with PSS padding isn't."""

_HASHES: dict[str, tuple[Callable[[], hashes.HashAlgorithm], str]] = {
    "256": (hashes.SHA256, "sha256"),
    "384": (hashes.SHA384, "sha384"),
    "512": (hashes.SHA512, "sha512"),
}
_CURVES = {"256": 32, "384": 48, "512": 66}  # bytes of a number on the curve of that algorithm
_DIGESTS = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class Verification(NamedTuple):
    """What a bundle's signature must be.

    Attributes:
        key: the public key as PEM; for HS256 and its like the secret.
        algorithm: the one algorithm that counts.
        scope: the claim ``scope`` that the signature must have; ``""`` for none.
        key_id: the key's name, which the signature must state; ``""`` if that doesn't matter.
    """

    key: bytes
    algorithm: Algorithm = "RS256"
    scope: str = ""
    key_id: str = ""


def signed_files(where: str, text: bytes, wanted: Verification) -> dict[str, tuple[str, str]]:
    """Return the files that a valid signature is about: per name, the hash algorithm and the hash.

    Args:
        where: the bundle, as it is shown to people.
        text: the bytes of ``.signatures.json``.
        wanted: what the signature must be.

    Raises:
        PolicyError: where it isn't that.
    """
    payload = _payload(where, text, wanted)
    if payload.get("scope", "") != wanted.scope:
        _refuse(where, "the signature's scope is not the one that the settings ask for")
    found: dict[str, tuple[str, str]] = {}
    files = payload.get("files")
    for file in files if isinstance(files, list) else ():
        try:
            name, algorithm, value = file["name"], _DIGESTS[file.get("algorithm", "")], file["hash"]
        except (AttributeError, KeyError, TypeError):
            _refuse(
                where, "the signature has a file without a name, a hash, or one of the algorithms SHA-256, 384 and 512"
            )
        if not isinstance(name, str) or not isinstance(value, str) or name in found:
            _refuse(where, "the signature names a file twice, or not by a string")
        found[name] = (algorithm, value.lower())
    return found


def digest(name: str, data: bytes, algorithm: str) -> str:
    """Return the hash of a file as OPA computes it: of JSON, that of its values.

    Raises:
        ValueError: where it should be JSON and isn't.
    """
    if name.rpartition("/")[2] in ("data.json", ".manifest"):
        value = json.loads(data, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant)
        data = _canonical(value).encode()
    return hashlib.new(algorithm, data).hexdigest()


class _Number(str):
    """A number as it was written: its hash is that of its digits."""

    __slots__ = ()


def _no_constant(_text: str) -> NoReturn:
    raise ValueError("no JSON")


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_canonical(key)}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, _Number):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")  # as Go's encoder does


def _payload(where: str, text: bytes, wanted: Verification) -> dict[str, Any]:
    try:
        whole = json.loads(text)
        (token,) = whole["signatures"]
        head, payload, signature = token.split(".")
        header, claims = json.loads(_decode(head)), json.loads(_decode(payload))
        given = _decode(signature)
        stated, key_id = header["alg"], header.get("kid") or claims.get("keyid") or ""
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        _refuse(where, f"{FILE} doesn't hold one signature as `opa sign` makes it")
    if stated != wanted.algorithm:
        _refuse(where, f"the signature is not made with {wanted.algorithm}, which the settings ask for")
    if wanted.key_id and key_id != wanted.key_id:
        _refuse(where, "the signature is not made with the key that the settings name")
    if not _good(wanted, f"{head}.{payload}".encode(), given):
        _refuse(where, "the signature is not valid for the key of the settings")
    found: dict[str, Any] = claims
    return found


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def _good(wanted: Verification, signed: bytes, given: bytes) -> bool:
    kind, bits = wanted.algorithm[:2], wanted.algorithm[2:]
    made, name = _HASHES[bits]
    if kind == "HS":
        secrets = (
            wanted.key,
            wanted.key.rstrip(b"\r\n"),
        )  # an editor ends a file's last line; `opa sign` was told none
        return any(hmac.compare_digest(hmac.digest(secret, signed, name), given) for secret in secrets if secret)
    try:
        key = load_pem_public_key(wanted.key)
    except (ValueError, UnsupportedAlgorithm):
        raise PolicyError("the key for the bundle's signature is no public key in PEM") from None
    try:
        if kind == "RS" and isinstance(key, rsa.RSAPublicKey):
            key.verify(given, signed, padding.PKCS1v15(), made())
            return True
        if kind == "ES" and isinstance(key, ec.EllipticCurvePublicKey):
            size = _CURVES[bits]
            if len(given) != 2 * size or (key.curve.key_size + 7) // 8 != size:
                return False
            numbers = int.from_bytes(given[:size], "big"), int.from_bytes(given[size:], "big")
            key.verify(encode_dss_signature(*numbers), signed, ec.ECDSA(made()))
            return True
    except InvalidSignature:
        return False
    raise PolicyError(f"the key for the bundle's signature is none for {wanted.algorithm}")


def _refuse(where: str, why: str) -> NoReturn:
    raise PolicyError(f"{where}: {why}")
