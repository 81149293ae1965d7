"""SARIF: valid against its schema, each result with its rule, fingerprints that stay."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrctl.cli.render.findings import Findings
from hrctl.cli.render.sarif import FINGERPRINT, document, sarif
from hrctl.diagnostics import Diagnostic, Related, Severity, Span, catalog

SCHEMA = (
    Path(__file__).parents[2]
    / "node/node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
)
ONE = Diagnostic(
    "HR021",
    "unknown value 'APIS' for type",
    Span("shop/api ü.yaml", 9, 9, 4),
    address="acme/shop:Service/api",
    hint="did you mean API?",
    related=(Related("the first one", Span("b.yaml", 2, 1)), Related("no place")),
)


@cache
def validator() -> jsonschema.protocols.Validator:
    if not SCHEMA.is_file():
        pytest.skip("the schema of SARIF comes from npm")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def run(*found: Diagnostic, command: str = "hrctl validate") -> dict[str, Any]:
    content = json.loads(sarif(Findings(command, found, prefix="platform/")))
    validator().validate(content)
    (one,) = content["runs"]
    return one  # type: ignore[no-any-return]  # JSON


def test_a_result_has_rule_place_and_text() -> None:
    (result,) = run(ONE)["results"]
    assert (result["ruleId"], result["level"]) == ("HR021", "error")
    assert result["message"]["text"].startswith("unknown value 'APIS' for type\ndid you mean")
    (location,) = result["locations"]
    physical = location["physicalLocation"]
    assert physical["artifactLocation"] == {
        "uri": "platform/shop/api%20%C3%BC.yaml",
        "uriBaseId": "SRCROOT",
    }
    assert physical["region"] == {"startLine": 9, "startColumn": 9, "endColumn": 13}
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "acme/shop:Service/api"
    assert [one["message"]["text"] for one in result["relatedLocations"]] == ["the first one"]


def test_every_code_is_a_rule_with_help() -> None:
    made = run(ONE)
    rules = made["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == catalog.codes()
    assert all(rule["help"]["text"] and rule["help"]["markdown"] for rule in rules)
    assert rules[made["results"][0]["ruleIndex"]]["id"] == "HR021"
    assert "AUTO_CPU" in rules[made["results"][0]["ruleIndex"]]["help"]["markdown"]


def test_without_a_place_it_is_at_the_project_file_as_code_scanning_wants_one() -> None:
    (result,) = run(Diagnostic("HR130", "x is live", severity=Severity.WARNING))["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "platform/hrctl.yaml"
    assert result["level"] == "warning"


def test_a_run_without_findings_is_valid_and_says_that_it_went_well() -> None:
    made = run()
    assert made["results"] == []
    assert made["invocations"] == [{"executionSuccessful": True}]
    assert run(ONE)["invocations"] == [{"executionSuccessful": False}]


def prints(*found: Diagnostic) -> list[str]:
    return [one["partialFingerprints"][FINGERPRINT] for one in run(*found)["results"]]


def test_fingerprints_stay_when_lines_move_and_differ_where_findings_do() -> None:
    moved = Diagnostic(ONE.code, ONE.summary, Span("shop/api ü.yaml", 90, 1), address=ONE.address)
    other = Diagnostic(ONE.code, ONE.summary, Span("shop/b.yaml", 9, 9), address=ONE.address)
    assert prints(ONE) == prints(moved)
    first, second, third = prints(ONE, moved, other)
    assert first.rpartition(":")[0] == second.rpartition(":")[0]
    assert len({first, second, third}) == 3


@given(st.text(), st.text(min_size=1), st.text())
def test_any_text_makes_valid_sarif(summary: str, path: str, address: str) -> None:
    one = Diagnostic("HR021", summary, Span(path, 1, 1), address=address)
    content = document(Findings("hrctl validate", [one]))
    text = json.dumps(content, ensure_ascii=False)
    text.encode()
    result = json.loads(text)["runs"][0]["results"][0]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == path


def test_a_link_in_a_message_is_none() -> None:
    (result,) = run(Diagnostic("HR021", "see [this](http://evil.example)"))["results"]
    assert result["message"]["text"] == r"see \[this\](http://evil.example)"
