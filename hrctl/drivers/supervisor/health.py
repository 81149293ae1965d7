"""One look at whether a replica is well: over HTTP, by a connection, by a command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from hrctl.drivers.supervisor.command import argv_of
from hrctl.model.kinds.units import seconds
from hrctl.model.values import Json

_WELL: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Probe:
    """What one check found. `detail` says what was asked, and what was wrong where it was."""

    well: bool
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Target:
    """A replica to look at. `env` is that of its process."""

    spec: Mapping[str, Json]
    replica: int
    env: Mapping[str, str]
    cwd: str


def look(target: Target, *, at_most: float | None = None) -> Probe:
    """Run the declared health check once, within its timeout (and `at_most`)."""
    check = target.spec["healthCheck"]
    timeout = seconds(check.get("timeout", "2s"))
    if at_most is not None:
        timeout = min(timeout, at_most)
    began = time.monotonic()
    try:
        if check.get("http") is not None:
            well, detail = _http(target, check["http"], timeout)
        elif check.get("tcp") is not None:
            well, detail = _tcp(target, check["tcp"], timeout)
        else:
            well, detail = _command(target, check["command"], timeout)
    except TimeoutError:
        well, detail = False, f"no answer within {timeout:g} s"
    except OSError as error:
        well, detail = False, (error.strerror or str(error)).lower()
    return Probe(well, f"{described(target)}: {detail}", time.monotonic() - began)


def described(target: Target) -> str:
    """What the check asks, in words; no value of the environment is in it."""
    check = target.spec["healthCheck"]
    if check.get("http") is not None:
        path = check["http"]
        return f"GET {path}" if "://" in path else f"GET :{_port(target)}{path}"
    if check.get("tcp") is not None:
        return f"connect to {check['tcp']}"
    return f"run '{check['command']}'"


def _port(target: Target, name: str | None = None) -> int:
    """The number of a port of this replica: the first, or that of a name."""
    for port in target.spec.get("ports") or ():
        if name in {None, port["name"]}:
            return int(port["port"]) + target.replica
    raise OSError(0, f"no port named {name} is declared" if name else "no port is declared")


def _http(target: Target, path: str, timeout: float) -> tuple[bool, str]:
    import http.client
    import ssl
    from urllib.parse import urlsplit

    url = urlsplit(path)
    context: ssl.SSLContext | None = None
    if url.scheme:
        host, port, secure = url.hostname or "localhost", url.port, url.scheme == "https"
        where = url._replace(scheme="", netloc="").geturl() or "/"
    else:
        first: Mapping[str, Json] = next(iter(target.spec.get("ports") or ({},)))
        host, port, secure = "localhost", _port(target), first.get("protocol") == "HTTPS"
        where = path if path.startswith("/") else f"/{path}"
        if secure:  # the question is whether this machine's own port answers, not who signed it
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection: Any = (
        http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        if secure
        else http.client.HTTPConnection(host, port, timeout=timeout)
    )
    try:
        connection.request("GET", where, headers={"User-Agent": "hrctl", "Connection": "close"})
        status = connection.getresponse().status
    except http.client.HTTPException as error:
        return False, f"no HTTP answer ({type(error).__name__})"
    finally:
        connection.close()
    return status in _WELL, f"answered {status}"


def _tcp(target: Target, port: str, timeout: float) -> tuple[bool, str]:
    host, _, last = port.rpartition(":")
    number = int(last) if last.isdigit() else _port(target, last)
    if not host and last.isdigit() and _declared(target, number):
        number += target.replica
    address = (host.strip("[]") or "localhost", number)
    with socket.create_connection(address, timeout=timeout):
        return True, "accepted"


def _declared(target: Target, number: int) -> bool:
    return any(port["port"] == number for port in target.spec.get("ports") or ())


def _command(target: Target, command: str, timeout: float) -> tuple[bool, str]:
    process = subprocess.Popen(  # noqa: S603  # running what is declared is what it is for
        argv_of(command),
        cwd=target.cwd,
        env=dict(target.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return code == 0, f"ended with {code}"
