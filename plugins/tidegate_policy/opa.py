"""The engine ``opa``: asks an OPA server, or several that stand in for each other.

Whatever goes wrong is a failure, and so a deny: within the time that the settings give, and for nobody else's message.
A server that doesn't answer is left alone until it says again that it is well; it is asked that by one task, never by
the messages. A server that was started anew has lost the policy: its answers don't say the revision, so it
is given the policy again, once, whoever notices.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from tidegate_policy import pushing
from tidegate_policy.http import Address, UnreachableError
from tidegate_policy.opa_server import Server
from tidegate_policy.sources import Answer, DownError, Failure, PolicyError, Sources, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tidegate_policy.config import OpaConfig
    from tidegate_policy.http import Reply
    from tidegate_policy.pushing import Pushed

log = structlog.get_logger("tidegate.policy")

AT_ONCE = 16  # requests about one list, where the server can't be given a module that asks for all items


class Opa:
    """The engine ``opa``; to be made where a loop runs.

    Args:
        config: the settings.
        seconds: how long an evaluation may take, with everything.
        folder: where relative paths start from.

    Raises:
        PolicyError: where certificates, the token or an address can't be used.
    """

    def __init__(self, config: OpaConfig, seconds: float, folder: Path) -> None:
        self._seconds = seconds
        self._push = config.push
        self._pushed: Pushed | None = None
        self._loaded = False
        self._loop = asyncio.get_running_loop()
        self._asking = 0
        self._closing = False
        self._quiet = asyncio.Event()
        try:
            token = config.bearer()
        except ValueError as error:
            raise PolicyError(str(error)) from None
        tls = _tls(config, folder) if any(url.startswith("https:") for url in config.urls) else None
        self._servers: list[Server] = []
        for url in config.urls:
            try:
                self._servers.append(Server(Address(url, tls, token), seconds))
            except ValueError as error:
                raise PolicyError(f"opa.urls: {error}") from None

    async def load(self, sources: Sources, units: Sequence[Unit]) -> None:
        """Give a policy to the servers; see :class:`~tidegate_policy.sources.Engine`."""
        pushed = pushing.prepared(sources, units) if self._push else None
        whys = await asyncio.gather(
            *(self._prepare(server, pushed) for server in self._servers), return_exceptions=True
        )
        refused = [why for why in whys if isinstance(why, BaseException)]
        if refused or all(whys):
            for server, why in zip(self._servers, whys, strict=True):
                if pushed is not None and not why:
                    await server.clean(pushed)
            if not self._loaded:
                await self._close_servers()
            if refused:
                raise refused[0]
            told = "; ".join(f"{server.address.url}: {why}" for server, why in zip(self._servers, whys, strict=True))
            raise DownError(f"the OPA server can't be used: {told}")
        self._loaded = True
        old, self._pushed = self._pushed, pushed
        for server, why in zip(self._servers, whys, strict=True):
            if pushed is not None:
                server.use(pushed)
            if old is not None:
                await server.leave(old)
            if why:
                server.doubt()

    async def _prepare(self, server: Server, pushed: Pushed | None) -> str:
        """Give a policy to one server; return why it can't be used, "" where it can."""
        why = await server.alive()
        if why or pushed is None:
            return why
        try:
            await pushing.give(server.address, pushed)
        except UnreachableError as error:
            return str(error)
        except TimeoutError:
            return "it doesn't answer"
        except PolicyError:
            await server.clean(pushed)  # a part of it may be there
            raise
        return ""

    async def ask(self, units: Sequence[Unit], given: dict[str, Any]) -> list[Answer]:
        """Return the decision of each unit about one input."""
        return (await self._asked(units, (given,), each=False))[0]

    async def ask_each(self, units: Sequence[Unit], given: Sequence[dict[str, Any]]) -> list[list[Answer]]:
        """Return, for each of several inputs, the decision of each unit."""
        return await self._asked(units, given, each=True)

    async def _asked(self, units: Sequence[Unit], given: Sequence[dict[str, Any]], *, each: bool) -> list[list[Answer]]:
        if self._closing:
            return [[Failure("down")] * len(units) for _ in given]
        ends = self._loop.time() + self._seconds
        self._asking += 1
        try:
            if self._pushed is None:
                return await self._plainly(units, given, ends)
            return await self._gathered(self._pushed, units, given, ends, each=each)
        finally:
            self._asking -= 1
            if not self._asking:
                self._quiet.set()

    async def _gathered(
        self, pushed: Pushed, units: Sequence[Unit], given: Sequence[dict[str, Any]], ends: float, *, each: bool
    ) -> list[list[Answer]]:
        """Ask the module that gathers decisions: one request for all."""
        number = pushed.asked.get(tuple(unit.name for unit in units))
        failure: Failure | None = None
        if number is not None:
            body = _body(given if each else given[0])
            said = await self._sent(pushed.path(number, each=each), body, pushed, ends)
            rows = _rows(said, units, len(given), each=each)
            if not isinstance(rows, Failure):
                return rows
            failure = rows
        if len(units) == 1 or (failure is not None and failure.kind != "error"):
            return [[failure or Failure("error")] * len(units) for _ in given]
        alone = await asyncio.gather(*(self._gathered(pushed, (unit,), given, ends, each=each) for unit in units))
        return [[column[row][0] for column in alone] for row in range(len(given))]

    async def _plainly(self, units: Sequence[Unit], given: Sequence[dict[str, Any]], ends: float) -> list[list[Answer]]:
        """Ask for each decision as it is in the server."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(unit: Unit, item: dict[str, Any]) -> Answer:
            path = f"/v1/{unit.query.replace('.', '/')}?strict-builtin-errors=true"
            async with room:
                said = await self._sent(path, _body(item), None, ends)
            if isinstance(said, Failure):
                return said
            return said.get("result", Failure("undefined"))

        rows = await asyncio.gather(*(one(unit, item) for item in given for unit in units))
        return [rows[at : at + len(units)] for at in range(0, len(rows), len(units))]

    async def _sent(
        self, path: str, body: bytes | None, pushed: Pushed | None, ends: float
    ) -> dict[str, Any] | Failure:
        """Ask the servers, one after the other, until one answers."""
        if body is None:
            return Failure("error")
        failure: Failure | None = None
        ready = [server for server in self._servers if server.up]
        for number, server in enumerate(ready):
            left = ends - self._loop.time()
            said: dict[str, Any] | Failure
            if left <= 0:
                said = Failure("timeout")
            else:
                said = await self._one(server, path, body, pushed, left / (len(ready) - number))
            if isinstance(said, dict) or said.kind == "error":
                return said
            failure = failure or said
        return failure or Failure("down")

    async def _one(
        self, server: Server, path: str, body: bytes, pushed: Pushed | None, seconds: float
    ) -> dict[str, Any] | Failure:
        """Ask one server; where it hasn't the policy, give it, and ask again."""
        ends = self._loop.time() + seconds
        try:
            said = _read(await server.address.request("POST", path, body, seconds), pushed)
            if said is not None:
                return said
            log.warning("the OPA server has lost the policy, it is given anew", address=server.address.url)
            async with asyncio.timeout_at(ends):
                await server.give()
            said = _read(await server.address.request("POST", path, body, ends - self._loop.time()), pushed)
        except UnreachableError:
            said = Failure("down")
        except TimeoutError:
            said = Failure("timeout")
        except PolicyError as error:  # it took the policy at the start; another server has its place
            log.warning("the OPA server refuses the policy", address=server.address.url, why=str(error))
            return Failure("down")
        else:
            return Failure("down") if said is None else said
        server.doubt()
        return said

    async def close(self) -> None:
        """Let what is being asked come to its end, take the policy away, and close the connections."""
        self._closing = True
        if self._asking:
            self._quiet.clear()
            try:
                async with asyncio.timeout(self._seconds):
                    await self._quiet.wait()
            except TimeoutError:
                pass  # each has that time, so there is none
        await self._close_servers()

    async def _close_servers(self) -> None:
        await asyncio.gather(*(server.close() for server in self._servers))


def _read(reply: Reply, pushed: Pushed | None) -> dict[str, Any] | Failure | None:
    """Return what a server answers; ``None`` where it hasn't the policy."""
    if reply.status != 200:
        return pushing.failed(reply, pushed)
    said = pushing.loaded(reply.body)
    if not isinstance(said, dict):
        return Failure("down", "no JSON")
    if pushed is None:
        return said
    result = said.get("result")
    if not isinstance(result, dict) or result.get("revision") != pushed.key:
        return None
    return result


def _rows(
    said: dict[str, Any] | Failure, units: Sequence[Unit], count: int, *, each: bool
) -> list[list[Answer]] | Failure:
    """Return the decisions in an answer: per input, per unit."""
    if isinstance(said, Failure):
        return said
    rows = said.get("answers") if each else [said.get("answers")]
    if not isinstance(rows, list) or len(rows) != count or not all(isinstance(row, dict) for row in rows):
        return Failure("down", "an answer of another form")
    undefined = Failure("undefined")
    return [[row.get(unit.name, undefined) for unit in units] for row in rows]


def _body(given: Any) -> bytes | None:
    """Return a request's body; ``None`` where JSON can't say the input."""
    try:
        return b'{"input":%b}' % orjson.dumps(given)
    except TypeError:  # an integer of more than 64 bits, or nested deeper than orjson goes
        pass
    try:
        return json.dumps({"input": given}, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return None


def _tls(config: OpaConfig, folder: Path) -> ssl.SSLContext:
    """Return what is trusted, and Tidegate's own certificate.

    Raises:
        PolicyError: where a file can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=None if config.ca is None else str(folder / config.ca))
    except OSError as error:  # and so is ssl.SSLError
        said = "it is no PEM file with certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise PolicyError(f"opa.ca: {config.ca} can't be used: {said}") from None
    context.set_alpn_protocols(["http/1.1"])
    if config.certificate is not None and config.key is not None:
        try:
            context.load_cert_chain(folder / config.certificate, folder / config.key, password=_no_password)
        except OSError as error:  # and so is ssl.SSLError
            told = "they are no certificate and its key, as PEM files, without a password"
            said = error.strerror if not isinstance(error, ssl.SSLError) else told
            raise PolicyError(f"opa.certificate and opa.key can't be used: {said}") from None
    return context


def _no_password() -> str:
    """Give an empty password: without one, OpenSSL would ask the terminal."""
    return ""
