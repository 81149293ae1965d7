"""The command groups of the kinds that have only the verbs which all have."""

from __future__ import annotations

from hrctl.cli.verbs.generic import group

ENGINE = group("Engine")
COMPONENT = group("Component")
FLAG = group("FeatureFlag")
GRID = group("Node")
CONFIG = group("Config")
MESH = group("Route")
PLUGIN = group("Plugin")
