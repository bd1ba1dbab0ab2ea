"""Negatives: hashes, ids, digests and other values that are random but no secrets."""

# ruff: noqa: E501 - each text stands on its line as it comes, with \n for its line ends

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from plugins.scan.corpus.families import family, templates
from plugins.scan.corpus.making import ALPHABETS, drawn, noise, say, uuid4

if TYPE_CHECKING:
    from random import Random

templates(
    "git-log",
    "commit <<hex40>>\nAuthor: <<word>> <<<word>>@example.com>\nDate:   Fri Mar 14 09:26:53 2025 +0100\n\n    Fix <<word>> in <<word>>\n",
    "<<hex7>> Add <<word>> to <<word>>",
    "<<hex40>>\trefs/heads/<<word>>/<<word>>",
    repeat=(3, 12),
)
templates(
    "git-diff-index",
    "diff --git a/src/<<word>>.py b/src/<<word>>.py\nindex <<hex10>>..<<hex10>> 100644\n--- a/src/<<word>>.py\n+++ b/src/<<word>>.py\n-    return <<dig2>>\n+    return <<dig3>>",
    "100644 blob <<hex40>>    <<word>>/<<word>>.rs",
    repeat=(2, 6),
)
templates(
    "uuids", "<<uuid>>", "id: <<uuid>>", '{"id": "<<uuid>>", "name": "<<word>>"}', "urn:uuid:<<uuid>>", repeat=(3, 12)
)
templates(
    "etags",
    'ETag: "<<hex32>>"\nLast-Modified: Fri, 14 Mar 2025 09:26:53 GMT',
    'etag: W/"<<hex4>>-<<bs27>>"\ncache-control: public, max-age=600',
    'If-None-Match: "<<hex40>>"',
)
templates(
    "docker-digests",
    "registry.example.com/<<word>>/<<word>>@sha256:<<hex64>>",
    "FROM python:3.12-slim@sha256:<<hex64>>",
    "<<hex12>>: Pull complete\nDigest: sha256:<<hex64>>\nStatus: Downloaded newer image for <<word>>:latest",
    "CONTAINER ID <<hex12>> IMAGE sha256:<<hex64>> STATUS Up 3 hours",
    repeat=(1, 4),
)
templates(
    "checksum-files",
    "<<hex64>>  <<word>>-1.<<dig1>>.0-linux-amd64.tar.gz",
    "<<hex128>>  <<word>>.iso",
    "<<hex32>> *<<word>>.zip",
    "SHA256 (<<word>>.tgz) = <<hex64>>",
    repeat=(2, 8),
)
templates(
    "hashes-in-logs",
    "2025-03-14T09:26:53Z INFO stored object <<hex64>> in 12ms",
    "[<<dig6>>] cache miss for key <<hex32>> (size=<<dig4>>)",
    "DEBUG chunk sha1=<<hex40>> offset=<<dig6>> dedup=true",
    "build <<hex12>> finished, artifact md5 <<hex32>>",
    repeat=(2, 10),
)
templates(
    "trace-ids",
    "traceparent: 00-<<hex32>>-<<hex16>>-01",
    'trace_id=<<hex32>> span_id=<<hex16>> msg="GET /<<word>>" status=200',
    "X-Request-Id: <<uuid>>\nX-B3-TraceId: <<hex32>>\nX-B3-SpanId: <<hex16>>",
    "X-Amzn-Trace-Id: Root=1-<<hex8>>-<<hex24>>;Sampled=1",
    "Correlation-Id: <<an22>>",
    repeat=(1, 5),
)
templates(
    "object-ids",
    "ObjectId('<<hex24>>')",
    '{"_id": {"$oid": "<<hex24>>"}, "n": <<nz1>>}',
    "cuid: c<<low24>>",
    "01H<<up23>>",
    repeat=(2, 8),
)
templates(
    "colours",
    "--<<word>>: #<<hex6>>;",
    ".<<word>> { color: #<<hex3>>; background: #<<hex6>>80; }",
    "palette: ['#<<hexu6>>', '#<<hexu6>>', '#<<hexu6>>']",
    repeat=(3, 12),
)
templates(
    "mac-addresses",
    "eth<<dig1>>: <<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>",
    "<<hexu2>>-<<hexu2>>-<<hexu2>>-<<hexu2>>-<<hexu2>>-<<hexu2>> dynamic",
    repeat=(2, 8),
)
templates(
    "ipv6",
    "inet6 2001:db8:<<hex4>>:<<hex4>>:<<hex4>>:<<hex4>>:<<hex4>>:<<hex4>>/64 scope global",
    "fe80::<<hex4>>:<<hex4>>:<<hex4>>:<<hex4>>%eth0",
    repeat=(2, 6),
)
templates(
    "ssh-fingerprints",
    "256 SHA256:<<bs43>> <<word>>@<<word>> (ED25519)",
    "The authenticity of host '<<host>>' can't be established.\nED25519 key fingerprint is SHA256:<<bs43>>.",
    "2048 MD5:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>>:<<hex2>> root (RSA)",
)
templates(
    "cloud-ids",
    "arn:aws:ec2:eu-west-1:<<dig12>>:instance/i-0<<hex16>>",
    "vpc-0<<hex16>> subnet-0<<hex16>> sg-0<<hex16>> ami-0<<hex16>>",
    "arn:aws:secretsmanager:us-east-1:<<dig12>>:secret:prod/<<word>>-<<an6>>",
    "/subscriptions/<<uuid>>/resourceGroups/<<word>>/providers/Microsoft.KeyVault/vaults/<<word>>",
    "projects/<<word>>-prod/secrets/<<word>>/versions/<<nz1>>",
    "arn:aws:kms:eu-central-1:<<dig12>>:key/<<uuid>>",
    repeat=(1, 5),
)
templates(
    "blockchain",
    "block <<dig8>> hash 0x<<hex64>>",
    "tx 0x<<hex64>> from 0x<<hex40>> to 0x<<hex40>> value 0.<<dig3>>",
    "address: bc1q<<bech38>>",
    repeat=(1, 5),
)
templates(
    "semver-and-builds",
    "<<word>> <<nz1>>.<<dig1>>.<<dig2>>-rc.<<nz1>>+<<hex7>>",
    "v0.0.0-20250314092653-<<hex12>>",
    "<<word>>==<<nz1>>.<<dig1>>.<<dig1>>.dev<<dig3>>+g<<hex8>>",
    repeat=(2, 8),
)
templates(
    "video-and-short-ids",
    "https://video.example.com/watch?v=<<bu11>>",
    "https://short.example.com/<<an7>>",
    "https://docs.example.com/document/d/<<bu44>>/edit",
    "https://www.figma.example/file/<<an22>>/<<word>>",
    repeat=(1, 4),
)
templates(
    "cache-names",
    "/assets/<<word>>.<<hex20>>.js",
    '<link rel="stylesheet" href="/static/<<word>>-<<bu8>>.css">',
    "_next/static/chunks/<<dig3>>-<<hex16>>.js",
    "~/.cache/<<word>>/<<hex2>>/<<hex62>>",
    repeat=(2, 8),
)
templates(
    "hex-dump",
    "<<hex8>>: <<hex4>> <<hex4>> <<hex4>> <<hex4>> <<hex4>> <<hex4>> <<hex4>> <<hex4>>  ................",
    repeat=(4, 12),
)
templates(
    "csp-nonces",
    "Content-Security-Policy: script-src 'nonce-<<bs22>>==' 'strict-dynamic'",
    "script-src 'sha256-<<bs43>>=' 'self'",
    '<script src="/app.js" integrity="sha384-<<bs64>>" crossorigin="anonymous"></script>',
)
templates(
    "websocket-handshake",
    "Sec-WebSocket-Key: <<noise16>>\nSec-WebSocket-Version: 13",
    "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nSec-WebSocket-Accept: <<noise20>>",
)
templates(
    "kubernetes-names",
    "<<word>>-<<hex10>>-<<low5>>   1/1   Running   0   3d",
    'pod/<<word>>-<<word>>-<<hex9>>-<<low5>> created\nuid: <<uuid>>\nresourceVersion: "<<dig8>>"',
    repeat=(2, 6),
)
templates(
    "pagination-cursors",
    "https://api.example.com/items?limit=50&page=<<dig2>>&sort=-created",
    '{"next_page": <<dig2>>, "has_more": true, "total": <<dig4>>}',
    'Link: <https://api.example.com/repos?page=3>; rel="next"',
)


@family
def base64_image(random: Random) -> str:
    head = random.choice((b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"GIF89a\x20\0\x20\0"))
    kind = {0x89: "png", 0xFF: "jpeg", 0x47: "gif"}[head[0]]
    coded = base64.b64encode(head + random.randbytes(random.randrange(200, 1500))).decode()
    return random.choice(
        (f"![logo](data:image/{kind};base64,{coded})", f'<img src="data:image/{kind};base64,{coded}">', coded)
    )


@family
def base64_text(random: Random) -> str:
    text = say(
        random,
        "The <<word>> <<word>> was moved to the <<word>> on Monday; see the <<word>> page for what changed. "
        * random.randrange(1, 5),
    )
    return base64.b64encode(text.encode()).decode()


@family
def base64_binary(random: Random) -> str:
    return f"payload ({random.randrange(100, 999)} bytes): {noise(random, random.randrange(60, 600))}"


@family
def embedding_vector(random: Random) -> str:
    return "[" + ", ".join(f"{random.uniform(-1, 1):.8f}" for _ in range(random.randrange(8, 64))) + "]"


@family
def uuid_map(random: Random) -> dict[str, object]:
    return {"rows": {uuid4(random): {"parent": uuid4(random), "n": random.randrange(100)} for _ in range(6)}}


@family
def digest_fields(random: Random) -> dict[str, object]:
    def digits(n: int) -> str:
        return drawn(random, ALPHABETS["hex"], n)

    return {
        "sha": digits(40),
        "tree": {"sha": digits(40)},
        "checksum": f"sha256:{digits(64)}",
        "etag": digits(32),
        "revision": digits(12),
    }
