"""Health checks, the same for every kind that has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from hrctl.model.kinds.base import (
    Broken,
    Command,
    Form,
    Lasting,
    Ruled,
    Times,
    exactly_one,
    fault,
    one_of,
    says,
    wrong_type,
)

_PORTS = range(1, 65536)


def _tcp(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise wrong_type("a port", value)
    number = int(value) if str(value).isdecimal() else value
    if value == "" or (isinstance(number, int) and number not in _PORTS):
        raise fault(
            "HR024",
            f"bad value '{value}' for {{field}}",
            note="a port is a number, a name or host:port",
        )
    return str(value)


Port = Annotated[
    str,
    Form(
        _tcp,
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "minLength": 1},
            ]
        },
    ),
]


Page = Annotated[
    str,
    says(r"^(/[!-~]*|https?://[!-~]+)$", "a path such as /healthz, or a whole URL"),
]


class HealthCheck(Ruled):
    """How to find out whether something is well; exactly one of http, tcp, command."""

    model_config = exactly_one("http", "tcp", "command")

    http: Page | None = Field(
        None, description="A path on the first port, such as /healthz, or a whole URL; 2xx is well."
    )
    tcp: Port | None = Field(
        None, description="A port (number, name or host:port) that must accept a connection."
    )
    command: Command | None = Field(None, description="A command that must end with 0.")
    interval: Lasting = Field("10s", description="From one check to the next.")
    timeout: Lasting = Field("2s", description="How long one check may take.")
    healthy_threshold: Times = Field(1, description="Successes in a row until it is well.")
    unhealthy_threshold: Times = Field(3, description="Failures in a row until it is not.")

    def rules(self) -> Iterator[Broken]:
        """One way to check."""
        yield from one_of(self, "healthCheck", ("http", "tcp", "command"))
