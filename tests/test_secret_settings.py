"""`[secrets]`: the stores, and what of the environment is theirs."""

from pathlib import Path
from typing import Any

import pytest

from tidegate import settings
from tidegate.secret_settings import SecretsSettings
from tidegate.settings import SettingsError


def built(*stores: dict[str, Any]) -> SecretsSettings:
    return settings.build({"secrets": {"stores": list(stores)}}, folder=Path("/nonexistent")).secrets


def test_a_store_is_called_as_it_says_or_as_what_it_is() -> None:
    found = built({"use": "file"}, {"use": "file", "name": "team", "path": "team.json"})
    assert [(store.called, store.config) for store in found.stores] == [("file", {}), ("team", {"path": "team.json"})]


def test_two_stores_of_one_name_are_a_mistake() -> None:
    with pytest.raises(SettingsError, match="two stores are called 'file'"):
        built({"use": "file"}, {"use": "file", "path": "b"})


def test_the_variables_that_stores_read_are_known() -> None:
    found = built(
        {"use": "encrypted", "key": "env:KEY"}, {"use": "vault", "token": "env:VAULT_TOKEN", "deep": [{"a": "env:B"}]}
    )
    assert found.variables() == {"KEY", "VAULT_TOKEN", "B"}
