"""``check``: whether settings, interceptors and servers are well, without serving."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import output
from tidegate.cli.serving import drive, settings_of

if TYPE_CHECKING:
    from tidegate.flows import Core
    from tidegate.plugins import Interceptor
    from tidegate.probe import ProbeResult
    from tidegate.secret_stores.resolving import Resolved
    from tidegate.settings import Settings

    _Look = tuple[list[Interceptor], dict[str, ProbeResult], dict[str, dict[str, Any]], Resolved]

_AT_ONCE = 4  # servers that are asked at the same time
_MOST_LINES = 20  # of a server's standard error that are shown


def check(
    file: Annotated[
        Path | None, typer.Argument(help="The settings; by default `tidegate.toml` here.", show_default=False)
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")] = False,
    no_servers: Annotated[bool, typer.Option("--no-servers", metavar="", help="Leave the servers alone.")] = False,
    stderr: Annotated[
        bool,
        typer.Option(
            "--stderr",
            metavar="",
            help="Show what servers that aren't well wrote to their standard error. It is their own text, unredacted.",
        ),
    ] = False,
) -> None:
    """Check the settings, start the interceptors, and ask each server who it is and what tools it has.

    Nothing is served and nothing is written: interceptors that only observe, such as `audit`, are checked but not
    started. Exit code 0 if all is well, 1 if a server is not, 2 for a mistake in the settings.
    """
    from tidegate import logs  # noqa: PLC0415 - heavy
    from tidegate.loosening import loosened  # noqa: PLC0415 - heavy

    logs.setup("console", "error")  # what goes wrong with a server stands in the table
    settings, source = settings_of(file)
    interceptors, probes, images, secrets = _looked(settings, servers=not no_servers, shown=not as_json)
    loose = {name: each for name, server in settings.servers.items() if (each := loosened(server))}
    lacking = {name: said for name, server in settings.servers.items() if (said := secrets.lacks(server))}
    unserved = [name for name, server in settings.servers.items() if server.on_demand and not settings.gateway.dynamic]
    well = all(probe.ok for probe in probes.values()) and not lacking
    if as_json:
        output.dump(
            {
                "ok": well,
                "settings": source,
                "interceptors": [_described(item) for item in interceptors],
                "servers": [
                    _probed(settings, name, probe, images.get(name), stderr=stderr) for name, probe in probes.items()
                ],
                "lacking": lacking,
                "loosened": loose,
                "unserved": unserved,
            }
        )
    else:
        _print(settings, source, interceptors, probes)
        _print_images(images)
        _print_stderr(probes, shown=stderr)
        if no_servers and settings.servers:
            output.say(f"{output.counted(len(settings.servers), 'server')} not asked (--no-servers)")
            for name, said in lacking.items():
                output.say(f"{name}: {said}")
        _print_notes(loose, unserved)
    if not well:
        raise typer.Exit(output.NOT_WELL)


def _looked(settings: Settings, *, servers: bool, shown: bool) -> _Look:
    with output.Bar("Asking the servers", shown=shown) as bar:
        return drive(_look(settings, bar, servers=servers))


async def _look(settings: Settings, bar: output.Bar, *, servers: bool) -> _Look:
    import asyncio  # noqa: PLC0415 - heavy

    from tidegate import plugins, probe, serve, workers  # noqa: PLC0415 - heavy
    from tidegate.pipeline import Pipeline  # noqa: PLC0415 - heavy

    interceptors = plugins.load(settings)
    pipeline = Pipeline(judging(interceptors))
    try:
        await pipeline.start(settings)
        await pipeline.stop()
    finally:
        await workers.close()
    if not servers:
        return interceptors, {}, {}, pipeline.secrets
    free = asyncio.Semaphore(_AT_ONCE)

    bare = settings.model_copy(update={"interceptors": ()})
    async with serve.core_of(bare) as (core, client):

        async def ask(name: str) -> ProbeResult:
            async with free:
                found = await probe.probe(core, client, name)
            bar.step()
            return found

        bar.begin(len(settings.servers))
        found = await asyncio.gather(*(ask(name) for name in settings.servers))
        boxed = [name for name, server in settings.servers.items() if server.image is not None]
        images = {name: await _image(core, name) for name in boxed}
    return interceptors, dict(zip(settings.servers, found, strict=True)), images, pipeline.secrets


async def _image(core: Core, name: str) -> dict[str, Any]:
    """Return what there is to say about a server's image: see :meth:`tidegate.containers.trust.Trust.look`."""
    from tidegate.ends.pipe import PipeError  # noqa: PLC0415 - heavy

    assert core.boxes is not None
    try:
        return await core.boxes.image(name)
    except PipeError as error:
        return {"image": core.now.settings.servers[name].image, "detail": str(error)}


def judging(interceptors: list[Interceptor]) -> list[Interceptor]:
    """Return the interceptors that have a say; those that only observe write files a running Tidegate may hold."""
    return [item for item in interceptors if item.hooks.keys() & {"transform", "inspect", "decide"}]


def hooks_of(item: Interceptor) -> list[str]:
    """Return the message hooks that an interceptor implements, in the pipeline's order."""
    from tidegate.hookspecs import MESSAGE_HOOKS  # noqa: PLC0415 - heavy

    return [name for name in MESSAGE_HOOKS if name in item.hooks]


def _described(item: Interceptor) -> dict[str, Any]:
    entry = item.entry
    return {
        "name": item.name,
        "use": entry.use,
        "hooks": hooks_of(item),
        "required": entry.required,
        "report_only": entry.report_only,
        "when": {key: list(globs) for key, globs in entry.when if globs},
    }


def _probed(
    settings: Settings, name: str, probe: ProbeResult, image: dict[str, Any] | None, *, stderr: bool
) -> dict[str, Any]:
    from tidegate import loosening, sandbox  # noqa: PLC0415 - heavy

    return {
        "name": name,
        "kind": settings.servers[name].kind,
        "isolation": sandbox.isolation(settings.servers[name]),
        "streams": probe.streams or None,
        "loosened": loosening.loosened(settings.servers[name]),
        "ok": probe.ok,
        "detail": probe.detail,
        "protocol": probe.protocol,
        "server": probe.server,
        "tools": probe.tools,
        "elapsed_ms": round(probe.elapsed_ms, 1),
        "image": image,
    } | ({"stderr": probe.stderr} if stderr else {})


def _print(settings: Settings, source: str, interceptors: list[Interceptor], probes: dict[str, ProbeResult]) -> None:
    console = output.console()
    output.say(f"{source}: the settings are well; clients connect to http://{settings.proxy.listen}/mcp")
    rows = [
        (item.name, item.entry.use, ", ".join(hooks_of(item)), _applies(item), _flags(item)) for item in interceptors
    ]
    if rows:
        output.say()
        console.print(output.table(("interceptor", "use", "hooks", "for", ""), rows))
    else:
        output.say("No interceptors: everything passes, and nothing is recorded.")
    if not settings.servers:
        output.say("No servers: add a [servers.NAME] table.")
    if probes:
        output.say()
        console.print(
            output.table(
                ("server", "isolation", "says it is", "protocol", "tools", "ms", ""),
                [_row(settings, name, probe) for name, probe in probes.items()],
                right=("tools", "ms"),
            )
        )


def _print_images(images: dict[str, dict[str, Any]]) -> None:
    rows = []
    for name, said in images.items():
        signed = {True: "yes", False: "no", None: "not asked for"}[said.get("signed")]
        pinned = "yes" if said.get("pinned") else "no, a tag"
        present = {True: "yes", False: "no", None: "?"}[said.get("present")]
        rows.append((name, str(said["image"]), pinned, present, signed, said["detail"]))
    if rows:
        output.say()
        output.console().print(output.table(("server", "image", "pinned", "there", "signed", ""), rows))


def _print_notes(loose: dict[str, list[str]], unserved: list[str]) -> None:
    for name, sentences in loose.items():
        for sentence in sentences:
            output.say(f"{name}: {sentence}")
    for name in unserved:
        output.say(f"{name}: on_demand, but nobody can add it at the gateway: [gateway] dynamic is off")


def _print_stderr(probes: dict[str, ProbeResult], *, shown: bool) -> None:
    wrote = {name: probe.stderr for name, probe in probes.items() if probe.stderr}
    if wrote and not shown:
        output.say(f"What {', '.join(wrote)} wrote to standard error: tidegate check --stderr")
    for name, text in wrote.items() if shown else ():
        output.say(f"{name} wrote to its standard error:")
        for line in text.splitlines()[-_MOST_LINES:]:
            output.say(f"  {line}")


def _row(settings: Settings, name: str, probe: ProbeResult) -> tuple[Any, ...]:
    from rich.text import Text  # noqa: PLC0415 - heavy

    from tidegate import sandbox  # noqa: PLC0415 - heavy

    server = settings.servers[name]
    kind, elapsed = sandbox.isolation(server) or server.kind, f"{probe.elapsed_ms:.0f}"
    kind += f" ({probe.streams})" if probe.streams else ""
    if not probe.ok:
        return (name, kind, "", "", "", elapsed, Text(output.plain(probe.detail), style="red"))
    tools = "" if probe.tools is None else str(probe.tools)
    return (name, kind, probe.server or "", probe.protocol or "", tools, elapsed, Text("well", style="green"))


def _applies(item: Interceptor) -> str:
    parts = [f"{key} {' '.join(globs)}" for key, globs in item.entry.when if globs]
    return "; ".join(parts) or "every message"


def _flags(item: Interceptor) -> str:
    given = (("required", item.entry.required), ("report only", item.entry.report_only))
    return ", ".join(name for name, on in given if on)
