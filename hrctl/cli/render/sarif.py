"""Diagnostics as SARIF 2.1.0, the format of code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from hrctl.cli.render.findings import Findings, clean, located, message_lines
from hrctl.diagnostics import Diagnostic, Severity, Span, catalog

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
ABOUT: Final = "https://github.com/hrctl/hrctl"
# The name under which GitHub looks for what stays the same while lines move.
FINGERPRINT: Final = "primaryLocationLineHash"
LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}

Object = dict[str, Any]


def sarif(findings: Findings) -> str:
    """One run, as JSON text."""
    return json.dumps(document(findings), indent=2, ensure_ascii=False) + "\n"


def document(findings: Findings) -> Object:
    """One run: every code is a rule with its help, every diagnostic a result."""
    from hrctl import __version__

    codes = catalog.codes()
    numbers = {code: index for index, code in enumerate(codes)}
    seen: Counter[str] = Counter()
    failed = any(one.severity in findings.failing for one in findings.diagnostics)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hrctl",
                        "version": __version__,
                        "informationUri": ABOUT,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "automationDetails": {"id": f"{findings.command.replace(' ', '/')}/"},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {
                    "SRCROOT": {"description": {"text": "the top of the git repository"}}
                },
                "invocations": [{"executionSuccessful": not failed}],
                "results": [
                    _result(findings, one, numbers[one.code], seen) for one in findings.diagnostics
                ],
            }
        ],
    }


def _rule(code: str) -> Object:
    entry = catalog.read(code)
    text = "\n\n".join(" ".join(part.split()) for part in entry["text"].strip().split("\n\n"))
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in _words(entry["title"])),
        "shortDescription": {"text": entry["title"]},
        "fullDescription": {"text": text.partition("\n\n")[0]},
        "help": {"text": text, "markdown": _help(entry, text)},
        "helpUri": f"{ABOUT}/blob/main/docs/diagnostics.md",
    }


def _words(title: str) -> Iterable[str]:
    return "".join(char if char.isalnum() else " " for char in title).split()


def _help(entry: Object, text: str) -> str:
    """The text, then the wrong and the right example as code."""
    parts = [text]
    for title in ("wrong", "right"):
        example = entry[title]
        files = example.items() if isinstance(example, dict) else [("", example)]
        parts.append(f"**{title.capitalize()}:**")
        for name, content in files:
            head = f"# {name}\n" if name else ""
            parts.append(f"```yaml\n{head}{content.strip()}\n```")
    return "\n\n".join(parts)


def _result(findings: Findings, one: Diagnostic, number: int, seen: Counter[str]) -> Object:
    place = located(one).span
    assert place is not None  # noqa: S101 - `located` gives it one
    locations: Object = {"physicalLocation": _physical(findings, place)}
    if one.address is not None:
        locations["logicalLocations"] = [
            {"fullyQualifiedName": clean(one.address), "kind": "resource"}
        ]
    print_ = fingerprint(findings, one)
    seen[print_] += 1
    result: Object = {
        "ruleId": one.code,
        "ruleIndex": number,
        "level": LEVELS[one.severity],
        "message": {"text": _plain("\n".join(message_lines(one)))},
        "locations": [locations],
        "partialFingerprints": {FINGERPRINT: f"{print_}:{seen[print_]}"},
    }
    related = [other for other in one.related if other.span is not None]
    if related:
        result["relatedLocations"] = [
            {
                "id": index,
                "physicalLocation": _physical(findings, other.span),
                "message": {"text": _plain(clean(other.message))},
            }
            for index, other in enumerate(related, start=1)
            if other.span is not None
        ]
    return result


def fingerprint(findings: Findings, one: Diagnostic) -> str:
    """What stays the same when lines move: code, file, resource and summary."""
    path = findings.path(one.span) if one.span is not None else ""
    parts = (findings.command, one.code, path, one.address or "", one.summary)
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _physical(findings: Findings, span: Span) -> Object:
    path = findings.path(span)
    return {
        "artifactLocation": {
            "uri": quote(path.encode("utf-8", "surrogateescape"), safe="/"),
            "uriBaseId": "SRCROOT",
        },
        "region": {
            "startLine": span.line,
            "startColumn": span.column,
            "endColumn": span.column + max(span.length, 1),
        },
    }


def _plain(text: str) -> str:
    """Text in which nothing is a link: ``[text](target)`` would be one, even in plain messages."""
    if "](" not in text:
        return text
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
