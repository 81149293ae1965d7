"""A feature of Unleash in one environment, and as a body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from hrctl.drivers.unleash.marks import BODY, SERIAL, TAG, Marks, all_marks, tag_of
from hrctl.drivers.unleash.parents import Parent
from hrctl.drivers.unleash.strategies import NotExpressible, Strategy, normal, strategies
from hrctl.drivers.unleash.tags import Tags, labelled
from hrctl.model.values import Body, digest

_COMMON: Final = "+"


@dataclass(slots=True)
class Feature:
    """A feature in one environment.

    Attributes:
        found: its strategies as they came, in order, with their segments.
        tags: type and value of each; None where nobody asked for them.
        named: the types of tags that are labels; where there are any, `tags` were asked for.
        parents: features that must give something for this one to be on, as rules show them.
        elsewhere: whether it is on or has strategies in another environment; None: not known.
    """

    name: str
    project: str
    environment: str
    description: str = ""
    enabled: bool = False
    found: list[dict[str, Any]] = field(default_factory=list)
    tags: Tags | None = None
    named: tuple[str, ...] = ()
    parents: list[Parent] = field(default_factory=list)
    elsewhere: bool | None = None
    _parsed: tuple[str, Marks] | None = field(default=None, repr=False, compare=False)

    @property
    def all_marks(self) -> Marks:
        """The marks of hrctl by environment."""
        if self._parsed is None or self._parsed[0] is not self.description:
            self._parsed = self.description, all_marks(self.description)
        return self._parsed[1]

    @property
    def marks(self) -> dict[str, Any] | None:
        """The marks of hrctl for this environment."""
        return self.all_marks.get(self.environment)

    @property
    def strategies(self) -> list[Strategy]:
        """Its strategies without what Unleash adds."""
        return [normal(one) for one in self.found]

    @property
    def in_use(self) -> bool:
        """Whether the environment is on, or has strategies."""
        return self.enabled or bool(self.found)

    @property
    def version(self) -> str:
        """The serial number and what stands there: none comes twice, and every change is seen.

        What its environments have in common stands apart, at the end.
        """
        serial = (self.marks or {}).get(SERIAL, "")
        own = f"{serial}-{digest([self.enabled, self.strategies, self.marks])}"
        if not self.named and not self.parents:
            return own
        tags = sorted([*one] for one in self.tags or () if one[0] in self.named)
        return f"{own}{_COMMON}{digest([tags, self.parents])}"

    def is_tagged(self, project: str) -> bool:
        """Whether the tag says that it is this project's."""
        return (TAG, tag_of(project)) in (self.tags or ())


def without_common(version: str | None) -> str | None:
    """A version but for what the environments of a feature have in common."""
    return None if version is None else version.partition(_COMMON)[0]


def is_on(body: Body) -> bool:
    """Whether the environment of a flag is on."""
    return bool(body["spec"]["status"] != "DISABLED")


def live_body(feature: Feature) -> Body:
    """The body of a feature as it is: what was applied, and over it what was changed since."""
    from hrctl.drivers.unleash.reading import changed, taken_over

    marks = feature.marks
    found = feature.strategies
    if marks is None:
        spec = taken_over(feature.name, found, on=feature.enabled)
        made = {"metadata": {}, "spec": _with_parents(spec, feature)}
        return labelled(made, feature.tags or frozenset(), feature.named)
    body: Body = labelled(marks[BODY], feature.tags or frozenset(), feature.named)
    spec = dict(body["spec"])
    try:
        expected = [normal(one) for one in strategies(feature.name, body)]
    except (NotExpressible, LookupError, TypeError, ValueError):  # people changed the mark
        expected = None
    if found != expected:
        spec = changed(feature.name, spec, found)
    if feature.enabled != is_on(body):
        spec["status"] = "ENABLED" if feature.enabled else "DISABLED"
    return {**body, "spec": _with_parents(spec, feature)}


def _with_parents(spec: dict[str, Any], feature: Feature) -> dict[str, Any]:
    """No field of a flag says that it has parents: they stand before all that is asked."""
    if not feature.parents:
        return spec
    return {**spec, "targeting": [*feature.parents, *(spec.get("targeting") or ())]}
