"""`python -m conformance.client_through URL`: the reference client, with Tidegate between it and URL.

The suite starts this in place of a client. Its exit code is the reference client's; where Tidegate doesn't start or
doesn't end well, that is an error too.
"""

import asyncio
import sys

from conformance import reference_client
from support.proxy import running_tidegate


async def main(url: str) -> None:
    """Run the client against Tidegate's address instead of the one that it was given."""
    async with running_tidegate({"suite": {"url": url}}) as proxy:
        await reference_client.main(proxy.endpoint("suite"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[-1]))
