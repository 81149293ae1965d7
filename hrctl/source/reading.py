"""From the bytes of files to documents, on every core where there are many.

A file that is without fault becomes a packed row for the cache; a file with faults becomes
diagnostics, each with its line, and is read anew the next time.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from hrctl.diagnostics import Diagnostic, Severity
from hrctl.model.document import Document
from hrctl.model.values import canonical, digest_bytes
from hrctl.source import git
from hrctl.source.cache import pack
from hrctl.source.chunks import Chunk, split
from hrctl.source.suspected import suspected

PARALLEL_FROM: Final = 200  # files; below, starting processes costs more than it brings
_HEAD: Final = re.compile(r"(?:(?:---|%[^\n]*)?[ \t]*(?:#[^\n]*)?\r?\n)*")
_BATCH: Final = 100
_STALE_FLAG: Final = "HR032"  # depends on the day, so it is told apart from what is cached
GROUP: Final = "hrctl.dev/"  # how the apiVersion of each manifest begins
_KIND: Final = re.compile(r"\b(?:kind|apiVersion)\b")
_DIALECT: Final = frozenset({"HR005", "HR006", "HR010", "HR011"})

Row = list[Any]  # number, line, text digest, digest, complete, value, suspects
Raw = tuple[str, str, bytes]  # path, blob, content


@dataclass(slots=True)
class Parsed:
    """What came of some files: rows by blob, those ready for the cache, diagnostics."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    packed: list[tuple[str, bytes]] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)  # paths
    moved: set[str] = field(default_factory=set)  # paths that do not hold what git has listed

    def take(self, other: Parsed) -> None:
        """Add what came of other files."""
        self.rows.update(other.rows)
        self.packed += other.packed
        self.diagnostics += other.diagnostics
        self.failed |= other.failed
        self.moved |= other.moved


def documents(path: str, blob: str, rows: Sequence[Row]) -> list[Document]:
    """The documents of a file from its row."""
    return [Document(path, blob, *row) for row in rows]


def parse_files(files: Iterable[Raw], count: int, known: Mapping[str, Row] | None = None) -> Parsed:
    """Parse and check files; `count` is how many there are.

    `known` are rows by the digest of their text, from an earlier version of these files: only
    documents that are not among them are parsed.
    """
    whole = Parsed()
    if count < PARALLEL_FROM or (os.cpu_count() or 1) == 1 or sys.platform != "linux":
        whole.take(_parse_batch(list(files), known or {}))
        return whole
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # forked before any thread is started, workers share what is imported
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
        for parsed in pool.map(_parse_batch, _batches(files)):
            whole.take(parsed)
    return whole


def _batches(files: Iterable[Raw]) -> Iterator[list[Raw]]:
    files = iter(files)
    while batch := list(islice(files, _BATCH)):
        yield batch


def _parse_batch(files: list[Raw], known: Mapping[str, Row] | None = None) -> Parsed:
    parsed = Parsed()
    for path, blob, data in files:
        rows, found = parse_one(path, data, known or {})
        parsed.rows[blob] = rows
        if found:
            parsed.diagnostics += found
            if any(one.severity is Severity.ERROR for one in found):
                parsed.failed.add(path)
        if not git.holds(data, blob):
            parsed.moved.add(path)
        elif not found:
            parsed.packed.append((blob, pack(rows)))
    return parsed


def parse_one(
    path: str, data: bytes, known: Mapping[str, Row]
) -> tuple[list[Row], list[Diagnostic]]:
    """The rows of one file, without those of its documents that have errors, and all errors."""
    from hrctl.source.parse import decode  # imports PyYAML, which a second run does not need

    text, found = decode(data, path)
    if text is None:
        return [], found
    rows: list[Row] = []
    for number, chunk in enumerate(split(text)):
        text_digest = digest_bytes(chunk.text.encode("utf-8", "surrogatepass"))
        before = known.get(text_digest)
        if before is not None:
            rows.append([number, first_line(chunk), *before[2:]])
            continue
        row, problems = _parse_document(path, number, chunk, text_digest)
        found += problems
        if row is not None:
            rows.append(row)
    return rows, found


def first_line(chunk: Chunk) -> int:
    """The line that a document's first field stands on, behind marker and comments."""
    match = _HEAD.match(chunk.text)
    return chunk.line + (chunk.text.count("\n", 0, match.end()) if match else 0)


def _parse_document(
    path: str, number: int, chunk: Chunk, text_digest: str
) -> tuple[Row | None, list[Diagnostic]]:
    from hrctl.source.parse import parse_chunk

    value, found = parse_chunk(chunk, path)
    if value is None or found:
        return None, _unreadable(path, chunk, found)
    version = value.get("apiVersion")
    if not (isinstance(version, str) and version.startswith(GROUP)):
        from hrctl.source.foreign import is_foreign, misspelt

        foreign = is_foreign(value)
        problem = misspelt(path, chunk, version) if isinstance(version, str) else None
        if foreign or problem:
            return None, [problem] if problem and not foreign else []
    elif value.get("kind") == "Project":
        return None, []  # hrctl.yaml itself
    complete, problems = check(value)
    if problems:
        return None, [diagnostic(path, chunk, problem) for problem in problems]
    try:
        digest = digest_bytes(canonical(value).encode("utf-8", "surrogatepass"))
    except ValueError:
        summary = "a number that is infinite or not one has no place in a manifest"
        return None, [diagnostic(path, chunk, ("", "HR022", summary))]
    looks_secret = [list(one) for one in suspected(chunk, path, value)]
    return [number, first_line(chunk), text_digest, digest, complete, value, looks_secret], []


def _unreadable(path: str, chunk: Chunk, problems: list[Diagnostic]) -> list[Diagnostic]:
    """Return what is to be said of a document that hrctl cannot read; nothing of a foreign one.

    Such a document says so by its apiVersion; or it has neither that nor a kind, and is good YAML
    but for what hrctl leaves out: the tags and merge keys of other programs' files.
    """
    from hrctl.source.foreign import is_foreign_text, misspelt

    foreign = is_foreign_text(chunk.text)
    if foreign is None:
        foreign = _KIND.search(chunk.text) is None and all(
            problem.code in _DIALECT for problem in problems
        )
    if foreign:
        return []
    problem = misspelt(path, chunk)
    return [problem] if problem else problems


def check(value: dict[str, Any]) -> tuple[bool, list[Any]]:
    """Whether a document is complete on its own, and what is wrong with it however it is used.

    A field that is missing may still be inherited, so it is judged where the registry is built.
    """
    from hrctl.model.validate import check_envelope, check_spec

    problems: list[Any] = check_envelope(value)
    if problems:
        if value.get("kind") in _kinds() and isinstance(value.get("spec"), dict):
            problems += check_spec(value["kind"], value["spec"], partial=True)
        return False, [one for one in problems if one.code != _STALE_FLAG]
    kind, spec = value["kind"], value.get("spec") or {}
    handed_down = value["metadata"].get("patch") or value["metadata"].get("instances")
    if not handed_down:
        problems = [one for one in check_spec(kind, spec) if one.code != _STALE_FLAG]
        if not problems:
            return True, []
    problems = check_spec(kind, spec, partial=True)
    return False, [one for one in problems if one.code != _STALE_FLAG]


def _kinds() -> tuple[str, ...]:
    from hrctl.model.kinds import KINDS

    return KINDS


def diagnostic(path: str, chunk: Chunk, problem: Any) -> Diagnostic:
    """A problem of a document with its place in the file."""
    from hrctl.source.locate import locate

    if isinstance(problem, tuple):
        pointer, code, summary = problem
        return Diagnostic(code, summary, span=locate(chunk, path, pointer))
    return Diagnostic(
        problem.code,
        problem.summary,
        span=locate(chunk, path, problem.path, key=problem.at_key),
        severity=problem.severity,
        hint=problem.hint,
        note=problem.note,
    )
