"""The block of a supervisor instance in hrctl.yaml. Imports pydantic: loaded only to validate."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hrctl.model.kinds.base import Filled, Spec, VariableName


class Variable(Spec):
    """A variable of the environment that hrctl runs in."""

    env: VariableName = Field(description="Its name.")


class Password(Spec):
    """Where the password is: never the password itself."""

    value_from: Variable = Field(description="The variable that holds it.")


class SupervisorConfig(Spec):
    """Which supervisord runs the services."""

    mode: Literal["embedded", "external"] = Field(
        "embedded", description="Whether hrctl runs its own supervisord or uses one that is there."
    )
    socket: Filled | None = Field(None, description="external: the unix socket that it listens on.")
    config_dir: Filled | None = Field(
        None, description="external: a folder whose *.conf files its [include] section names."
    )
    username: Filled | None = Field(None, description="external: who to log in as.")
    password: Password | None = Field(None, description="external: the password, as a reference.")

    @model_validator(mode="after")
    def _fields_of_the_mode(self) -> Self:
        external = {
            "socket": self.socket,
            "configDir": self.config_dir,
            "username": self.username,
            "password": self.password,
        }
        if self.mode == "embedded":
            given = [name for name, value in external.items() if value is not None]
            if given:
                raise ValueError(f"{', '.join(given)} belongs to mode external")
        elif self.socket is None or self.config_dir is None:
            raise ValueError("mode external needs socket and configDir")
        elif (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self
