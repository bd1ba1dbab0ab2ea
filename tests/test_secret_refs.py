"""References to secrets in settings: what is one, and that nothing else shows in the sentence that refuses it."""

from pathlib import Path
from typing import Any

import pytest

from tidegate import settings
from tidegate.secret_stores import Secret
from tidegate.settings import ServerSettings, SettingsError

IMAGE = f"sha256:{1:064x}"
VALUE = "pa55word-that-nobody-may-see"


def built(**server: Any) -> ServerSettings:
    return settings.build({"servers": {"files": server}}, folder=Path("/nonexistent")).servers["files"]


def refused(**server: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        built(**server)
    assert VALUE not in str(caught.value)
    assert VALUE not in repr(caught.value.__cause__) + repr(caught.value.__context__)
    return str(caught.value)


def test_containers_get_files_and_processes_get_variables_unless_it_is_said() -> None:
    secrets = {"API_KEY": "secret:files-api-key"}
    assert built(image=IMAGE, secrets=secrets).delivery == "file"
    assert built(command=["c"], secrets=secrets).delivery == "env"
    assert built(command=["c"], secrets=secrets, secrets_as="file").delivery == "file"


@pytest.mark.requirement("secrets-stay-in")
@pytest.mark.parametrize(
    "value", [VALUE, f"secret:{VALUE} {VALUE}", f"env:{VALUE}", f"Secret:{VALUE}", "secret:", "secret:a/b"]
)
def test_a_value_that_is_no_reference_is_refused_without_being_shown(value: str) -> None:
    said = refused(image=IMAGE, secrets={"API_KEY": value})
    assert said.startswith("settings: servers.files: secrets.API_KEY: a value is secret:NAME")


@pytest.mark.requirement("secrets-stay-in")
def test_a_value_of_another_type_is_refused_without_being_shown() -> None:
    assert "input should be a valid string" in refused(image=IMAGE, secrets={"API_KEY": [VALUE]})


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"image": IMAGE, "secrets": {"API-KEY": "secret:a"}}, "a name is that of an environment variable"),
        ({"image": IMAGE, "secrets": {"A": "secret:a"}, "env": {"A": "b"}}, "env has A too"),
        ({"image": IMAGE, "secrets": {"A": "secret:a"}, "env": {"A_FILE": "b"}}, "env has A_FILE too"),
        ({"image": IMAGE, "secrets": {"A": "secret:a", "A_FILE": "secret:b"}}, "A_FILE says where its file is"),
        ({"image": IMAGE, "secrets_as": "file"}, "secrets_as has no meaning without secrets"),
        (
            {"command": ["c"], "secrets": {"A": "secret:a"}, "secrets_as": "plain-env"},
            'a process gets variables by "env"',
        ),
        ({"url": "https://h/", "secrets": {"A": "secret:a"}}, "secrets has no meaning for a server with url"),
        ({"url": "https://h/", "headers": {"A": "Bearer  secret:a"}}, "secret:NAME stands alone, or after one word"),
        ({"url": "https://h/", "headers": {"A": "x y secret:a"}}, "secret:NAME stands alone, or after one word"),
        ({"url": "https://h/", "headers": {"A": "secret:a/b"}}, "secret:NAME stands alone, or after one word"),
    ],
)
@pytest.mark.requirement("explicit-only")
def test_what_can_not_be_given_is_a_mistake(server: dict[str, Any], said: str) -> None:
    assert said in refused(**server)


def test_headers_may_refer_to_secrets_and_variables_alone_or_after_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCS_TOKEN", "from-the-environment")
    headers = {"A": "Bearer secret:docs", "B": "secret:docs", "C": "Bearer env:DOCS_TOKEN", "D": "my secret is x"}
    found = built(url="https://h/", headers=headers).resolved_headers({"docs": Secret(f"{VALUE}\n")}.__getitem__)
    assert found == {"a": f"Bearer {VALUE}", "b": VALUE, "c": "Bearer from-the-environment", "d": "my secret is x"}


@pytest.mark.requirement("secrets-stay-in")
def test_a_secret_of_many_lines_is_no_header_and_is_not_shown() -> None:
    server = built(url="https://h/", headers={"A": "secret:docs"})
    with pytest.raises(SettingsError) as caught:
        server.resolved_headers(lambda _: Secret(f"{VALUE}\n{VALUE}"))
    assert str(caught.value) == "headers.A: the secret docs is no plain text on one line"
