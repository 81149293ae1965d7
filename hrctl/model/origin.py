"""The origin of a URL: scheme, host and port, in the one spelling that is compared."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from hrctl.diagnostics import HrctlError

_PORTS: Final = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "mongodb": 27017,
    "amqp": 5672,
    "amqps": 5671,
}
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_ADDRESS: Final = re.compile(r"[0-9a-f:.]+")


def origin(url: str) -> str:
    """Return ``scheme://host:port`` of a URL, in lower case and with the port written out.

    Path, query and fragment are dropped. Two URLs that reach one server by different names, or by
    a name and an address, have different origins.

    Raises:
        HrctlError: HR182, where the URL names no host or no port, or holds a password.
    """
    if not url.isascii() or any(mark <= " " or mark == "\\" for mark in url):
        raise _unusable("it holds a space, a backslash or a character outside of ASCII")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise _unusable(str(error)[:1].lower() + str(error)[1:]) from None
    if not parts.scheme or not host:
        raise _unusable("it names no scheme or no host")
    if "@" in parts.netloc:
        raise _unusable("it holds a user name or a password")
    if ":" in host:
        if _ADDRESS.fullmatch(host) is None:
            raise _unusable("its host is no name and no address")
        host = f"[{host}]"
    elif _NAME.fullmatch(host) is None:
        raise _unusable("its host is no name and no address")
    port = _PORTS.get(parts.scheme) if port is None else port
    if port is None:
        raise _unusable(f"it names no port, and {parts.scheme} has no usual one")
    return f"{parts.scheme}://{host}:{port}"


def _unusable(why: str) -> HrctlError:
    return HrctlError.of(
        "HR182", f"the URL cannot be used as an audience: {why}", hint="such as https://host:8443"
    )
