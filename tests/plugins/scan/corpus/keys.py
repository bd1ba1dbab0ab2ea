"""Keys and signed tokens that have a structure inside: PEM blocks, JWTs, PuTTY and SSH keys, service accounts.

The numbers in them are random and belong to no key: their encodings are right, their mathematics is not.
"""

from __future__ import annotations

import base64
import json
import textwrap
from typing import TYPE_CHECKING

from plugins.scan.corpus.making import DIGITS, WORDS, drawn, password, uuid4

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

HEX = "0123456789abcdef"


def _length(size: int) -> bytes:
    if size < 128:
        return bytes([size])
    coded = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([128 | len(coded)]) + coded


def _tlv(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _length(len(content)) + content


def _integer(random: Random, size: int) -> bytes:
    """Return a positive DER INTEGER of so many significant bytes, the highest bit set as in a modulus."""
    return _tlv(2, b"\0" + bytes([128 | random.getrandbits(7)]) + random.randbytes(size - 1))


def _rsa(random: Random, size: int = 256) -> bytes:
    """Return an RSAPrivateKey (RFC 8017, appendix A.1.2)."""
    half = size // 2
    public = _tlv(2, b"\x01\x00\x01")
    numbers = (size, half, half, half, half, half)
    private = b"".join(_integer(random, width) for width in numbers)
    return _tlv(0x30, _tlv(2, b"\0") + _integer(random, size) + public + private)


def _pkcs8(random: Random) -> bytes:
    oid = _tlv(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    return _tlv(0x30, _tlv(2, b"\0") + oid + _tlv(4, _rsa(random)))


def _ed25519(random: Random) -> bytes:
    return bytes.fromhex("302e020100300506032b657004220420") + random.randbytes(32)


def _ec(random: Random) -> bytes:
    curve = bytes.fromhex("a00a06082a8648ce3d030107")
    point = _tlv(0xA1, _tlv(3, b"\0\x04" + random.randbytes(64)))
    return _tlv(0x30, _tlv(2, b"\x01") + _tlv(4, random.randbytes(32)) + curve + point)


def _dsa(random: Random) -> bytes:
    return _tlv(0x30, _tlv(2, b"\0") + b"".join(_integer(random, size) for size in (128, 20, 128, 128, 20)))


def _encrypted(random: Random) -> bytes:
    scheme = bytes.fromhex("304906092a864886f70d01050d303c301b06092a864886f70d01050c300e0408") + random.randbytes(8)
    rest = bytes.fromhex("02020800301d060960864801650304012a0410") + random.randbytes(16)
    return _tlv(0x30, scheme + rest + _tlv(4, random.randbytes(1232)))


def _openssh(random: Random) -> bytes:
    def field(content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + content

    public = field(b"ssh-ed25519") + field(random.randbytes(32))
    check = random.randbytes(4)
    inner = check + check + public + field(random.randbytes(64)) + field(b"ci@" + random.choice(WORDS).encode())
    inner += bytes(range(1, 9 - len(inner) % 8)) if len(inner) % 8 else b""
    none = field(b"none")
    return b"openssh-key-v1\0" + none + none + field(b"") + (1).to_bytes(4, "big") + field(public) + field(inner)


def armoured(label: str, content: bytes, headers: str = "", width: int = 64) -> str:
    """Return a textual encoding (RFC 7468) of bytes; the label is put together here so that no file holds it."""
    body = "\n".join(textwrap.wrap(base64.b64encode(content).decode(), width))
    dashes = "-" * 5
    return f"{dashes}BEGIN {label}{dashes}\n{headers}{body}\n{dashes}END {label}{dashes}"


def _legacy(random: Random) -> str:
    headers = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{drawn(random, HEX.upper(), 32)}\n\n"
    return armoured("RSA PRIVATE KEY", random.randbytes(1192), headers)


def _crc24(content: bytes) -> bytes:
    """Return OpenPGP's checksum (RFC 4880, section 6.1)."""
    value = 0xB704CE
    for byte in content:
        value ^= byte << 16
        for _ in range(8):
            value = value << 1 ^ (0x1864CFB if value & 0x800000 else 0)
    return (value & 0xFFFFFF).to_bytes(3, "big")


def _pgp(random: Random) -> str:
    content = bytes.fromhex("9503") + random.randbytes(700)
    block = armoured("PGP PRIVATE KEY BLOCK", content, "\n")
    head, _, end = block.rpartition("\n")
    return f"{head}\n={base64.b64encode(_crc24(content)).decode()}\n{end}"


def _ppk(random: Random) -> str:
    public = base64.b64encode(b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0\x01\x01\0" + random.randbytes(256)).decode()
    private = base64.b64encode(random.randbytes(640)).decode()
    lines, hidden = textwrap.wrap(public, 64), textwrap.wrap(private, 64)
    return "\n".join(
        [
            "PuTTY-User-Key-File-3: ssh-rsa",
            "Encryption: none",
            f"Comment: rsa-key-2024{random.randrange(10, 13)}{random.randrange(10, 28)}",
            f"Public-Lines: {len(lines)}",
            *lines,
            f"Private-Lines: {len(hidden)}",
            *hidden,
            f"Private-MAC: {drawn(random, HEX, 64)}",
        ]
    )


def _coded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def signed(random: Random, claims: dict[str, object], algorithm: str = "HS256", **header: str) -> str:
    """Return a JWS in its compact form (RFC 7515, section 3.1), with a random signature of the algorithm's length."""
    size = {"HS256": 32, "HS512": 64, "RS256": 256, "ES256": 64}[algorithm]
    signature = base64.urlsafe_b64encode(random.randbytes(size)).decode().rstrip("=")
    return f"{_coded({'alg': algorithm, 'typ': 'JWT', **header})}.{_coded(claims)}.{signature}"


def jwt(random: Random, algorithm: str) -> str:
    """Return an access token as identity providers issue them."""
    now = 1_700_000_000 + random.randrange(90_000_000)
    claims: dict[str, object] = {
        "sub": random.choice((str(random.randrange(10**9, 10**10)), uuid4(random), "auth0|" + drawn(random, HEX, 24))),
        "iat": now,
        "exp": now + 3600,
    }
    if random.random() < 0.5:
        claims["iss"] = f"https://{random.choice(WORDS)}.example-idp.com/"
        claims["scope"] = "read:reports write:reports"
    return signed(random, claims, algorithm)


def _supabase(random: Random) -> str:
    now = 1_650_000_000 + random.randrange(90_000_000)
    ref = drawn(random, "abcdefghijklmnopqrstuvwxyz", 20)
    claims: dict[str, object] = {"iss": "supabase", "ref": ref, "role": "service_role", "iat": now, "exp": now + 10**8}
    return signed(random, claims)


def _sentry(random: Random) -> str:
    """Return the base64 JSON of Sentry's organisation tokens."""
    claims = {"iat": 1_700_000_000 + random.randrange(10**7), "url": "https://sentry.io", "org": random.choice(WORDS)}
    return base64.b64encode(json.dumps(claims).encode()).decode()


def _grafana(random: Random) -> str:
    """Return the base64 JSON of Grafana Cloud's access policy tokens."""
    parts = {
        "o": str(random.randrange(10**5, 10**7)),
        "n": random.choice(WORDS),
        "k": drawn(random, HEX, 24),
        "m": {"r": "us"},
    }
    return base64.b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode()


def _escaped(pem: str) -> str:
    return (pem + "\n").replace("\n", "\\n")


KEYS: dict[str, Callable[[Random, int], str]] = {
    "pem_rsa": lambda random, _: armoured("RSA PRIVATE KEY", _rsa(random)),
    "pem_pkcs": lambda random, _: armoured("PRIVATE KEY", _pkcs8(random)),
    "pem_pkcs_escaped": lambda random, _: _escaped(armoured("PRIVATE KEY", _pkcs8(random))),
    "pem_ec": lambda random, _: armoured("EC PRIVATE KEY", _ec(random)),
    "pem_ed": lambda random, _: armoured("PRIVATE KEY", _ed25519(random)),
    "pem_dsa": lambda random, _: armoured("DSA PRIVATE KEY", _dsa(random)),
    "pem_encrypted": lambda random, _: armoured("ENCRYPTED PRIVATE KEY", _encrypted(random)),
    "pem_legacy": lambda random, _: _legacy(random),
    "pem_ssh": lambda random, _: armoured("OPENSSH PRIVATE KEY", _openssh(random), width=70),
    "pem_coded": lambda random, _: base64.b64encode(armoured("RSA PRIVATE KEY", _rsa(random)).encode()).decode(),
    "sentry": lambda random, _: _sentry(random),
    "grafana": lambda random, _: _grafana(random),
    "discord": lambda random, _: base64.b64encode(b"1" + drawn(random, DIGITS, 17).encode()).decode(),
    "pw_coded": lambda random, _: base64.b64encode(password(random, 18).encode()).decode(),
    "pgp": lambda random, _: _pgp(random),
    "ppk": lambda random, _: _ppk(random),
    "jwt": lambda random, _: jwt(random, random.choice(("HS256", "HS512", "ES256"))),
    "jwt_rsa": lambda random, _: jwt(random, "RS256"),
    "jwt_supabase": lambda random, _: _supabase(random),
}
"""What can stand in a template for them."""
