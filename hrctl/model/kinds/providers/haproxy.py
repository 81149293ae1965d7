"""HAProxy: frontends, backends, servers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hrctl.model.kinds.base import Duration, Filled, Name, Spec, choices
from hrctl.model.kinds.reference import Text

Mode = Annotated[Literal["HTTP", "TCP"], choices("requests", "any stream")]


class Rule(Spec):
    """Which requests go to another backend."""

    when: Filled = Field(description="A condition, such as path_beg /api.")
    backend: Name = Field(description="Where they go.")


class Frontend(Spec):
    """A frontend."""

    name: Name = Field(description="Its name.")
    bind: Annotated[list[Filled], Field(min_length=1)] = Field(
        description="Where it listens, such as *:80."
    )
    mode: Mode = Field("HTTP", description="What it sees.")
    default_backend: Name = Field(description="Where requests go.")
    rules: list[Rule] = Field([], description="Which go elsewhere; the first that fits wins.")
    settings: dict[Filled, Text] = Field({}, description="Other directives.")


class Server(Spec):
    """A server of a backend."""

    name: Name = Field(description="Its name.")
    address: Text = Field(description="Where it is, host:port.")
    weight: Annotated[int, Field(ge=0, le=256)] = Field(100, description="Its share, 0 to 256.")
    check: bool = Field(default=True, description="Whether it is checked.")
    check_interval: Duration = Field("2s", description="From one check to the next.")
    backup: bool = Field(default=False, description="Whether it serves only in need.")


class Backend(Spec):
    """A backend."""

    name: Name = Field(description="Its name.")
    mode: Mode = Field("HTTP", description="What it sees.")
    balance: Annotated[
        Literal["ROUND_ROBIN", "LEAST_CONN", "SOURCE", "URI", "RANDOM"],
        choices("one after the other", "fewest connections", "by client", "by path", "any"),
    ] = Field("ROUND_ROBIN", description="How a server is chosen.")
    servers: list[Server] = Field([], description="Its servers.")
    settings: dict[Filled, Text] = Field({}, description="Other directives.")


class Haproxy(Spec):
    """What is managed in HAProxy."""

    frontends: list[Frontend] = Field([], description="Frontends.")
    backends: list[Backend] = Field([], description="Backends.")
