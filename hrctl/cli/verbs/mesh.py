"""`hrctl mesh`: routes, what leads requests where, and what the running mesh says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import edits, measure, naming
from hrctl.cli.verbs.draft import Draft, change_fields
from hrctl.cli.verbs.edits import Then, editing
from hrctl.cli.verbs.generic import group
from hrctl.cli.verbs.live import by_driver
from hrctl.cli.verbs.mesh_simulate import simulate
from hrctl.cli.verbs.mesh_traces import traces
from hrctl.cli.verbs.naming import Into, Name
from hrctl.cli.verbs.write import New, Settings, parse_settings, write_new
from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Health, HealthReport
from hrctl.model.address import Address
from hrctl.model.kinds import kind
from hrctl.model.values import Json

KIND = "Route"
_WHOLE = 100


@editing
def add_route(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    name: New,
    *,
    registry: Into = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="WHERE[@SUBSET][=WEIGHT]",
            help="A Service, or host:port; api@v2=10 is a tenth, called v2. Repeatable.",
        ),
    ] = None,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where requests come in.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", metavar="NAME", help="A name that is asked for. Repeatable."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", metavar="PATH", help="How the path begins.")
    ] = None,
    type_: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="HTTP, GRPC, TCP or WEBSOCKET.")
    ] = "HTTP",
    settings: Settings = None,
    then: Then,
) -> int:
    """Write the manifest of a new Route; it is checked with the whole tree.

    Examples:
      hrctl mesh add-route shop --in dev --listen 127.0.0.1:8080 --to web
      hrctl mesh add-route shop --to web@v1=90 --to web-next@v2=10 --prefix /
    """
    given: dict[str, Json] = {
        "/spec/type": type_,
        "/spec/listen": listen,
        "/spec/hosts": host,
        "/spec/match": [{"path": {"prefix": prefix}}] if prefix else None,
        "/spec/destinations": [_destination(one) for one in to or ()] or None,
    }
    fields = {path: value for path, value in given.items() if value is not None}
    with edits.edit_session(ctx) as session:
        fields |= parse_settings(settings or [])
        return write_new(session, kind(KIND), (name, registry), fields, then)


def _destination(text: str) -> dict[str, Json]:
    where, equals, weight = text.partition("=")
    target, _, subset = where.partition("@")
    if not target or (equals and not weight.isdigit()):
        raise HrctlError.of(
            "HR162", f"'{text}' is not WHERE[@SUBSET][=WEIGHT]", hint="as --to web@v2=10"
        )
    found: dict[str, Json] = {"address" if ":" in target else "service": target}
    if subset:
        found["subset"] = subset
    if equals:
        found["weight"] = int(weight)
    return found


@editing
def traffic_split(
    ctx: typer.Context,
    name: Name,
    parts: Annotated[
        list[str], typer.Argument(metavar="SUBSET=PERCENT...", help="They add up to 100.")
    ],
    *,
    then: Then,
) -> int:
    """Say which part of the requests each subset of a Route's destinations gets.

    Examples:
      hrctl mesh traffic-split shop v1=90 v2=10
      hrctl mesh traffic-split prod:shop v1=50 v2=50 --commit --apply
    """
    with edits.edit_session(ctx) as session:
        tree = session.tree()
        address = naming.find(tree, KIND, name)
        spec = tree.resource(address).body["spec"]
        wanted = _percentages(address, spec, parts)
        draft = Draft(session.project.root)
        if wanted != _present(spec):
            rules = [{"subset": subset, "percentage": part} for subset, part in wanted.items()]
            split = {"mode": "PERCENTAGE", "rules": rules}
            change_fields(draft, tree, address, _split_fields(spec, split))
        shown = " ".join(f"{subset}={part:g}" for subset, part in wanted.items())
        wish = edits.Wish(f"Split {address} {shown}", [address], then)
        return edits.finish(session, draft, wish)


def _percentages(address: Address, spec: Mapping[str, Any], parts: list[str]) -> dict[str, float]:
    """The part of each subset that is named, 100 in all.

    Raises:
        HrctlError: HR162, with a split of the route's own subsets as the hint.
    """
    known = list(dict.fromkeys(one["subset"] for one in spec["destinations"] if "subset" in one))
    found: dict[str, float] = {}
    for part in parts:
        subset, _, text = part.partition("=")
        try:
            number = float(text.removesuffix("%"))
        except ValueError:
            number = -1.0
        if not subset or not 0 <= number <= _WHOLE:
            hint = _example(known)
            raise HrctlError.of("HR162", f"'{part}' is not SUBSET=PERCENT", hint=hint)
        found[subset] = int(number) if number == int(number) else number
    for subset in found:
        if subset not in known:
            raise HrctlError.of(
                "HR162",
                f"{address} has no destination with the subset '{subset}'",
                hint=f"it has {', '.join(known)}" if known else _NO_SUBSETS,
            )
    total = sum(found.values())
    if abs(total - _WHOLE) > 1e-9:  # noqa: PLR2004 - as good as the same
        hint = _example(known)
        raise HrctlError.of("HR162", f"the parts add up to {total:g}, not to 100", hint=hint)
    return found


_NO_SUBSETS: Final = "it has none: give its destinations a `subset`"


def _example(subsets: list[str]) -> str:
    """A split that is right: equal whole parts, of which the first has what is left over."""
    if not subsets:
        return _NO_SUBSETS
    each, left = divmod(_WHOLE, len(subsets))
    first, *others = subsets
    return " ".join(["as", f"{first}={each + left}", *(f"{one}={each}" for one in others)])


def _present(spec: Mapping[str, Any]) -> dict[str, float] | None:
    split = spec.get("trafficSplit")
    if not split or split.get("mode") != "PERCENTAGE":
        return None
    return {rule["subset"]: rule["percentage"] for rule in split["rules"]}


def _split_fields(spec: Mapping[str, Any], split: dict[str, Json]) -> dict[str, Json]:
    """The fields to write: of rules for the same subsets only the percentages."""
    rules = (spec.get("trafficSplit") or {}).get("rules") or []
    same = [one.get("subset") for one in rules] == [one["subset"] for one in split["rules"]]
    if not same or spec["trafficSplit"].get("mode") != "PERCENTAGE":
        return {"/spec/trafficSplit": split}
    return {
        f"/spec/trafficSplit/rules/{index}/percentage": rule["percentage"]
        for index, rule in enumerate(split["rules"])
        if rule["percentage"] != rules[index]["percentage"]
    }


@editing
def circuit_breaker(  # noqa: PLR0913 - each option is a parameter
    ctx: typer.Context,
    name: Name,
    *,
    failures: Annotated[
        int | None, typer.Option("--failures", min=1, metavar="N", help="In a row: it opens.")
    ] = None,
    open_for: Annotated[
        str | None, typer.Option("--open-for", metavar="TIME", help="How long it stays open.")
    ] = None,
    connections: Annotated[
        int | None, typer.Option("--max-connections", min=1, metavar="N", help="At once.")
    ] = None,
    requests: Annotated[
        int | None, typer.Option("--max-requests", min=1, metavar="N", help="At once.")
    ] = None,
    pending: Annotated[
        int | None, typer.Option("--max-pending", min=1, metavar="N", help="That wait.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Have none.")] = False,
    then: Then,
) -> int:
    """Set the circuit breaker of a Route; without options, show the state of each circuit.

    Examples:
      hrctl mesh circuit-breaker shop
      hrctl mesh circuit-breaker shop --failures 5 --open-for 30s --commit --apply
    """
    given: dict[str, Json] = {
        "failureThreshold": failures,
        "openFor": open_for,
        "maxConnections": connections,
        "maxRequests": requests,
        "maxPending": pending,
    }
    return _set_or_show(ctx, name, "circuitBreaker", given, off=off, then=then)


@editing
def retry(  # noqa: PLR0913 - each option is a parameter
    ctx: typer.Context,
    name: Name,
    *,
    attempts: Annotated[
        int | None, typer.Option("--attempts", min=0, metavar="N", help="After the first try.")
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="WHAT", help="5xx, reset, connect-failure, ... Repeatable."),
    ] = None,
    codes: Annotated[
        list[int] | None,
        typer.Option("--status-code", metavar="N", help="A further status. Repeatable."),
    ] = None,
    per_try: Annotated[
        str | None, typer.Option("--per-try-timeout", metavar="TIME", help="For one try.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Try nothing again.")] = False,
    then: Then,
) -> int:
    """Set what a Route tries again; without options, show it.

    Examples:
      hrctl mesh retry shop --attempts 3 --on 5xx --on reset
      hrctl mesh retry shop --status-code 429 --per-try-timeout 500ms --commit
    """
    given: dict[str, Json] = {
        "attempts": attempts,
        "on": on,
        "statusCodes": codes,
        "perTryTimeout": per_try,
    }
    return _set_or_show(ctx, name, "retry", given, off=off, then=then)


def _set_or_show(  # noqa: PLR0913 - what the two verbs share
    ctx: typer.Context,
    name: str,
    field: str,
    given: Mapping[str, Json],
    *,
    off: bool,
    then: Then,
) -> int:
    wanted = {key: value for key, value in given.items() if value is not None}
    if off and wanted:
        raise HrctlError.of("HR145", "--off goes with no other setting", hint="leave one out")
    with edits.edit_session(ctx) as session:
        tree = session.tree()
        address = naming.find(tree, KIND, name)
        present = tree.resource(address).body["spec"].get(field)
        if not off and not wanted:
            return _show(session, address, field, present)
        draft = Draft(session.project.root)
        if off and present is not None:
            change_fields(draft, tree, address, {f"/spec/{field}": None})
        fields = {
            f"/spec/{field}/{key}": value
            for key, value in wanted.items()
            if (present or {}).get(key) != value
        }
        if fields:
            change_fields(draft, tree, address, fields)
        words = {"circuitBreaker": "circuit breaker", "retry": "retries"}[field]
        wish = edits.Wish(f"Set {words} of {address}", [address], then)
        return edits.finish(session, draft, wish)


def _show(session: Session, address: Address, field: str, present: Json) -> int:
    console = session.console
    reports: list[HealthReport] = []
    if field == "circuitBreaker" and present is not None:
        ((_, driver, held),) = by_driver(session, session.tree(), [address])
        if isinstance(driver, Health):
            reports = [one for one in driver.health(held) if one.circuit is not None]
    if console.json_output:
        circuits: list[Json] = [
            {"destination": one.destination, "state": one.circuit, "detail": one.detail}
            for one in reports
        ]
        console.json({"address": str(address), field: present, "circuits": circuits})
        return Exit.DONE
    console.document({"address": str(address), field: present or "none"})
    if reports:
        console.data("")
        rows = [(one.destination, one.circuit, one.detail) for one in reports]
        console.table(("DESTINATION", "CIRCUIT", "DETAIL"), rows)
    return Exit.DONE


MESH = group(
    KIND,
    {
        "add-route": add_route,
        "traffic-split": traffic_split,
        "circuit-breaker": circuit_breaker,
        "retry": retry,
        "health": measure.health_of(
            kind(KIND),
            "Tell how the hosts behind each destination are, and whether circuits are open.",
        ),
        "metrics": measure.metrics_of(
            kind(KIND),
            "Count requests, successes and failures, and tell how long answers took.",
        ),
        "simulate": simulate,
        "traces": traces,
    },
    (
        "add-route shop --in prod --host shop.example --to web",
        "simulate --in prod --host shop.example --path /cart --times 1000",
        "traffic-split prod:shop v1=50 v2=50 --commit --apply",
        "health",
    ),
)
