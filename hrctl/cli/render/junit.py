"""Diagnostics as JUnit XML, which every CI system shows as tests.

What makes the command fail is a failure; a warning is a test that passed, with its text as output.
A file without a finding is a test that passed, so that the report says what was checked.
"""

from __future__ import annotations

from hrctl.cli.render.findings import Findings, clean, message_lines
from hrctl.diagnostics import Diagnostic


def junit(findings: Findings) -> str:
    """One suite, as XML text."""
    from xml.etree import ElementTree as ET

    suite = ET.Element("testsuite", {"name": clean(findings.command)})
    found = {one.span.path for one in findings.diagnostics if one.span is not None}
    failures = 0
    for one in findings.diagnostics:
        case = ET.SubElement(suite, "testcase", _case(findings, one))
        text = "\n".join(message_lines(one))
        if one.severity in findings.failing:
            failures += 1
            given = {"type": one.code, "message": clean(one.summary)}
            ET.SubElement(case, "failure", given).text = text
        else:
            ET.SubElement(case, "system-out").text = f"{one.severity.value}: {text}"
    for path in findings.files:
        if path not in found:
            name = clean(findings.prefix + path)
            ET.SubElement(
                suite, "testcase", {"name": "no findings", "classname": name, "file": name}
            )
    numbers = {"tests": str(len(suite)), "failures": str(failures), "errors": "0", "skipped": "0"}
    suite.attrib.update(numbers)
    root = ET.Element("testsuites", {"name": "hrctl", **numbers})
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(findings: Findings, one: Diagnostic) -> dict[str, str]:
    name = f"{one.code} {clean(one.summary)}"
    if one.span is None:
        return {"name": name, "classname": clean(one.address or findings.command)}
    path = clean(findings.path(one.span))
    place = f"{one.span.line}:{one.span.column}"
    return {"name": f"{place} {name}", "classname": path, "file": path, "line": str(one.span.line)}
