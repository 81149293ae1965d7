"""The token for Unleash's Admin API: where it is, and what it is when a request is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hrctl.diagnostics import HrctlError
from hrctl.drivers.credentials import environment_value
from hrctl.model.values import Json


class Token:
    """A reference to the token; the value is looked up when the first request needs it."""

    def __init__(
        self,
        reference: Mapping[str, Json],
        secret: Callable[[Mapping[str, Json], str], str] | None,
        root: Path,
    ) -> None:
        found = reference["valueFrom"].items()
        self._source = {key: item for key, item in found if item is not None}
        self._secret = secret
        self._root = root
        self._opened: str | None = None

    @property
    def place(self) -> str:
        """What to call it in a message."""
        if "env" in self._source:
            return str(self._source["env"])
        return f"{self._source['key']} of {self._source['config']}"

    @property
    def remedy(self) -> str:
        """What to do where Unleash does not take it."""
        if "env" in self._source:
            return f"set {self.place} to a token for its Admin API"
        command = f"hrctl secrets set {self._source['config']} {self._source['key']} --audience URL"
        return f"run `{command}` with a token for its Admin API"

    def value(self, url: str) -> str:
        """The token.

        Raises:
            HrctlError: HR265, where it is missing; HR315 and HR316, where it may not be sent to
                that server; whatever stands in the way of opening it.
        """
        if self._opened is None:
            name = self._source.get("env")
            if name is not None:
                self._opened = environment_value(str(name), url, self._root)
            elif self._secret is not None:
                self._opened = self._secret(self._source, url).strip()
        if not self._opened:
            missing = "is not set" if "env" in self._source else "is empty"
            said = f"the token for {url} is missing: {self.place} {missing}"
            raise HrctlError.of("HR265", said, hint=self.remedy)
        return self._opened

    def redacted(self, text: str) -> str:
        """A text of somebody else's without the token."""
        return text.replace(self._opened, "(sensitive)") if self._opened else text
