"""The gateway: the one door to the shop. It greets, and passes on to catalog and checkout."""

from __future__ import annotations

from typing import Any

from web import Request, call, serve, setting

CATALOG = setting("CATALOG_URL")
CHECKOUT = setting("CHECKOUT_URL")
COMPANY = setting("COMPANY")
GREETING = setting("GREETING")


def home(_: Request) -> Any:
    """GET / greets and names what there is to buy."""
    products = call(f"{CATALOG}/products")
    return {"company": COMPANY, "greeting": GREETING, "products": [p["sku"] for p in products]}


def products(request: Request) -> Any:
    """GET /products and /products/<sku>, from the catalog."""
    return call("/".join((CATALOG, "products", *request.rest)))


def orders(request: Request) -> Any:
    """POST /orders, to checkout."""
    return call(f"{CHECKOUT}/orders", request.body)


if __name__ == "__main__":
    serve({"GET /": home, "GET /products": products, "POST /orders": orders})
