"""What depends on what: as a tree of registries, for Graphviz, for Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hrctl.model.address import Address

Edges = Mapping[Address, Sequence[Address]]


def tree_lines(
    edges: Edges, levels: Mapping[str, str], *, width: int = 80, boxes: bool = True
) -> Iterator[str]:
    """The registries as a tree, their resources below them, each with what it needs.

    Args:
        edges: resource -> what it depends on.
        levels: registry path -> its level, of every registry to draw; parents are added.
        width: columns to fill; what does not fit goes on below.
        boxes: whether the stream can show line-drawing characters.
    """
    paths = set(levels)
    for path in [*levels, *(address.registry for address in edges)]:
        parts = path.split("/")
        paths.update("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    below: dict[str, list[str]] = {}
    for path in sorted(paths):
        below.setdefault(path.rpartition("/")[0], []).append(path)
    inside: dict[str, list[Address]] = {}
    for address in sorted(edges):
        if address.kind != "Registry":
            inside.setdefault(address.registry, []).append(address)
    drawing = _Tree(edges, levels, below, inside, width, boxes=boxes)
    for root in below.get("", ()):
        yield from drawing.registry(root, "", "")


class _Tree:
    def __init__(  # noqa: PLR0913  # what is drawn, and how
        self,
        edges: Edges,
        levels: Mapping[str, str],
        below: Mapping[str, list[str]],
        inside: Mapping[str, list[Address]],
        width: int,
        *,
        boxes: bool,
    ) -> None:
        self.edges, self.levels, self.below, self.inside = edges, levels, below, inside
        self.width = width
        drawn = ("├── ", "└── ", "│   ") if boxes else ("|-- ", "`-- ", "|   ")
        self.tee, self.elbow, self.bar = drawn

    def registry(self, path: str, branch: str, indent: str) -> Iterator[str]:
        level = self.levels.get(path)
        name = path.rpartition("/")[2]
        yield f"{branch}{name}{f'  ({level})' if level else ''}"
        resources, children = self.inside.get(path, []), self.below.get(path, [])
        for index, address in enumerate(resources):
            last = index == len(resources) - 1 and not children
            start = f"{indent}{self.elbow if last else self.tee}{address.local}"
            yield from self.resource(start, indent + ("    " if last else self.bar), address)
        for index, child in enumerate(children):
            last = index == len(children) - 1
            yield from self.registry(
                child,
                indent + (self.elbow if last else self.tee),
                indent + ("    " if last else self.bar),
            )

    def resource(self, line: str, indent: str, address: Address) -> Iterator[str]:
        """A resource and what it depends on; registries are left out, as the tree shows them."""
        names = [
            other.local if other.registry == address.registry else str(other)
            for other in self.edges[address]
            if other.kind != "Registry"
        ]
        for index, name in enumerate(names):
            word = f" {name}{'' if index == len(names) - 1 else ','}"
            if index == 0:
                word = f" ->{word}"
            if len(line) + len(word) > self.width and line.strip() != indent.strip():
                yield line
                line = f"{indent} "
            line += word
        yield line


def dot_lines(edges: Edges) -> Iterator[str]:
    """The graph for `dot`: a cluster for each registry, arrows to what is needed."""
    yield "digraph hrctl {"
    yield "  rankdir=LR;"
    yield "  node [shape=box];"
    for number, (registry, addresses) in enumerate(_clusters(edges)):
        yield f"  subgraph cluster_{number} {{"
        yield f'    label="{registry}";'
        for address in addresses:
            yield f'    "{address}" [label="{address.local}"];'
        yield "  }"
    for source, target in _pairs(edges):
        yield f'  "{source}" -> "{target}";'
    yield "}"


def mermaid_lines(edges: Edges) -> Iterator[str]:
    """The graph for Mermaid, as Markdown pages show it."""
    names = {address: f"n{number}" for number, address in enumerate(sorted(_nodes(edges)))}
    yield "flowchart LR"
    for number, (registry, addresses) in enumerate(_clusters(edges)):
        yield f'  subgraph s{number}["{registry}"]'
        for address in addresses:
            yield f'    {names[address]}["{address.local}"]'
        yield "  end"
    for source, target in _pairs(edges):
        yield f"  {names[source]} --> {names[target]}"


def _nodes(edges: Edges) -> set[Address]:
    return set(edges).union(*edges.values())


def _clusters(edges: Edges) -> Iterator[tuple[str, list[Address]]]:
    groups: dict[str, list[Address]] = {}
    for address in sorted(_nodes(edges)):
        groups.setdefault(address.registry, []).append(address)
    yield from sorted(groups.items())


def _pairs(edges: Edges) -> Iterator[tuple[Address, Address]]:
    for source in sorted(edges):
        for target in sorted(edges[source]):
            yield source, target
