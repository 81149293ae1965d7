"""Credentials of drivers: which variables of the environment may be sent to a server.

`hrctl.yaml` names a variable and a server, and whoever may edit that file could name any variable
and any server. So the names are on a list outside of the repository.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from hrctl import repository
from hrctl.diagnostics import HrctlError
from hrctl.memory import keep_out_of_dumps

VARIABLE: Final = "HRCTL_ALLOWED_ENV"
FIELD: Final = "allowedEnv"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def environment_value(name: str, destination: str, root: Path) -> str:
    """Return the value of a variable that may be sent to a server; "" where it is not set.

    Args:
        name: of the variable.
        destination: the server, for the message.
        root: the project's folder.

    Raises:
        HrctlError: HR315, where the variable is on no list; HR317, where the user's configuration
            file is not right.
    """
    listed = re.split(r"[,\s]+", os.environ.get(VARIABLE, ""))
    if name not in listed and name not in _configured(root):
        raise HrctlError.of(
            "HR315",
            f"the variable {name} is not allowed as a credential for {destination}",
            hint=f"{VARIABLE}={name} allows it, or {FIELD} in {configuration_file()}",
        )
    keep_out_of_dumps()
    return os.environ.get(name, "")


def configuration_file() -> Path:
    """Return the path of the user's configuration file, which need not exist."""
    folder = os.environ.get("XDG_CONFIG_HOME") or f"{os.environ.get('HOME') or Path.home()}/.config"
    return Path(folder) / "hrctl" / "config.yaml"


def _configured(root: Path) -> frozenset[str]:
    """Return the names that the user's configuration file allows."""
    path = configuration_file()
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise _wrong(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    real = path.resolve()
    if repository.tracks(real) and repository.toplevel(real) == repository.toplevel(root):
        raise _wrong(path, "is part of the project's repository")
    names = _document(path, data).get(FIELD) or []
    if not isinstance(names, list) or not all(_is_name(one) for one in names):
        raise _wrong(path, f"needs a list of names of variables as {FIELD}")
    return frozenset(names)


def _document(path: Path, data: bytes) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(path, "is not YAML") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _wrong(path, "is no map")
    return document


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _wrong(path: Path, what: str) -> HrctlError:
    return HrctlError.of("HR317", f"{path} {what}", hint=f"{FIELD}: [NAME, ...], or set {VARIABLE}")
