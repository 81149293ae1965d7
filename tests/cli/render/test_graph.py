from hrctl.cli.render.graph import dot_lines, mermaid_lines, tree_lines
from hrctl.model.address import Address

API = Address("acme/shop:Service/api")
APP = Address("acme/shop:Config/app")
ROOT = Address("acme:Registry/acme")
EDGES = {API: (APP, ROOT), APP: (ROOT,), ROOT: ()}
LEVELS = {"acme": "ROOT", "acme/shop": "PROJECT"}


def test_the_tree_of_registries() -> None:
    assert list(tree_lines(EDGES, LEVELS)) == [
        "acme  (ROOT)",
        "└── shop  (PROJECT)",
        "    ├── Config/app",
        "    └── Service/api -> Config/app",
    ]
    assert list(tree_lines(EDGES, {}, boxes=False))[1] == "`-- shop"


def test_what_does_not_fit_goes_on_below() -> None:
    needs = tuple(Address(f"acme/shop:Config/number-{n}") for n in range(9))
    lines = list(tree_lines({API: needs}, LEVELS, width=60))
    assert max(map(len, lines)) <= 60
    assert len(lines) > 3
    assert all(f"number-{n}" in "\n".join(lines) for n in range(9))


def test_dot() -> None:
    lines = list(dot_lines(EDGES))
    assert lines[0] == "digraph hrctl {"
    assert lines[-1] == "}"
    assert '  "acme/shop:Service/api" -> "acme/shop:Config/app";' in lines


def test_mermaid() -> None:
    lines = list(mermaid_lines(EDGES))
    assert lines[0] == "flowchart LR"
    assert lines[-3:] == ["  n0 --> n2", "  n1 --> n0", "  n1 --> n2"]
