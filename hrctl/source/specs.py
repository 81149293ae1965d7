"""Complete specs by digest: completing one imports pydantic, so the cache spares that."""

from __future__ import annotations

from typing import Any

from hrctl.source.cache import Cache, pack


class Specs:
    """The complete specs of one load."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._new: dict[str, dict[str, Any]] = {}

    def complete(self, kind: str, spec: dict[str, Any], digest: str) -> dict[str, Any]:
        """The spec with its built-in defaults; `digest` stands for kind and spec."""
        found: dict[str, Any] | None = self._cache.spec(digest)
        if found is None:
            from hrctl.model.validate import complete

            found = self._new[digest] = complete(kind, spec)
        return found

    def keep(self, in_use: int) -> None:
        """Write what is new to the cache."""
        if self._new:
            self._cache.store_specs(((key, pack(one)) for key, one in self._new.items()), in_use)
            self._new = {}
