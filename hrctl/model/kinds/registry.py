"""Registry: a level of the hierarchy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from hrctl.model.kinds.base import (
    Broken,
    Duration,
    Filled,
    Form,
    HostPort,
    KindName,
    Name,
    Ruled,
    Spec,
    choices,
    exactly_one,
    fault,
    one_of,
)

Level = Annotated[
    Literal["ROOT", "DOMAIN", "PROJECT", "ENVIRONMENT", "TENANT"],
    choices(
        "the top; exactly one in a project",
        "an area of the business",
        "a product or a team's work",
        "dev, staging, prod and the like",
        "one customer or unit within an environment",
    ),
]


class Deletion(Spec):
    """What deleting the registry takes along."""

    cascade: bool = Field(
        default=False, description="Whether registries and resources in it are deleted with it."
    )


class DnsDiscovery(Spec):
    """Nodes from DNS SRV records."""

    name: Filled = Field(description="The name to ask for, such as _grid._tcp.example.org.")
    server: HostPort | None = Field(
        None, description="The name server to ask; left out: that of the machine."
    )
    interval: Duration = Field("30s", description="How often to ask.")


class FileDiscovery(Spec):
    """Nodes from a file that another program writes."""

    path: Filled = Field(description="The file, from the project's root.")
    interval: Duration = Field("5s", description="How often to look.")


def _not_yet(value: Any) -> Any:
    if value is None:  # null removes what is inherited: there is nothing
        return None
    raise fault(
        "HR370", "{field} does nothing in this version of hrctl", hint="hrctl 0.2 will have it"
    )


Planned = Annotated[None, Form(_not_yet, {"not": {}, "errorMessage": "hrctl 0.2 will have it"})]


class Discovery(Ruled):
    """Where Nodes of this registry are found that nobody declares; exactly one source."""

    model_config = exactly_one("dns", "file")

    dns: DnsDiscovery | None = Field(None, description="DNS SRV records.")
    etcd: Planned = Field(None, description="Reserved: nothing reads keys of etcd yet.")
    file: FileDiscovery | None = Field(None, description="A file.")

    def rules(self) -> Iterator[Broken]:
        """One source."""
        yield from one_of(self, "discovery", ("dns", "file"))


class RegistrySpec(Spec):
    """A level of the hierarchy: what is declared below it inherits from it."""

    level: Level = Field(description="Its level; strictly deeper than its parent's.")
    description: str | None = Field(None, description="What it is, for people.")
    owner: Filled | None = Field(None, description="Who answers for it.")
    defaults: dict[KindName, dict[str, Any]] = Field(
        {}, description="Parts of specs by kind, inherited by every descendant; nearer wins."
    )
    drivers: dict[KindName, Name] = Field(
        {}, description="The driver instance for each kind, inherited likewise."
    )
    deletion: Deletion = Field(Deletion(), description="What deleting it takes along.")
    sync: Planned = Field(None, description="Reserved: nothing keeps it in step with a remote yet.")
    discovery: Discovery | None = Field(
        None, description="Where Nodes are found that nobody declares."
    )
    policies: Planned = Field(None, description="Reserved: nothing evaluates policies yet.")
