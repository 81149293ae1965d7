"""`hrctl mesh simulate`: where a request would go, from the YAML alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.mesh_services import Serving
from hrctl.cli.verbs.naming import In
from hrctl.diagnostics import HrctlError
from hrctl.logic.mesh.simulate import Request, Verdict
from hrctl.logic.mesh.simulate import simulate as verdict_of
from hrctl.model.address import Address
from hrctl.model.values import Json

Groups = dict[tuple[str, str], dict[str, Mapping[str, Any]]]  # by listener and driver
_LISTEN = "the driver's own address"  # of one that has none in hrctl.yaml


def simulate(  # noqa: PLR0913 - each option is a parameter: that is how typer takes them
    ctx: typer.Context,
    *,
    method: Annotated[
        str, typer.Option("--method", metavar="METHOD", help="GET, POST, ...")
    ] = "GET",
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="The name asked for.")] = "",
    path: Annotated[str, typer.Option("--path", metavar="PATH", help="Of the request.")] = "/",
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="NAME:VALUE", help="Of the request. Repeatable."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="HOST:PORT", help="Only this listener (default: each)."),
    ] = None,
    times: Annotated[
        int, typer.Option("--times", min=1, metavar="N", help="How many such requests.")
    ] = 1,
    registry: In = None,
) -> int:
    """Tell which Route answers a request, where it goes, and why the others do not match.

    Only the YAML is looked at: on a pull request it shows the effect before anything is applied.
    The exit code is 1 where nobody answers, also because nothing that would is declared to run.

    Examples:
      hrctl mesh simulate --in dev --host shop.example --path /cart
      hrctl mesh simulate --in dev --header "Cookie: arm=b" --times 10000
    """
    console = console_of(ctx)
    if not path.startswith("/"):
        raise HrctlError.of("HR162", f"'{path}' is no path", hint="as --path /cart")
    request = Request(method.upper(), host, path, dict(map(_header, header or ())))
    with Session(console) as session:
        tree = session.tree()
        chosen = naming.of_kind(tree, "Route", registry)
        specs = {str(one): tree.resource(one).body["spec"] for one in chosen}
        drivers = {str(one): tree.rows[one].driver for one in chosen}
        own = {name: one.config.get("listen") for name, one in session.project.drivers.items()}
        told = _verdicts(_groups(specs, drivers, own, listen), request, Serving(tree), times)
    if console.json_output:
        console.json(told)
    else:
        several = len({one["driver"] for one in told}) > 1
        for one in told:
            for line in _lines(one, console.width, driver=several):
                console.data(line)
    return Exit.DONE if any(map(_is_answered, told)) else Exit.ERROR


def _groups(
    specs: Mapping[str, Mapping[str, Any]],
    drivers: Mapping[str, str],
    own: Mapping[str, Any],
    listen: str | None,
) -> Groups:
    """Return the routes of each listener of each driver.

    Raises:
        HrctlError: HR142, where there is none.
    """
    groups: Groups = {}
    for address, spec in sorted(specs.items()):
        if spec["type"] != "TCP":
            driver = drivers[address]
            at = str(spec.get("listen") or own.get(driver) or _LISTEN)
            groups.setdefault((at, driver), {})[address] = spec
    if listen is not None:
        groups = {key: some for key, some in groups.items() if key[0] == listen}
    if not groups:
        where = f"listens at {listen}" if listen else "takes requests"
        raise HrctlError.of("HR142", f"no Route here {where}", hint="see `hrctl mesh list`")
    return groups


def _verdicts(
    groups: Groups, request: Request, serving: Serving, times: int
) -> list[dict[str, Json]]:
    found = []
    for key, some in groups.items():
        verdict = verdict_of(some, request)
        told = _told(key, verdict, some, times)
        if verdict.route is not None:
            pairs = zip(told["destinations"], some[verdict.route]["destinations"], strict=True)
            for part, destination in pairs:
                part["unserved"] = serving.why_not(destination, key[1])
        found.append(told)
    return found


def _is_answered(told: Mapping[str, Any]) -> bool:
    """Return whether somebody answers a part of the requests."""
    return any(one["share"] and not one["unserved"] for one in told["destinations"])


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise HrctlError.of(
            "HR162", f"'{text}' is not NAME:VALUE", hint="as --header 'X-Team: red'"
        )
    return name.strip().lower(), value.strip()


def _told(
    at: tuple[str, str], verdict: Verdict, specs: Mapping[str, Mapping[str, Any]], times: int
) -> dict[str, Json]:
    parts = []
    if verdict.route is not None:
        destinations = specs[verdict.route]["destinations"]
        counts = apportioned(verdict.shares, times)
        for one, share, count in zip(destinations, verdict.shares, counts, strict=True):
            parts.append({"destination": _named(one), "share": round(share, 6), "times": count})
    return {
        "listen": at[0],
        "driver": at[1],
        "route": verdict.route,
        "match": verdict.number,
        "rule": verdict.rule,
        "times": times,
        "destinations": parts,
        "others": [
            {"route": miss.route, "match": miss.number, "why": miss.why, "judged": miss.judged}
            for miss in verdict.misses
        ],
    }


def apportioned(shares: tuple[float, ...], times: int) -> list[int]:
    """The expected numbers, whole and together `times`, by largest remainder."""
    exact = [share * times for share in shares]
    found = [int(one) for one in exact]
    order = sorted(range(len(exact)), key=lambda i: (found[i] - exact[i], i))
    for index in order[: times - sum(found)] if sum(shares) else ():
        found[index] += 1
    return found


def _named(destination: Mapping[str, Any]) -> str:
    subset = destination.get("subset")
    where = destination.get("service") or destination.get("address") or "grid"
    where = Address(where).local if "/" in str(where) else str(where)
    return f"{subset} ({where})" if subset else where


def _lines(one: Mapping[str, Any], width: int, *, driver: bool) -> list[str]:
    lines = [f"{one['listen']}" + (f" of {one['driver']}" if driver else "")]
    if one["route"] is None:
        lines.append("  nobody answers (404)")
    else:
        why = f", because of {one['rule']}" if one["rule"] else ""
        lines.append(f"  {one['route']} answers{why}")
        for part in one["destinations"]:
            count = f"{part['times']:>8} times" if one["times"] > 1 else ""
            why = f", {part['unserved']}" if part["unserved"] else ""
            lines.append(f"    {part['share'] * 100:6.2f} %{count}  {part['destination']}{why}")
    for miss in one["others"]:
        head = f"  {'not' if miss['judged'] else 'or'} {miss['route']}:"
        whole = f"{head} {miss['why']}"
        lines += [whole] if len(whole) <= width else [head, f"      {miss['why']}"]
    return lines
