"""The command groups of the kinds that have only the verbs which all have."""

from __future__ import annotations

from hrctl.cli.verbs import config_export, config_look, config_write
from hrctl.cli.verbs.generic import group

ENGINE = group("Engine")
COMPONENT = group("Component")
CONFIG = group(
    "Config",
    {
        "get": config_look.get,
        "set": config_write.set_,
        "unset": config_write.unset,
        "reset": config_write.reset,
        "list": config_look.list_,
        "history": config_look.history,
        "diff": config_look.diff,
        "rollback": config_write.rollback,
        "validate": config_look.validate,
        "import": config_write.import_,
        "export": config_export.export,
    },
)
PLUGIN = group("Plugin")
