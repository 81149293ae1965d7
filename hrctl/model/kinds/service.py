"""Service: processes that run and are watched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from hrctl.model.kinds.base import (
    Broken,
    Command,
    Cores,
    Count,
    Duration,
    Filled,
    Name,
    PortNumber,
    Ruled,
    Size,
    Spec,
    VariableName,
    choices,
)
from hrctl.model.kinds.health import HealthCheck
from hrctl.model.kinds.reference import Text

Type = Annotated[
    Literal["API", "WORKER", "PROCESSOR", "GATEWAY", "MESH", "DATABASE", "CACHE", "QUEUE"],
    choices(
        "answers requests",
        "takes jobs from a queue",
        "turns one stream of data into another",
        "stands between clients and other services",
        "carries traffic between services",
        "keeps data",
        "keeps copies of data for speed",
        "hands messages on",
    ),
]
State = Annotated[
    Literal["CREATED", "INSTALLED", "RUNNING", "STOPPED"],
    choices(
        "known, nothing done yet",
        "its install commands have run",
        "all replicas run and are healthy",
        "installed, no replica runs",
    ),
]
Protocol = Annotated[
    Literal["HTTP", "HTTPS", "GRPC", "TCP", "UDP"],
    choices("plain HTTP", "HTTP over TLS", "gRPC", "any stream", "datagrams"),
]


class Port(Spec):
    """A port that the service listens on; replica i listens on this number + i."""

    name: Name = Field(description="What references and routes call it.")
    port: PortNumber = Field(description="The number, of the first replica.")
    protocol: Protocol = Field("HTTP", description="What is spoken there.")


class Install(Spec):
    """What has to be done once before it can run."""

    commands: list[Command] = Field([], description="Run in order; each must end with 0.")
    creates: Filled | None = Field(
        None, description="A path that exists once it is installed: the commands are then skipped."
    )


class Restart(Spec):
    """What happens when a process ends by itself."""

    policy: Annotated[
        Literal["always", "on-failure", "never"],
        choices("start it again", "only where it ended with an error", "leave it"),
    ] = Field("always", description="Whether to start it again.")
    backoff: Duration = Field("1s", description="How long to wait first; doubled each time.")


class Resources(Spec):
    """What one replica may use."""

    cpu: Cores | None = Field(None, description="Processors, such as 0.5 or 500m.")
    memory: Size | None = Field(None, description="Memory, such as 512Mi.")


class Logs(Spec):
    """What is kept of its output."""

    keep: Count = Field(1000, description="Lines kept for each replica.")


class ServiceSpec(Ruled):
    """Processes that run and are watched."""

    type: Type = Field(description="What sort of service it is.")
    state: State = Field("RUNNING", description="The state that is wanted.")
    version: Filled | None = Field(None, description="The version of what runs.")
    install: Install | None = Field(None, description="What is done once before it can run.")
    command: Command | None = Field(
        None, description="The program and its arguments; a list is joined with shell quoting."
    )
    working_directory: Filled | None = Field(
        None, description="Where the command runs, from the project's root."
    )
    env: dict[VariableName, Text] = Field({}, description="Its environment.")
    replicas: Annotated[int, Field(ge=0, le=10_000)] = Field(
        1, description="How many processes run side by side."
    )
    ports: list[Port] = Field([], description="Where it listens; the first is its endpoint.")
    health_check: HealthCheck | None = Field(
        None, description="How to find out that it is healthy; without one, running is enough."
    )
    restart: Restart = Field(Restart(), description="What happens when a process ends by itself.")
    resources: Resources | None = Field(None, description="What one replica may use.")
    logs: Logs = Field(Logs(), description="What is kept of its output.")
    stop_timeout: Duration = Field(
        "10s", description="From the polite signal to the one that cannot be ignored."
    )

    def rules(self) -> Iterator[Broken]:
        """Ports do not collide."""
        names: set[str] = set()
        numbers: set[tuple[str, int]] = set()
        for index, port in enumerate(self.ports):
            socket = ("udp" if port.protocol == "UDP" else "tcp", port.port)
            if port.name in names:
                yield Broken(
                    f"two ports are named '{port.name}'", ("ports", index, "name"), (("ports",),)
                )
            if socket in numbers:
                yield Broken(
                    f"two ports have the number {port.port}",
                    ("ports", index, "port"),
                    (("ports",),),
                )
            names.add(port.name)
            numbers.add(socket)
