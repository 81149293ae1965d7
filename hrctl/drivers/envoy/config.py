"""The block of an envoy instance in hrctl.yaml. Imports pydantic: loaded only to validate."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hrctl.drivers.mesh.config import Listen
from hrctl.drivers.mesh.names import DEFAULT_LISTEN
from hrctl.model.kinds.base import Filled, HostPort, Spec


class EnvoyConfig(Spec):
    """Which Envoy the routes take effect in."""

    mode: Literal["embedded", "external"] = Field(
        "embedded", description="Whether hrctl runs its own Envoy or writes for one that is there."
    )
    listen: Listen = DEFAULT_LISTEN
    traces: HostPort | None = Field(
        None,
        description="An OTLP/HTTP receiver that spans of traced routes go to, host:port;"
        " embedded: beside that of hrctl itself.",
    )
    config_dir: Filled | None = Field(
        None, description="external: the folder that hrctl writes, its bootstrap.json included."
    )
    admin: Filled | None = Field(
        None, description="external: the admin address, host:port or the path of a unix socket."
    )

    @model_validator(mode="after")
    def _fields_of_the_mode(self) -> Self:
        given = [
            name
            for name, value in (("configDir", self.config_dir), ("admin", self.admin))
            if value is not None
        ]
        if self.mode == "embedded" and given:
            raise ValueError(f"{' and '.join(given)} belongs to mode external")
        if self.mode == "external" and len(given) != 2:  # noqa: PLR2004 - both
            raise ValueError("mode external needs configDir and admin")
        return self
