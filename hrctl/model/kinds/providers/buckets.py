"""S3 and MinIO: buckets with versioning, lifecycle and policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from hrctl.model.kinds.base import AtLeastOne, Broken, Filled, Ruled, Spec, choices, says

Days = AtLeastOne


class LifecycleRule(Ruled):
    """What happens to objects as they age."""

    id: Filled = Field(description="The rule's name.")
    enabled: bool = Field(default=True, description="Whether it counts.")
    prefix: str = Field("", description="How the keys begin that it is about.")
    expire_after_days: Days | None = Field(None, description="Objects this old are deleted.")
    expire_noncurrent_after_days: Days | None = Field(
        None, description="Versions that are not current are deleted after this."
    )
    abort_uploads_after_days: Days | None = Field(
        None, description="Uploads in parts that never ended are given up after this."
    )
    transition_after_days: Days | None = Field(
        None, description="Objects this old move to the storage class."
    )
    storage_class: Filled | None = Field(None, description="Where they move to.")

    def rules(self) -> Iterator[Broken]:
        """It does something, and a move has a goal."""
        if (self.transition_after_days is None) != (self.storage_class is None):
            given = "storageClass" if self.storage_class is not None else "transitionAfterDays"
            yield Broken("transitionAfterDays and storageClass go together", (given,), at_key=True)
        if not any(
            (
                self.expire_after_days,
                self.expire_noncurrent_after_days,
                self.abort_uploads_after_days,
                self.transition_after_days,
            )
        ):
            yield Broken(f"lifecycle rule '{self.id}' does nothing", ("id",))


class Bucket(Spec):
    """A bucket."""

    name: Annotated[
        str,
        says("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", "3 to 63 lower-case letters, digits, . and -"),
    ] = Field(description="Its name.")
    region: Filled | None = Field(None, description="Where it lies.")
    versioning: Annotated[
        Literal["ENABLED", "SUSPENDED", "DISABLED"],
        choices("old versions are kept", "no longer, but the old ones stay", "never were"),
    ] = Field("DISABLED", description="Whether old versions are kept.")
    lifecycle: list[LifecycleRule] = Field([], description="What happens as objects age.")
    policy: dict[str, Any] | None = Field(None, description="The bucket's policy document.")
    tags: dict[Filled, str] = Field({}, description="Its tags.")


class NamedPolicy(Spec):
    """A policy that users and groups can be given."""

    name: Filled = Field(description="Its name.")
    document: dict[str, Any] = Field(description="The policy document.")


class ObjectStore(Spec):
    """What is managed in S3 or MinIO."""

    buckets: list[Bucket] = Field([], description="Buckets.")
    policies: list[NamedPolicy] = Field([], description="Policies of their own.")
