"""Whose a feature of Unleash is."""

from __future__ import annotations

from typing import Final

from hrctl.diagnostics import Diagnostic, HrctlError
from hrctl.drivers.unleash.feature import Feature
from hrctl.drivers.unleash.marks import ADDRESS, PROJECT
from hrctl.drivers.unleash.places import Place
from hrctl.model.address import Address

NOBODY: Final = ""


def address_of(feature: Feature) -> Address | None:
    """What a feature is called here; None for one without marks, or with marks people wrote."""
    if feature.marks is None:
        return None
    try:
        return Address.parse(feature.marks[ADDRESS])
    except HrctlError:
        return None


def unmarked(feature: Feature, project: str) -> str | None:
    """Whose a feature without a mark for its environment is: `NOBODY`'s, or this project's.

    It is this project's where people overwrote the description and the tag still says so. None
    where it may not be taken, or where there is nothing to take: it has a mark, another project
    has it in other environments, or nobody uses the environment of a feature that is ours.
    """
    others = feature.all_marks
    if feature.environment in others or any(one[PROJECT] != project for one in others.values()):
        return None
    if others:
        return NOBODY if feature.in_use else None
    return project if feature.is_tagged(project) else NOBODY


def foreign(
    address: Address, place: Place, found: Feature, project: str, *, knows: bool
) -> str | None:
    """The owner, where the key of `address` is another's: a project's, a registry's, people's.

    A change that `knows` what people made may take it over.
    """
    if found.project != place.project:
        return f"Unleash's project '{found.project}'"
    marks = found.all_marks
    for held in [found.marks] if found.marks else marks.values():
        if held[PROJECT] != project or (found.marks and held[ADDRESS] != address):
            return f"project '{held[PROJECT]}' ({held[ADDRESS]})"
    if knows or found.marks:
        return None
    if not marks:
        return "people, who made it in Unleash"
    return f"people, who use it in the environment '{found.environment}'" if found.in_use else None


def taken(address: Address, owner: str, url: str) -> Diagnostic:
    """HR267."""
    return Diagnostic(
        "HR267",
        f"the flag '{address.name}' in Unleash at {url} belongs to {owner}",
        address=address,
        hint="give one of them another name",
    )
