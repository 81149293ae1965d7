"""What blocks of proxies in hrctl.yaml share. Imports pydantic: loaded only to validate."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from hrctl.drivers.mesh.names import is_ip, split_address
from hrctl.model.kinds.base import HostPort


def _at_a_number(listen: str) -> str:
    host = split_address(listen)[0]
    if host != "localhost" and not is_ip(host):
        raise ValueError("must name a number, such as 127.0.0.1 or 0.0.0.0, not a host")
    return listen


Listen = Annotated[
    HostPort,
    AfterValidator(_at_a_number),
    Field(description="Where routes listen that do not say so, host:port."),
]
