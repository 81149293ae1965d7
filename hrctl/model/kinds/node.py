"""Node: a machine or process of the distributed grid."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hrctl.model.kinds.base import (
    Cores,
    Duration,
    Filled,
    HostPort,
    Size,
    Spec,
    Times,
    choices,
)
from hrctl.model.kinds.health import HealthCheck
from hrctl.model.kinds.units import tidy

# a node that is to get nothing is DRAINING or INACTIVE; parts of a whole number no proxy knows
Part = Annotated[float, Field(ge=1, le=1_000_000, multiple_of=1), AfterValidator(tidy)]


class Capacity(Spec):
    """What the node can carry."""

    cpu: Cores | None = Field(None, description="Processors.")
    memory: Size | None = Field(None, description="Memory, such as 64Gi.")
    storage: Size | None = Field(None, description="Storage, such as 2Ti.")
    connections: Times | None = Field(None, description="Connections at once.")


class NodeSpec(Spec):
    """A machine or process of the distributed grid."""

    type: Annotated[
        Literal["COMPUTE", "STORAGE", "GATEWAY", "WORKER", "COORDINATOR"],
        choices(
            "computes",
            "keeps data",
            "lets requests in",
            "takes jobs",
            "tells the others what to do",
        ),
    ] = Field(description="What the node is for.")
    address: HostPort = Field(description="Where it listens, host:port.")
    region: Filled | None = Field(None, description="The region it stands in.")
    zone: Filled | None = Field(None, description="The zone within the region.")
    weight: Part = Field(1, description="Its share of the work beside the others' weights.")
    capacity: Capacity | None = Field(None, description="What it can carry.")
    labels: dict[Filled, str] = Field({}, description="What affinity rules may look at.")
    state: Annotated[
        Literal["ACTIVE", "DRAINING", "INACTIVE"],
        choices("gets work", "gets nothing new, what runs may end", "gets nothing"),
    ] = Field("ACTIVE", description="The state that is wanted.")
    health_check: HealthCheck | None = Field(None, description="How to find out how it is.")
    drain_timeout: Duration = Field(
        "30s", description="How long a removal waits for its connections to end."
    )
