"""Engine: a pool of workers that takes workloads from a queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from hrctl.model.kinds import conditions
from hrctl.model.kinds.base import (
    AtLeastOne,
    Broken,
    Cores,
    Count,
    Duration,
    Number,
    Positive,
    Ruled,
    Size,
    Spec,
    choices,
)
from hrctl.model.kinds.conditions import is_or_left_out, needed, one_of, refused, typed, when

Type = Annotated[
    Literal["PROCESSING", "ANALYTICS", "AI_ML", "COMPUTE", "STORAGE", "STREAM", "BATCH"],
    choices(
        "general work on data",
        "queries over much data",
        "training and inference",
        "number crunching",
        "work on stored data",
        "endless streams",
        "large jobs that end",
    ),
]
Policy = Annotated[
    Literal["MANUAL", "AUTO_CPU", "AUTO_MEMORY", "AUTO_QUEUE", "PREDICTIVE"],
    choices(
        "as many workers as capacity.desired",
        "follows processor use; target in percent",
        "follows memory use; target in percent",
        "follows the queue; target in tasks for each worker",
        "forecasts the queue over the horizon; target in tasks for each worker",
    ),
]


_PERCENT: Final = 100


class Capacity(Ruled):
    """How many workers."""

    min: Count = Field(1, description="Never fewer workers than this.")
    max: AtLeastOne = Field(10, description="Never more workers than this.")
    desired: Count | None = Field(
        None, description="Workers wanted now; where scaling is automatic, at the start."
    )

    def rules(self) -> Iterator[Broken]:
        """The bounds are in order and hold what is desired."""
        if self.min > self.max:
            yield Broken(
                f"capacity.min is {self.min}, above capacity.max {self.max}",
                ("min",) if "min" in self.model_fields_set else ("max",),
                (("min",), ("max",)),
            )
        elif self.desired is not None and self.desired < self.min:
            yield Broken(
                f"capacity.desired is {self.desired}, below capacity.min {self.min}",
                ("desired",),
                (("desired",), ("min",)),
            )
        elif self.desired is not None and self.desired > self.max:
            yield Broken(
                f"capacity.desired is {self.desired}, above capacity.max {self.max}",
                ("desired",),
                (("desired",), ("max",)),
            )


class Scaling(Ruled):
    """How the number of workers follows the work."""

    model_config = conditions.rules(
        when(
            one_of("policy", "AUTO_CPU", "AUTO_MEMORY", "AUTO_QUEUE", "PREDICTIVE"),
            needed("target"),
        ),
        when(one_of("policy", "AUTO_CPU", "AUTO_MEMORY"), typed("target", {"maximum": _PERCENT})),
    )

    policy: Policy = Field("MANUAL", description="What is followed.")
    target: Positive | None = Field(
        None, description="Percent of processor or memory, or queued tasks for each worker."
    )
    tolerance: Annotated[Number, Field(ge=0, le=1)] = Field(
        0.1, description="No change while the ratio of current to target is this close to 1."
    )
    cooldown: Duration = Field("1m", description="From one change to the next.")
    horizon: Duration = Field("10m", description="How far PREDICTIVE looks ahead.")

    def rules(self) -> Iterator[Broken]:
        """What is followed needs a target."""
        if self.policy != "MANUAL" and self.target is None:
            yield Broken(
                f"scaling.policy {self.policy} needs scaling.target",
                ("policy",),
                (("policy",), ("target",)),
            )
        in_percent = self.policy in {"AUTO_CPU", "AUTO_MEMORY"}
        if in_percent and self.target is not None and self.target > _PERCENT:
            yield Broken(
                f"scaling.target is {self.target}, but {self.policy} wants percent",
                ("target",),
                (("policy",), ("target",)),
            )


class Resources(Spec):
    """What one worker may use."""

    cpu: Cores | None = Field(None, description="Processors, such as 2 or 500m.")
    memory: Size | None = Field(None, description="Memory, such as 4Gi.")


class Gpu(Ruled):
    """Graphics processors of a worker."""

    model_config = conditions.rules(
        when(
            is_or_left_out("enabled", False),
            refused("count does not go with enabled: false", "count"),
        )
    )

    enabled: bool = Field(default=False, description="Whether workers have any.")
    count: AtLeastOne | None = Field(None, description="How many each worker has.")

    def rules(self) -> Iterator[Broken]:
        """A count without GPUs means nothing."""
        if self.count is not None and not self.enabled:
            yield Broken(
                "gpu.count does not go with gpu.enabled false",
                ("count",),
                (("count",), ("enabled",)),
            )


class Queue(Spec):
    """Where workloads wait."""

    max_depth: AtLeastOne | None = Field(
        None, description="Workloads that may wait; one more is refused."
    )


class EngineSpec(Spec):
    """A pool of workers that takes workloads from a queue."""

    type: Type = Field(description="What sort of work it is for.")
    capacity: Capacity = Field(Capacity(), description="How many workers.")
    scaling: Scaling = Field(Scaling(), description="How their number follows the work.")
    resources: Resources | None = Field(None, description="What one worker may use.")
    gpu: Gpu | None = Field(None, description="Graphics processors of a worker.")
    queue: Queue | None = Field(None, description="Where workloads wait.")
