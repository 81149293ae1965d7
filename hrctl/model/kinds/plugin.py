"""Plugin: a Python distribution that adds drivers, kinds or policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from hrctl.model.kinds import conditions
from hrctl.model.kinds.base import Broken, Filled, Name, Ruled, one_of, says
from hrctl.model.kinds.conditions import given, needed, refused, when


class Source(Ruled):
    """Where it comes from: a package and its version, a git repository and a ref, or a path."""

    model_config = conditions.rules(
        when(given("package"), needed("version")),
        when(given("git"), needed("ref")),
        *(
            when(given(other), refused(f"{field} goes only with {owner}", field))
            for field, owner in (("version", "package"), ("ref", "git"))
            for other in ("package", "git", "path")
            if other != owner
        ),
        oneOf=[needed("package"), needed("git"), needed("path")],
    )

    package: (
        Annotated[str, says(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", "a distribution's name")]
        | None
    ) = Field(None, description="The distribution on the package index.")
    version: Filled | None = Field(None, description="Its version, such as 1.4.2.")
    git: Filled | None = Field(None, description="The URL of a git repository.")
    ref: Filled | None = Field(None, description="The commit, tag or branch there.")
    path: Filled | None = Field(None, description="A folder, from the project's root.")

    def rules(self) -> Iterator[Broken]:
        """One source, with what belongs to it."""
        given = [name for name in ("package", "git", "path") if getattr(self, name) is not None]
        yield from one_of(self, "source", ("package", "git", "path"))
        for field, owner in (("version", "package"), ("ref", "git")):
            if (getattr(self, field) is None) == (getattr(self, owner) is None):
                continue
            if getattr(self, field) is None:
                yield Broken(
                    f"source.{owner} needs source.{field}, so that every machine gets the same",
                    (owner,),
                    ((owner,), (field,)),
                    at_key=True,
                )
            elif given:
                yield Broken(
                    f"source.{field} goes only with source.{owner}",
                    (field,),
                    ((field,), (given[0],)),
                    at_key=True,
                )


class PluginSpec(Ruled):
    """A Python distribution that adds drivers, kinds or policies."""

    source: Source = Field(description="Where it comes from.")
    hash: (
        Annotated[str, says("^sha256:[0-9a-f]{64}$", "sha256: and 64 hexadecimal digits")] | None
    ) = Field(None, description="The digest that the distribution must have.")
    enabled: bool = Field(default=True, description="Whether it is loaded.")
    depends_on: list[Name] = Field(
        [], description="Other plugins that it needs.", json_schema_extra={"uniqueItems": True}
    )
    config: dict[str, Any] = Field({}, description="Its own settings.")

    def rules(self) -> Iterator[Broken]:
        """It needs each other plugin once."""
        for index, name in enumerate(self.depends_on):
            if name in self.depends_on[:index]:
                yield Broken(
                    f"dependsOn names '{name}' twice", ("dependsOn", index), (("dependsOn",),)
                )
