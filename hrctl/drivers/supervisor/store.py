"""The files of the groups: list, read, write, remove."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from hrctl.drivers.supervisor import state
from hrctl.drivers.supervisor.folders import Folders, write_private
from hrctl.drivers.supervisor.groupfile import (
    APPLYING,
    PREFIX,
    Marker,
    canonical_ascii,
    group_name,
    read_marker,
    render,
)
from hrctl.model.address import Address


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A group's files as they are. `launch` is empty where there is no such file."""

    marker: Marker
    conf: bytes
    launch: bytes

    @property
    def text(self) -> str:
        """The group file as text."""
        return self.conf.decode("utf-8", "surrogateescape")

    def version(self, key: bytes, processes: Sequence[state.Process]) -> str:
        """The live version; see `state.version`."""
        found = state.conditions(self.marker, processes)
        return state.version(key, self.conf, self.launch, found)


def size(snapshot: Snapshot) -> tuple[str, int]:
    """The name of a group, and how many replicas it has."""
    return group_name(snapshot.marker.address), replicas_of(snapshot.marker)


def replicas_of(marker: Marker) -> int:
    """How many replicas a Service has."""
    return int(marker.body["spec"].get("replicas", 1))


def read(folders: Folders, address: Address) -> Snapshot | None:
    """The files of this Service; None where hrctl has written none."""
    group = group_name(address)
    try:
        conf = folders.conf(group).read_bytes()
    except OSError:
        return None
    marker = read_marker(conf.decode("utf-8", "surrogateescape"))
    if marker is None or marker.address != address:
        return None
    launch = b""
    with suppress(OSError):
        launch = folders.launch(group).read_bytes()
    return Snapshot(marker, conf, launch)


def every(folders: Folders) -> Iterator[Snapshot]:
    """All groups that hrctl has written; no error where the folder is not there."""
    try:
        names = sorted(os.listdir(folders.groups))  # noqa: PTH208  # names, not paths
    except OSError:
        return
    for name in names:
        if not name.endswith(".conf") or name.startswith("."):
            continue
        try:
            conf = (folders.groups / name).read_bytes()
        except OSError:
            continue  # removed meanwhile, or another user's: none of ours
        marker = read_marker(conf.decode("utf-8", "surrogateescape"))
        if marker is None or f"{group_name(marker.address)}.conf" != name:
            continue
        launch = b""
        with suppress(OSError):
            launch = folders.launch(name.removesuffix(".conf")).read_bytes()
        yield Snapshot(marker, conf, launch)


def has_groups(folders: Folders) -> bool:
    """Whether any group file is left, by whomever."""
    return any(folders.groups.glob("*.conf"))


def is_last(folders: Folders, group: str) -> bool:
    """Return whether an embedded supervisord has no group file but this one."""
    conf = folders.conf(group)
    return folders.embedded and all(path == conf for path in folders.groups.glob("*.conf"))


def write_launch(folders: Folders, group: str, data: bytes) -> None:
    """Replace the launch file at once."""
    folders.fence()
    write_private(folders.launch(group), data)


def write_conf(folders: Folders, marker: Marker) -> None:
    """Replace the group file at once."""
    data = render(marker, folders).encode("utf-8", "surrogateescape")
    folders.fence()
    write_private(folders.conf(group_name(marker.address)), data)


def mark_applying(folders: Folders, snapshot: Snapshot) -> None:
    """Record durably that a change is under way, in the group file as it is.

    It comes before everything else of a change. A run that is killed afterwards leaves a Service
    that nobody takes for applied, whichever of its files were replaced by then.
    """
    before, marked, rest = snapshot.text.partition(PREFIX)
    _, end, sections = rest.partition("\n")
    line = canonical_ascii(asdict(replace(snapshot.marker, phase=APPLYING)))
    folders.fence()
    data = f"{before}{marked}{line}{end}{sections}".encode("utf-8", "surrogateescape")
    write_private(folders.conf(group_name(snapshot.marker.address)), data)


def restore(folders: Folders, group: str, snapshot: Snapshot | None) -> None:
    """Put both files back as they were; away where they were not there."""
    if snapshot is None:
        remove(folders, group)
        return
    write_launch(folders, group, snapshot.launch)
    write_private(folders.conf(group), snapshot.conf)


def forget_starts(folders: Folders, group: str) -> None:
    """Count the starts of a group's replicas from nought."""
    for path in (folders.run / "starts").glob(f"{group}.*"):
        if path.name.removeprefix(f"{group}.").isdigit():
            path.unlink(missing_ok=True)


def remove(folders: Folders, group: str) -> None:
    """Remove all files of a group, its logs too."""
    folders.fence()
    folders.conf(group).unlink(missing_ok=True)
    folders.launch(group).unlink(missing_ok=True)
    forget_starts(folders, group)
    for path in [
        *(folders.run / "logs").glob(f"{group}.*.log"),
        *(folders.run / "logs").glob(f"{group}.*.log.1"),
    ]:
        # "a.b" is the beginning of "a.b.c", the group of another Service.
        middle = path.name.removeprefix(f"{group}.").removesuffix(".1").removesuffix(".log")
        if middle.isdigit() or middle == "install":
            path.unlink(missing_ok=True)
