"""Kafka: topics and access rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hrctl.model.kinds.base import AtLeastOne, Filled, Spec, choices, says
from hrctl.model.kinds.reference import Text


class Topic(Spec):
    """A topic."""

    name: Annotated[str, says(r"^[A-Za-z0-9._-]{1,249}$", "letters, digits, ., _ and -")] = Field(
        description="Its name."
    )
    partitions: AtLeastOne = Field(1, description="Partitions; they can only become more.")
    replication_factor: AtLeastOne = Field(1, description="Copies of each partition.")
    configs: dict[Filled, Text] = Field({}, description="Settings, such as retention.ms.")


class Resource(Spec):
    """What an access rule is about."""

    type: Annotated[
        Literal["TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN"],
        choices(
            "a topic",
            "a group of consumers",
            "the cluster itself",
            "a producer's transactions",
            "a token that stands for a principal",
        ),
    ] = Field(description="What sort of thing.")
    name: Filled = Field("*", description="Its name, or how it begins.")
    pattern: Annotated[
        Literal["LITERAL", "PREFIXED"], choices("the whole name", "how the name begins")
    ] = Field("LITERAL", description="How the name is meant.")


class Acl(Spec):
    """An access rule."""

    principal: Annotated[str, says("^[A-Za-z]+:.+$", "such as User:orders")] = Field(
        description="Whom it is about."
    )
    host: Filled = Field("*", description="Where they come from.")
    operation: Annotated[
        Literal[
            "ALL",
            "READ",
            "WRITE",
            "CREATE",
            "DELETE",
            "ALTER",
            "DESCRIBE",
            "CLUSTER_ACTION",
            "DESCRIBE_CONFIGS",
            "ALTER_CONFIGS",
            "IDEMPOTENT_WRITE",
        ],
        choices(
            "every operation",
            "fetch records, join a group",
            "produce records",
            "make topics",
            "delete topics, groups or records",
            "change topics and partitions",
            "see that it is there, and its offsets",
            "what brokers do among themselves",
            "read settings",
            "change settings",
            "produce each record exactly once",
        ),
    ] = Field(description="What they want to do.")
    permission: Annotated[Literal["ALLOW", "DENY"], choices("they may", "they may not")] = Field(
        "ALLOW", description="Whether they may."
    )
    resource: Resource = Field(description="What it is about.")


class Kafka(Spec):
    """What is managed in Kafka."""

    topics: list[Topic] = Field([], description="Topics.")
    acls: list[Acl] = Field([], description="Access rules.")
