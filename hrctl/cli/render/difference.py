"""`hrctl diff` as text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hrctl.cli.difference import Difference, Item, spot_name
from hrctl.cli.render.style import Paint
from hrctl.cli.render.values import NONE, columns, elide, elide_left, printable, show
from hrctl.cli.render.versions import FieldLines, dotted
from hrctl.model.fields import FieldDiff
from hrctl.model.moved import Spot
from hrctl.model.values import Json, canonical

_SIGNS: Final = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "changed": ("~", "yellow"),
    "moved": (">", "cyan"),
}
_PLACES: Final = 40
_VALUE: Final = 29  # the column where values start, as in a plan


def text_lines(found: Difference, *, width: int, paint: Paint) -> Iterator[str]:
    """The difference, line by line, grouped by registry."""
    writer = _Writer(found, width, paint)
    registry = ""
    for item in found.items:
        home = item.pair.role.address.registry
        if home != registry:
            if registry:
                yield ""
            yield paint(home, "bold")
            registry = home
        yield from writer.item(item)
    if found.items:
        yield ""
    yield found.summary()


class _Writer:
    def __init__(self, found: Difference, width: int, paint: Paint) -> None:
        self._found = found
        self._width = width
        self._paint = paint
        self._fields = FieldLines(width, paint)

    def item(self, item: Item) -> Iterator[str]:
        sign, style = _SIGNS[item.action]
        label = item.pair.role.address.local
        if item.what:
            label += f"  ({item.what})"
        start = f"  {sign} {label}"
        gap = " " * max(_PLACES - columns(start), 2)
        place = printable(item.place)
        room = self._width - columns(start) - len(gap)
        painted = f"  {self._paint(sign, style)} {self._paint(label, 'bold')}"
        if columns(place) <= max(room, 12):
            yield f"{painted}{gap}{self._paint(elide_left(place, max(room, 12)), 'dim')}"
        else:
            yield painted
            yield self._paint(elide_left(f"      {place}", self._width), "dim")
        if item.action == "moved" and item.pair.old is not None:
            yield f"      {'moved from':<23}{item.pair.old.role.address}"
            role = item.pair.role  # a patch moves with what it patches, and cannot say so
            if not (item.pair.is_declared_move or role.patch or role.address.kind == "Registry"):
                yield "      without movedFrom, so an apply deletes the one and creates the other"
        if item.action in {"changed", "moved"}:
            for one in item.fields:
                yield from self._field(item, one)

    def _field(self, item: Item, one: FieldDiff) -> Iterator[str]:
        spot = Spot(item.pair.role, one.key)
        secret = one.path in item.secret
        name = dotted(one.key)
        secrets = self._fields.secrets
        if (target := self._found.went.get(spot)) is not None:
            value = show(one.old, secrets, sensitive=secret)
            yield from self._moved(name, value, f"moved to {self._spot(item, target)}")
        elif sources := self._found.came.get(spot):
            value = show(one.new, secrets, sensitive=secret)
            where = self._spot(item, sources[0])
            if len(sources) > 1:
                where += f" and {len(sources) - 1} more"
            yield from self._moved(name, value, f"moved from {where}")
        elif not secret and (parts := item_changes(one.old, one.new)):
            yield f"      {name}"
            for sign, text in parts:
                style = {"+": "green", "-": "red"}.get(sign, "")
                yield self._paint(elide(f"        {sign} {text}", self._width), style)
        else:
            yield from self._fields.lines(one, secret=secret)

    def _moved(self, name: str, value: str, where: str) -> Iterator[str]:
        gap = " " if columns(name) < _VALUE - 6 else "   "
        line = f"      {name:<{_VALUE - 7}}{gap}{value}"
        if columns(line) + 2 + columns(where) <= self._width:
            yield f"{line}  {where}"
        else:
            yield elide(line, self._width)
            yield self._paint(elide(f"        {where}", self._width), "dim")

    @staticmethod
    def _spot(item: Item, spot: Spot) -> str:
        return dotted(spot.key) if spot.owner == item.pair.role else spot_name(spot)


def item_changes(old: Json, new: Json) -> list[tuple[str, str]]:
    """What came into and what went out of a list, or of a text of several lines."""
    if (
        isinstance(old, str)
        and isinstance(new, str)
        and ("\n" in old.strip() or "\n" in new.strip())
    ):
        return _compared(old, new)
    if isinstance(old, list) and isinstance(new, list) and old and new:
        return _compared(old, new)
    return []


def _compared(old: Json, new: Json) -> list[tuple[str, str]]:
    """By deepdiff, which pairs the items of lists; signs and printable texts."""
    from deepdiff import DeepDiff  # takes longer to import than most commands run

    if isinstance(old, str):
        changes = DeepDiff(old, new).get("values_changed", {})
        lines = str(changes["root"]["diff"]).splitlines()[2:] if "root" in changes else []
        return [(line[0], printable(line[1:])) for line in lines if line[:1] in {"+", "-"}]
    found = DeepDiff(old, new, ignore_order=True, report_repetition=True, verbose_level=2)
    gone = [*found.get("iterable_item_removed", {}).values()]
    came = [*found.get("iterable_item_added", {}).values()]
    for kind in ("values_changed", "type_changes"):
        for pair in found.get(kind, {}).values():
            gone.append(pair["old_value"])
            came.append(pair["new_value"])
    for times in found.get("repetition_change", {}).values():
        more = times["new_repeat"] - times["old_repeat"]
        (came if more > 0 else gone).extend([times["value"]] * abs(more))
    if not gone and not came:  # only the order is another one
        return []
    return [
        *(("-", printable(canonical(one))) for one in gone),
        *(("+", printable(canonical(one))) for one in came),
    ]


def markdown(found: Difference) -> str:
    """The difference as tables, one for each document, for a comment or a page."""
    from hrctl.cli.render.markdown import code

    new = code(found.new) if found.new else "the working tree"
    lines = [f"### {code(found.old)} to {new}", "", found.summary(), ""]
    fields = FieldLines(10_000, lambda text, _: text)
    for item in found.items:
        head = f"#### {item.action} {code(item.pair.role.address)}"
        lines += [f"{head} {item.what}".rstrip(), "", code(item.place), ""]
        if item.action == "moved" and item.pair.old is not None:
            lines += [f"moved from {code(item.pair.old.role.address)}", ""]
        if item.fields and item.action in {"changed", "moved"}:
            lines += ["| field | before | after |", "|---|---|---|"]
            lines += [_row(found, item, one, fields) for one in item.fields]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _row(found: Difference, item: Item, one: FieldDiff, fields: FieldLines) -> str:
    from hrctl.cli.render.markdown import code

    secret = one.path in item.secret
    spot = Spot(item.pair.role, one.key)
    texts = [show(each, fields.secrets, sensitive=secret) for each in (one.old, one.new)]
    cells = ["" if text == NONE else code(text) for text in texts]
    if (target := found.went.get(spot)) is not None:
        cells[1] = f"moved to {code(spot_name(target))}"
    elif sources := found.came.get(spot):
        cells[0] = f"moved from {code(spot_name(sources[0]))}"
    name = dotted(one.key) + (" (order)" if one.is_order else "")
    return f"| {code(name)} | {cells[0]} | {cells[1]} |"
