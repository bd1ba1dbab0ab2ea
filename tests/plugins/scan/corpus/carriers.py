"""Documents that secrets turn up in: code, logs, settings, Markdown, HTML, CSV, patches, dialogues.

Each is a text with a hole (``%%``), and a way to write what goes in there, so that the document stays well formed.
"""

# ruff: noqa: E501 - each text stands on its line as it comes, with \n for its line ends

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from plugins.scan.corpus.making import Made, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

HOLE = "%%"


def _as_is(text: str) -> str:
    return text


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _indented(prefix: str) -> Callable[[str], str]:
    return lambda text: text.replace("\n", f"\n{prefix}")


def _csv(text: str) -> str:
    return text.replace('"', '""')


class Carrier(NamedTuple):
    """A document with a hole.

    Attributes:
        id: its name.
        text: the document; ``%%`` is the hole.
        write: writes a text so that it may stand there.
        lines: whether a text of several lines may stand there.
    """

    id: str
    text: str
    write: Callable[[str], str] = _as_is
    lines: bool = True


CARRIERS = (
    Carrier("alone", "%%"),
    Carrier("alone-line", "%%\n"),
    Carrier("prose", "Hi <<word>>,\n\nas agreed, this is what the <<word>> job runs with:\n\n%%\n\nBest, <<word>>"),
    Carrier("python", 'import os\n\nTIMEOUT = 30\nSNIPPET = """\n%%\n"""\n\n\ndef main() -> None:\n    run(SNIPPET)\n'),
    Carrier("python-comment", "def connect(url: str) -> Client:\n    # %%\n    return Client(url, retries=3)\n", lines=False),
    Carrier("javascript", "import { run } from './<<word>>.js';\n\nconst text = `\n%%\n`;\nrun(text).catch(console.error);\n"),
    Carrier("javascript-comment", "/* eslint-disable */\n// %%\nmodule.exports = { port: 8080 };\n", lines=False),
    Carrier("go", "package main\n\nconst settings = `\n%%\n`\n\nfunc main() {\n\tload(settings)\n}\n"),
    Carrier("java", "public class Settings {\n    /*\n     %%\n     */\n    int port = 8443;\n}\n", _indented("     ")),
    Carrier("rust", 'fn main() {\n    let raw = r#"\n%%\n"#;\n    parse(raw);\n}\n'),
    Carrier("ruby", "CONFIG = <<~TEXT\n  %%\nTEXT\nputs CONFIG\n", _indented("  ")),
    Carrier("shell", "#!/bin/sh\nset -eu\ncat <<'END' > settings.local\n%%\nEND\n./run.sh\n"),
    Carrier("shell-history", " 1042  cd <<word>>\n 1043  %%\n 1044  git status\n", lines=False),
    Carrier("dockerfile", "FROM python:3.12-slim\nWORKDIR /app\n# %%\nRUN pip install .\n", lines=False),
    Carrier("log", "2025-03-14T09:26:53.589Z INFO <<word>>.worker - started\n2025-03-14T09:26:53.612Z DEBUG <<word>>.http - %%\n"
            "2025-03-14T09:26:54.001Z INFO <<word>>.worker - done in 412ms\n", lines=False),
    Carrier("syslog", "Mar 14 09:26:53 web-<<dig1>> app[<<dig4>>]: %%\nMar 14 09:26:53 web-1 app[811]: 200 GET /\n", lines=False),
    Carrier("log-dump", "2025-03-14 09:26:53,120 ERROR failed to load, content was:\n%%\n2025-03-14 09:26:53,121 INFO retrying\n"),
    Carrier("json-log", '{"level":"debug","ts":1741944413.5,"msg":"%%","caller":"<<word>>/client.go:88"}', _json),
    Carrier("json-lines", '{"level":"info","msg":"start"}\n{"level":"warn","msg":"%%"}\n', _json),
    Carrier("yaml", "version: 2\nname: <<word>>\nnotes: |\n  %%\nreplicas: 3\n", _indented("  ")),
    Carrier("env", "NODE_ENV=production\nPORT=8080\n%%\nLOG_LEVEL=warn\n"),
    Carrier("markdown", "# Runbook: <<word>>\n\n1. Open the console.\n2. Set this:\n\n```\n%%\n```\n\n3. Restart.\n"),
    Carrier("markdown-list", "## Notes\n\n- deploy on Monday\n- `%%`\n- ask <<word>>\n", lines=False),
    Carrier("markdown-table", "| what | value |\n|---|---|\n| prod | %% |\n| port | 443 |\n", lines=False),
    Carrier("html", "<!doctype html>\n<html><body>\n<h1>Wiki</h1>\n<pre><code>%%</code></pre>\n<p>Updated by <<word>></p>\n</body></html>\n"),
    Carrier("html-comment", '<div class="card">\n<!-- %% -->\n<p>Hello</p>\n</div>\n'),
    Carrier("csv", 'id,owner,note\n1,<<word>>,ok\n2,<<word>>,"%%"\n3,<<word>>,none\n', _csv),
    Carrier("patch", "diff --git a/app.conf b/app.conf\nindex <<hex7>>..<<hex7>> 100644\n--- a/app.conf\n+++ b/app.conf\n@@ -1,2 +1,3 @@\n debug=false\n+%%\n", lines=False),
    Carrier("traceback", 'Traceback (most recent call last):\n  File "app.py", line 12, in <module>\n    main()\nValueError: bad setting: %%\n', lines=False),
    Carrier("chat", "<<word>>: did it work?\n<<word>>: no, I tried\n%%\n<<word>>: let me look"),
    Carrier("xml", "<config>\n  <!-- generated -->\n  <note>%%</note>\n</config>\n"),
    Carrier("toml", 'title = "<<word>>"\n\n[notes]\ntext = \'\'\'\n%%\n\'\'\'\n'),
    Carrier("terminal", "$ cat settings\n%%\n$ echo $?\n0\n"),
    Carrier("http-dump", "> GET /v1/items HTTP/1.1\n> Host: <<host>>\n> Accept: */*\n> %%\n>\n< HTTP/1.1 200 OK\n", lines=False),
    Carrier("sql", "INSERT INTO notes (id, owner, body) VALUES (17, '<<word>>', '%%');\n", lambda text: text.replace("'", "''")),
    Carrier("tabs", "name\t<<word>>\nvalue\t%%\n", lines=False),
)  # fmt: skip
"""Every carrier."""


def carried(carrier: Carrier, random: Random, made: Made) -> Made:
    """Return a secret with its text written into a document.

    What has to be written differently there (quotes in a JSON text, line ends in an indented block) is, also within
    the secret, and the span says where it stands then.
    """
    before, after = say(random, carrier.text).split(HOLE)
    cuts = sorted({0, made.start, made.end, *made.whole, len(made.text)})
    at = {0: len(before)}
    text = before
    for low, high in pairwise(cuts):
        text += carrier.write(made.text[low:high])
        at[high] = len(text)
    text += after
    return Made(text, at[made.start], at[made.end], (at[made.whole[0]], at[made.whole[1]]))


def chosen(random: Random, made: Made) -> Carrier:
    """Return a carrier that a text may stand in; one of several lines fits into fewer."""
    several = "\n" in made.text.strip("\n")
    return random.choice([carrier for carrier in CARRIERS if carrier.lines or not several])
