"""Project: the file hrctl.yaml at the project's root."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from hrctl.model.kinds.base import (
    AtLeastOne,
    Broken,
    Count,
    Filled,
    Name,
    Percent,
    Ruled,
    Spec,
    choices,
    says,
)
from hrctl.model.radius import DEFAULTS


class DriverInstance(Spec):
    """A driver that is named here, so that registries can bind kinds to it."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel, strict=True, frozen=True)

    type: Filled = Field(description="The driver, such as supervisor; `hrctl driver list`.")
    __pydantic_extra__: dict[str, Any] = Field(init=False)  # what the driver itself checks


class Safety(Spec):
    """How much one apply may change before it is refused."""

    max_deletes: Count = Field(10, description="Deletes beyond which a plan is refused.")
    max_delete_percent: Percent = Field(
        30, description="Share of the resources that a plan may delete, from 10 resources on."
    )
    max_updates: Count = Field(10, description="Updates that are always allowed.")
    max_update_percent: Percent = Field(
        30, description="Beyond those, the share of the resources that a plan may update."
    )


class Grades(Ruled):
    """The numbers from which on a grade holds; a grade that is left out is never reached."""

    low: AtLeastOne | None = Field(None, description="Where low begins.")
    medium: AtLeastOne | None = Field(None, description="Where medium begins.")
    high: AtLeastOne | None = Field(None, description="Where high begins.")
    critical: AtLeastOne | None = Field(None, description="Where critical begins.")

    def rules(self) -> Iterator[Broken]:
        """A higher grade does not begin at a smaller number."""
        before = 0
        for name in ("low", "medium", "high", "critical"):
            begins = getattr(self, name)
            if begins is not None and begins < before:
                yield Broken(f"{name} begins at {begins}, a lower grade at {before}", (name,))
            before = max(before, begins or 0)


def _grades(measure: str) -> Grades:
    return Grades(**DEFAULTS[measure])


class BlastRadius(Spec):
    """Where the grades of a plan's blast radius begin, for each thing that is counted.

    The grade of a plan is the highest of them.
    """

    changes: Grades = Field(_grades("changes"), description="Resources that change.")
    deletes: Grades = Field(_grades("deletes"), description="Those deleted or replaced.")
    data_loss: Grades = Field(_grades("dataLoss"), description="Those that lose data.")
    public: Grades = Field(_grades("public"), description="Those opened to everyone.")
    protected: Grades = Field(_grades("protected"), description="Those that are protected.")
    stateful: Grades = Field(_grades("stateful"), description="Those that keep data.")
    environments: Grades = Field(
        _grades("environments"), description="Registries of level ENVIRONMENT that are reached."
    )
    tenants: Grades = Field(
        _grades("tenants"), description="Registries of level TENANT that are reached."
    )
    dependents: Grades = Field(
        _grades("dependents"), description="Unchanged resources that depend on what changes."
    )


class Recipients(Spec):
    """Whom secrets are encrypted to, in a part of the tree."""

    path: Filled = Field(description="A glob over registry paths, such as acme/payments/**.")
    keys: Annotated[
        list[
            Annotated[
                str,
                says(
                    r"^(age1[0-9a-z]+|ssh-ed25519 \S+( .*)?|ssh-rsa \S+( .*)?)$",
                    "a public key: age1..., ssh-ed25519 ... or ssh-rsa ...",
                ),
            ]
        ],
        Field(min_length=1),
    ] = Field(description="Public keys.")
    mode: Annotated[
        Literal["add", "replace"],
        choices("beside those of rules before it", "instead of them"),
    ] = Field("replace", description="How it goes with rules before it that also match.")


class SecretRules(Spec):
    """How secrets are kept."""

    recipients: list[Recipients] = Field([], description="Rules from outside in.")


class ProjectSpec(Ruled):
    """What holds for the whole project."""

    root: Filled = Field(".", description="The folder of the manifests.")
    ignore: list[Filled] = Field(
        [],
        description="Globs of YAML files that are not for hrctl, such as charts/**; from the "
        "project's root, `**` is any number of folders.",
    )
    ledger: Annotated[
        str, says(r"^(sqlite:.+|postgresql://.+)$", "sqlite:PATH or postgresql://...")
    ] = Field("sqlite:.hrctl/ledger.db", description="Where hrctl keeps what it applied.")
    drivers: dict[Name, DriverInstance] = Field(
        {}, description="Named driver instances; `local` always exists."
    )
    safety: Safety = Field(Safety(), description="How much one apply may change.")
    blast_radius: BlastRadius = Field(
        BlastRadius(), description="Where the grades of a plan's blast radius begin."
    )
    secrets: SecretRules = Field(SecretRules(), description="How secrets are kept.")
    parallelism: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="Calls to drivers at once."
    )

    def rules(self) -> Iterator[Broken]:
        """`local` stays what it is."""
        local = self.drivers.get("local")
        if local is not None and local.type != "local":
            yield Broken(
                "the driver instance 'local' has type local always", ("drivers", "local", "type")
            )


class Metadata(Spec):
    """What the project is called."""

    name: Name = Field(description="The name: the owner that live things are marked with.")


class Project(Spec):
    """The project file hrctl.yaml."""

    api_version: Literal["hrctl.dev/v1"] = Field(description="The version of this format.")
    kind: Literal["Project"] = Field(description="Always Project.")
    metadata: Metadata = Field(description="What the project is called.")
    spec: ProjectSpec = Field(ProjectSpec(), description="What holds for the whole project.")
