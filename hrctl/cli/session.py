"""What a command works with, opened as late as it is needed: project, tree, ledger, drivers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from hrctl.cli.console import Console
from hrctl.cli.secrets.leftovers import sweep
from hrctl.diagnostics import Diagnostic, HrctlError, Severity, Span
from hrctl.drivers.fence import Fence
from hrctl.source import project

if TYPE_CHECKING:
    from datetime import datetime

    from hrctl.cli.schedule import Schedules
    from hrctl.drivers.api import Driver
    from hrctl.ledger.api import Ledger
    from hrctl.model.address import Address
    from hrctl.model.tree import Tree
    from hrctl.model.values import Json
    from hrctl.secrets.opener import Opener
    from hrctl.source.load import Loaded
    from hrctl.source.project import Project

LOCAL = "local"
_DRAFTS = "edit.folders"  # in the folder of the state


class InvalidTree(HrctlError):  # noqa: N818  # a kind of HrctlError, named for what it says
    """The manifests have errors. `files` is how many were read, for the summary."""

    def __init__(self, files: int, *diagnostics: Diagnostic) -> None:
        super().__init__(*diagnostics)
        self.files = files


class Session:
    """The project around the current folder. A context manager: it closes what it opened.

    With `base` the settings are those of that revision, whatever the files here say of them: where
    hrctl connects, with what credentials, and what it refuses. The files here only declare.
    """

    def __init__(self, console: Console, base: str | None = None) -> None:
        self.console = console
        self.base = base
        self._declared: dict[str, Project] = {}
        self._open = ExitStack()
        self._connections = self._open.enter_context(ExitStack())
        self._edit_lock = self._open.enter_context(ExitStack())
        self._loaded: dict[str | None, Loaded] = {}
        self._told: set[str | None] = set()
        self._instances: dict[str, Driver] = {}
        self.fence = Fence()
        self._schedules: dict[str | None, Schedules] = {}

    def __enter__(self) -> Self:
        """Open it. What a killed `secrets edit` left is removed by whoever comes next."""
        if number := sweep():
            self._warn(
                Diagnostic(
                    "HR186",
                    f"removed the plaintext that {number} killed `hrctl secrets edit` left",
                    severity=Severity.WARNING,
                    hint="what was edited then is lost; edit the secret again",
                )
            )
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def lock_edits(self) -> None:
        """Keep other commands from editing manifests here until `unlock_edits`, or the end.

        It is taken before anything is read, so that nobody writes what an edit was made from.

        Raises:
            LockedError: HR360, where another command keeps it for too long.
        """
        from hrctl.files import lock

        folder = self.project.state_dir
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        self._edit_lock.enter_context(lock.exclusive(folder / "edit.lock"))
        self._sweep_drafts()

    @contextmanager
    def drafts_noted(self, paths: Iterable[str]) -> Iterator[None]:
        """Note the folders of files that are about to be written.

        The next command that edits removes what a killed one has left there.
        """
        note = self.project.state_dir / _DRAFTS
        folders = sorted({Path(one).parent.as_posix() for one in paths})
        note.write_text("".join(f"{one}\n" for one in folders), encoding="utf-8")
        yield
        note.unlink()

    def _sweep_drafts(self) -> None:
        from hrctl.files import atomic

        note = self.project.state_dir / _DRAFTS
        if note.exists():
            for folder in note.read_text("utf-8").splitlines():
                if (self.project.root / folder).is_dir():
                    atomic.sweep(self.project.root / folder)
            note.unlink()

    def unlock_edits(self) -> None:
        """Let other commands edit; no error where the lock is not taken."""
        self._edit_lock.close()

    def disconnect(self) -> None:
        """Close the connections of all drivers; who asks for one again connects anew."""
        self._instances.clear()
        self._connections.close()

    def abandon(self) -> None:
        """Leave everything open: drivers' threads use it until the process ends."""
        self._abandoned = self._open.pop_all()

    def successor(self) -> Session:
        """Another one that reads everything anew, and asks for no passphrase again."""
        made = Session(self.console, self.base)
        if "opener" in self.__dict__:
            made.opener = self.opener
        return made

    @cached_property
    def checkout(self) -> Project:
        """From the nearest `hrctl.yaml`, searched upwards.

        Raises:
            HrctlError: HR060 where there is none, HR061 where it is wrong.
        """
        return project.find(Path.cwd())

    @cached_property
    def project(self) -> Project:
        """Return the settings to work with: of the file here, or with `base` of the file there.

        Raises:
            HrctlError: as `checkout`; HR062 to HR065, where the base is not there.
        """
        if self.base is None:
            return self.checkout
        return self.reviewed or project.built_in(self.checkout)

    @cached_property
    def reviewed(self) -> Project | None:
        """Return the project as the base has it; None where it has no `hrctl.yaml`."""
        return project.at(self.checkout.root, self.base_commit)

    @cached_property
    def base_commit(self) -> str:
        """Return the commit of the base, or HEAD where there is none."""
        from hrctl.source.branch import tip

        return tip(self.checkout.root, self.base or "HEAD")

    def declared(self, revision: str | None = None) -> Project:
        """Return what the project file of the files here, or of a commit, says of the manifests.

        Only with `base` are these different files.
        """
        if self.base is None or revision is None:
            return self.checkout
        if revision not in self._declared:
            there = project.at(self.checkout.root, revision)
            self._declared[revision] = there or self.checkout
        return self._declared[revision]

    def load(self, revision: str | None = None) -> Loaded:
        """The tree with all diagnostics, of the files here or of a commit; read once."""
        if revision not in self._loaded:
            from hrctl.source.load import load

            self._loaded[revision] = self._open.enter_context(
                load(self.declared(revision), revision)
            )
        return self._loaded[revision]

    def tree(self, revision: str | None = None, *, without: str | None = None) -> Tree:
        """The tree of a project without errors; warnings are told, once.

        Those of the code `without` the command tells itself.

        Raises:
            InvalidTree: with everything that was found.
        """
        loaded = self.load(revision)
        if any(one.severity is Severity.ERROR for one in loaded.diagnostics):
            raise InvalidTree(loaded.files, *loaded.diagnostics)
        quiet = self.console.quiet or self.console.output == "github"  # there, annotations tell
        told = [one for one in loaded.diagnostics if one.code != without]
        if told and not quiet and revision not in self._told:
            from hrctl.cli.telling import report

            self._told.add(revision)
            report(self.console, told, self.read_line, files=loaded.files)
        return loaded.tree

    def read_line(self, span: Span) -> str | None:
        """The line of a manifest, for a caret."""
        from hrctl.source.load import read_line

        return read_line(self.project, span)

    @cached_property
    def ledger(self) -> Ledger:
        """The project's ledger; looking at it creates nothing."""
        from hrctl.ledger.sqlite import SqliteLedger

        return self._open.enter_context(SqliteLedger(self.project.ledger_path))

    @cached_property
    def opener(self) -> Opener:
        """What opens secrets; identities are looked for when the first one is opened."""
        from hrctl.cli.person import at_terminal
        from hrctl.model.recipients import all_keys
        from hrctl.secrets.identities import Identities
        from hrctl.secrets.opener import Opener

        at_terminal(self.console)
        console = self.console
        found = Identities(console.identities, console.identity, dict(os.environ), self._warn)
        return Opener(found, self.project.name, all_keys(self.project.secrets["recipients"]))

    def decrypt(self, source: Mapping[str, Json]) -> str:
        """The plaintext of a reference in a body; see `Opener`, which is made when it is needed."""
        return self.opener(source)

    def _warn(self, found: Diagnostic) -> None:
        if not self.console.quiet:
            from hrctl.cli.telling import report

            report(self.console, [found])

    def drivers(self, names: Iterable[str] | None = None) -> dict[str, Driver]:
        """Connected instances by name, without those that the project does not configure.

        Args:
            names: which; None means those that the tree or the ledger name, and `local`.

        Raises:
            HrctlError: everything that stands in the way of one of them.
        """
        found, problems = self.connect(self.named() if names is None else names)
        if problems:
            raise HrctlError(*(one for name in problems for one in problems[name]))
        return found

    def connect(
        self, names: Iterable[str]
    ) -> tuple[dict[str, Driver], dict[str, tuple[Diagnostic, ...]]]:
        """Those of the instances that can be connected, and why the others cannot, by name.

        Those that the project does not configure are in neither.
        """
        wanted = set(names)
        problems: dict[str, tuple[Diagnostic, ...]] = {}
        for name in sorted((wanted & self.project.drivers.keys()) - self._instances.keys()):
            try:
                self._instances[name] = self._connections.enter_context(self.instance(name))
            except HrctlError as error:
                problems[name] = error.diagnostics
        here = wanted & self._instances.keys()
        return {name: self._instances[name] for name in sorted(here)}, problems

    @property
    def connected(self) -> Mapping[str, Driver]:
        """The instances that are connected by now."""
        return self._instances

    def named(self, revision: str | None = None) -> set[str]:
        """The instances that the tree or the ledger name, and `local`."""
        rows = self.tree(revision).rows.values()
        return {row[0] for row in rows} | set(self.ledger.instances()) | {LOCAL}

    def instance(self, name: str) -> Driver:
        """A driver instance that is not connected yet.

        Raises:
            HrctlError: HR081 or HR082, where its type is not there; HR328, where the branch has
                another file than the base in a place that the block names.
        """
        from hrctl.cli.settings import require_reviewed_files
        from hrctl.drivers.api import Context
        from hrctl.drivers.discovery import load_driver

        spec = self.project.drivers[name]
        project = self.project
        if self.base is not None:
            require_reviewed_files(project, name, self.base, self.base_commit)
        context = Context(
            name,
            project.name,
            project.root,
            project.state_dir,
            self._committed,
            self._secret,
            self.fence,
        )
        return load_driver(spec.type)(spec.config, context)

    def _secret(self, source: Mapping[str, Json], url: str) -> str:
        from hrctl.cli.instance_secrets import value_of

        trusted = None if self.base is None else self.base_commit
        root = self.project.root
        return value_of(source, url, root, lambda: self.tree(trusted), lambda: self.opener)

    def _committed(self, address: Address) -> datetime | None:
        return self.schedules().start(address)

    def schedules(self, revision: str | None = None) -> Schedules:
        """When the schedules of flags were committed, as the files here or a commit have them."""
        from hrctl.cli.schedule import Schedules

        if revision not in self._schedules:
            found = Schedules(self.project.root, self.tree(revision), revision)
            self._schedules[revision] = found
        return self._schedules[revision]

    def driver_settings(self, revision: str | None = None) -> dict[str, str]:
        """Return instance -> digest of its block and of the files of the tree that it names.

        An approval is bound to it.
        """
        from hrctl.cli.settings import files_of_drivers
        from hrctl.model.values import digest

        declared = self.declared(revision)
        files = files_of_drivers(declared, revision)
        return {
            name: digest(
                {"type": spec.type, "config": dict(spec.config)}
                | ({"files": files[name]} if name in files else {})
            )
            for name, spec in declared.drivers.items()
        }

    def versions(self) -> dict[str, str]:
        """Instance -> type and version, of all that the project configures, for plan files."""
        from hrctl import __version__
        from hrctl.drivers.discovery import BUILT_IN, installed

        types = {name: spec.type for name, spec in self.project.drivers.items()}
        known = dict.fromkeys(BUILT_IN, __version__)
        if not known.keys() >= set(types.values()):  # looking at what is installed takes its time
            known |= {info.type: info.version for info in installed()}
        return {name: f"{one} {known[one]}" for name, one in types.items() if one in known}
