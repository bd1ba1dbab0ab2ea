"""Negatives: lock files, minified code, source maps, certificates and public keys."""

# ruff: noqa: E501 - each text stands on its line as it comes, with \n for its line ends

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from plugins.scan.corpus.families import family, templates
from plugins.scan.corpus.keys import armoured
from plugins.scan.corpus.making import ALPHABETS, WORDS, drawn, noise

if TYPE_CHECKING:
    from random import Random

templates(
    "npm-lock",
    '    "node_modules/<<word>>-<<word>>": {\n      "version": "<<nz1>>.<<dig1>>.<<dig1>>",\n      "resolved": "https://registry.npmjs.org/<<word>>/-/<<word>>-1.0.0.tgz",\n      "integrity": "sha512-<<noise64>>",\n      "license": "MIT"\n    },',
    repeat=(1, 5),
)
templates(
    "yarn-lock",
    '<<word>>-<<word>>@^<<nz1>>.0.0:\n  version "<<nz1>>.<<dig1>>.0"\n  resolved "https://registry.yarnpkg.com/<<word>>/-/<<word>>-1.0.0.tgz#<<hex40>>"\n  integrity sha512-<<noise64>>\n',
    repeat=(1, 5),
)
templates(
    "pnpm-lock",
    "  /<<word>>@<<nz1>>.<<dig1>>.0:\n    resolution: {integrity: sha512-<<noise64>>}\n    engines: {node: '>=18'}\n",
    repeat=(1, 5),
)
templates(
    "poetry-lock",
    '[[package]]\nname = "<<word>>"\nversion = "<<nz1>>.<<dig1>>.0"\nfiles = [\n    {file = "<<word>>-1.0.0-py3-none-any.whl", hash = "sha256:<<hex64>>"},\n    {file = "<<word>>-1.0.0.tar.gz", hash = "sha256:<<hex64>>"},\n]\n',
    repeat=(1, 4),
)
templates(
    "cargo-lock",
    '[[package]]\nname = "<<word>>"\nversion = "0.<<dig2>>.<<dig1>>"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "<<hex64>>"\n',
    repeat=(1, 5),
)
templates(
    "go-sum",
    "github.com/<<word>>/<<word>> v1.<<dig1>>.0 h1:<<noise32>>\ngithub.com/<<word>>/<<word>> v1.<<dig1>>.0/go.mod h1:<<noise32>>",
    repeat=(1, 6),
)
templates(
    "requirements-hashes",
    "<<word>>==<<nz1>>.<<dig1>>.0 \\\n    --hash=sha256:<<hex64>> \\\n    --hash=sha256:<<hex64>>",
    repeat=(1, 4),
)
templates(
    "gem-and-composer-lock",
    '            "dist": {"type": "zip", "url": "https://api.github.com/repos/<<word>>/<<word>>/zipball/<<hex40>>", "reference": "<<hex40>>", "shasum": ""},',
    "GEM\n  remote: https://rubygems.org/\n  specs:\n    <<word>> (7.1.<<dig1>>)\n\nCHECKSUMS\n  <<word>> (7.1.2) sha256=<<hex64>>",
)
templates(
    "nix-hashes",
    'hash = "sha256-<<noise32>>";',
    'sha256 = "<<low52>>";\nrev = "<<hex40>>";',
    "/nix/store/<<low32>>-<<word>>-1.0",
    repeat=(1, 4),
)
templates(
    "terraform-lock",
    'provider "registry.terraform.io/hashicorp/aws" {\n  version = "5.<<dig2>>.0"\n  hashes = [\n    "h1:<<noise32>>",\n    "zh:<<hex64>>",\n    "zh:<<hex64>>",\n  ]\n}',
)
templates(
    "ssh-public-keys",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI<<bs43>> <<word>>@<<word>>",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ<<bs498>>== <<word>>@example.com",
    "<<host>> ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABB<<bs87>>=",
    repeat=(1, 3),
)
templates(
    "age-and-wireguard-public",
    "age1<<bech58>>",
    "[Peer]\nPublicKey = <<noise32>>\nAllowedIPs = 10.8.0.<<nz1>>/32\nEndpoint = <<host>>:51820",
    "minisign public key: RW<<bs54>>",
)
templates(
    "dkim-and-dns",
    'selector1._domainkey IN TXT "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA<<bs340>>IDAQAB"',
    '<<word>>.example.com. 3600 IN TXT "google-site-verification=<<bu43>>"',
    "example.com. IN DNSKEY 257 3 13 <<noise64>>",
)
templates(
    "minified-css",
    ".<<az2>>{margin:0;padding:<<nz1>>px}.<<az3>>:hover{color:#<<hex3>>;transform:rotate(<<dig2>>deg)}@media(max-width:<<dig3>>px){.<<az2>>{display:none}}",
    repeat=(4, 14),
)
templates(
    "svg-paths",
    '<svg viewBox="0 0 24 24"><path d="M<<dig2>>.<<dig2>> <<dig1>>a<<dig1>>.<<dig2>> <<dig1>> 0 0 1-<<dig1>>.<<dig2>> <<dig1>>l-<<dig1>>.<<dig3>> <<dig1>>.<<dig2>>H<<dig2>>v-<<dig1>>z"/></svg>',
    repeat=(2, 6),
)


def _name(random: Random) -> str:
    return random.choice("etnrioasc") + random.choice("abcdefgh0123_$")


@family
def minified_js(random: Random) -> str:
    out = []
    for _ in range(random.randrange(8, 40)):
        one, two, three = _name(random), _name(random), _name(random)
        word, other = random.choice(WORDS), random.choice(WORDS)
        out.append(
            random.choice(
                (
                    f"function {one}({two},{three}){{return {two}.{word}?{three}({two}.{other}):null}}",
                    f"var {one}=0x{random.randrange(2**31):x},{two}={one}>>>{random.randrange(31)};",
                    f'e.exports={{{word}:"{other}",token:t.token,password:e.password}};',
                    f"if({one}.secret!=={two}.secret)throw Error(n({random.randrange(999)}));",
                    f'{one}.apiKey={two}.apiKey||"",{three}.{word}={one}({random.randrange(99)});',
                )
            )
        )
    return "".join(out)


@family
def source_map(random: Random) -> str:
    alphabet = ALPHABETS["bs"]
    mappings = ";".join(
        ",".join(drawn(random, alphabet, random.choice((4, 4, 5, 1))) for _ in range(12)) for _ in range(10)
    )
    return json.dumps(
        {"version": 3, "file": "app.js", "sources": ["src/a.ts"], "names": ["token", "secret"], "mappings": mappings}
    )


@family
def webassembly(random: Random) -> str:
    return (
        'const wasm = "'
        + base64.b64encode(b"\0asm\1\0\0\0" + random.randbytes(random.randrange(100, 900))).decode()
        + '";'
    )


@family
def font_face(random: Random) -> str:
    coded = base64.b64encode(b"wOF2\0\1\0\0" + random.randbytes(random.randrange(100, 900))).decode()
    return f"@font-face{{font-family:X;src:url(data:font/woff2;base64,{coded}) format('woff2')}}"


@family
def certificate(random: Random) -> str:
    content = bytes.fromhex("3082031030820 1f8a00302010202".replace(" ", "")) + random.randbytes(
        random.randrange(500, 1100)
    )
    return armoured(random.choice(("CERTIFICATE", "CERTIFICATE", "CERTIFICATE REQUEST", "X509 CRL")), content)


@family
def public_key_pem(random: Random) -> str:
    spki = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100") + random.randbytes(261)
    return armoured(random.choice(("PUBLIC KEY", "RSA PUBLIC KEY")), spki)


@family
def pgp_public_and_signature(random: Random) -> str:
    label = random.choice(("PGP PUBLIC KEY BLOCK", "PGP SIGNATURE"))
    return armoured(label, bytes.fromhex("9901") + random.randbytes(500), "\n")


@family
def ca_bundle_in_kubeconfig(random: Random) -> str:
    pem = armoured("CERTIFICATE", b"\x30\x82\x03\x10" + random.randbytes(700))
    data = base64.b64encode(pem.encode()).decode()
    return f"apiVersion: v1\nkind: Config\nclusters:\n- name: dev\n  cluster:\n    server: https://10.0.0.1:6443\n    certificate-authority-data: {data}\n"


@family
def jwks(random: Random) -> dict[str, object]:
    modulus = base64.urlsafe_b64encode(random.randbytes(256)).decode().rstrip("=")
    return {
        "keys": [
            {
                "kty": "RSA",
                "use": "sig",
                "alg": "RS256",
                "kid": drawn(random, ALPHABETS["bu"], 22),
                "n": modulus,
                "e": "AQAB",
            }
        ]
    }


@family
def csv_of_hashes(random: Random) -> str:
    rows = [
        f"{n},{random.choice(WORDS)},{drawn(random, ALPHABETS['hex'], 32)},{random.randrange(9999)}" for n in range(12)
    ]
    return "id,name,md5,size\n" + "\n".join(rows)


@family
def notebook_image_output(random: Random) -> str:
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + random.randbytes(600)).decode()
    cell = {"cell_type": "code", "execution_count": 2, "metadata": {}, "source": ["plot()"], "outputs": [
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": image}}]}  # fmt: skip
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


@family
def compressed_log(random: Random) -> str:
    return "attachment report.pdf: " + base64.b64encode(b"%PDF-1.7\n" + base64.b64decode(noise(random, 500))).decode()
