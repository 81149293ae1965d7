"""`hrctl grid`: nodes, what is wanted of them, and which of them requests go to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from socket import AF_INET6, SOCK_STREAM, getaddrinfo
from typing import Annotated, Any

import typer

from hrctl.cli.app import Function, console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import measure, naming
from hrctl.cli.verbs.generic import group
from hrctl.cli.verbs.grid_discover import discover
from hrctl.cli.verbs.naming import In
from hrctl.cli.verbs.switch import switch
from hrctl.cli.verbs.write import creator
from hrctl.diagnostics import HrctlError
from hrctl.logic.grid.balance import STRATEGIES, Balance, host_of
from hrctl.logic.grid.balance import balance as balanced
from hrctl.logic.mesh.order import shares
from hrctl.model.address import Address
from hrctl.model.kinds import kind
from hrctl.model.tree import Tree

KIND = "Node"
_OPERATORS = {"!=": "ne", "=": "eq"}


def _wants(verb: str, state: str, text: str) -> Function:
    return switch(kind(KIND), verb, "state", state, text, example="edge-1")


def balance(  # noqa: PLR0913 - each option is a parameter
    ctx: typer.Context,
    *,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="What CONSISTENT_HASH looks at."),
    ] = None,
    route: Annotated[
        str | None,
        typer.Option("--route", metavar="ROUTE", help="As the grid destination of this Route."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="KEY=VALUE", help="Of the nodes; also !=. Repeatable."),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", metavar="NAME", help=", ".join(STRATEGIES) + ".")
    ] = None,
    registry: In = None,
) -> int:
    """Tell which nodes share requests and how, and the node that a key goes to.

    The answer follows from the YAML, and is the one that Envoy gives, or HAProxy where nodes are
    bound to it: the ring of hashes is the same.

    Examples:
      hrctl grid balance --where region=eu-west --strategy WEIGHTED
      hrctl grid balance --route shop --key user-42
    """
    console = console_of(ctx)
    with Session(console) as session:
        tree = session.tree()
        grids = _grids(tree, route, where or [], strategy)
        for _, _, grid in grids:
            _require_keyed(grid, key, asked=route is not None or strategy is not None)
        nodes = {str(one): tree.resource(one).body["spec"] for one in _nodes(tree, route, registry)}
        proxy = _proxy(session, tree, route, nodes)
    hashed = any(grid.get("balance") == "CONSISTENT_HASH" for _, _, grid in grids)
    resolved = _resolved(nodes.values()) if hashed and proxy == "envoy" else {}
    found = [
        (number, part, balanced(nodes, grid, key, proxy, resolved)) for number, part, grid in grids
    ]
    if console.json_output:
        told = [
            {"destination": number, "part": part} | _json(one, key) for number, part, one in found
        ]
        console.json({"destinations": told} if len(told) > 1 else _json(found[0][2], key))
    else:
        for number, part, one in found:
            if len(found) > 1:
                console.data(f"destination {number}: {part * 100:.2f} % of requests")
            _tell(ctx, one, key)
    return Exit.DONE if all(one.shares for _, part, one in found if part) else Exit.ERROR


def _resolved(specs: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the addresses of each host name, those of IPv6 before others as Envoy prefers them.

    Raises:
        HrctlError: HR391, where a name has none.
    """
    found: dict[str, list[str]] = {}
    for host in sorted({host_of(spec) for spec in specs}):
        try:
            rows = getaddrinfo(host, None, type=SOCK_STREAM)
        except OSError as error:
            raise HrctlError.of(
                "HR391",
                f"the host name '{host}' of a node cannot be resolved: {error.strerror}",
                hint="the ring of Envoy follows from addresses; ask where the name is known",
            ) from error
        six = [str(row[4][0]) for row in rows if row[0] == AF_INET6]
        found[host] = list(dict.fromkeys(six or [str(row[4][0]) for row in rows]))
    return found


def _json(found: Balance, key: str | None) -> dict[str, Any]:
    return {
        "strategy": found.strategy,
        "key": key,
        "chosen": found.chosen,
        "shares": found.shares,
    }


def _nodes(tree: Tree, route: str | None, registry: str | None) -> Iterable[Address]:
    """Those of a registry; of a route those that its driver knows."""
    found = naming.of_kind(tree, KIND, registry)
    if route is None:
        return found
    driver = tree.rows[naming.find(tree, "Route", route)].driver
    return [one for one in found if tree.rows[one].driver == driver]


def _require_keyed(grid: dict[str, Any], key: str | None, *, asked: bool) -> None:
    """A key asks for CONSISTENT_HASH, unless another strategy was asked for."""
    if key is None:
        return
    if not asked:
        grid["balance"] = "CONSISTENT_HASH"
    strategy = grid.get("balance", "ROUND_ROBIN")
    if strategy != "CONSISTENT_HASH":
        raise HrctlError.of(
            "HR162",
            f"no key decides under {strategy}",
            hint="leave --key out; it is for CONSISTENT_HASH",
        )


def _proxy(session: Session, tree: Tree, route: str | None, nodes: Iterable[str]) -> str:
    """Whose ring it is: that of the route's driver, or of the nodes' if they have one in common."""
    asked = [naming.find(tree, "Route", route)] if route is not None else map(Address, nodes)
    known = session.project.drivers
    names = {tree.rows[address].driver for address in asked}
    types = {known[name].type for name in names if name in known}
    return "haproxy" if types == {"haproxy"} else "envoy"


def _tell(ctx: typer.Context, found: Balance, key: str | None) -> None:
    console = console_of(ctx)
    if not found.shares:
        console.note("No node that takes requests fits: see `hrctl grid list`.")
        return
    if found.chosen is not None:
        console.data(f"{key} -> {found.chosen}")
        return
    rows = [
        (naming.short(Address(one)), f"{share * 100:.2f} %") for one, share in found.shares.items()
    ]
    console.table(("NODE", found.strategy), rows)


Grid = tuple[int, float, dict[str, Any]]  # number of the destination, its part, the block


def _grids(tree: Tree, route: str | None, where: list[str], strategy: str | None) -> list[Grid]:
    """Return the blocks that choose: each of a route, or the one of the options."""
    if route is None:
        made: list[Grid] = [(0, 1.0, {"affinity": [_rule(one) for one in where]})]
    else:
        if where:
            raise HrctlError.of("HR145", "--route and --where do not go together")
        address = naming.find(tree, "Route", route)
        spec = tree.resource(address).body["spec"]
        parts = shares(spec)
        total = sum(parts) or 1
        made = [
            (number, part / total, dict(one["grid"]))
            for number, (one, part) in enumerate(zip(spec["destinations"], parts, strict=True))
            if "grid" in one
        ]
        if not made:
            raise HrctlError.of(
                "HR142", f"{address} has no grid destination", hint="see `hrctl mesh show`"
            )
    if strategy is not None:
        if strategy.upper() not in STRATEGIES:
            raise HrctlError.of(
                "HR162", f"'{strategy}' is no strategy", hint=f"one of {', '.join(STRATEGIES)}"
            )
        for _, _, grid in made:
            grid["balance"] = strategy.upper()
    return made


def _rule(text: str) -> dict[str, Any]:
    for sign, operator in _OPERATORS.items():
        key, found, value = text.partition(sign)
        if found and key and value:
            return {"key": key, "operator": operator, "values": value.split(",")}
    raise HrctlError.of("HR162", f"'{text}' is not KEY=VALUE", hint="as --where region=eu-west")


GRID = group(
    KIND,
    {
        "add": creator(kind(KIND), "add"),
        "activate": _wants("activate", "ACTIVE", "Give a node requests."),
        "deactivate": _wants("deactivate", "INACTIVE", "Give a node nothing at all."),
        "drain": _wants("drain", "DRAINING", "Give a node nothing new; what runs there may end."),
        "balance": balance,
        "discover": discover,
        "health": measure.health_of(
            kind(KIND), "Tell how the nodes are, as hosts of the routes that choose them."
        ),
        "metrics": measure.metrics_of(
            kind(KIND),
            "Count open connections, requests under way (ACTIVE) and all requests at each address.",
        ),
    },
    (
        "add edge-3 --in prod --set type=WORKER --set address=10.0.7.3:7000",
        "balance --in prod --key user-42",
        "drain prod:edge-1 --commit --apply",
        "health",
    ),
)
