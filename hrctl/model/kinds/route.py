"""Route: how requests find their way through the mesh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from hrctl.model.kinds import conditions
from hrctl.model.kinds.base import (
    Broken,
    Duration,
    Filled,
    HostPort,
    Lasting,
    Name,
    Percent,
    Ruled,
    Spec,
    Times,
    UpTo32Bits,
    Weight,
    choices,
    exactly_one,
    one_of,
)
from hrctl.model.kinds.conditions import is_or_left_out, needed, refused, typed, when
from hrctl.model.kinds.conditions import one_of as has_one_of
from hrctl.model.kinds.health import HealthCheck
from hrctl.model.kinds.reference import Target
from hrctl.model.kinds.requests import Header, Host, Match
from hrctl.model.kinds.split import TrafficSplit


class Affinity(Ruled):
    """A rule that chooses nodes."""

    model_config = conditions.rules(
        when(has_one_of("operator", "exists"), typed("values", {"maxItems": 0})),
        when(has_one_of("operator", "in"), typed("values", {"minItems": 1})),
        when(
            is_or_left_out("operator", "eq", "ne"), typed("values", {"minItems": 1, "maxItems": 1})
        ),
        when(is_or_left_out("operator", "eq", "ne", "in"), needed("values")),
    )

    key: Filled = Field(description="type, region, zone, or a label.")
    operator: Annotated[
        Literal["eq", "ne", "in", "exists"],
        choices("is the value", "is not the value", "is one of the values", "is there at all"),
    ] = Field("eq", description="How it is compared.")
    values: list[str] = Field([], description="What it is compared with.")

    def rules(self) -> Iterator[Broken]:
        """As many values as the operator wants."""
        count = len(self.values)
        wrong = {"exists": count > 0, "in": count == 0}.get(self.operator, count != 1)
        if wrong:
            wanted = {"exists": "no values", "in": "values"}.get(self.operator, "exactly one value")
            yield Broken(f"operator {self.operator} wants {wanted}, got {count}", ("operator",))


_BALANCES: Final = ("ROUND_ROBIN", "LEAST_CONNECTIONS", "WEIGHTED", "RANDOM")


class Grid(Ruled):
    """Nodes of the grid that share the requests."""

    model_config = conditions.rules(
        when(
            is_or_left_out("balance", *_BALANCES),
            refused("it counts with balance CONSISTENT_HASH", "hashHeader"),
        )
    )

    affinity: list[Affinity] = Field([], description="Rules that a node must all fit.")
    balance: Annotated[
        Literal["ROUND_ROBIN", "LEAST_CONNECTIONS", "WEIGHTED", "RANDOM", "CONSISTENT_HASH"],
        choices(
            "one after the other",
            "whichever has the fewest connections",
            "by the nodes' weights",
            "any",
            "the same key always to the same node",
        ),
    ] = Field("ROUND_ROBIN", description="How one of the nodes is chosen.")
    hash_header: Header | None = Field(
        None,
        description="The header that CONSISTENT_HASH looks at; left out: the client's address.",
    )

    def rules(self) -> Iterator[Broken]:
        """A header counts where keys lead to nodes."""
        if self.hash_header is not None and self.balance != "CONSISTENT_HASH":
            yield Broken(
                f"'hashHeader' does not go with balance {self.balance}",
                ("hashHeader",),
                (("hashHeader",),),
                at_key=True,
                hint="set balance to CONSISTENT_HASH",
            )


class Destination(Ruled):
    """Where requests go; exactly one of service, grid, address."""

    model_config = exactly_one("service", "grid", "address")

    service: Target | None = Field(None, description="A Service.")
    port: Name | None = Field(None, description="Which of its ports; left out: the first.")
    grid: Grid | None = Field(None, description="Nodes of the grid.")
    address: HostPort | None = Field(None, description="A fixed address, host:port.")
    subset: Name | None = Field(None, description="What traffic splits call it.")
    weight: Weight = Field(1, description="Its share beside the others' weights.")

    def rules(self) -> Iterator[Broken]:
        """One place to go."""
        yield from one_of(self, "destination", ("service", "grid", "address"))
        if self.port is not None and self.service is None:
            yield Broken("'port' goes only with 'service'", ("port",), (("port",),), at_key=True)


class CircuitBreaker(Spec):
    """When a destination is left alone for a while."""

    failure_threshold: Times = Field(5, description="Failures in a row that open it.")
    open_for: Lasting = Field("30s", description="How long it stays open.")
    half_open_requests: Times | None = Field(
        None, description="Trial requests when that has passed; left out: no bound."
    )
    max_connections: Times | None = Field(None, description="Connections at once.")
    max_pending: Times | None = Field(None, description="Requests that wait for one.")
    max_requests: Times | None = Field(None, description="Requests at once.")
    max_retries: UpTo32Bits | None = Field(None, description="Retries at once.")
    max_ejection_percent: Percent = Field(
        100, description="The largest part of the hosts that may be left alone at once."
    )


class Backoff(Ruled):
    """How long to wait between tries; it doubles from base to max."""

    base: Lasting = Field("25ms", description="Before the first retry.")
    max: Duration = Field("250ms", description="Never longer than this.")

    def rules(self) -> Iterator[Broken]:
        """The bounds are in order."""
        from hrctl.model.kinds.units import seconds

        if seconds(self.base) > seconds(self.max):
            yield Broken(
                f"backoff.base {self.base} is longer than backoff.max {self.max}",
                ("base",) if "base" in self.model_fields_set else ("max",),
                (("base",), ("max",)),
            )


class Budget(Spec):
    """How many retries there may be at once, beside the requests that are under way."""

    percent: Percent = Field(20, description="Of the requests under way, 0 to 100.")
    min_concurrency: UpTo32Bits = Field(3, description="So many are always allowed.")


class Retry(Spec):
    """What is tried again."""

    attempts: Annotated[int, Field(ge=0, le=100)] = Field(2, description="Tries after the first.")
    on: list[
        Annotated[
            Literal[
                "5xx",
                "gateway-error",
                "reset",
                "connect-failure",
                "refused-stream",
                "retriable-4xx",
                "retriable-status-codes",
                "cancelled",
                "deadline-exceeded",
                "internal",
                "resource-exhausted",
                "unavailable",
            ],
            choices(
                "any status of 500 and above, or no answer",
                "502, 503 or 504",
                "the connection broke before the answer",
                "no connection came about",
                "the stream was refused",
                "409",
                "one of statusCodes",
                "gRPC CANCELLED",
                "gRPC DEADLINE_EXCEEDED",
                "gRPC INTERNAL",
                "gRPC RESOURCE_EXHAUSTED",
                "gRPC UNAVAILABLE",
            ),
        ]
    ] = Field(["5xx", "reset", "connect-failure"], description="What counts as a failure.")
    status_codes: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        [], description="Further status codes that do."
    )
    per_try_timeout: Duration | None = Field(None, description="How long one try may take.")
    backoff: Backoff = Field(Backoff(), description="How long to wait between tries.")
    budget: Budget | None = Field(
        None, description="Keeps retries from making an overload worse; left out: 3 at once."
    )


class Tracing(Spec):
    """Which requests leave a trace."""

    sampling: Percent = Field(100, description="The share of requests, 0 to 100.")


_UNSEEN: Final = "a TCP route sees no requests"
_EMPTY: Final[conditions.Schema] = {
    "anyOf": [{"type": "null"}, {"type": "array", "maxItems": 0}],
    "errorMessage": _UNSEEN,
}


class RouteSpec(Ruled):
    """How requests find their way through the mesh."""

    model_config = conditions.rules(
        when(has_one_of("type", "TCP"), typed("match", _EMPTY)),
        when(has_one_of("type", "TCP"), refused(_UNSEEN, "retry", "trafficSplit", "tracing")),
    )

    type: Annotated[
        Literal["HTTP", "GRPC", "TCP", "WEBSOCKET"],
        choices("HTTP requests", "gRPC calls", "any stream", "HTTP that becomes a WebSocket"),
    ] = Field(description="What is spoken.")
    listen: HostPort | None = Field(None, description="Where requests come in, host:port.")
    hosts: list[Host] = Field([], description="Names that are asked for; none: any.")
    match: list[Match] = Field([], description="Which requests; one of them must fit. None: all.")
    destinations: Annotated[list[Destination], Field(min_length=1)] = Field(
        description="Where they go, by weight."
    )
    load_balancer: Annotated[
        Literal["ROUND_ROBIN", "LEAST_CONN", "IP_HASH", "WEIGHTED", "RANDOM"],
        choices(
            "one after the other",
            "whichever has the fewest requests",
            "the same client always to the same host",
            "by weight",
            "any",
        ),
    ] = Field("ROUND_ROBIN", description="How one host of a destination is chosen.")
    circuit_breaker: CircuitBreaker | None = Field(
        None, description="When a destination is left alone for a while."
    )
    retry: Retry | None = Field(None, description="What is tried again.")
    timeout: Duration | None = Field(None, description="How long a request may take in all.")
    traffic_split: TrafficSplit | None = Field(None, description="Who goes to which subset.")
    health_check: HealthCheck | None = Field(
        None, description="How to find out which hosts are well."
    )
    tracing: Tracing | None = Field(None, description="Which requests leave a trace.")

    def rules(self) -> Iterator[Broken]:
        """A TCP route knows no requests; weights weigh something; a split names subsets."""
        if self.type == "TCP":
            for field, held in (
                ("match", self.match),
                ("retry", self.retry),
                ("trafficSplit", self.traffic_split),
                ("tracing", self.tracing),
            ):
                if held:
                    yield Broken(
                        f"'{field}' does not go with type TCP, which sees no requests",
                        (field,),
                        (("type",), (field,)),
                        at_key=True,
                    )
        if not sum(one.weight for one in self.destinations):
            yield Broken(
                "the weights of destinations are all 0",
                ("destinations",),
                (("destinations",),),
                at_key=True,
            )
        yield from self._subsets()

    def _subsets(self) -> Iterator[Broken]:
        subsets = [one.subset for one in self.destinations if one.subset is not None]
        weights = dict.fromkeys(subsets, 0.0)
        for one in self.destinations:
            if one.subset is not None:
                weights[one.subset] += one.weight
        for index, rule in enumerate(self.traffic_split.rules_ if self.traffic_split else ()):
            if rule.percentage and weights.get(rule.subset) == 0:
                yield Broken(
                    f"nobody gets the {rule.percentage:g} % of subset '{rule.subset}': its"
                    " destinations have the weight 0",
                    ("trafficSplit", "rules", index, "percentage"),
                    (("destinations",), ("trafficSplit", "rules")),
                    hint="give one of them a weight above 0",
                )
            if rule.subset not in subsets:
                yield _no_subset(rule.subset, subsets, ("rules", index, "subset"))
        default = self.traffic_split.default if self.traffic_split else None
        if default is not None and default not in subsets:
            yield _no_subset(default, subsets, ("default",))


def _no_subset(name: str, subsets: list[str], field: tuple[str | int, ...]) -> Broken:
    return Broken(
        f"no destination has the subset '{name}'",
        ("trafficSplit", *field),
        (("destinations",), ("trafficSplit", str(field[0]))),
        note=f"one of {', '.join(subsets)}" if subsets else None,
    )
