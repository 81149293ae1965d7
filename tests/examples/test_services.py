"""The storefront's services, as real processes that call each other, without hrctl."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SERVICES = Path(__file__).parents[2] / "examples" / "storefront" / "services"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(script: str, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SERVICES / script)]
    return subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE)


def _get(url: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=5) as answer:  # noqa: S310 - our own server
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def _await_health(url: str) -> None:
    for _ in range(200):
        try:
            assert _get(f"{url}/healthz") == (200, {"status": "ok"})
        except urllib.error.URLError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{url} is not healthy within 10 seconds")


@dataclass(frozen=True)
class Shop:
    url: str
    processes: dict[str, subprocess.Popen[bytes]]


@pytest.fixture
def shop() -> Iterator[Shop]:
    ports = {name: _free_port() for name in ("gateway", "catalog", "checkout", "payments")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    settings: dict[str, dict[str, str]] = {
        "catalog": {"CURRENCY": "EUR", "PAGE_SIZE": "3"},
        "payments": {
            "LIMIT_CENTS": "20000",
            "PROVIDER": "sandbox",
            "PROVIDER_KEY": "none",
            "SIGNING_KEY": "none",
        },
        "checkout": {
            "CATALOG_URL": urls["catalog"],
            "PAYMENTS_URL": urls["payments"],
            "MAX_QUANTITY": "5",
        },
        "gateway": {
            "CATALOG_URL": urls["catalog"],
            "CHECKOUT_URL": urls["checkout"],
            "COMPANY": "Bramble & Co",
            "GREETING": "Welcome",
        },
    }
    processes = {
        name: _start(f"{name}.py", PORT=str(ports[name]), **environment)
        for name, environment in settings.items()
    }
    try:
        for url in urls.values():
            _await_health(url)
        yield Shop(urls["gateway"], processes)
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.communicate(timeout=10)


def test_gateway_shows_its_settings_and_asks_the_catalog(shop: Shop) -> None:
    assert _get(f"{shop.url}/") == (
        200,
        {
            "company": "Bramble & Co",
            "greeting": "Welcome",
            "products": ["teapot", "kettle", "assam"],
        },
    )


def test_an_order_goes_through_four_services(shop: Shop) -> None:
    assert _get(f"{shop.url}/orders", {"sku": "teapot", "quantity": 2}) == (
        200,
        {
            "order": "order-1",
            "item": "Stoneware teapot",
            "quantity": 2,
            "total": "78.00 EUR",
            "charge": "charge-1",
            "delivery": "standard",
        },
    )


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"sku": "boat"}, 404, "the shop sells no 'boat'"),
        ({"sku": "teapot", "quantity": 6}, 400, "quantity must be from 1 to 5"),
        ({"sku": "kettle", "quantity": 4}, 402, "35600 cents are above the limit of 20000"),
    ],
)
def test_a_refusal_keeps_its_status_and_reason(
    shop: Shop, body: dict[str, Any], status: int, error: str
) -> None:
    assert _get(f"{shop.url}/orders", body) == (status, {"error": error})


def test_a_service_that_is_gone_is_named(shop: Shop) -> None:
    shop.processes["payments"].kill()
    shop.processes["payments"].wait(timeout=10)
    status, answer = _get(f"{shop.url}/orders", {"sku": "teapot"})
    assert status == 502
    assert answer["error"].startswith("no answer from http://127.0.0.1:")


def test_sigterm_ends_a_service_cleanly(shop: Shop) -> None:
    process = shop.processes["catalog"]
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert errors.decode().rstrip().endswith("stopped")


def test_a_missing_setting_is_named() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CURRENCY"}
    done = subprocess.run(
        [sys.executable, str(SERVICES / "catalog.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr == "the environment variable CURRENCY is not set\n"


def test_the_customer_orders_and_is_refused(shop: Shop) -> None:
    def customer(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(SERVICES / "customer.py"), *arguments],
            env=os.environ | {"STOREFRONT_URL": shop.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    assert json.loads(customer().stdout)["greeting"] == "Welcome"
    assert json.loads(customer("assam", "2").stdout)["total"] == "23.00 EUR"
    refused = customer("boat")
    assert (refused.returncode, refused.stderr) == (1, "404: the shop sells no 'boat'\n")


def _flags(path: Path, state: str) -> None:
    """The file that hrctl writes, replaced by rename."""
    flag = {"state": state, "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"flags": {"express": flag}}))
    draft.replace(path)


def test_checkout_asks_its_flag_through_openfeature(tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    _flags(file, "ENABLED")
    ports = {name: _free_port() for name in ("catalog", "checkout", "payments")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    settings: dict[str, dict[str, str]] = {
        "catalog": {"CURRENCY": "EUR", "PAGE_SIZE": "3"},
        "payments": {
            "LIMIT_CENTS": "20000",
            "PROVIDER": "sandbox",
            "PROVIDER_KEY": "none",
            "SIGNING_KEY": "x",
        },
        "checkout": {
            "CATALOG_URL": urls["catalog"],
            "PAYMENTS_URL": urls["payments"],
            "MAX_QUANTITY": "5",
            "FLAGS_FILE": str(file),
        },
    }
    order = {"sku": "teapot", "quantity": 1, "customer": "ann"}

    def until(wanted: str) -> None:
        deadline = time.monotonic() + 30
        while True:
            status, said = _get(f"{urls['checkout']}/orders", order)
            assert status == 200
            if said["delivery"] == wanted:
                return
            assert time.monotonic() < deadline, said
            time.sleep(0.05)

    processes = [
        _start(f"{name}.py", PORT=str(ports[name]), **given) for name, given in settings.items()
    ]
    try:
        for url in urls.values():
            _await_health(url)
        until("express")
        _flags(file, "DISABLED")
        until("standard")
        _flags(file, "ENABLED")
        until("express")
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
