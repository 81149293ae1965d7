"""Which fields hold secrets, by their path. Cheap, so that a plan can mask without any model."""

from __future__ import annotations

import re
from typing import Final

from hrctl.model.values import Body, lookup

_CONNECTION: Final = r"/spec/connection/(?:password|token|tls/key)"
_BLOCKS: Final = r"/spec/(?:redis/users|mongodb/users|postgresql/roles)/\d+/password"
_COMPONENT: Final = re.compile(rf"(?:{_CONNECTION}|{_BLOCKS})(?:/.*)?")
_ENTRY: Final = re.compile(r"(/spec/entries/[^/]+)/(?:value|valueFrom|default)(?:/.*)?")


def is_sensitive(kind: str, path: str, body: Body) -> bool:
    """Whether the field at `path` of the body of a `kind` may hold a secret, whatever is there.

    References to secrets may stand elsewhere too (in `env`): `values.is_sensitive_reference`.
    """
    if kind == "Component":
        return _COMPONENT.fullmatch(path) is not None
    if kind == "Config":
        found = _ENTRY.fullmatch(path)
        return found is not None and lookup(body, f"{found[1]}/type") == "SECRET"
    return False
