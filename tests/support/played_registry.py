"""A registry that says what a test has it say, and remembers what it was asked; and signatures as cosign makes them."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tidegate.image_names import ImageName, parse

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
SIGNED = "https://sigstore.dev/cosign/sign/v1"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REPOSITORY = "acme/files"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Answer:
    """What is answered under a path."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """What was asked: the path, and the credentials that came with it."""

    path: str
    authorization: str | None
    body: bytes = b""


class PlayedRegistry:
    """One registry; see :func:`played_registry`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.wants: str | None = None  # the Authorization that all of /v2/ needs
        self.challenge = ""

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        path = asked.path.partition("?")[0]
        if path.startswith("/v2/") and self.wants is not None and asked.authorization != self.wants:
            return Answer(status=401, headers={"WWW-Authenticate": self.challenge})
        return self.answers.get(path, Answer(b"{}", 404))

    def image(self, digest: str) -> ImageName:
        return parse(f"{self.address}/{REPOSITORY}@{digest}")

    def put_blob(self, data: bytes, *, under: str = "") -> str:
        digest = under or digest_of(data)
        self.answers[f"/v2/{REPOSITORY}/blobs/{digest}"] = Answer(data)
        return digest

    def put_manifest(self, manifest: dict[str, Any], *names: str) -> str:
        data = json.dumps(manifest).encode()
        for name in (digest_of(data), *names):
            self.answers[f"/v2/{REPOSITORY}/manifests/{name}"] = Answer(data)
        return digest_of(data)

    def put_image(self, config: bytes = b"{}") -> str:
        layer = {"digest": digest_of(config), "size": len(config)}
        return self.put_manifest({"schemaVersion": 2, "config": layer, "layers": []})

    def put_signatures(self, digest: str, *layers: dict[str, Any]) -> None:
        """Put cosign's signatures of a manifest where it puts them."""
        self.put_manifest({"schemaVersion": 2, "layers": list(layers)}, f"{digest.replace(':', '-')}.sig")

    def put_bundles(self, digest: str, *bundles: bytes, index: bool = True) -> None:
        """Put Sigstore bundles for a manifest where a registry keeps them, with or without an interface for that."""
        found = []
        for bundle in bundles:
            layer = {"mediaType": BUNDLE, "digest": self.put_blob(bundle), "size": len(bundle)}
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer], "artifactType": BUNDLE}
            found.append({"digest": self.put_manifest(manifest), "artifactType": BUNDLE})
        tree: dict[str, Any] = {"schemaVersion": 2, "manifests": found}
        if index:
            self.put_manifest(tree, digest.replace(":", "-"))
        else:
            self.answers[f"/v2/{REPOSITORY}/referrers/{digest}"] = Answer(json.dumps(tree).encode())

    def layer(self, payload: bytes, signature: bytes, *, under: str = "") -> dict[str, Any]:
        """Keep a payload, and return the layer that says its signature."""
        notes = {"dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()}
        return {"mediaType": SIMPLE, "digest": self.put_blob(payload, under=under), "annotations": notes}

    def signed(self, key: PrivateKey, digest: str, **changes: Any) -> dict[str, Any]:
        """Return the layer of cosign's own signature; changes are to its payload."""
        data = payload(digest, **{"repository": f"{self.address}/{REPOSITORY}", **changes})
        return self.layer(data, sign(key, data))


def payload(digest: str, repository: str, kind: str = "cosign container image signature") -> bytes:
    """Return what cosign signs of an image."""
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


def sign(key: PrivateKey, data: bytes) -> bytes:
    """Sign as cosign does with a key of that kind."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def statement(digest: str, predicate: str = SIGNED) -> bytes:
    """Return the in-toto statement that signs an image."""
    subject = {"digest": {"sha256": digest.partition(":")[2]}}
    return json.dumps(
        {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": predicate}
    ).encode()


def pae(data: bytes) -> bytes:
    """Return what is signed of a statement (DSSE)."""
    return b"DSSEv1 %d %b %d %b" % (len(IN_TOTO), IN_TOTO.encode(), len(data), data)


def bundle(key: PrivateKey, data: bytes) -> bytes:
    """Return the Sigstore bundle of a statement, as cosign makes it with a key."""
    envelope = {
        "payload": base64.b64encode(data).decode(),
        "payloadType": IN_TOTO,
        "signatures": [{"sig": base64.b64encode(sign(key, pae(data))).decode()}],
    }
    material = {"publicKey": {"hint": "hint"}}
    return json.dumps({"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}).encode()


def pem(key: PrivateKey) -> bytes:
    """Return a key's public half, as cosign writes it."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind)


@contextmanager
def played_registry() -> Iterator[PlayedRegistry]:
    """Run a registry that knows nothing yet."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            asked = Asked(self.path, self.headers.get("authorization"), self.rfile.read(length))
            answer = played.answer(asked)
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_GET  # noqa: N815 - the base class's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        played = PlayedRegistry(f"127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield played
        finally:
            server.shutdown()
            thread.join()
