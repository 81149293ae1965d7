"""The block of a haproxy instance in hrctl.yaml. Imports pydantic: loaded only to validate."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hrctl.drivers.mesh.config import Listen
from hrctl.drivers.mesh.names import DEFAULT_LISTEN
from hrctl.model.kinds.base import Filled, Spec


class HaproxyConfig(Spec):
    """Which HAProxy the routes take effect in."""

    mode: Literal["embedded", "external"] = Field(
        "embedded", description="Whether hrctl runs its own HAProxy or changes one that is there."
    )
    listen: Listen = DEFAULT_LISTEN
    config: Filled | None = Field(
        None, description="external: the file that hrctl writes; it is one of those HAProxy loads."
    )
    check_with: list[Filled] = Field(
        [], description="external: the other files that HAProxy loads, which come before it."
    )
    socket: Filled | None = Field(
        None,
        description="external: its stats socket, of level admin; a path, or host:port.",
    )
    master: Filled | None = Field(
        None, description="external: the socket of its master process (haproxy -W -S PATH)."
    )
    reload: Annotated[list[Filled], Field(min_length=1)] | None = Field(
        None, description="external: in place of `master`, a command that reloads HAProxy."
    )

    @model_validator(mode="after")
    def _fields_of_the_mode(self) -> Self:
        names = ("config", "checkWith", "socket", "master", "reload")
        held = (self.config, self.check_with, self.socket, self.master, self.reload)
        given = [name for name, value in zip(names, held, strict=True) if value]
        if self.mode == "embedded" and given:
            raise ValueError(f"{' and '.join(given)} belongs to mode external")
        if self.mode == "external":
            if self.config is None or self.socket is None:
                raise ValueError("mode external needs config and socket")
            if (self.master is None) == (self.reload is None):
                raise ValueError("mode external needs either master or reload")
            if self.config in self.check_with:
                raise ValueError("checkWith has the other files, not config itself")
        return self
