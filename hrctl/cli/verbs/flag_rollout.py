"""`hrctl flag rollout`: to whom a flag goes, and whom that adds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose, isfinite
from typing import Annotated, Any, Final

import typer

from hrctl.cli.render.values import printable
from hrctl.cli.session import Session
from hrctl.cli.verbs import edits, naming
from hrctl.cli.verbs.draft import NULL, Draft, change_fields
from hrctl.cli.verbs.edits import Then, editing
from hrctl.cli.verbs.flag_evaluate import Asker, Users
from hrctl.cli.verbs.naming import Name
from hrctl.cli.verbs.write import parse_value
from hrctl.diagnostics import HrctlError
from hrctl.logic.flags.shares import resliced
from hrctl.model.address import Address
from hrctl.model.tree import Tree
from hrctl.model.values import Json

KIND: Final = "FeatureFlag"
SYNTHETIC: Final = 100_000
STRATEGIES: Final = ("INSTANT", "GRADUAL", "CANARY", "BLUE_GREEN", "AB_TEST")
_NAMED: Final = 20  # users of a list who are named
_BELONGS: Final[dict[str, set[str]]] = {
    "INSTANT": {"variant"},
    "GRADUAL": {"variant", "percentage", "steps"},
    "CANARY": {"variant", "percentage", "steps", "groups"},
    "BLUE_GREEN": {"live"},
    "AB_TEST": {"weights", "slices"},
}
_OWN: Final = ("variant", "percentage", "steps", "groups", "live", "weights", "slices")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say of a rollout."""

    percentage: float | None
    strategy: str | None
    variant: str | None
    live: str | None
    weights: dict[str, Json]
    steps: list[dict[str, Json]]
    salt: str | None


@editing
def rollout(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    name: Name,
    percentage: Annotated[
        float | None, typer.Argument(metavar="[PERCENT]", help="The share of users, 0 to 100.")
    ] = None,
    *,
    strategy: Annotated[
        str | None, typer.Option("--strategy", metavar="STRATEGY", help=", ".join(STRATEGIES))
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="The variant that they get.")
    ] = None,
    live: Annotated[
        str | None, typer.Option("--live", metavar="NAME", help="BLUE_GREEN: the variant of all.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option("--weight", metavar="NAME=SHARE", help="AB_TEST: an arm. Repeatable."),
    ] = None,
    steps: Annotated[
        list[str] | None,
        typer.Option("--step", metavar="PERCENT@AFTER", help="A step, as 10@1d. Repeatable."),
    ] = None,
    salt: Annotated[
        str | None, typer.Option("--salt", metavar="TEXT", help="Another one, another test.")
    ] = None,
    users: Users = None,
    then: Then,
) -> int:
    """Edit to whom a flag goes, keeping comments, and tell who gets another answer by that.

    Told of a list of users, or of 100,000 synthetic ones that have a key and nothing else.

    Examples:
      hrctl flag rollout express 50 --strategy GRADUAL
      hrctl flag rollout prod:express 50 --users users.txt --commit --apply
      hrctl flag rollout express --step 5@0s --step 50@1d --step 100@7d
      hrctl flag rollout theme --strategy AB_TEST --weight plain=50 --weight dark=50
      hrctl flag rollout theme --live dark
    """
    if strategy is not None and strategy not in STRATEGIES:
        hint = f"one of {', '.join(STRATEGIES)}"
        raise HrctlError.of("HR162", f"no strategy '{strategy}'", hint=hint)
    share = None if percentage is None else _tidy(percentage)
    pairs = [_pair(one, "=", "--weight dark=50") for one in weights or ()]
    arms = dict(pairs)
    if len(arms) < len(pairs):
        raise HrctlError.of("HR162", "a variant is given two weights", hint="name each one once")
    wanted = Wanted(
        share,
        strategy,
        variant,
        live,
        {key: parse_value(text, key) for key, text in arms.items()},
        [_step(one) for one in steps or ()],
        salt,
    )
    with edits.edit_session(ctx) as session:
        tree = session.tree()
        address = naming.find(tree, KIND, name)
        spec = tree.resource(address).body["spec"]
        fields, after = _edited(spec, wanted)
        moved = _moved(session, tree, address, (spec, after), users)
        draft = Draft(session.project.root)
        own = _inherited(tree, address, fields)
        if fields:
            change_fields(draft, tree, address, fields | own)
        told: dict[str, Json] = {} if moved is None else {"moved": _json(moved)}
        if moved is not None and not session.console.json_output:
            session.console.lines(_lines(moved))
        subject = f"Roll out {address}" + ("" if share is None else f" to {share:g} %")
        wish = edits.Wish(subject, [address], then, also=told)
        return edits.finish(session, draft, wish)


def _tidy(number: float) -> float:
    if not isfinite(number):
        raise HrctlError.of("HR162", f"'{number}' is no percentage", hint="say 0 to 100")
    return int(number) if number == int(number) else number


def _pair(text: str, sign: str, example: str) -> tuple[str, str]:
    left, found, right = text.partition(sign)
    if not left or not found or not right:
        raise HrctlError.of("HR162", f"'{text}' is not of that form", hint=f"as {example}")
    return left, right


def _step(text: str) -> dict[str, Json]:
    share, after = _pair(text, "@", "--step 10@1d")
    return {"percentage": parse_value(share, text), "after": after}


def _edited(spec: dict[str, Json], wanted: Wanted) -> tuple[dict[str, Json], dict[str, Json]]:
    """The fields of the manifest to set (None: to remove), and the spec that comes of it."""
    held: dict[str, Json] = dict(spec.get("rollout") or {})
    strategy = wanted.strategy or _strategy(held.get("strategy"), wanted)
    given: dict[str, Json] = {
        "strategy": strategy,
        "percentage": wanted.percentage,
        "steps": wanted.steps or None,
        "live": wanted.live,
        "weights": wanted.weights or None,
        "variant": wanted.variant,
        "salt": wanted.salt,
    }
    given["slices"] = _slices(spec, wanted, strategy)
    changed = {key: one for key, one in given.items() if one is not None and held.get(key) != one}
    dropped = {one for one in _OWN if held.get(one) not in (None, [], {}, ())} - _BELONGS[strategy]
    if wanted.percentage is not None and held.get("steps"):
        dropped.add("steps")
    if wanted.steps and held.get("percentage") is not None:
        dropped.add("percentage")
    if wanted.weights and held.get("slices") and given["slices"] is None:
        dropped.add("slices")
    dropped -= changed.keys()
    fields: dict[str, Json] = {f"/spec/rollout/{key}": one for key, one in changed.items()}
    fields |= dict.fromkeys((f"/spec/rollout/{key}" for key in sorted(dropped)), None)
    after = {**spec, "rollout": {"stickiness": "userId", **held, **changed}}
    for key in dropped:
        del after["rollout"][key]
    if spec["status"] not in {"ENABLED", "ROLLOUT"}:
        fields["/spec/status"] = after["status"] = "ROLLOUT"
    if spec.get("rollout") and fields.keys() <= {"/spec/rollout/strategy"} and not changed:
        fields = {}
    return fields, after


def _slices(spec: dict[str, Json], wanted: Wanted, strategy: str) -> Json:
    """Return the slices with which other weights of a test move few users; None: none are needed.

    Unleash orders variants by itself, and another salt or strategy spreads everybody anew.
    """
    held = spec.get("rollout") or {}
    tested = held.get("strategy") == strategy == "AB_TEST" and spec.get("hash") != "unleash"
    given = wanted.weights.values()
    whole = all(isinstance(one, int | float) for one in given) and isclose(sum(given), 100)
    if not tested or not whole or wanted.salt not in {None, held.get("salt")}:
        return None
    return resliced(held, wanted.weights)


def _strategy(held: Json, wanted: Wanted) -> str:
    """The strategy that the options speak of, else the present one."""
    if wanted.weights:
        return "AB_TEST"
    if wanted.live is not None:
        return "BLUE_GREEN"
    if wanted.percentage is not None or wanted.steps:
        return held if held in {"GRADUAL", "CANARY"} else "GRADUAL"
    return held or "INSTANT"


def _inherited(tree: Tree, address: Address, fields: Mapping[str, Json]) -> dict[str, Any]:
    """Null for what is to go and comes from a document above: to remove it here is not enough."""
    record, index = tree.where(address)
    base, *patches = record.places(index)
    if not tree.document(base).metadata.get("instances"):
        return {}
    above = [base, *patches[:-1]] if patches else [base]
    held: set[str] = set()
    for place in above:
        held |= (tree.document(place).spec.get("rollout") or {}).keys()
    gone = [path for path, value in fields.items() if value is None]
    return {path: NULL for path in gone if path.rpartition("/")[2] in held}


@dataclass(frozen=True, slots=True)
class Moved:
    """Who gets another variant: how many from which to which, and some of them by name."""

    users: int
    synthetic: bool
    moves: dict[tuple[str | None, str | None], int]
    names: dict[tuple[str | None, str | None], list[str]]


def _moved(
    session: Session,
    tree: Tree,
    address: Address,
    specs: tuple[dict[str, Json], dict[str, Json]],
    users: Any,
) -> Moved | None:
    """Both answers for everybody; None where the new spec is not right, which is told later."""
    from hrctl.cli.contexts import synthetic, users_of
    from hrctl.model.validate import check_spec

    before, after = specs
    if users is None:
        stickiness = after["rollout"]["stickiness"]
        contexts = synthetic(SYNTHETIC, stickiness)
    else:
        contexts = users_of(users, {})
    if any(one.severity == "error" for one in check_spec(KIND, after)):
        return None
    asker = Asker(session, tree)
    old = asker.compiled(address, before)
    new = asker.compiled(address, after, edited=True)
    moves: Counter[tuple[str | None, str | None]] = Counter()
    names: dict[tuple[str | None, str | None], list[str]] = {}
    for context in contexts:
        move = (old(context).variant, new(context).variant)
        moves[move] += 1
        if users is not None and move[0] != move[1]:
            some = names.setdefault(move, [])
            if len(some) < _NAMED:
                some.append(str(context.get("targetingKey")))
    return Moved(len(contexts), users is None, dict(moves), names)


def _json(moved: Moved) -> dict[str, Json]:
    return {
        "users": moved.users,
        "synthetic": moved.synthetic,
        "changes": [
            {"from": old, "to": new, "count": count, "users": moved.names.get((old, new), [])}
            for (old, new), count in _changes(moved)
        ],
        "unchanged": sum(count for (old, new), count in moved.moves.items() if old == new),
    }


def _changes(moved: Moved) -> Sequence[tuple[tuple[str | None, str | None], int]]:
    found = [(move, count) for move, count in moved.moves.items() if move[0] != move[1]]
    return sorted(found, key=lambda one: (-one[1], str(one[0])))


def _lines(moved: Moved) -> Iterator[str]:
    what = "synthetic users" if moved.synthetic else "users of the list"
    yield f"Of {moved.users:,} {what}"
    width = len(f"{moved.users:,}")
    for (old, new), count in _changes(moved):
        share = count * 100 / max(moved.users, 1)
        yield f"  {count:>{width},}  {old} -> {new}  ({share:.1f} %)"
        names = moved.names.get((old, new), [])
        if names:
            more = ", ..." if count > len(names) else ""
            yield f"  {'':>{width}}  {printable(', '.join(names))}{more}"
    stay = sum(count for (old, new), count in moved.moves.items() if old == new)
    yield f"  {stay:>{width},}  get what they got"
    yield ""
