"""What blocks of proxies in hrctl.yaml share. Imports pydantic: loaded only to validate."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from hrctl.logic.mesh.listening import is_at_a_number
from hrctl.model.kinds.base import HostPort


def _at_a_number(listen: str) -> str:
    if not is_at_a_number(listen):
        raise ValueError("must name a number, such as 127.0.0.1 or 0.0.0.0, not a host")
    return listen


Listen = Annotated[
    HostPort,
    AfterValidator(_at_a_number),
    Field(description="Where routes listen that do not say so, host:port."),
]
