"""An image is started if it is what the settings pin and signed by whom they say; real engine, real registry."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from docker.errors import NotFound

from ends.containers import STARTING
from support.hub import INDEX, Hub, hub
from support.images import Images
from support.played_registry import pem, statement
from support.played_sigstore import IDENTITY, ISSUER, PlayedSigstore
from support.registry import registry
from tidegate.containers.boxes import container_name
from tidegate.containers.engine import Engine
from tidegate.containers.running import Containers
from tidegate.containers.trust import Trust
from tidegate.ends.pipe import PipeError
from tidegate.settings import ServerSettings, Settings, build

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.requirement("pinned-is-started")]

KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
NAME, INSTANCE = "trusted", "0123456789ab"
EVERY = {"match": "*", "unsigned": True}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with hub(tmp_path_factory.mktemp("registry")) as made:
        yield made


@dataclass
class Place:
    """What a test has: a repository of its own, with the image, its digest and id; a folder with keys."""

    hub: Hub
    repository: str
    digest: str
    id: str
    folder: Path

    @property
    def name(self) -> str:
        return self.hub.name(self.repository)

    @property
    def pinned(self) -> str:
        return f"{self.name}:1@{self.digest}"

    def settings(self, *policies: dict[str, Any], **server: Any) -> Settings:
        tree = {"servers": {NAME: {"image": self.pinned, **server}}, "images": policies}
        return build(tree, folder=self.folder)

    def of_key(self, **more: Any) -> dict[str, Any]:
        return {"match": f"{self.hub.address}/tidegate-test/*", "cosign_key": "key.pub", **more}


@pytest.fixture
def place(shared: Hub, images: Images, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    repository = f"r{abs(hash(request.node.name)):x}"
    digest = shared.push(images.echo, repository)
    (tmp_path / "key.pub").write_bytes(pem(KEY))
    (tmp_path / "other.pub").write_bytes(pem(OTHER))
    return Place(shared, repository, digest, images.echo, tmp_path)


async def started(place: Place, settings: Settings, trust: Trust | None = None) -> str:
    """Start a container; return the id of its image."""
    engine = Engine()
    boxes = Containers(engine, lambda: settings)
    boxes._trust = trust or boxes._trust
    try:
        async with asyncio.timeout(STARTING):
            box = await boxes.start(NAME, INSTANCE)
            box.streams.close()
            container = place.hub.engine.containers.get(container_name(NAME, INSTANCE))
            assert container.attrs["Config"]["Image"] == container.attrs["Image"]  # created by its id
            return str(container.attrs["Image"])
    finally:
        await boxes.close()
        engine.close()


async def refused(place: Place, settings: Settings, trust: Trust | None = None) -> str:
    """Return why a container can't be started; nothing is left of the try."""
    with pytest.raises(PipeError) as error:
        await started(place, settings, trust)
    with pytest.raises(NotFound):
        place.hub.engine.containers.get(container_name(NAME, INSTANCE))
    assert "\n" not in str(error.value)
    return str(error.value)


async def test_a_container_is_made_of_the_image_that_is_pinned_whatever_its_tag_means_now(place: Place) -> None:
    other = place.hub.other(place.id)
    assert place.hub.push(other, place.repository) != place.digest
    assert await started(place, place.settings()) == place.id
    assert await started(place, place.settings(image=place.id)) == place.id
    assert await started(place, place.settings(image=f"{place.name}:1", pull="tag-ok")) == other


async def test_a_tag_that_moves_between_the_look_and_the_start_changes_nothing(place: Place) -> None:
    other = place.hub.other(place.id)

    class Moving(Trust):
        """Somebody moves the tag at the worst moment."""

        async def admit(self, server: ServerSettings, settings: Settings) -> str:
            found = await super().admit(server, settings)
            place.hub.engine.images.get(other).tag(place.name, "1")
            return found

    settings = place.settings(image=f"{place.name}:1", pull="tag-ok")
    assert await started(place, settings, Moving(Engine())) == place.id
    assert await started(place, settings) == other


async def test_a_start_that_is_given_up_while_its_image_is_looked_at_makes_no_container(place: Place) -> None:
    looking, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Trust):
        """The registry takes its time."""

        async def admit(self, server: ServerSettings, settings: Settings) -> str:
            looking.set()
            await go_on.wait()
            return await super().admit(server, settings)

    engine = Engine()
    boxes = Containers(engine, place.settings)
    boxes._trust = Slow(engine)
    async with asyncio.timeout(STARTING):
        starting = asyncio.create_task(boxes.start(NAME, INSTANCE))
        await looking.wait()
        await boxes.stop(INSTANCE)
        go_on.set()
        with pytest.raises(PipeError, match="was stopped while it started"):
            await starting
    with pytest.raises(NotFound):
        place.hub.engine.containers.get(container_name(NAME, INSTANCE))
    await boxes.close()
    engine.close()


async def test_the_same_digest_in_another_repository_is_another_image(place: Place) -> None:
    said = await refused(place, place.settings(image=f"{place.name}-other@{place.digest}"))
    assert said.endswith(f"get its image with docker pull {place.name}-other@{place.digest}.")


async def test_an_image_that_its_key_has_signed_is_started_and_asked_about_once(place: Place) -> None:
    place.hub.sign(place.repository, place.digest, KEY)
    trust = Trust(Engine())
    assert await started(place, place.settings(place.of_key()), trust) == place.id
    away = place.of_key(match="*")  # the same question in other words is another question
    assert len(trust._verified) == 1
    assert await started(place, place.settings(place.of_key()), trust) == place.id
    assert len(trust._verified) == 1
    assert await started(place, place.settings(away), trust) == place.id
    assert len(trust._verified) == 2


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({}, "its image isn't trusted: it has no signature."),
        ({"cosign_key": "none.pub"}, "the key file none.pub can't be read: No such file or directory."),
        ({"match": "ghcr.io/*"}, "its image isn't trusted: no [[images]] entry of the settings matches it."),
    ],
)
async def test_an_image_that_isnt_signed_is_not_started(place: Place, policy: dict[str, Any], told: str) -> None:
    assert told in await refused(place, place.settings(place.of_key(**policy)))


async def test_one_of_another_key_is_not_started_and_may_be_signed_later(place: Place) -> None:
    trust = Trust(Engine())
    place.hub.sign(place.repository, place.digest, OTHER)
    assert "its signature is of another key" in await refused(place, place.settings(place.of_key()), trust)
    assert await started(place, place.settings(place.of_key(cosign_key="other.pub")), trust) == place.id
    place.hub.sign(place.repository, place.digest, KEY)
    assert await started(place, place.settings(place.of_key()), trust) == place.id


async def test_an_image_that_somebody_has_signed_while_logged_in_is_started(place: Place) -> None:
    sigstore = PlayedSigstore()
    (place.folder / "root.json").write_bytes(sigstore.trusted_root())
    keyless = {"identity": IDENTITY, "issuer": ISSUER, "trusted_root": "root.json"}
    settings = place.settings({"match": "*", "keyless": keyless})
    place.hub.put_bundle(place.repository, place.digest, sigstore.bundle(statement(place.digest), issuer="https://x.y"))
    assert "not by the identity and issuer" in await refused(place, settings)
    place.hub.put_bundle(place.repository, place.digest, sigstore.bundle(statement(place.digest)))
    assert await started(place, settings) == place.id


async def test_a_tag_is_checked_as_what_it_means_now(place: Place) -> None:
    place.hub.sign(place.repository, place.digest, KEY)
    settings = place.settings(place.of_key(), image=f"{place.name}:1", pull="tag-ok")
    trust = Trust(Engine())
    assert await started(place, settings, trust) == place.id
    place.hub.push(place.hub.other(place.id), place.repository)
    assert "it has no signature" in await refused(place, settings, trust)
    place.hub.engine.images.get(place.hub.other(place.id)).tag(place.name, "2")
    local = place.settings(place.of_key(), image=f"{place.name}:2", pull="tag-ok")
    assert "the engine has it from no registry" in await refused(place, local, trust)


async def test_an_image_id_says_no_registry_where_a_signature_could_be(place: Place) -> None:
    by_id = {"image": place.id}
    assert "no [[images]] entry" in await refused(place, place.settings(place.of_key(), **by_id))
    assert "an image id doesn't say" in await refused(place, place.settings(place.of_key(match="*"), **by_id))
    assert await started(place, place.settings(place.of_key(), EVERY, **by_id)) == place.id


async def test_a_registry_that_is_down_is_no_reason_to_start(place: Place, tmp_path: Path) -> None:
    trust = Trust(Engine())
    with registry(tmp_path) as address:
        away = Hub(address, place.hub.engine)
        gone = Place(away, "away", away.push(place.id, "away"), place.id, tmp_path)
        away.sign("away", gone.digest, KEY)
        assert await started(gone, gone.settings(gone.of_key()), trust) == place.id
    try:
        assert f"the registry {address} can't be reached" in await refused(gone, gone.settings(gone.of_key()))
        assert await started(gone, gone.settings(gone.of_key()), trust) == place.id  # it was asked before
    finally:
        away.forget_all()


@pytest.mark.parametrize("signed", ["index", "part", "nothing", "other part"])
async def test_of_an_image_for_several_platforms_the_index_or_the_part_is_signed(place: Place, signed: str) -> None:
    part = json.loads(place.hub.manifest(place.repository, place.digest))
    other = place.hub.push(place.hub.other(place.id), place.repository, "2")
    parts = [
        {
            "mediaType": part["mediaType"],
            "digest": digest,
            "size": size,
            "platform": {"os": "linux", "architecture": of},
        }
        for digest, size, of in (
            (other, len(place.hub.manifest(place.repository, other)), "s390x"),
            (place.digest, len(place.hub.manifest(place.repository, place.digest)), "amd64"),
        )
    ]
    data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts}).encode()
    index = place.hub.put_manifest(place.repository, "all", data, INDEX)
    list(place.hub.engine.api.pull(place.name, index, stream=True))
    chosen = {"index": index, "part": place.digest, "other part": other}.get(signed)
    if chosen is not None:
        place.hub.sign(place.repository, chosen, KEY)
    settings = place.settings(place.of_key(), image=f"{place.name}@{index}")
    if signed in ("index", "part"):
        assert await started(place, settings) == place.id
    else:
        assert "it has no signature" in await refused(place, settings)


async def test_what_there_is_to_say_about_an_image_is_told(place: Place) -> None:
    trust = Trust(Engine())

    async def look(settings: Settings) -> dict[str, Any]:
        found = await trust.look(settings.servers[NAME], settings)
        assert found.pop("image") == settings.servers[NAME].image
        return found

    well = {"pinned": True, "present": True, "signed": None, "detail": ""}
    assert await look(place.settings()) == well
    assert await look(place.settings(EVERY)) == well
    assert await look(place.settings(image=f"{place.name}:1", pull="tag-ok")) == well | {"pinned": False}
    none = f"{place.name}@sha256:{'0' * 64}"
    missing = {"present": False, "detail": f"get its image with docker pull {none}"}
    assert await look(place.settings(image=none)) == well | missing
    unsigned = {"signed": False, "detail": "it has no signature"}
    assert await look(place.settings(place.of_key())) == well | unsigned
    place.hub.sign(place.repository, place.digest, KEY)
    assert await look(place.settings(place.of_key())) == well | {"signed": True}
