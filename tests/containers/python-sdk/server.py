"""A server as the Python SDK's documentation writes one: with threads, and with a program that it runs."""

import asyncio
import sys
import threading

from mcp.server import MCPServer

server = MCPServer("python-sdk")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def echo(text: str) -> str:
    """Say a text."""
    return text


@server.tool()
def threads() -> int:
    """Count in four threads."""
    found: list[int] = []
    workers = [threading.Thread(target=found.append, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(found)


@server.tool()
async def program() -> str:
    """Run another program, without a shell."""
    process = await asyncio.create_subprocess_exec("python", "-c", "print('ran')", stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return said.decode().strip()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["streamable-http"]:
            server.run(transport="streamable-http", host="0.0.0.0", port=8000)
        case ["sse"]:
            server.run(transport="sse", host="0.0.0.0", port=8000)
        case _:
            server.run()
