"""A real registry with a real engine in front of it: what tests push is removed from the engine when they are over."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import httpx
from docker.errors import ImageNotFound

from support.played_registry import BUNDLE, SIMPLE, PrivateKey, digest_of, payload, sign
from support.registry import registry

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Hub:
    """One registry, and the engine."""

    def __init__(self, address: str, engine: docker.DockerClient) -> None:
        self.address = address
        self.engine = engine

    def name(self, repository: str) -> str:
        return f"{self.address}/tidegate-test/{repository}"

    def push(self, image: str, repository: str, tag: str = "1") -> str:
        """Tag and push an image; return its digest."""
        self.engine.images.get(image).tag(self.name(repository), tag)
        said: Any
        for said in self.engine.api.push(self.name(repository), tag, stream=True, decode=True):
            assert "error" not in said
            if "aux" in said:
                return str(said["aux"]["Digest"])
        raise AssertionError("the push told no digest")

    def other(self, image: str) -> str:
        """Return the id of an image that does the same and is another."""
        made = self.engine.api.create_container(image)
        try:
            return str(self.engine.api.commit(made["Id"], changes=f"LABEL of={self.address}")["Id"])
        finally:
            self.engine.api.remove_container(made["Id"])

    def forget(self, *references: str) -> None:
        """Remove names, and what has none then, from the engine."""
        for reference in references:
            with suppress(ImageNotFound):
                self.engine.images.remove(reference, noprune=True)

    def forget_all(self) -> None:
        """Remove all that came from here, or went here."""
        for image in self.engine.images.list():
            named = [*(image.attrs["RepoTags"] or ()), *(image.attrs["RepoDigests"] or ())]
            self.forget(*(name for name in named if name.startswith(f"{self.address}/")))
        for image in self.engine.images.list(filters={"label": f"of={self.address}"}):
            self.forget(str(image.id))

    def manifest(self, repository: str, reference: str) -> bytes:
        answer = self._ask("GET", repository, f"manifests/{reference}", headers={"accept": "*/*"})
        return answer.content

    def put_manifest(self, repository: str, reference: str, data: bytes, kind: str = MANIFEST) -> str:
        self._ask("PUT", repository, f"manifests/{reference}", content=data, headers={"content-type": kind})
        return digest_of(data)

    def put_blob(self, repository: str, data: bytes) -> dict[str, Any]:
        where = self._ask("POST", repository, "blobs/uploads/").headers["location"]
        with httpx.Client(trust_env=False) as client:
            done = client.put(httpx.URL(where).copy_merge_params({"digest": digest_of(data)}), content=data)
            assert done.status_code == 201, done.text
        return {"digest": digest_of(data), "size": len(data)}

    def sign(self, repository: str, digest: str, key: PrivateKey) -> None:
        """Sign a manifest as cosign does, with a key."""
        data = payload(digest, self.name(repository))
        notes = {"dev.cosignproject.cosign/signature": base64.b64encode(sign(key, data)).decode()}
        layer = {"mediaType": SIMPLE, "annotations": notes, **self.put_blob(repository, data)}
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", **self.put_blob(repository, b"{}")}
        tree = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        self.put_manifest(repository, f"{digest.replace(':', '-')}.sig", json.dumps(tree).encode())

    def put_bundle(self, repository: str, digest: str, bundle: bytes) -> None:
        """Put a Sigstore bundle for a manifest where cosign puts it in a registry without referrers."""
        layer = {"mediaType": BUNDLE, **self.put_blob(repository, bundle)}
        config = {"mediaType": "application/vnd.oci.empty.v1+json", **self.put_blob(repository, b"{}")}
        tree = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        data = json.dumps(tree).encode()
        listed = {"mediaType": MANIFEST, "digest": digest_of(data), "size": len(data), "artifactType": BUNDLE}
        self.put_manifest(repository, digest_of(data), data)
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed]}
        self.put_manifest(repository, digest.replace(":", "-"), json.dumps(index).encode(), INDEX)

    def _ask(self, method: str, repository: str, path: str, **how: Any) -> httpx.Response:
        with httpx.Client(trust_env=False) as client:
            answer = client.request(method, f"http://{self.address}/v2/tidegate-test/{repository}/{path}", **how)
        assert answer.is_success, answer.text
        return answer


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """Run a registry in a folder."""
    with closing(docker.from_env()) as engine, registry(folder) as address:
        made = Hub(address, engine)
        try:
            yield made
        finally:
            made.forget_all()
