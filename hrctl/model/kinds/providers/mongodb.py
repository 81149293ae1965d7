"""MongoDB: databases with collections and indexes, users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from hrctl.model.kinds.base import (
    AtLeastOne,
    Broken,
    Duration,
    Filled,
    Ruled,
    Size,
    Spec,
    choices,
)
from hrctl.model.kinds.reference import Secret


class Index(Spec):
    """An index of a collection."""

    keys: Annotated[
        dict[
            Filled,
            Annotated[
                Literal[1, -1, "text", "hashed", "2dsphere"],
                choices("rising", "falling", "words of a text", "hashes", "places on the earth"),
            ],
        ],
        Field(min_length=1),
    ] = Field(description="Fields in order: 1, -1, text, hashed or 2dsphere.")
    name: Filled | None = Field(None, description="Its name; left out: the server's choice.")
    unique: bool = Field(default=False, description="Whether values may occur only once.")
    sparse: bool = Field(default=False, description="Whether documents without it are left out.")
    expire_after: Duration | None = Field(None, description="Documents older than this go.")


class Collection(Ruled):
    """A collection."""

    name: Filled = Field(description="Its name.")
    capped: bool = Field(default=False, description="Whether the oldest documents make room.")
    size: Size | None = Field(None, description="The size of a capped collection.")
    max: AtLeastOne | None = Field(None, description="Documents in a capped collection.")
    validator: dict[str, Any] | None = Field(None, description="What documents must obey.")
    indexes: list[Index] = Field([], description="Its indexes.")

    def rules(self) -> Iterator[Broken]:
        """A capped collection has a size, another has none."""
        if self.capped and self.size is None:
            yield Broken("a capped collection needs 'size'", ("capped",), at_key=True)
        for field in ("size", "max"):
            if not self.capped and getattr(self, field) is not None:
                yield Broken(
                    f"'{field}' goes only with 'capped: true'", (field,), ((field,),), at_key=True
                )


class Database(Spec):
    """A database."""

    name: Filled = Field(description="Its name.")
    collections: list[Collection] = Field([], description="Its collections.")


class UserRole(Spec):
    """A role of a user."""

    role: Filled = Field(description="Its name, such as readWrite.")
    database: Filled | None = Field(None, description="Where it counts; left out: the user's.")


class User(Spec):
    """A user."""

    name: Filled = Field(description="Its name.")
    database: Filled = Field("admin", description="Where it is kept.")
    password: Secret | None = Field(None, description="Its password.")
    roles: list[UserRole] = Field([], description="What it may do.")


class Mongodb(Spec):
    """What is managed in MongoDB."""

    databases: list[Database] = Field([], description="Databases.")
    users: list[User] = Field([], description="Users.")
