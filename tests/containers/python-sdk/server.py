"""A server as the Python SDK's documentation writes one: with threads, and with a program that it runs."""

import asyncio
import threading

from mcp.server import MCPServer

server = MCPServer("python-sdk")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


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
    server.run()
