"""What is desired, as the planner sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from hrctl.diagnostics import Span
from hrctl.model.address import Address
from hrctl.model.plan import DEFAULT_LIFECYCLE, Lifecycle
from hrctl.model.values import Body


class Row(NamedTuple):
    """The narrow row of a declared resource: enough to see that nothing changed.

    `digest` is the effective one: document, inherited defaults, patches, driver, and the digests of
    what it refers to.
    """

    driver: str
    digest: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """A reference that stays in the body: only an apply can know the value, or may see it.

    `address` and `output` name a resource's output (for ``{config: ...}`` the key is the output);
    both are None for a secret source of its own (`age`, `env`).
    """

    path: str
    sensitive: bool
    address: Address | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """One declared resource in full.

    `body` is complete: the kind's built-in defaults are in it, references whose values the
    tree knows are replaced by them, the rest (`deferred`) stand as ``{"valueFrom": ...}`` with
    absolute addresses. `depends_on` are all its edges: references, `dependsOn`, its registry.
    """

    address: Address
    driver: str
    digest: str
    body: Body
    span: Span
    labels: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[Address, ...] = ()
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE
    moved_from: Address | None = None
    deferred: tuple[Deferred, ...] = ()


class Desired(Protocol):
    """Everything that is declared: narrow rows at once, resources in full one by one.

    `hrctl.model.tree.Tree` is the real one; the tests of the planner bring a smaller one.
    """

    @property
    def digest(self) -> str:
        """Stands for everything that is declared."""
        ...

    @property
    def rows(self) -> Mapping[Address, Row]:
        """One row for each declared resource."""
        ...

    @property
    def moves(self) -> Mapping[Address, Address]:
        """`movedFrom`: old address -> new address."""
        ...

    def level(self, registry: str) -> str | None:
        """The level of a registry, by its path; None where none is declared there."""
        ...

    def resource(self, address: Address) -> Resource:
        """The resource in full; KeyError where it is not declared."""
        ...

    def dependents(self, address: Address) -> tuple[Address, ...]:
        """Who refers to it or depends on it, directly."""
        ...

    def origin(self, address: Address, path: str) -> Span | None:
        """Where the final value at a field path of the body is written (None: built in)."""
        ...
