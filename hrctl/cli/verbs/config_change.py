"""One Config that is changed: its entries set, taken away and brought back, in one draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from hrctl.cli.session import Session
from hrctl.cli.verbs import edits
from hrctl.cli.verbs.draft import Draft, change_document, is_instance, own_document
from hrctl.cli.verbs.edits import Then
from hrctl.model.address import Address
from hrctl.model.entries import entry_at
from hrctl.model.tree import Tree
from hrctl.model.values import Json, is_reference, pointer
from hrctl.source.edit import REMOVE, Edit

SECRET: Final = "SECRET"  # noqa: S105 - the name of a type


class ConfigChange:
    """A Config that is changed, in a draft."""

    def __init__(self, session: Session, tree: Tree, address: Address) -> None:
        self.session = session
        self.tree = tree
        self.address = address
        self._edits: list[Edit] = []

    def edit(self, *edits: Edit) -> None:
        """Note changes to its document, or to its patch where it is an instance."""
        self._edits += edits

    @cached_property
    def draft(self) -> Draft:
        """All changes, made at once."""
        draft = Draft(self.session.project.root)
        if self._edits:
            change_document(draft, self.tree, self.address, self._edits)
        return draft

    def own_entry(self, key: str) -> Mapping[str, Any]:
        """An entry as the document has it that is changed; empty where it does not."""
        document = own_document(self.tree, self.address)
        entries = (document.spec.get("entries") or {}) if document is not None else {}
        found = entries.get(key) if isinstance(entries, dict) else None
        return found if isinstance(found, dict) else {}

    def put(self, key: str, value: Json, kind: str) -> None:
        """Set a value; an entry that is new gets its type."""
        path = pointer(["spec", "entries", key])
        if entry_at(self.tree, self.address, key) is None:
            self.edit(Edit(path, {"type": kind, "value": value}))
            return
        if self.own_entry(key).get("valueFrom") is not None:
            self.edit(Edit(f"{path}/valueFrom", REMOVE))
        self.edit(Edit(f"{path}/value", value))

    def take_away(self, key: str, *fields: str) -> None:
        """Remove an entry, or fields of it; what an instance inherits is blotted out."""
        path = pointer(["spec", "entries", key])
        if not is_instance(self.tree, self.address):
            self.edit(*(Edit(one, REMOVE) for one in [f"{path}/{one}" for one in fields] or [path]))
        elif not fields:
            self.edit(Edit(path, None if self._inherits(key) else REMOVE))
        else:
            if "valueFrom" in self.own_entry(key):
                self.edit(Edit(f"{path}/valueFrom", REMOVE))
            self.edit(Edit(f"{path}/value", None))

    def _inherits(self, key: str) -> bool:
        """Whether the entry would still be there without the patch."""
        record, index = self.tree.where(self.address)
        own = own_document(self.tree, self.address)
        documents = [self.tree.document(place) for place in record.places(index)]
        above = [one.spec for one in documents if own is None or one.place != own.place]
        defaults, _ = self.tree.scopes[record.path].defaults("Config")
        return any(key in (spec.get("entries") or {}) for spec in (*above, defaults))

    def bring_back(self, key: str, old: Mapping[str, Json] | None) -> None:
        """Give an entry the value that it had; `old` is the whole entry then."""
        path = pointer(["spec", "entries", key])
        now = entry_at(self.tree, self.address, key)
        value = old.get("value") if old is not None else None
        if old is None:
            if now is not None:
                self.take_away(key)
        elif now is None:
            self.edit(Edit(path, dict(old)))
        elif value is None:
            self.take_away(key, "value", "valueFrom")
        elif is_reference(value):
            if "value" in self.own_entry(key):
                self.edit(Edit(f"{path}/value", REMOVE))
            self.edit(Edit(f"{path}/valueFrom", value["valueFrom"]))
        else:
            self.put(key, value, "STRING")

    def encrypt(self, key: str, value: str, audience: str | None = None) -> str:
        """Set a secret, for one server where `audience` is its URL; return its place."""
        from hrctl.cli.secrets.target import find as find_target
        from hrctl.cli.secrets.writing import edits_for, sealed
        from hrctl.model.origin import origin

        target = find_target(self.tree, self.address, key)
        target = replace(target, audience=audience and origin(audience))
        self.edit(*edits_for(self.tree, target, sealed(self.session, target, value)))
        return str(target.place)

    def finish(self, subject: str, then: Then, told: str | None = None) -> int:
        """Write it, and what then; `told` in place of the difference goes with secrets."""
        from hrctl.cli.secrets.target import TOLERATED

        wish = edits.Wish(
            subject,
            [self.address],
            then,
            told=(told,) if told else None,
            tolerated=TOLERATED if told else frozenset(),
        )
        return edits.finish(self.session, self.draft, wish)
