"""The quick way through a document: its value, as long as nothing about it is unusual.

PyYAML's C parser composes the nodes. Its own constructor would look every scalar up among the rules
of YAML 1.1; here a plain scalar is told by a dictionary and its first character, and no place is
looked at. A hundred thousand documents pass through this module, so it is written for speed.
"""

from __future__ import annotations

import operator
import re
from typing import Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from hrctl.model.values import Json
from hrctl.source.breaks import BREAKS
from hrctl.source.compose import MAX_DEPTH
from hrctl.source.yaml12 import NUMBER_START, WORDS, is_string, number

_TAG: Final = re.compile(r"(?<![A-Za-z0-9.)])!")
_ALIAS: Final = re.compile(r"(?<![A-Za-z0-9_/.])\*[A-Za-z0-9_-]")
_BREAKS: Final = frozenset(BREAKS)
_COMPACT: Final = re.compile(r"[-?:][ \t]+[-?:][ \t\r\n]")  # two collections that begin in one line
_DEEP: Final = " " * 12
_MAX_BRACKETS: Final = 12

# Manifests repeat themselves: the meaning of most scalars is known from an earlier one.
_MEMORY: Final = 10_000
_PLAIN: Final = dict(WORDS)
_NAMES: Final[set[str]] = set()


class DoubtError(Exception):
    """The document is unusual, or wrong: `hrctl.source.compose` knows."""


def quick(text: str) -> dict[str, Json]:
    """The value of a document without anything unusual.

    Raises:
        DoubtError, yaml.YAMLError, ValueError: it may not be one.
    """
    if (
        not yaml.__with_libyaml__
        or ("!" in text and _TAG.search(text))
        or ("*" in text and _ALIAS.search(text))
        or not (text.isascii() or _BREAKS.isdisjoint(text))
    ):
        raise DoubtError
    root = (_Nodes if _is_shallow(text) else _CountedNodes)(text).get_single_node()
    if root.__class__ is not MappingNode:
        raise DoubtError
    return _mapping(root)


def _is_shallow(text: str) -> bool:
    """Whether nesting cannot reach the limit, seen from the text alone.

    Without tabs, with no run of twelve spaces and with no two collections that begin in one line,
    none begins beyond column 23, and at most two begin in one column (a list may stand
    under its key): 48 levels, and 12 more by brackets.
    """
    return (
        _DEEP not in text
        and "\t" not in text
        and text.count("[") + text.count("{") <= _MAX_BRACKETS
        and _COMPACT.search(text) is None
    )


def _mapping(node: MappingNode) -> dict[str, Json]:
    out: dict[str, Json] = {}
    for key, item in node.value:
        if key.__class__ is not ScalarNode:
            raise DoubtError
        text = key.value
        name = text if key.style or text in _NAMES else _name(text)
        kind = item.__class__
        if kind is ScalarNode:
            text = item.value
            if item.style:
                out[name] = text
            elif text in _PLAIN:
                out[name] = _PLAIN[text]
            else:
                out[name] = _plain(text)
        else:
            out[name] = _mapping(item) if kind is MappingNode else _sequence(item)
    if len(out) != len(node.value):
        raise DoubtError  # a key stands there twice
    return out


def _sequence(node: Node) -> list[Json]:
    out: list[Json] = []
    for item in node.value:
        kind = item.__class__
        if kind is ScalarNode:
            text = item.value
            out.append(text if item.style else _PLAIN[text] if text in _PLAIN else _plain(text))
        else:
            out.append(_mapping(item) if kind is MappingNode else _sequence(item))
    return out


def _plain(text: str) -> Json:
    """The value of a plain scalar that was not met before."""
    value = number(text) if text[0] in NUMBER_START else text
    if len(_PLAIN) < _MEMORY:
        _PLAIN[text] = value
    return value


def _name(text: str) -> str:
    """The text of a plain key that was not met before."""
    if not is_string(text):
        raise DoubtError
    if len(_NAMES) < _MEMORY:
        _NAMES.add(text)
    return text


if yaml.__with_libyaml__:
    from yaml._yaml import CParser

    class _Nodes(CParser):
        """Composes nodes without tags: their meaning is found when values are made of them.

        The parser calls three methods for each node. Here they are next to nothing: two are
        functions in C that take as many arguments and change nothing.
        """

        descend_resolver = staticmethod(operator.is_)
        ascend_resolver = staticmethod([].clear)

        def resolve(self, kind: type[Node], value: str | None, implicit: object) -> None:
            """Called for each node without a tag: leave it without."""

    class _CountedNodes(_Nodes):
        """The same for a document that may nest too deep: the parser recurses, so it must stop."""

        depth = 0

        def descend_resolver(self, *_: object) -> bool:
            """Called before each node."""
            self.depth += 1
            if self.depth > MAX_DEPTH + 1:  # a scalar may stand in the deepest collection
                raise DoubtError
            return True

        def ascend_resolver(self) -> None:
            """Called behind each node."""
            self.depth -= 1

        def resolve(self, kind: type[Node], *_: object) -> None:
            """Called for each node without a tag."""
            if self.depth > MAX_DEPTH and kind is not ScalarNode:
                raise DoubtError
