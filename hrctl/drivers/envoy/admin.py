"""Envoy's admin interface over a unix socket or a port."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from typing import Any, Final

from hrctl.diagnostics import HrctlError

_TIMEOUT: Final = 5.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket in place of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Admin:
    """Asks one Envoy. `place` is ``host:port`` or the path of a unix socket."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._connection: http.client.HTTPConnection | None = None

    def _open(self) -> http.client.HTTPConnection:
        if self.place.startswith("/"):
            return _UnixConnection(self.place, _TIMEOUT)
        return http.client.HTTPConnection(self.place, timeout=_TIMEOUT)

    def request(self, path: str, method: str = "GET") -> bytes:
        """The body of an answer; the connection is kept, and made anew where it was lost.

        Raises:
            HrctlError: HR080, where nothing answers, or not with 200.
        """
        for attempt in (1, 2):
            try:
                if self._connection is None:
                    self._connection = self._open()
                self._connection.request(method, path)
                answer = self._connection.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt == 1 and not isinstance(
                    error, FileNotFoundError | ConnectionRefusedError
                ):
                    continue
                raise self._unreachable(error) from error
            if answer.status != http.client.OK:
                raise HrctlError.of(
                    "HR080",
                    f"Envoy's admin interface at {self.place} answers {answer.status} to {path}",
                    hint="see whether it is an Envoy that listens there",
                )
            return data
        raise AssertionError("unreachable")

    def _unreachable(self, error: Exception) -> HrctlError:
        why = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
        return HrctlError.of(
            "HR080",
            f"Envoy's admin interface at {self.place} cannot be reached: {why}",
            hint="see whether that Envoy runs, and that `admin` names its admin address",
        )

    def json(self, path: str) -> Any:
        """An answer that is JSON.

        Raises:
            HrctlError: HR080.
        """
        data = self.request(path)
        try:
            return json.loads(data)
        except ValueError as error:
            raise HrctlError.of(
                "HR080", f"what answers at {self.place} is no admin interface of Envoy"
            ) from error

    def stats(self, regex: str, kind: str = "All", *, used: bool = False) -> dict[str, Any]:
        """Statistics by name; text and numbers as they are. With `used` those that ever changed."""
        from urllib.parse import quote

        some = f"type={kind}&filter={quote(regex, safe='')}" + ("&usedonly" if used else "")
        found = self.json(f"/stats?format=json&{some}")
        return {one["name"]: one.get("value") for one in found["stats"] if "name" in one}

    def answers(self) -> bool:
        """Whether it is there and ready."""
        try:
            self.request("/ready")
        except HrctlError:
            return False
        return True

    def require(self) -> None:
        """See that it is there.

        Raises:
            HrctlError: HR080, where it does not answer, with what is wrong.
        """
        self.json("/server_info")

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def statuses(admin: Admin, clusters: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The hosts of these clusters, as `/clusters` tells of them."""
    wanted = set(clusters)
    found = admin.json("/clusters?format=json").get("cluster_statuses", [])
    return {one["name"]: one.get("host_statuses", []) for one in found if one["name"] in wanted}
