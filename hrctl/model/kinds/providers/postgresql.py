"""PostgreSQL: databases, roles, grants, extensions, settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from hrctl.model.kinds.base import Broken, Filled, Ruled, Spec, choices, one_of
from hrctl.model.kinds.reference import Secret, Text

Privilege = Annotated[
    Literal[
        "ALL",
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "TRUNCATE",
        "REFERENCES",
        "TRIGGER",
        "CREATE",
        "CONNECT",
        "TEMPORARY",
        "EXECUTE",
        "USAGE",
    ],
    choices(
        "all that the object has",
        "read rows",
        "add rows",
        "change rows",
        "delete rows",
        "empty a table",
        "point foreign keys at it",
        "put triggers on it",
        "make schemas or tables in it",
        "connect to the database",
        "make temporary tables",
        "call the function",
        "use the schema, sequence or type",
    ),
]


class Database(Spec):
    """A database."""

    name: Filled = Field(description="Its name.")
    owner: Filled | None = Field(None, description="The role that owns it.")
    encoding: Filled = Field("UTF8", description="Its character set.")
    collation: Filled | None = Field(None, description="Its collation, such as C.UTF-8.")
    template: Filled | None = Field(None, description="The database that it is copied from.")
    connection_limit: Annotated[int, Field(ge=-1)] = Field(
        -1, description="Connections at once; -1: any number."
    )


class Role(Spec):
    """A role: a user where it may log in, else a group."""

    name: Filled = Field(description="Its name.")
    login: bool = Field(default=False, description="Whether it may log in.")
    password: Secret | None = Field(None, description="Its password.")
    superuser: bool = Field(default=False, description="Whether no check applies to it.")
    create_database: bool = Field(default=False, description="Whether it may make databases.")
    create_role: bool = Field(default=False, description="Whether it may make roles.")
    replication: bool = Field(default=False, description="Whether it may replicate.")
    inherit: bool = Field(default=True, description="Whether it has the rights of its groups.")
    connection_limit: Annotated[int, Field(ge=-1)] = Field(
        -1, description="Connections at once; -1: any number."
    )
    member_of: list[Filled] = Field([], description="Roles that it belongs to.")


class GrantTarget(Ruled):
    """What a grant is about; exactly one of schema, table, sequence, function, or the database."""

    database: Filled = Field(description="The database; alone, the grant is about itself.")
    schema_: Filled | None = Field(None, alias="schema", description="A schema in it.")
    table: Filled | None = Field(None, description="A table, schema.name, or schema.* for all.")
    sequence: Filled | None = Field(None, description="A sequence, schema.name or schema.*.")
    function: Filled | None = Field(None, description="A function with its argument types.")

    def rules(self) -> Iterator[Broken]:
        """At most one object."""
        objects = ("schema_", "table", "sequence", "function")
        if any(getattr(self, name) is not None for name in objects):
            yield from one_of(self, "on", objects)


class Grant(Spec):
    """Rights of a role."""

    role: Filled = Field(description="Who gets them.")
    privileges: Annotated[list[Privilege], Field(min_length=1)] = Field(description="Which.")
    on: GrantTarget = Field(description="What they are about.")
    with_grant_option: bool = Field(default=False, description="Whether it may pass them on.")


class Extension(Spec):
    """An extension of a database."""

    name: Filled = Field(description="Its name, such as pgcrypto.")
    database: Filled = Field(description="The database that it is made in.")
    schema_: Filled | None = Field(None, alias="schema", description="The schema for its objects.")
    version: Filled | None = Field(None, description="Its version; left out: the default one.")


class Postgresql(Spec):
    """What is managed in PostgreSQL."""

    databases: list[Database] = Field([], description="Databases.")
    roles: list[Role] = Field([], description="Roles.")
    grants: list[Grant] = Field([], description="Rights of roles.")
    extensions: list[Extension] = Field([], description="Extensions of databases.")
    settings: dict[Filled, Text] = Field(
        {}, description="Settings of the server, such as work_mem."
    )
