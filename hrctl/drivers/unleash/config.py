"""The block of an Unleash instance in hrctl.yaml. Imports pydantic: loaded only to validate."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hrctl.model.kinds.base import Filled, Spec, VariableName, says

Url = Annotated[str, says(r"^https?://[^/?#@\s]+(/[^?#\s]*)?$", "a URL such as http://host:4242")]


class Variable(Spec):
    """A variable of the environment that hrctl runs in."""

    env: VariableName = Field(description="Its name.")


class Token(Spec):
    """Where the token is: never the token itself."""

    value_from: Variable = Field(description="The variable that holds it.")


class UnleashConfig(Spec):
    """Which Unleash, and what registries are called there."""

    url: Url = Field(description="Where Unleash is, without /api.")
    token: Token = Field(description="A token for its Admin API, as a reference.")
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
