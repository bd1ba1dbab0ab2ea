"""What a change shows, and what it doesn't."""

import json

import pytest

from tidegate.clients import differing
from tidegate.clients.edits import Format

HUSH = "hush-4711"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", f'{{"env": {{"API_KEY": "{HUSH}"}}}}'),
        ("json", f'{{"env": {{"API_KEY":\n  "{HUSH}"}}}}'),
        ("json", f'{{"headers": {{"X-Odd": "{HUSH}"}}}}'),
        ("json", f'{{"headers": {{"Authorization": "Bearer {HUSH}"}}}}'),
        ("json", f'{{"args": ["--token", "{HUSH}"]}}'),
        ("json", f'{{"args": ["--token={HUSH}"]}}'),
        ("json", f'{{"args": [\n  "--api-key",\n  "{HUSH}"\n]}}'),
        ("json", f'{{"password": "{HUSH}"'),  # no JSON at all
        ("toml", f"env = {{ MY_SECRET = '{HUSH}' }}"),
        ("toml", f'http_headers = {{ "X-Odd" = "{HUSH}" }}'),
        ("toml", f'[a.http_headers]\nX-Odd = "{HUSH}"'),
        ("yaml", f"envs:\n  GITHUB_TOKEN: {HUSH}"),
        ("yaml", f"envs: {{GITHUB_TOKEN: {HUSH}, A: b}}"),
        ("yaml", f"args:\n- --token\n- {HUSH}"),
        ("yaml", f"headers:\n  X-Odd: >-\n    {HUSH}"),
    ],
)
def test_secrets_are_not_shown_wherever_they_stand(kind: Format, text: str) -> None:
    for before, after in ((text, ""), ("", text), (text, f"\n{text}")):
        shown = "\n".join(differing.lines(before, after, "f", kind))
        assert HUSH not in shown
        assert len(shown.splitlines()) > 3


@pytest.mark.parametrize(
    "value", ["${env:KEY}", "Bearer ${KEY}", "{env:KEY}", "secret:name", "Bearer secret:name", "$KEY", ""]
)
def test_references_are_shown(value: str) -> None:
    text = json.dumps({"headers": {"Authorization": value}})
    assert json.dumps(value) in "\n".join(differing.lines("", text, "f", "json"))


def test_what_is_no_secret_is_shown() -> None:
    text = (
        '{"command": "npx", "args": ["-y", "--port", "80"], "env": {"LOG": "info"}, "url": "http://127.0.0.1:8811/mcp"}'
    )
    assert f"+{text}" in list(differing.lines("", text, "f", "json"))
