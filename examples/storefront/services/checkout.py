"""Checkout: takes an order, asks the catalog for the price and payments for the money.

Whether it is delivered by express, a feature flag tells.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import flags
from web import ProblemError, Request, call, serve, setting

CATALOG = setting("CATALOG_URL")
PAYMENTS = setting("PAYMENTS_URL")
MAX_QUANTITY = int(setting("MAX_QUANTITY"))

_numbers = count(1)


def orders(request: Request) -> Any:
    """POST /orders with `sku`, `quantity` and `customer`."""
    quantity = request.body.get("quantity", 1)
    if not isinstance(quantity, int) or not 1 <= quantity <= MAX_QUANTITY:
        raise ProblemError(400, f"quantity must be from 1 to {MAX_QUANTITY}")
    product = call(f"{CATALOG}/products/{request.body.get('sku', '')}")
    customer = str(request.body.get("customer", "guest"))
    express = flags.enabled("express", customer)
    charge = call(f"{PAYMENTS}/charges", {"cents": product["cents"] * quantity})
    return {
        "order": f"order-{next(_numbers)}",
        "item": product["name"],
        "quantity": quantity,
        "total": f"{charge['cents'] / 100:.2f} {product['currency']}",
        "charge": charge["id"],
        "delivery": "express" if express else "standard",
    }


if __name__ == "__main__":
    serve({"POST /orders": orders})
