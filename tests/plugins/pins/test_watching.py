"""Clients of a running Tidegate are told when others change what is pinned: what was hidden appears by itself."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.gateways import Gateway, names
from support.started import started
from support.toys import Toy
from support.web import until, within
from tidegate import plugins, settings
from tidegate.ends.http1 import HttpClient
from tidegate.flows import Core, Runtime
from tidegate.notices import Changes
from tidegate.pipeline import Pipeline
from tidegate.session import MemoryStore
from tidegate.sessions import Sessions
from tidegate_pins import watching
from tidegate_pins.book import Book, Item, Pending, Scope
from tidegate_pins.store import Store


@asynccontextmanager
async def pinned(folder: Path, *toys: Toy) -> AsyncIterator[Gateway]:
    """The gateway in front of servers whose offers must be approved first."""
    async with contextlib.AsyncExitStack() as stack:
        for toy in toys:
            await stack.enter_async_context(toy)
        text = '[[interceptors]]\nuse = "pins"\nfirst = "approve"\n'
        text += "".join(f'[servers.{toy.name}]\nurl = "{toy.settings["url"]}"\n' for toy in toys)
        path = folder / "tidegate.toml"
        path.write_text(text)
        built, changes = settings.load(path), Changes()
        pipeline = Pipeline(plugins.load(built))
        await pipeline.start(built, changes.tell)
        stack.push_async_callback(pipeline.stop)
        client = HttpClient()
        stack.push_async_callback(client.close)
        made = Gateway(Sessions(Core(Runtime(built, pipeline), MemoryStore(), changes=changes), client))
        stack.push_async_callback(made.sessions.close)
        yield made
        for talk in made.talks:
            await talk.close()


async def pins(folder: Path, *words: str) -> None:
    """Run a command of ``tidegate pins``, in a process of its own."""
    settings_file = str(folder / "tidegate.toml")
    arguments = ["-m", "tidegate", "pins", *words, "--all", "--yes", "--settings", settings_file]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0, said


async def test_what_is_approved_appears_to_a_session_without_connecting_anew_and_what_is_reset_is_told_too(
    tmp_path: Path,
) -> None:
    async with pinned(tmp_path, Toy("one", "add"), Toy("two", "add", prompts=[{"name": "ask"}])) as made:
        talk = await made.session()
        assert await talk.listed() == []
        assert await talk.listed("prompts") == []
        await pins(tmp_path, "approve")
        told = {(await within(talk.own()))["method"] for _ in range(3)}
        assert told == {"notifications/tools/list_changed", "notifications/prompts/list_changed"}
        assert await talk.listed() == ["one__add", "two__add"]
        assert await talk.listed("prompts") == ["two__ask"]
        await pins(tmp_path, "reset")
        assert (await within(talk.own()))["method"].endswith("/list_changed")


async def test_a_client_without_a_session_hears_it_while_it_listens(tmp_path: Path) -> None:
    async with pinned(tmp_path, Toy("one", "add")) as made:
        talk = made.stateless()
        assert await talk.listed() == []
        wanted = talk.request("subscriptions/listen", 7, notifications={"toolsListChanged": True})
        reply = await talk.accept(wanted)
        events = talk.streamed(reply)
        assert (await within(anext(events)))["method"] == "notifications/subscriptions/acknowledged"
        await pins(tmp_path, "approve")
        assert (await within(anext(events)))["method"] == "notifications/tools/list_changed"
        assert await talk.listed() == ["one__add"]
        assert reply.events is not None
        await reply.events.aclose()


async def test_a_client_of_wrap_hears_it_where_its_server_tells_of_changed_lists(tmp_path: Path) -> None:
    server = Path(__file__).parents[2] / "e2e" / "changing_server.py"
    lines = (
        '[[interceptors]]\nuse = "pins"\nfirst = "approve"\n[servers.notes]\nsandbox = "none"\n'
        f"command = {json.dumps([sys.executable, str(server), str(tmp_path / 'turned')])}\n"
    )
    path = tmp_path / "tidegate.toml"
    path.write_text(lines)
    async with started("wrap", "--settings", path, "--name", "notes") as client:
        assert names(await client.ask("tools/list")) == []
        await pins(tmp_path, "approve")
        await client.told("notifications/tools/list_changed")
        assert names(await client.ask("tools/list")) == ["read", "turn"]


def book(**more: Any) -> Book:
    items = {"tool": {"add": Item(digest="a", since="today")}, "template": {"t": Item(digest="b", **more)}}
    return Book(scopes=(Scope(server="one", items=items), Scope(server="two")))  # type: ignore[arg-type]  # str is one


def test_only_what_is_approved_or_held_makes_a_book_another() -> None:
    assert book().other_than(book(since="later", gone=True, who="ann")) == set()
    pending = Pending(digest="c", definition=None, classes=(), held=True, since="")
    assert book(pending=pending).other_than(book()) == {("one", "template")}
    assert Book().other_than(book()) == {("one", "tool"), ("one", "template")}


async def test_what_this_process_learns_itself_is_told_to_nobody(tmp_path: Path) -> None:
    path, told = tmp_path / "pins.json", list[tuple[str, list[str]]]()
    own = Store.acquire(path)
    task = asyncio.create_task(watching.watch(own, lambda server, kinds: told.append((server, list(kinds))), 0.01))
    own.change(lambda _: book())
    Store(path).change(lambda found: found.model_copy(update={"scopes": found.scopes[:0]}))
    await until(lambda: told)
    task.cancel()
    assert told == [("one", ["resources", "tools"])]
    own.change(lambda _: book())
    assert own.news() == set()
    own.release()


async def test_a_file_that_can_not_be_read_is_looked_at_again(tmp_path: Path) -> None:
    path, told = tmp_path / "pins.json", list[str]()
    own = Store.acquire(path)
    task = asyncio.create_task(watching.watch(own, lambda server, _: told.append(server), 0.01))
    path.rename(tmp_path / "away")
    await until(lambda: own._stamp is None)
    (tmp_path / "away").rename(path)
    Store(path).change(lambda _: book())
    await until(lambda: told)
    task.cancel()
    assert told == ["one"]
    own.release()
