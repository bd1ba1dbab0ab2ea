"""What is outside of the tests' containers: a container with servers of TLS, HTTP and plain TCP, and a name server."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

PATIENCE = 60.0
TLS, HTTP, TCP = 8443, 8080, 5000

# Names, and the addresses they have; "" is the container itself.
NAMES = {
    "api.test": "",
    "other.test": "",
    "evil.test": "",
    "a.wild.test": "",
    "private.test": "10.9.9.9",
    "metadata.test": "169.254.169.254",
    "host.test": "172.17.0.1",
}

PROGRAM = """
import asyncio, json, socket, ssl, struct, sys, tempfile
certificate, key, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
here = socket.gethostbyname(socket.gethostname())

class Names(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, addr):
        name, at = [], 12
        while size := data[at]:
            name.append(data[at + 1 : at + 1 + size].decode())
            at += 1 + size
        kind, = struct.unpack_from(">H", data, at + 1)
        asked = ".".join(name).lower()
        print("asked " + asked, flush=True)
        found = names.get(asked)
        record = b""
        if found is not None and kind == 1:
            record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + socket.inet_aton(found or here)
        flags = 0x8180 if found is not None else 0x8183
        head = data[:2] + struct.pack(">HHHHH", flags, 1, bool(record), 0, 0)
        self.transport.sendto(head + data[12 : at + 5] + record, addr)

async def http(reader, writer):
    try:
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        body = head.split(b"\\r\\n")[0]
        writer.write(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()

async def tcp(reader, writer):
    writer.write(b"ready\\n")
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w") as both:
        both.write(certificate + key)
        both.flush()
        context.load_cert_chain(both.name)
    servers = [
        await asyncio.start_server(http, "0.0.0.0", 8443, ssl=context),
        await asyncio.start_server(http, "0.0.0.0", 8080),
        await asyncio.start_server(tcp, "0.0.0.0", 5000),
    ]
    await asyncio.get_running_loop().create_datagram_endpoint(Names, local_addr=("0.0.0.0", 53))
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@contextmanager
def outside(client: docker.DockerClient, image: str, files: tuple[Path, Path]) -> Iterator[tuple[str, str]]:
    """Run it on the default bridge; yield its address and its id."""
    made = client.containers.run(
        image,
        ["python", "-I", "-c", PROGRAM, files[0].read_text(), files[1].read_text(), json.dumps(NAMES)],
        detach=True,
        labels={"io.tidegate.test": "outside"},
    )
    try:
        begun = time.monotonic()
        while b"ready\n" not in made.logs():
            assert time.monotonic() - begun < PATIENCE
        made.reload()
        yield made.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"], str(made.id)
    finally:
        made.remove(force=True, v=True)
