"""Envoy: listeners and clusters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hrctl.model.kinds.base import Count, Duration, Filled, HostPort, Name, Spec, Weight, choices
from hrctl.model.kinds.reference import Text


class ListenerRoute(Spec):
    """Which requests of a listener go to which cluster."""

    prefix: Filled = Field("/", description="How the path begins.")
    hosts: list[Filled] = Field([], description="Hosts that are asked for; none: any.")
    cluster: Name = Field(description="Where they go.")
    timeout: Duration | None = Field(None, description="How long a request may take.")


class Listener(Spec):
    """A listener."""

    name: Name = Field(description="Its name.")
    address: HostPort = Field(description="Where it listens, host:port.")
    protocol: Annotated[
        Literal["HTTP", "HTTP2", "TCP"], choices("HTTP/1.1", "HTTP/2 without TLS", "any stream")
    ] = Field("HTTP", description="What is spoken.")
    routes: list[ListenerRoute] = Field([], description="In order; the first that fits wins.")


class Endpoint(Spec):
    """A host of a cluster."""

    address: Text = Field(description="Where it is, host:port.")
    weight: Weight = Field(1, description="Its share.")
    priority: Count = Field(0, description="Higher ones serve only where lower ones fail.")


class Cluster(Spec):
    """A cluster."""

    name: Name = Field(description="Its name.")
    discovery: Annotated[
        Literal["STATIC", "STRICT_DNS", "LOGICAL_DNS"],
        choices("addresses", "all addresses of a name", "one address of a name"),
    ] = Field("STATIC", description="How hosts are found.")
    balance: Annotated[
        Literal["ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "RANDOM"],
        choices(
            "one after the other",
            "whichever has the fewest requests",
            "the same key always to the same host",
            "any",
        ),
    ] = Field("ROUND_ROBIN", description="How a host is chosen.")
    connect_timeout: Duration = Field("5s", description="How long a connection may take.")
    endpoints: list[Endpoint] = Field([], description="Its hosts.")


class Envoy(Spec):
    """What is managed in Envoy."""

    listeners: list[Listener] = Field([], description="Listeners.")
    clusters: list[Cluster] = Field([], description="Clusters.")
