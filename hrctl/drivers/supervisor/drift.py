"""What someone changed by hand in a group's files, as fields of the Service's body.

Both files are written by hrctl and by nobody else. Where one is not as it was written, it is read
apart and each difference becomes a field: the program's command, a variable, the restart policy.
An option that no field stands for is shown behind the command, so that it is seen and taken back.
"""

from __future__ import annotations

import configparser
import json
from collections.abc import Mapping
from typing import Any, Final

from hrctl.drivers.supervisor.command import argv_of, command_of, folder_of, text_of
from hrctl.drivers.supervisor.folders import Folders
from hrctl.drivers.supervisor.groupfile import (
    AUTORESTART,
    LINE_BYTES,
    Marker,
    group_name,
    program,
)
from hrctl.drivers.supervisor.state import seal
from hrctl.model.values import Body, Json, is_reference

# Stands for a value that was changed by hand and may be a secret.
CHANGED: Final = "(changed by hand)"


def overlay_conf(body: Body, marker: Marker, text: str, folders: Folders) -> None:
    """Write into `body` what the group file has that `render` would not have written."""
    group = group_name(marker.address)
    # As supervisord reads it: comments after white space, later ones win, `%` left alone.
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        body["spec"]["command"] = "(the group file cannot be read)"
        return
    listed = parser.get(f"group:{group}", "programs", fallback="")
    names = [name.strip() for name in listed.split(",") if name.strip()]
    wanted = marker.body["spec"].get("replicas", 1)
    if len(names) != wanted:
        body["spec"]["replicas"] = len(names)
    unexplained: dict[str, str] = {}
    for replica in range(wanted):
        section = f"program:{group}_{replica}"
        if parser.has_section(section):
            expected = program(marker, replica, folders)
            _overlay_program(body, expected, dict(parser.items(section)), unexplained)
    group_options = (
        dict(parser.items(f"group:{group}")) if parser.has_section(f"group:{group}") else {}
    )
    unexplained.update((name, value) for name, value in group_options.items() if name != "programs")
    if unexplained:
        shown = " ".join(f"{name}={value}" for name, value in sorted(unexplained.items()))
        body["spec"]["command"] = f"{body['spec'].get('command', '')} [{shown}]"


def _overlay_program(
    body: Body, expected: Mapping[str, str], found: Mapping[str, str], unexplained: dict[str, str]
) -> None:
    spec: dict[str, Any] = body["spec"]
    for option in expected.keys() | found.keys():
        value = found.get(option)
        if value == expected.get(option):
            continue
        if option == "command" and value is not None:
            spec["command"] = value
        elif option == "directory" and value is not None:
            spec["workingDirectory"] = value
        elif option == "environment":
            _overlay_environment(spec, value or "")
        elif option == "autorestart" and value in AUTORESTART.values():
            policy = next(name for name, text in AUTORESTART.items() if text == value)
            spec["restart"] = {**(spec.get("restart") or {}), "policy": policy}
        elif option == "stopwaitsecs" and value is not None and value.isdigit():
            spec["stopTimeout"] = f"{value}s"
        elif option == "startretries" and value is not None and value.isdigit():
            spec["restart"] = {**(spec.get("restart") or {}), "backoff": f"{value}s"}
        elif option == "stdout_logfile_maxbytes" and value is not None and value.isdigit():
            spec["logs"] = {**(spec.get("logs") or {}), "keep": int(value) // LINE_BYTES}
        else:
            unexplained[option] = "(removed)" if value is None else value


def _overlay_environment(spec: dict[str, Any], text: str) -> None:
    """Hrctl writes none: each name in it is someone's, and its value may be a secret."""
    names = {part.partition("=")[0].strip() for part in text.split(",") if "=" in part}
    spec["env"] = {**(spec.get("env") or {}), **dict.fromkeys(names, CHANGED)}


def overlay_launch(body: Body, marker: Marker, data: bytes, key: bytes, folders: Folders) -> None:
    """Write into `body` what the launch file has that was not written into it.

    A declared plain value shows what stands there now; one that came from a reference, and a
    variable that is not declared, only that it was changed.
    """
    spec = body["spec"]
    try:
        found = json.loads(data)
        argv, cwd, env = found["argv"], found["cwd"], dict(found["env"])
    except (ValueError, KeyError, TypeError):
        spec["command"] = "(the launch file is missing or damaged)"
        return
    applied: Mapping[str, Json] = marker.body["spec"]
    if applied.get("command") and argv != argv_of(applied["command"]):
        spec["command"] = command_of([str(part) for part in argv])
    if cwd != folder_of(applied, folders.root):
        spec["workingDirectory"] = str(cwd)
    declared: Mapping[str, Json] = applied.get("env") or {}
    shown = _shown_environment(declared, env, marker, key)
    if shown != declared:
        spec["env"] = shown


def _shown_environment(
    declared: Mapping[str, Json], env: Mapping[str, Json], marker: Marker, key: bytes
) -> dict[str, Json]:
    shown = dict(declared)
    for name, value in declared.items():
        if name not in env:
            del shown[name]
        elif is_reference(value):
            if seal(key, str(env[name]).encode("utf-8", "surrogatepass")) != marker.sealed.get(
                name
            ):
                shown[name] = CHANGED
        elif env[name] != text_of(value):
            shown[name] = env[name]
    for name in env.keys() - declared.keys():
        if not name.startswith("HRCTL_"):
            shown[name] = CHANGED
    return shown
