"""What registries are called in Unleash: a project and an environment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.model.values import Json

DEFAULT: Final = "default"


class Place(NamedTuple):
    """Where a flag is in Unleash."""

    project: str
    environment: str


class Places:
    """The mappings of an instance."""

    def __init__(self, config: Mapping[str, Json]) -> None:
        from hrctl.drivers.unleash.defaults import ENVIRONMENTS

        self._projects: dict[str, str] = dict(config.get("projects") or {})
        self._environments: dict[str, str] = dict(config.get("environments") or ENVIRONMENTS)

    @property
    def environments(self) -> list[str]:
        """Unleash's environments in reach."""
        return sorted(set(self._environments.values()))

    @property
    def projects(self) -> frozenset[str]:
        """Unleash's projects in reach."""
        return frozenset(self._projects.values()) | {DEFAULT}

    def of(self, address: Address) -> Place:
        """Where a flag goes: the project of the nearest registry, the environment of a level.

        Raises:
            HrctlError: HR266, where no level of the registry has an environment.
        """
        levels = address.registry.split("/")
        for end in range(len(levels), 0, -1):
            environment = self._environments.get(levels[end - 1])
            if environment is not None:
                return Place(self._project(levels), environment)
        known = ", ".join(sorted(self._environments))
        raise HrctlError.of(
            "HR266",
            f"registry {address.registry} has no environment in Unleash",
            hint=f"name one of its levels under `environments` in hrctl.yaml; there are {known}",
        )

    def _project(self, levels: list[str]) -> str:
        for end in range(len(levels), 0, -1):
            project = self._projects.get("/".join(levels[:end]))
            if project is not None:
                return project
        return DEFAULT

    def require(self, projects: Collection[str], environments: Collection[str], where: str) -> None:
        """Fail for what the mappings name and Unleash does not have.

        Raises:
            HrctlError: HR266.
        """
        wanted = set(self._projects.values()) or {DEFAULT}
        for what, named, there in (
            ("project", wanted, projects),
            ("environment", self._environments.values(), environments),
        ):
            missing = sorted(set(named) - set(there))
            if missing:
                names = ", ".join(f"'{one}'" for one in missing)
                raise HrctlError.of(
                    "HR266",
                    f"Unleash at {where} has no {what} {names}",
                    hint=f"it has {', '.join(sorted(there))}; make it there, or map to another",
                )
