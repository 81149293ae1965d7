"""Payments: charges an amount, up to a limit."""

from __future__ import annotations

import hmac
from itertools import count
from typing import Any

from web import ProblemError, Request, serve, setting

LIMIT = int(setting("LIMIT_CENTS"))
PROVIDER = setting("PROVIDER")
KEY = setting("PROVIDER_KEY")  # a real provider would be called with it
SIGNING_KEY = setting("SIGNING_KEY").encode()

_numbers = count(1)


def charges(request: Request) -> Any:
    """POST /charges with `cents`: 402 above the limit."""
    cents = request.body.get("cents")
    if not isinstance(cents, int) or cents <= 0:
        raise ProblemError(400, "cents must be a positive integer")
    if cents > LIMIT:
        raise ProblemError(402, f"{cents} cents are above the limit of {LIMIT}")
    charge = f"charge-{next(_numbers)}"
    receipt = hmac.digest(SIGNING_KEY, f"{charge}:{cents}".encode(), "sha256").hex()
    return {"id": charge, "cents": cents, "provider": PROVIDER, "receipt": receipt}


if __name__ == "__main__":
    serve({"POST /charges": charges})
