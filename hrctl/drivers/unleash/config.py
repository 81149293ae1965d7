"""The block of an Unleash instance in hrctl.yaml. Imports pydantic: loaded only to validate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from hrctl.model.address import NAME
from hrctl.model.kinds.base import Broken, Filled, Ruled, Spec, VariableName, says

Url = Annotated[str, says(r"^https?://[^/?#@\s]+(/[^?#\s]*)?$", "a URL such as http://host:4242")]


ConfigAddress = Annotated[
    str,
    says(
        rf"^{NAME}(/{NAME})*:Config/{NAME}$",
        "the address of a Config, such as acme/shop:Config/unleash",
    ),
]


TagType = Annotated[
    str,
    says(
        r"^[A-Za-z0-9._~-]{2,50}$",
        "the type of a tag, 2 to 50 letters, digits and . _ ~ -",
    ),
]


class Source(Ruled):
    """A variable of the environment that hrctl runs in, or an entry of a Config."""

    env: VariableName | None = Field(None, description="The name of the variable.")
    config: ConfigAddress | None = Field(
        None, description="The address of a Config; `key` names a SECRET in it."
    )
    key: Filled | None = Field(None, description="A key of the Config.")

    def rules(self) -> Iterator[Broken]:
        """One of the two; a Config goes with a key."""
        if (self.env is None) == (self.config is None):
            yield Broken("valueFrom wants one of env and config", ())
        elif (self.config is None) != (self.key is None):
            wanted, given = ("key", "config") if self.key is None else ("config", "key")
            yield Broken(f"'{given}' in valueFrom needs '{wanted}'", (given,), at_key=True)


class Token(Spec):
    """Where the token is: never the token itself."""

    value_from: Source = Field(description="What holds it.")


class UnleashConfig(Ruled):
    """Which Unleash, and what registries are called there."""

    url: Url = Field(description="Where Unleash is, without /api.")
    token: Token = Field(description="A token for its Admin API, as a reference.")
    ca_file: Filled | None = Field(
        None,
        description="A PEM file of the authorities whose certificates count, from the project's "
        "folder on; else the system's.",
    )
    tags: list[TagType] = Field(
        [], description="Labels that stand as tags in Unleash: the label's key is the type."
    )
    projects: dict[Filled, Filled] = Field(
        {}, description="Unleash's project for a registry and those below it; else: default."
    )
    environments: dict[Filled, Filled] = Field(
        {
            "dev": "development",
            "development": "development",
            "prod": "production",
            "production": "production",
        },
        description="Unleash's environment for a level of the registry's path; the last counts.",
    )

    def rules(self) -> Iterator[Broken]:
        """The type of hrctl's own tags is no label's."""
        if "hrctl" in self.tags:
            yield Broken("'hrctl' is the type of hrctl's own tags", ("tags",), at_key=True)
