"""``[secrets]``: where the secrets are kept that servers are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidegate.settings_types import Model, Name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.server_settings import ServerSettings


class StoreSettings(BaseModel):
    """One entry of ``[[secrets.stores]]``; keys beyond these are the store's own settings."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    use: str = Field(
        description="The store: `file`, `encrypted`, `age`, `keyring`, `env`, `docker`, `vault`, or another that is "
        "installed."
    )
    name: Name | None = Field(None, description="What it is called; by default as in `use`.")

    @property
    def called(self) -> str:
        """What it is called."""
        return self.name or self.use

    @property
    def config(self) -> dict[str, Any]:
        """The store's own settings."""
        return dict(self.model_extra or {})


class SecretsSettings(Model):
    """``[secrets]``: the stores that are asked for a secret, the first one first; the first that has it gives it.

    A store that can't be asked ends the search: what a later one has may be out of date.
    """

    stores: tuple[StoreSettings, ...] = Field(
        (), description="The stores, in the order in which they are asked; by default one `file` in the user's folder."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [store.called for store in self.stores]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two stores are called {name!r}; give one of them another `name`")
        return self

    def variables(self) -> set[str]:
        """Return the environment variables that the stores' settings name as ``env:NAME``."""
        return {
            text.removeprefix("env:")
            for store in self.stores
            for text in _texts(store.config)
            if text.startswith("env:")
        }


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def loosened(server: ServerSettings) -> list[str]:
    """Return the sentences on what a server's settings give up."""
    if server.delivery == "plain-env" and server.secrets:
        return [f"its secrets are plain variables, which docker inspect shows: {', '.join(sorted(server.secrets))}"]
    return []
