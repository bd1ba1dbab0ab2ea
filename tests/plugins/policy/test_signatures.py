"""Signatures of bundles: those that the opa program made are taken, and nothing else is."""

import base64
import hashlib
import hmac
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from plugins.policy.bundling import DATA, POLICY, TESTS, a_folder, archive, opa, refused, write
from tidegate_policy import signatures
from tidegate_policy.bundles import read
from tidegate_policy.signatures import Verification


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path)


class Keys:
    """One key of each sort, as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.public: dict[str, bytes] = {"HS256": b"a secret of the team"}
        made: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
            "RS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
        }
        for name, key in made.items():
            private = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
            (folder / f"{name}.pem").write_bytes(private)
            self.public[name] = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )

    def private(self, name: str) -> str:
        return self.public[name].decode() if name.startswith("HS") else str(self.folder / f"{name}.pem")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


def build(folder: Path, keys: Keys, algorithm: str, claims: dict[str, Any] | None = None) -> Path:
    """A signed bundle, as `opa build` makes it."""
    out = folder.parent / "signed.tar.gz"
    more = []
    if claims:
        (folder.parent / "claims.json").write_text(json.dumps(claims))
        more = ["--claims-file", "claims.json"]
    signing = ["--signing-key", keys.private(algorithm), "--signing-alg", algorithm]
    opa("build", "-b", folder.name, "-o", out, "--ignore", "*_test.rego", *signing, *more, cwd=folder.parent)
    return out


def repacked(path: Path, name: str, data: bytes | None) -> Path:
    """The same archive with a file changed, added, or taken out."""
    with tarfile.open(path) as old:
        kept = {each.name.lstrip("/"): (old.extractfile(each) or io.BytesIO()).read() for each in old if each.isreg()}
    kept.pop(name, None)
    if data is not None:
        kept[name] = data
    return archive(path.with_name("changed.tar.gz"), *kept.items())


@pytest.mark.opa
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "HS256"])
def test_a_bundle_that_opa_signed_is_taken_and_another_is_not(folder: Path, keys: Keys, algorithm: Any) -> None:
    wanted = Verification(keys.public[algorithm], algorithm)
    path = build(folder, keys, algorithm)
    assert read(path, wanted).sources == read(path).sources
    assert read(path, wanted._replace(key=wanted.key + b"\n"))
    assert read(path).sources.data["a"] == DATA["a"]
    refused(repacked(path, "data.json", b'{"a": {}}'), "data.json is not as it was signed", wanted)
    refused(repacked(path, "policies/main.rego", POLICY.encode() + b"#"), "not as it was signed", wanted)
    refused(repacked(path, "more.rego", POLICY.encode()), "more.rego is not among the files", wanted)
    refused(repacked(path, "data.json", None), "data.json is signed and not there", wanted)
    refused(repacked(path, ".signatures.json", None), "it has no .signatures.json", wanted)
    refused(repacked(path, ".manifest", b'{"revision": "x"}'), ".manifest is not as it was signed", wanted)
    other = Keys(folder.parent)
    refused(
        path,
        "is not valid for the key",
        wanted._replace(key=other.public[algorithm][:-1] if algorithm == "HS256" else other.public[algorithm]),
    )


@pytest.mark.opa
def test_white_space_and_order_of_json_are_not_signed(folder: Path, keys: Keys) -> None:
    path = build(folder, keys, "RS256")
    with tarfile.open(path) as packed:
        data = json.loads((packed.extractfile("/data.json") or io.BytesIO()).read())
    spaced = json.dumps(dict(reversed(data.items())), indent=4).encode()
    assert read(repacked(path, "data.json", spaced), Verification(keys.public["RS256"]))


@pytest.mark.opa
def test_the_scope_and_the_key_must_be_those_of_the_settings(folder: Path, keys: Keys) -> None:
    path = build(folder, keys, "RS256", {"scope": "write", "keyid": "team-1"})
    wanted = Verification(keys.public["RS256"], scope="write", key_id="team-1")
    assert read(path, wanted)
    assert read(path, wanted._replace(key_id=""))
    refused(path, "scope", wanted._replace(scope=""))
    refused(path, "scope", wanted._replace(scope="read"))
    refused(path, "the key that the settings name", wanted._replace(key_id="team-2"))


@pytest.mark.opa
def test_a_folder_that_opa_signed_is_taken(folder: Path, keys: Keys) -> None:
    (folder / "README.md").write_text("# read me\n")
    wanted = Verification(keys.public["RS256"])
    for where, name in ((folder.parent, folder.name), (folder, ".")):
        (folder / signatures.FILE).unlink(missing_ok=True)
        opa("sign", "--signing-key", keys.private("RS256"), "-b", name, "-o", folder, cwd=where)
        assert read(folder, wanted).tests
    (folder / "main_test.rego").write_text(TESTS + "#")
    refused(folder, "main_test.rego is not as it was signed", wanted)


def token(header: Any, payload: Any, signature: bytes = b"x") -> bytes:
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    text = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return json.dumps({"signatures": [text]}).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"signatures": []}',
        b'{"signatures": ["a.b.c", "a.b.c"]}',
        b'{"signatures": ["a.b"]}',
        b'{"signatures": [5]}',
        b"[" * 100_000,
        token({}, {}),
        token([], {}),
        token({"alg": "RS256"}, []),
        token({"alg": "none"}, {"files": []}, b""),
        token({"alg": "HS256"}, {"files": []}),
        token({"alg": "RS256"}, {"files": []}),
        token({"alg": "RS256"}, {"files": []}, b""),
    ],
)
def test_what_is_no_signature_is_refused(tmp_path: Path, keys: Keys, text: bytes) -> None:
    write(tmp_path, main=POLICY)
    (tmp_path / signatures.FILE).write_bytes(text)
    refused(tmp_path, "signature", Verification(keys.public["RS256"]))


def test_the_public_key_is_no_secret_of_an_hmac(tmp_path: Path, keys: Keys) -> None:
    """The token's own word for its algorithm doesn't count."""
    files = [{"name": "main.rego", "hash": hashlib.sha256(POLICY.encode()).hexdigest(), "algorithm": "SHA-256"}]
    unsigned = token({"alg": "HS256"}, {"files": files}, b"")
    (text,) = json.loads(unsigned)["signatures"]
    made = hmac.digest(keys.public["RS256"], text.rpartition(".")[0].encode(), "sha256")
    write(tmp_path, main=POLICY)
    (tmp_path / signatures.FILE).write_bytes(token({"alg": "HS256"}, {"files": files}, made))
    refused(tmp_path, "not made with RS256", Verification(keys.public["RS256"]))
    assert read(tmp_path, Verification(keys.public["RS256"], "HS256"))  # so the forgery was a good one


@pytest.mark.parametrize(("name", "algorithm"), [("RS256", "ES256"), ("ES256", "RS256"), ("HS256", "RS256")])
def test_a_key_of_another_sort_is_one_sentence(tmp_path: Path, keys: Keys, name: str, algorithm: Any) -> None:
    write(tmp_path, main=POLICY)
    (tmp_path / signatures.FILE).write_bytes(token({"alg": algorithm}, {"files": []}, bytes(64)))
    refused(tmp_path, "the key for the bundle's signature is no", Verification(keys.public[name], algorithm))


@pytest.mark.parametrize(
    "files",
    [
        [{}],
        [5],
        [{"name": "main.rego", "hash": "x", "algorithm": "MD5"}],
        [{"name": 5, "hash": "x", "algorithm": "SHA-256"}],
        "x",
    ],
)
def test_a_signature_over_odd_files_is_refused(tmp_path: Path, files: Any) -> None:
    (text,) = json.loads(token({"alg": "HS256"}, {"files": files}))["signatures"]
    made = hmac.digest(b"k", text.rpartition(".")[0].encode(), "sha256")
    write(tmp_path, main=POLICY)
    (tmp_path / signatures.FILE).write_bytes(token({"alg": "HS256"}, {"files": files}, made))
    refused(tmp_path, "signe" if files == "x" else "the signature", Verification(b"k", "HS256"))


def test_an_empty_secret_signs_nothing(tmp_path: Path) -> None:
    (text,) = json.loads(token({"alg": "HS256"}, {"files": []}))["signatures"]
    made = hmac.digest(b"", text.rpartition(".")[0].encode(), "sha256")
    write(tmp_path, main=POLICY)
    (tmp_path / signatures.FILE).write_bytes(token({"alg": "HS256"}, {"files": []}, made))
    for key in (b"", b"\n"):
        refused(tmp_path, "is not valid for the key", Verification(key, "HS256"))
