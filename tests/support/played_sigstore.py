"""A Sigstore of the tests' own: authority, certificate log and transparency log, with keys made on the spot.

It makes what the public one makes for a keyless signature: a certificate of minutes, with its proof of logging
(RFC 6962), an entry in the transparency log with promise, inclusion proof and checkpoint, and the bundle of them all.
"""

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from support.played_registry import BUNDLE, IN_TOTO, pae

ISSUER = "https://issuer.example"
IDENTITY = "https://ci.example/acme/files/release.yml"
_ISSUER_OID = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_SCT_OID = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_KIND = "PKIX_ECDSA_P256_SHA_256"
_ORIGIN = "log.example"


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _der(key: ec.EllipticCurvePrivateKey) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, kind)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _signed(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


@dataclass
class PlayedSigstore:
    """One Sigstore, which nobody trusts but who has its root."""

    authority: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    certificate_log: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a root of tests")])
        made = self._builder(name, self.authority, timedelta(days=1))
        usage = {"digital_signature": False, "key_cert_sign": True, "crl_sign": True}
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        made = made.add_extension(_usage(**usage), critical=True)
        self.root = made.sign(self.authority, hashes.SHA256())

    def trusted_root(self) -> bytes:
        """Return the JSON of what is to be trusted."""
        since = {"start": (self.now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            public = {"rawBytes": _b64(_der(key)), "keyDetails": _KIND, "validFor": since}
            return {
                "baseUrl": f"https://{_ORIGIN}",
                "hashAlgorithm": "SHA2_256",
                "publicKey": public,
                "logId": {"keyId": _b64(hashlib.sha256(_der(key)).digest())},
            }

        chain = {"certificates": [{"rawBytes": _b64(self.root.public_bytes(serialization.Encoding.DER))}]}
        authority = {
            "subject": {"organization": "tests", "commonName": "a root of tests"},
            "uri": "https://authority.example",
            "certChain": chain,
            "validFor": since,
        }
        tree = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.log)],
            "certificateAuthorities": [authority],
            "ctlogs": [log(self.certificate_log)],
            "timestampAuthorities": [],
        }
        return json.dumps(tree).encode()

    def bundle(
        self, statement: bytes, identity: str = IDENTITY, issuer: str = ISSUER, late: timedelta = timedelta()
    ) -> bytes:
        """Return the bundle of a statement that somebody signed while logged in; late where the log says it was."""
        key = _key()
        certificate = self._certificate(key, identity, issuer)
        signature = _signed(key, pae(statement))
        material = {
            "certificate": {"rawBytes": _b64(certificate.public_bytes(serialization.Encoding.DER))},
            "tlogEntries": [self._entry(statement, signature, certificate, late)],
        }
        envelope = {"payload": _b64(statement), "payloadType": IN_TOTO, "signatures": [{"sig": _b64(signature)}]}
        return json.dumps({"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}).encode()

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta) -> x509.CertificateBuilder:
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a root of tests")])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(minutes=5))
            .not_valid_after(self.now + life)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()), critical=False
            )
        )

    def _certificate(self, key: ec.EllipticCurvePrivateKey, identity: str, issuer: str) -> x509.Certificate:
        made = self._builder(x509.Name([]), key, timedelta(minutes=5))
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
        made = made.add_extension(names, critical=True)
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        made = made.add_extension(_usage(digital_signature=True, key_cert_sign=False, crl_sign=False), critical=True)
        made = made.add_extension(x509.UnrecognizedExtension(_ISSUER_OID, issuer.encode()), critical=False)
        logged = made.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes
        proof = x509.UnrecognizedExtension(_SCT_OID, self._timestamp(logged))
        return made.add_extension(proof, critical=False).sign(self.authority, hashes.SHA256())

    def _timestamp(self, logged: bytes) -> bytes:
        """Return the certificate log's proof (RFC 6962, 3.2 and 3.3), as the extension holds it."""
        when = struct.pack("!Q", int(self.now.timestamp() * 1000))
        issuer = hashlib.sha256(_der(self.authority)).digest()
        entry = issuer + len(logged).to_bytes(3, "big") + logged
        signature = _signed(self.certificate_log, b"\0\0" + when + b"\0\1" + entry + b"\0\0")
        name = hashlib.sha256(_der(self.certificate_log)).digest()
        sct = b"\0" + name + when + b"\0\0" + b"\x04\x03" + len(signature).to_bytes(2, "big") + signature
        listed = len(sct).to_bytes(2, "big") + sct
        octets = len(listed).to_bytes(2, "big") + listed
        return b"\x04" + _length(len(octets)) + octets

    def _entry(
        self, statement: bytes, signature: bytes, certificate: x509.Certificate, late: timedelta
    ) -> dict[str, Any]:
        """Return the entry of a transparency log that has no other one."""
        verifier = _b64(certificate.public_bytes(serialization.Encoding.PEM))
        digest = {"algorithm": "sha256", "value": hashlib.sha256(statement).hexdigest()}
        spec = {
            "envelopeHash": digest,
            "payloadHash": digest,
            "signatures": [{"signature": _b64(signature), "verifier": verifier}],
        }
        body = json.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}).encode()
        name = hashlib.sha256(_der(self.log)).digest()
        time = int((self.now + late).timestamp())
        promised = {"body": _b64(body), "integratedTime": time, "logID": name.hex(), "logIndex": 0}
        canonical = json.dumps(promised, separators=(",", ":"), sort_keys=True).encode()
        root = hashlib.sha256(b"\0" + body).digest()
        note = f"{_ORIGIN}\n1\n{_b64(root)}\n"
        checkpoint = f"{note}\n\u2014 {_ORIGIN} {_b64(name[:4] + _signed(self.log, note.encode()))}\n"
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(name)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(time),
            "inclusionPromise": {"signedEntryTimestamp": _b64(_signed(self.log, canonical))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": _b64(body),
        }


def _usage(*, digital_signature: bool, key_cert_sign: bool, crl_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _length(number: int) -> bytes:
    """Return a length in DER."""
    return (
        bytes([number])
        if number < 128
        else bytes([0x81, number])
        if number < 256
        else b"\x82" + struct.pack("!H", number)
    )
