"""The block of an envoy instance in hrctl.yaml. Imports pydantic: loaded only to validate."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hrctl.drivers.mesh.names import is_ip, split_address
from hrctl.model.kinds.base import Filled, HostPort, Spec


class EnvoyConfig(Spec):
    """Which Envoy the routes take effect in."""

    mode: Literal["embedded", "external"] = Field(
        "embedded", description="Whether hrctl runs its own Envoy or writes for one that is there."
    )
    listen: HostPort = Field(
        "127.0.0.1:10000", description="Where routes listen that do not say so, host:port."
    )
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

    @field_validator("listen")
    @classmethod
    def _at_a_number(cls, listen: str) -> str:
        host = split_address(listen)[0]
        if host != "localhost" and not is_ip(host):
            raise ValueError("must name a number, such as 127.0.0.1 or 0.0.0.0, not a host")
        return listen

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
