"""The command groups of the kinds that have only the verbs which all have."""

from __future__ import annotations

from hrctl.cli.verbs.generic import group
from hrctl.cli.verbs.write import remover
from hrctl.model.kinds import kind

ENGINE = group("Engine")
COMPONENT = group("Component")
FLAG = group("FeatureFlag", {"delete": remover(kind("FeatureFlag"), "delete")})
GRID = group("Node")
CONFIG = group("Config")
MESH = group("Route")
PLUGIN = group("Plugin")
