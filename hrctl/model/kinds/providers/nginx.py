"""nginx: servers with locations, upstreams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from hrctl.model.kinds.base import (
    AtLeastOne,
    Broken,
    Count,
    Duration,
    Filled,
    Name,
    Ruled,
    Spec,
    choices,
    exactly_one,
    one_of,
)
from hrctl.model.kinds.reference import Text


class Location(Ruled):
    """What happens to a part of the paths; exactly one of proxyPass, root, respond."""

    model_config = exactly_one("proxyPass", "root", "respond")

    path: Filled = Field(description="The path.")
    match: Annotated[
        Literal["PREFIX", "EXACT", "REGEX"],
        choices("how it begins", "the whole of it", "a regular expression"),
    ] = Field("PREFIX", description="How the path is meant.")
    proxy_pass: Text | None = Field(None, description="Where requests go, such as http://api.")
    root: Filled | None = Field(None, description="The folder that files come from.")
    respond: Filled | None = Field(None, description="A status, with a text or URL after it.")
    headers: dict[Filled, Text] = Field({}, description="Headers that are set on the way.")
    settings: dict[Filled, Text] = Field({}, description="Other directives.")

    def rules(self) -> Iterator[Broken]:
        """One thing happens."""
        yield from one_of(self, "location", ("proxy_pass", "root", "respond"))


class Server(Spec):
    """A server block."""

    name: Name = Field(description="What hrctl calls it.")
    listen: Annotated[list[Filled], Field(min_length=1)] = Field(
        description="Where it listens, such as 80 or 443 ssl."
    )
    server_names: list[Filled] = Field([], description="Hosts that it answers for.")
    certificate: Filled | None = Field(None, description="The file of its certificate.")
    certificate_key: Filled | None = Field(None, description="The file of the certificate's key.")
    locations: list[Location] = Field([], description="Its locations, in order.")
    settings: dict[Filled, Text] = Field({}, description="Other directives.")


class UpstreamServer(Spec):
    """A server of an upstream."""

    address: Text = Field(description="Where it is, host:port.")
    weight: AtLeastOne = Field(1, description="Its share.")
    max_fails: Count = Field(1, description="Failures until it is left alone.")
    fail_timeout: Duration = Field("10s", description="For how long it is.")
    backup: bool = Field(default=False, description="Whether it serves only in need.")


class Upstream(Spec):
    """An upstream block."""

    name: Name = Field(description="Its name.")
    balance: Annotated[
        Literal["ROUND_ROBIN", "LEAST_CONN", "IP_HASH", "RANDOM"],
        choices(
            "one after the other",
            "whichever has the fewest connections",
            "the same client always to the same server",
            "any",
        ),
    ] = Field("ROUND_ROBIN", description="How a server is chosen.")
    servers: Annotated[list[UpstreamServer], Field(min_length=1)] = Field(
        description="Its servers."
    )
    keepalive: Count = Field(0, description="Idle connections that are kept.")


class Nginx(Spec):
    """What is managed in nginx."""

    servers: list[Server] = Field([], description="Server blocks.")
    upstreams: list[Upstream] = Field([], description="Upstream blocks.")
