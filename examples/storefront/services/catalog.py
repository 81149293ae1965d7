"""The catalog: what the shop sells, at which price."""

from __future__ import annotations

from typing import Any

from web import ProblemError, Request, serve, setting

CURRENCY = setting("CURRENCY")
PAGE_SIZE = int(setting("PAGE_SIZE"))

PRODUCTS = {
    "teapot": {"name": "Stoneware teapot", "cents": 3900},
    "kettle": {"name": "Copper kettle", "cents": 8900},
    "assam": {"name": "Assam, 250 g", "cents": 1150},
    "sencha": {"name": "Sencha, 100 g", "cents": 1400},
}


def _shown(sku: str) -> dict[str, Any]:
    return {"sku": sku, "currency": CURRENCY, **PRODUCTS[sku]}


def products(request: Request) -> Any:
    """GET /products lists them, GET /products/<sku> shows one."""
    if not request.rest:
        return [_shown(sku) for sku in list(PRODUCTS)[:PAGE_SIZE]]
    sku = request.rest[0]
    if sku not in PRODUCTS:
        raise ProblemError(404, f"the shop sells no '{sku}'")
    return _shown(sku)


if __name__ == "__main__":
    serve({"GET /products": products})
