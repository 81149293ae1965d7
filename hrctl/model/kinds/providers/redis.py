"""Redis: ACL users and settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hrctl.model.kinds.base import Filled, Spec, says
from hrctl.model.kinds.reference import Secret, Text

Permission = Annotated[
    str, says(r"^[+-]@?[A-Za-z0-9|_.-]+$", "+command, -command, +@category or -@category")
]


class User(Spec):
    """A user of the ACL."""

    name: Filled = Field(description="The user's name.")
    enabled: bool = Field(default=True, description="Whether it may log in.")
    password: Secret | None = Field(None, description="Its password; none: any is accepted.")
    commands: list[Permission] = Field([], description="Commands in order, such as +@read, -keys.")
    keys: list[Filled] = Field([], description="Patterns of keys, such as orders:*.")
    channels: list[Filled] = Field([], description="Patterns of channels.")


class Redis(Spec):
    """What is managed in Redis."""

    users: list[User] = Field([], description="Users of the ACL.")
    settings: dict[Filled, Text] = Field(
        {}, description="Settings by their Redis name, such as maxmemory-policy."
    )
