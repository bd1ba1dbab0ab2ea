"""Negatives: prose, science, numbers, code, and the protocol's ordinary messages."""

# ruff: noqa: E501 - each text stands on its line as it comes, with \n for its line ends

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from plugins.scan.corpus.families import family, templates
from plugins.scan.corpus.making import WORDS, drawn, say, uuid4

if TYPE_CHECKING:
    from random import Random

templates(
    "prose",
    "The <<word>> team met on Tuesday. <<word>> will write the report about <<word>>, and the rest waits for <<word>>.",
    "It was raining over <<word>> when the <<word>> ran out of coal; nobody had thought of the <<word>>.",
    "Please summarise the <<word>> document in three sentences, and mention the <<word>>.",
    repeat=(1, 5),
)
templates(
    "other-scripts",
    "Сегодня на улице дождь, и <<word>> остался дома.",
    "東京の天気は晴れ、気温は<<dig2>>度です。",
    "اليوم هو الاثنين والطقس جميل <<word>>",
    "Ζεστός καιρός σήμερα στην Αθήνα.",
    "오늘은 날씨가 맑고 바람이 붑니다.",
    "👩‍👩‍👧‍👦 Família na praia 🏖️ com <<word>>",
    repeat=(1, 4),
)
templates(
    "long-words",
    "Donaudampfschifffahrtsgesellschaftskapitän und Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz",
    "pneumonoultramicroscopicsilicovolcanoconiosis, antidisestablishmentarianism, floccinaucinihilipilification",
    "AbstractSingletonProxyFactoryBeanConfigurationProvider",
    "InternalFrameInternalFrameTitlePaneInternalFrameTitlePaneMaximizeButtonPainter",
    "test_that_the_<<word>>_of_the_<<word>>_is_never_sent_to_the_<<word>>_again",
)
templates(
    "chess",
    "<<dig1>>. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba4 Nf6 5. O-O Be7 6. Re1 b5",
    "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 <<nz1>>",
    "r1bqkb1r/pp2pppp/2np1n2/8/3NP3/2N5/PPP2PPP/R1BQKB1R w KQkq - 2 <<nz1>>",
)
templates(
    "latex",
    "\\begin{equation}\n  \\int_0^{<<nz1>>} x^{<<nz1>>}\\,dx = \\frac{1}{<<nz1>>}\n\\end{equation}",
    "\\cite{<<word>><<dig4>>} shows that $\\alpha_{<<nz1>>} \\leq \\beta^{<<nz1>>}$ for all $n \\in \\mathbb{N}$.",
    "@article{<<word>><<dig4>>, doi={10.1000/<<dig6>>.<<dig4>>}, year={20<<dig2>>}}",
    repeat=(1, 3),
)
templates(
    "sql",
    "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.total > <<dig3>> ORDER BY o.created_at DESC LIMIT <<dig2>>;",
    "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, password_hash text NOT NULL, token_version int);",
    "ALTER TABLE sessions ADD COLUMN refresh_token_hash bytea;",
    "INSERT INTO <<word>> (id, code) VALUES (<<dig4>>, '<<up6>>');",
    repeat=(1, 4),
)
templates(
    "phone-numbers",
    "Call +49 30 <<dig8>> or (555) 010-<<dig4>>",
    "tel:+1-212-555-<<dig4>>",
    "Fax: 0<<dig3>> / <<dig6>>",
    repeat=(1, 5),
)
templates(
    "book-and-part-numbers",
    "ISBN 978-3-16-<<dig6>>-0",
    "ISSN <<dig4>>-<<dig4>>",
    "EAN <<dig13>>",
    "part no. <<up4>>-<<dig6>>-<<up2>>",
    "serial: <<up12>>",
    repeat=(2, 6),
)
templates(
    "bank-like-numbers",
    "invoice <<dig10>>, customer <<dig8>>, amount <<dig3>>.<<dig2>> EUR",
    "reference RF<<dig2>> <<dig4>> <<dig4>> <<dig4>>",
    "order #<<dig12>> shipped",
    "tracking 1Z<<up16>>",
    repeat=(1, 6),
)
templates(
    "coordinates-and-times",
    "52.<<dig6>>, 13.<<dig6>>",
    "epoch <<nz1>>7<<dig8>> (2025-03-14T09:26:53.<<dig6>>Z)",
    "geohash u33d<<low8>>",
    "POINT(13.<<dig6>> 52.<<dig6>>)",
    repeat=(2, 6),
)
templates(
    "file-paths",
    "/usr/lib/python3.12/site-packages/<<word>>/<<word>>_<<word>>.cpython-312-x86_64-linux-gnu.so",
    "C:\\Users\\<<word>>\\AppData\\Local\\Temp\\<<word>>-<<dig5>>.log",
    "/home/<<word>>/projects/<<word>>/src/main/java/com/example/<<word>>/PasswordResetTokenRepositoryImpl.java",
    "s3://<<word>>-exports/2025/03/14/part-<<dig5>>.parquet",
    repeat=(2, 8),
)
templates(
    "web-links",
    "https://www.example.com/<<word>>/<<word>>?utm_source=newsletter&utm_medium=email&utm_campaign=<<word>>",
    "https://en.wikipedia.org/wiki/<<word>>_(disambiguation)#References",
    "https://github.com/<<word>>/<<word>>/commit/<<hex40>>",
    "https://github.com/<<word>>/<<word>>/pull/<<dig4>>/files",
    "https://maps.example.com/?q=52.<<dig4>>,13.<<dig4>>&z=12",
    "https://cdn.example.com/img/<<hex32>>.jpg?w=640&h=480",
    repeat=(1, 5),
)
templates(
    "access-log",
    '10.0.0.<<dig2>> - - [14/Mar/2025:09:26:53 +0000] "GET /<<word>>/<<dig4>> HTTP/1.1" 200 <<dig5>> "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"',
    repeat=(2, 8),
)
templates(
    "stack-traces",
    "  File \"/app/<<word>>/<<word>>.py\", line <<dig3>>, in get_access_token\n    return self._token_cache[key]\nKeyError: '<<word>>'",
    "\tat com.example.<<word>>.TokenService.refreshToken(TokenService.java:<<dig3>>)\n\tat com.example.<<word>>.Main.main(Main.java:<<dig2>>)",
    "goroutine <<dig2>> [running]:\nmain.(*Secret).Load(0xc000<<hex6>>, {0x<<hex6>>, 0x<<hex2>>})",
    repeat=(1, 4),
)
templates(
    "assembly-and-addresses",
    "  40<<hex4>>: 48 89 e5  mov %rsp,%rbp",
    "0x00007f<<hex10>> in __libc_start_main () from /lib/libc.so.6",
    "rax: 0x<<hex16>> rbx: 0x<<hex16>>",
    "<<hex16>> T _ZN<<dig2>>_<<word>><<dig1>>E",
    repeat=(3, 8),
)
templates(
    "markdown-table",
    "| name | value | unit |\n|---|---|---|\n| <<word>> | <<dig3>>.<<dig2>> | ms |\n| <<word>> | <<dig2>> | MB/s |\n| tokens | <<dig5>> | - |",
)
templates(
    "emails-and-mentions",
    "From: <<word>>@example.com\nTo: <<word>>@example.org\nMessage-ID: <<<hex16>>.<<dig6>>@mail.example.com>\nSubject: <<word>>",
    "@<<word>> please review #<<dig4>> and !<<dig3>>",
    repeat=(1, 3),
)
templates(
    "url-encoded-text",
    "q=caf%C3%A9%20au%20lait%20%26%20<<word>>&lang=fr",
    "redirect_uri=https%3A%2F%2Fapp.example.com%2F<<word>>%2Fcallback&response_type=code&scope=openid%20profile",
    "%7B%22name%22%3A%22<<word>>%22%7D",
)
templates(
    "escaped-text",
    "Caf\\u00e9 \\u2014 <<word>> \\ud83d\\ude00",
    "&lt;p&gt;Tom &amp; Jerry&#39;s <<word>> &#8212; &#x2713;&lt;/p&gt;",
    "b'\\x89PNG\\r\\n\\x1a\\n\\x00\\x00'",
    "line one\\nline two\\ttab <<word>>",
)
templates(
    "ordinary-code",
    "def area(width: float, height: float) -> float:\n    return width * height\n",
    "for (const item of items.filter(Boolean)) {\n  total += item.price * item.count;\n}\n",
    "impl Iterator for <<word>> {\n    type Item = u8;\n    fn next(&mut self) -> Option<u8> { self.0.pop() }\n}\n",
    "SELECT 1;",
    "let key = keys.next().unwrap();\nmap.insert(key, value);\n",
    "if token.kind == TokenKind::Ident && self.peek() == '=' { self.advance(); }\n",
    "key = (row.tenant, row.id)\ncache[key] = value\n",
)
templates(
    "parser-tokens",
    "token = lexer.next_token()\nwhile token.type != EOF:\n    token = lexer.next_token()\n",
    "Unexpected token '<' at position <<dig3>>",
    "tokens: [IDENT(<<word>>), EQ, NUMBER(<<dig2>>), SEMI]",
    "input_ids: [101, <<dig4>>, <<dig4>>, <<dig4>>, 102]",
)
templates(
    "licence-texts",
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software (<<word>>).",
    "SPDX-License-Identifier: Apache-2.0\nCopyright 20<<dig2>> The <<word>> Authors",
)
templates(
    "crosswords",
    "ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "0123456789abcdef0123456789abcdef",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "The quick brown fox jumps over the lazy dog",
    "qwertyuiopasdfghjklzxcvbnm",
)


@family
def dna(random: Random) -> str:
    return (
        ">seq"
        + str(random.randrange(999))
        + "\n"
        + "\n".join(drawn(random, "ACGT", 70) for _ in range(random.randrange(2, 12)))
    )


@family
def protein(random: Random) -> str:
    rows = [drawn(random, "ACDEFGHIKLMNPQRSTVWY", 60) for _ in range(random.randrange(2, 8))]
    return f">sp|P{random.randrange(10000, 99999)}|{random.choice(WORDS).upper()}_HUMAN\n" + "\n".join(rows)


@family
def molecules(random: Random) -> str:
    first = random.choice(("CC(=O)OC1=CC=CC=C1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C1=CC=C(C=C1)C(=O)NCC(=O)O"))
    key = f"{drawn(random, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 14)}-{drawn(random, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 10)}-N"
    return f"SMILES: {first}\nInChIKey: {key}"


@family
def csv_numbers(random: Random) -> str:
    rows = [",".join(f"{random.gauss(0, 9):.4f}" for _ in range(6)) for _ in range(10)]
    return "a,b,c,d,e,f\n" + "\n".join(rows)


@family
def tool_definition(random: Random) -> dict[str, Any]:
    word = random.choice(WORDS)
    return {"tools": [{"name": f"{word}_login", "title": "Log in", "description": "Logs in with a user name and a password; returns a session token.",
        "inputSchema": {"type": "object", "required": ["username", "password"], "properties": {
            "username": {"type": "string"}, "password": {"type": "string", "description": "The user's password"},
            "api_key": {"type": "string", "description": "API key, if the server needs one (see Settings)"}}},
        "annotations": {"readOnlyHint": False}}]}  # fmt: skip


@family
def initialize_result(random: Random) -> dict[str, Any]:
    return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": True}, "logging": {}},
            "serverInfo": {"name": random.choice(WORDS), "version": f"1.{random.randrange(20)}.0"},
            "instructions": "Ask the user before anything is deleted. Never print tokens or passwords."}  # fmt: skip


@family
def session_members(random: Random) -> dict[str, Any]:
    return {"progressToken": uuid4(random), "cursor": str(random.randrange(9999)), "requestId": random.randrange(9999),
            "protocol": "2025-11-25", "taskId": uuid4(random), "status": "working"}  # fmt: skip


@family
def issue_list(random: Random) -> dict[str, Any]:
    return {"issues": [{"number": random.randrange(9999), "node_id": f"I_kwDO{drawn(random, 'ABCDEFGHabcdefgh0123456789', 18)}",
            "title": say(random, "Token refresh fails when <<word>> is down"), "labels": ["bug", "auth"],
            "html_url": say(random, "https://github.com/<<word>>/<<word>>/issues/<<dig4>>")} for _ in range(4)]}  # fmt: skip


@family
def weather(random: Random) -> dict[str, Any]:
    return {"city": random.choice(WORDS).title(), "temperature": round(random.uniform(-5, 30), 1), "conditions": "partly cloudy",
            "forecast": [{"day": day, "high": random.randrange(30)} for day in ("Mon", "Tue", "Wed")]}  # fmt: skip


@family
def geojson(random: Random) -> str:
    points = [[round(random.uniform(-180, 180), 6), round(random.uniform(-90, 90), 6)] for _ in range(12)]
    return json.dumps({"type": "Feature", "geometry": {"type": "LineString", "coordinates": points}, "properties": {}})


@family
def zero_width_prose(random: Random) -> str:
    text = say(
        random,
        "The <<word>> and the <<word>> are soft\u00adhy\u00adphen\u00adated, joined\u200d, and \u200fright to left\u200e.",
    )
    return text + " \uff26\uff55\uff4c\uff4c\uff57\uff49\uff44\uff54\uff48 \uff11\uff12\uff13"
