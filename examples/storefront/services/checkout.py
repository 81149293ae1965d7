"""Checkout: takes an order, asks the catalog for the price and payments for the money."""

from __future__ import annotations

from itertools import count
from typing import Any

from web import ProblemError, Request, call, serve, setting

CATALOG = setting("CATALOG_URL")
PAYMENTS = setting("PAYMENTS_URL")
MAX_QUANTITY = int(setting("MAX_QUANTITY"))

_numbers = count(1)


def orders(request: Request) -> Any:
    """POST /orders with `sku` and `quantity`."""
    quantity = request.body.get("quantity", 1)
    if not isinstance(quantity, int) or not 1 <= quantity <= MAX_QUANTITY:
        raise ProblemError(400, f"quantity must be from 1 to {MAX_QUANTITY}")
    product = call(f"{CATALOG}/products/{request.body.get('sku', '')}")
    charge = call(f"{PAYMENTS}/charges", {"cents": product["cents"] * quantity})
    return {
        "order": f"order-{next(_numbers)}",
        "item": product["name"],
        "quantity": quantity,
        "total": f"{charge['cents'] / 100:.2f} {product['currency']}",
        "charge": charge["id"],
    }


if __name__ == "__main__":
    serve({"POST /orders": orders})
