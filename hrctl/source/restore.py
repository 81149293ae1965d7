"""What files have to say so that they, or one resource in them, are as at an earlier commit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address
from hrctl.model.document import Place
from hrctl.source.chunks import is_empty, regions
from hrctl.source.edit import remove_document
from hrctl.source.manifests import Manifests
from hrctl.source.past import Version

Texts = dict[str, str | None]
_CRLF = "\r\n"


def whole_files(
    root: Path, paths: Mapping[str, tuple[str | None, str | None]], manifests: Manifests
) -> Texts:
    """The texts that the files had, byte for byte; `paths` are blobs then and now.

    Raises:
        HrctlError: HR001, where one was not UTF-8.
    """
    return {
        path: None if then is None else _like(_text(manifests, path, then), _here(root, path))
        for path, (then, _) in paths.items()
    }


def one_resource(
    root: Path, address: Address, old: Version | None, now: Version | None, manifests: Manifests
) -> Texts:
    """The documents of one resource in its own registry as they were; what it inherits stays.

    A document that is there now takes the text of the old one where it stands; one that is gone
    comes back into its file; one that was not there goes.
    """
    texts: Texts = {}

    def current(path: str) -> str:
        if path not in texts:
            texts[path] = _here(root, path)
        return texts[path] or ""

    then, here = _own(old, address), _own(now, address)
    # from behind, so that the numbers of the documents before stay what they are
    for role in sorted(
        {*then, *here}, key=lambda one: here.get(one, Place("", "", 0)), reverse=True
    ):
        was, place = then.get(role), here.get(role)
        if was is None and place is not None:
            texts[place.path] = remove_document(current(place.path), place.number) or None
            continue
        if was is None:
            continue
        text = _document(_text(manifests, was.path, was.blob), was.number)
        if place is not None:
            texts[place.path] = _replaced(current(place.path), place.number, text)
        else:
            texts[was.path] = _appended(current(was.path), text)
    return texts


def _own(version: Version | None, address: Address) -> dict[str, Place]:
    """The places of its document and its patch, as far as they belong to it alone."""
    if version is None:
        return {}
    record, index = version.tree.where(address)
    found = {}
    for number, place in enumerate(record.places(index)):
        document = version.tree.document(place)
        if document.metadata.get("instances"):
            continue
        if number and not version.is_own(place):
            continue
        found["patch" if document.metadata.get("patch") else "document"] = place
    return found


def _text(manifests: Manifests, path: str, blob: str) -> str:
    try:
        return manifests.blobs.get(blob).decode()
    except UnicodeDecodeError:
        raise HrctlError.of("HR001", f"{path} was not UTF-8 then, and cannot come back") from None


def _here(root: Path, path: str) -> str | None:
    file = root / path
    return file.read_bytes().decode("utf-8", "surrogateescape") if file.is_file() else None


def _like(text: str, here: str | None) -> str:
    """With the line ends that git gives the file here, where it turns them."""
    return text.replace("\n", _CRLF) if here and _CRLF in here and _CRLF not in text else text


def _documents(text: str) -> list[tuple[int, int]]:
    return [(start, end) for start, end in regions(text) if not is_empty(text, start, end)]


def _document(text: str, number: int) -> str:
    start, end = _documents(text)[number]
    return text[start:end]


def _replaced(text: str, number: int, document: str) -> str:
    start, end = _documents(text)[number]
    document = _like(document, text)
    marked, marks = text.startswith("---", start), document.startswith("---")
    if marked and not marks:
        document = f"---{_CRLF if _CRLF in text else chr(10)}{document}"
    elif marks and not marked and start == 0:
        document = (
            document.partition("\n")[2] if document[3:].lstrip("\r")[:1] == "\n" else document
        )
    if end < len(text) and not document.endswith("\n"):
        document += "\n"
    return text[:start] + document + text[end:]


def _appended(text: str, document: str) -> str:
    if not text.strip():
        return document.removeprefix("---\n")
    document = _like(document, text)
    newline = _CRLF if _CRLF in text else "\n"
    if not text.endswith("\n"):
        text += newline
    return text + (document if document.startswith("---") else f"---{newline}{document}")
