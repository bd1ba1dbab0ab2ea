"""Keyless signatures: by who could log in as somebody, as Sigstore's authorities witness. The extra ``sigstore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import ExtensionNotFound

from tidegate.containers.trusted import TrustError

try:
    from sigstore.errors import Error as SigstoreError
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity
except ImportError:
    raise TrustError("its signature is keyless, for which tidegate[sigstore] must be installed") from None

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.settings import Keyless

_MALFORMED = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    InvalidSignature,
    UnsupportedAlgorithm,
    ExtensionNotFound,
)
"""What the library may raise, beside its own errors, for a bundle that isn't as it is to be."""

_IN_TOTO = "application/vnd.in-toto+json"


class Login:
    """Who is to have been logged in. Made in a thread: the public trusted root is fetched.

    Args:
        wanted: who that is.
        folder: where the relative path of a trusted root starts from.

    Raises:
        TrustError: where there is no trusted root to be had.
    """

    def __init__(self, wanted: Keyless, folder: Path) -> None:
        self._policy = Identity(identity=wanted.identity, issuer=wanted.issuer)
        try:
            if wanted.trusted_root is None:
                self._verifier = Verifier.production()
            else:
                self._verifier = Verifier(trusted_root=TrustedRoot.from_file(str(folder / wanted.trusted_root)))
        except (SigstoreError, OSError, ValueError):
            named = wanted.trusted_root or "of the public Sigstore"
            raise TrustError(f"the trusted root {named} can't be read") from None

    def of_payload(self, payload: bytes, signature: bytes) -> bool:  # noqa: ARG002 - as for a key
        """Say no: keyless signatures are told by bundles only; those of cosign 2 beside the image are not looked at."""
        return False

    def of_bundle(self, data: bytes) -> bytes:
        """Return the in-toto statement of a bundle that was signed by who is wanted.

        Raises:
            TrustError: where it wasn't, or it is none.
        """
        try:
            kind, statement = self._verifier.verify_dsse(Bundle.from_json(data), self._policy)
        except (SigstoreError, *_MALFORMED):
            raise TrustError("its signature is not by the identity and issuer of the settings") from None
        if kind != _IN_TOTO:
            raise TrustError("it has a bundle that signs no statement")
        return statement
