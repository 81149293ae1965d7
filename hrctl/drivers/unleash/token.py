"""The token for Unleash's Admin API: where it is, and what it is when a request is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping

from hrctl.diagnostics import HrctlError
from hrctl.model.values import Json


class Token:
    """A reference to the token; the value is looked up when it is needed, and not kept."""

    def __init__(self, reference: Mapping[str, Json]) -> None:
        self._variable: str = reference["valueFrom"]["env"]

    @property
    def place(self) -> str:
        """What to call it in a message."""
        return self._variable

    @property
    def remedy(self) -> str:
        """What to do where Unleash does not take it."""
        return f"set {self._variable} to a token for its Admin API"

    def value(self, url: str) -> str:
        """The token.

        Raises:
            HrctlError: HR265, where it is missing.
        """
        token = os.environ.get(self._variable, "")
        if not token:
            raise HrctlError.of(
                "HR265",
                f"the token for {url} is missing: {self._variable} is not set",
                hint=f"set {self._variable} to a token for Unleash's Admin API",
            )
        return token
