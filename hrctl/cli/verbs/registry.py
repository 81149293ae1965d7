"""`hrctl registry`: the hierarchy itself."""

from __future__ import annotations

from collections import Counter

import typer

from hrctl.cli.app import console_of
from hrctl.cli.exits import Exit
from hrctl.cli.session import Session
from hrctl.cli.verbs import naming
from hrctl.cli.verbs.generic import group
from hrctl.cli.verbs.naming import In
from hrctl.cli.verbs.write import remover
from hrctl.model.kinds import kind
from hrctl.model.tree import Tree
from hrctl.model.values import Json


def hierarchy(ctx: typer.Context, registry: In = None) -> int:
    """Draw the registries as a tree, with levels and how many resources each holds.

    Examples:
      hrctl registry hierarchy
      hrctl registry hierarchy --in payments -o json
    """
    console = console_of(ctx)
    with Session(console) as session:
        tree = session.tree()
        top = naming.registry_path(tree, registry) if registry else tree.records[0].path
        own = {
            record.path: sum(count for count in _counts(record.addresses).values())
            for record in tree.records
        }
        node = _node(tree, top, own)
    if console.json_output:
        console.json(node)
    else:
        console.lines(_lines(node, "", ""))
    return Exit.DONE


def _counts(addresses: list[str]) -> Counter[str]:
    kinds = (address.partition(":")[2].partition("/")[0] for address in addresses)
    return Counter(kind for kind in kinds if kind != "Registry")


def _node(tree: Tree, path: str, own: dict[str, int]) -> dict[str, Json]:
    node = tree.registries[path]
    children = [
        _node(tree, one.path, own) for one in tree.registries.values() if one.parent == path
    ]
    return {
        "path": path,
        "name": node.name,
        "level": node.level,
        "depth": path.count("/"),
        "resources": own[path],
        "below": own[path] + sum(child["below"] for child in children),
        "children": children,
    }


def _lines(node: dict[str, Json], lead: str, inner: str) -> list[str]:
    count = f"{node['resources']} here"
    if node["children"]:
        count += f", {node['below']} in all"
    found = [f"{lead}{node['name']}  {node['level']}  ({count})"]
    for number, child in enumerate(node["children"]):
        last = number == len(node["children"]) - 1
        found += _lines(
            child, inner + ("`-- " if last else "|-- "), inner + ("    " if last else "|   ")
        )
    return found


REGISTRY = group(
    "Registry", {"hierarchy": hierarchy, "delete": remover(kind("Registry"), "delete")}
)
