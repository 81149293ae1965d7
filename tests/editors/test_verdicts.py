"""jsonschema gives the verdict of `hrctl validate`, as far as a schema can know.

Held against each other over every manifest of the repository: the examples, the projects of tests,
the cases of each kind, and the wrong and right examples of every code. What differs is listed here,
and in docs/editors.md word by word; each line of the list must be needed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator

from hrctl.diagnostics import Severity
from hrctl.model.kinds import KINDS
from hrctl.model.manifest import Problem, check_envelope
from hrctl.model.schema import document_schema, kind_schema
from hrctl.model.validate import check_spec
from hrctl.source.parse import parse_file

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "editors.md"

# What hrctl refuses and the schema lets pass: words for the page -> "code path summary".
LENIENT: Final = {
    "one value compared with another: bounds, sums, rising steps": (
        r"HR028 \S+ .*(above|below|longer than|add up to|are all 0|must rise|nobody gets)"
    ),
    "a name that must stand elsewhere: variants, subsets; ports or rules that collide": (
        r"HR028 \S+ .*(is not one of the variants|has the subset|two ports|never counts)"
    ),
    "a Config value against the rules of its own entry: `min`, `allowed`, `pattern`, `schema`": (
        r"HR031 |HR34[0-2] \S+/entries/|HR024 \S+ schema is not a JSON Schema"
    ),
    "a password inside of a URL": r"HR030 \S+/endpoint ",
    "an integer written as `2.0`": r"HR022 \S+ .*wanted an integer, got a number",
    "a date that no calendar has, such as 2027-02-30": r"HR024 \S+/expires ",
    "how fine a flag's shares are, and that a rollout over three variants must name one": (
        r"HR028 \S+ .*(too fine a share|hash unleash counts|rollout.variant is missing)"
    ),
    "a flag's value that is infinite, a whole number above 2^53, or a `valueFrom`": (
        r"HR022 \S+/variants/\S+ .*finite number, got a number"
        r"|HR024 \S+/variants/\S+ .*(is a valueFrom|many applications read)"
    ),
    "a regular expression that is none": (
        r"HR024 \S+/regex .*is not a regular expression|HR340 \S+/regex "
    ),
    "a duration of more than a hundred years": r"HR024 \S+ .*longer than a hundred years",
    "an IPv6 address that is none, such as `[1:2]`": r"HR024 \S+/address .*no IPv6 address",
}
DEFAULTS: Final = "the specs inside of `defaults`, in `registry.schema.json` alone"
# Problems that show only beside other documents.
TREE: Final = "what other documents say: references, cycles, levels, duplicates, drivers, patches"
BESIDE: Final = {f"HR{number:03}" for number in range(40, 60)}
# What the schema refuses and hrctl lets pass.
NULL: Final = "`null` in a document that is no patch, where it removes what is inherited"
INHERITED: Final = "a required field that is left out since a registry's `defaults` give it"
FOREIGN: Final = (
    "a document of another program: with an `apiVersion` and a kind that are not hrctl's, "
    "or with neither"
)


@cache
def validator(name: str | None) -> Draft7Validator:
    schema = document_schema() if name is None else kind_schema(name)
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def found_by_hrctl(document: dict[str, Any]) -> list[Problem]:
    """The errors that `validate` tells of one document alone."""
    problems = check_envelope(document)
    kind, spec = document.get("kind"), document.get("spec")
    if kind in KINDS and isinstance(spec, dict):
        patch = (document.get("metadata") or {}).get("patch") is True
        problems += check_spec(kind, spec, partial=patch)
    return [one for one in problems if one.severity is Severity.ERROR]


def documents(path: str, data: bytes) -> list[dict[str, Any]]:
    return [one for _, one in parse_file(data, path)[0] if isinstance(one, dict)]


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in KINDS:
        text = (ROOT / f"tests/model/cases/{name.lower()}.yaml").read_bytes()
        for number, case in enumerate(documents(name, b"cases:\n" + text)[0]["cases"]):
            metadata = {"name": "x", "patch": case.get("partial", False)}
            envelope = {"apiVersion": "hrctl.dev/v1", "kind": name, "metadata": metadata}
            yield f"{name}-{number}", {**envelope, "spec": case["spec"]}


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in ("examples", "tests/cli/project"):
        for path in sorted((ROOT / folder).rglob("*.yaml")):
            if path.name != "hrctl.yaml":
                for document in documents(path.name, path.read_bytes()):
                    yield str(path.relative_to(ROOT)), document


def code_examples() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((ROOT / "hrctl/diagnostics/codes").glob("*.toml")):
        entry = tomllib.loads(path.read_text("utf-8"))
        for side in ("wrong", "right"):
            files = entry[side] if isinstance(entry[side], dict) else {}
            for name, text in files.items():
                if name != "hrctl.yaml" and name.endswith((".yaml", ".yml")):
                    for document in documents(name, text.encode()):
                        if "apiVersion" in document:
                            yield f"{path.stem}-{side}-{name}", document


EVERYTHING = [*cases(), *manifests(), *code_examples()]


def differs(document: dict[str, Any], name: str | None) -> set[str]:
    """Which lines of the list explain that the verdicts differ; none where they are the same.

    Fails where they differ and no line says why.
    """
    problems = found_by_hrctl(document)
    errors = list(validator(name).iter_errors(document))
    if bool(problems) == bool(errors):
        return set()
    if errors:
        assert all(one.instance is None for one in errors), [one.message for one in errors]
        return {NULL}
    used = set()
    for one in problems:
        told = f"{one.code} {one.path} {one.summary}"
        if name == "Registry" and one.path.startswith("/spec/defaults/"):
            used.add(DEFAULTS)
            continue
        lines = {words for words, pattern in LENIENT.items() if re.match(pattern, told)}
        assert lines, f"the schema lets pass: {told}"
        used |= lines
    return used


@pytest.mark.parametrize("keyed", [True, False], ids=["one-schema", "schema-of-the-kind"])
@pytest.mark.parametrize(("name", "document"), EVERYTHING, ids=[name for name, _ in EVERYTHING])
def test_verdicts_agree(name: str, document: dict[str, Any], *, keyed: bool) -> None:
    kind = document.get("kind")
    if keyed or kind not in KINDS:
        differs(document, None)
    else:
        differs(document, kind)
    assert name


def test_each_line_of_the_list_is_needed() -> None:
    used: set[str] = set()
    for _, document in EVERYTHING:
        used |= differs(document, None)
        if document.get("kind") == "Registry":
            used |= differs(document, "Registry")
    assert used == {*LENIENT, DEFAULTS, NULL}


@pytest.mark.parametrize("path", sorted((ROOT / "hrctl/diagnostics/codes").glob("HR0[2-5]*.toml")))
def test_what_only_a_tree_shows_is_nothing_else(path: Path, folder: Any) -> None:
    """Each code that `load` tells of a tree, and no document alone has, is one of `BESIDE`."""
    wrong = tomllib.loads(path.read_text("utf-8"))["wrong"]
    if not isinstance(wrong, dict):
        return
    folder.write(wrong)
    told = {
        one.code for one in folder.load().diagnostics if one.severity is Severity.ERROR and one.span
    }
    alone = {
        one.code
        for name, text in wrong.items()
        if name != "hrctl.yaml"
        for document in documents(name, text.encode())
        for one in found_by_hrctl(document)
    }
    assert told - alone <= BESIDE


def test_what_the_schema_refuses_beyond_hrctl(folder: Any) -> None:
    registry = (
        "apiVersion: hrctl.dev/v1\nkind: Registry\nmetadata: {name: acme}\n"
        "spec: {level: ROOT, defaults: {Service: {type: API}}}\n"
    )
    service = "apiVersion: hrctl.dev/v1\nkind: Service\nmetadata: {name: a}\nspec: {}\n"
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
    folder.write({"registry.yaml": registry, "a.yaml": service, "b.yaml": pod, "c.yaml": "a: 1\n"})
    assert folder.told() == []
    assert validator(None).is_valid(documents("", registry.encode())[0])
    for text in (service, pod, "a: 1\n"):  # INHERITED, FOREIGN
        assert not validator(None).is_valid(documents("", text.encode())[0])


def test_the_page_lists_the_differences() -> None:
    page = PAGE.read_text("utf-8")
    for words in (*LENIENT, DEFAULTS, TREE, NULL, INHERITED, FOREIGN):
        assert f"- {words}\n" in page
