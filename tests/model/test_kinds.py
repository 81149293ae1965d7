"""The table of kinds, units, outputs, links, and which fields are secret."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrctl.model.kinds import GROUPS, KINDS, kind, units
from hrctl.model.kinds.outputs import Link, Output, render
from hrctl.model.schema import model_schema
from hrctl.model.validate import complete
from hrctl.model.values import lookup

PASSWORD = {"valueFrom": {"env": "PASSWORD"}}


def test_the_table() -> None:
    assert len(KINDS) == len(GROUPS) == 9
    assert GROUPS["grid"] == "Node"
    assert kind("Component").immutable == {"/spec/type", "/spec/provider"}
    with pytest.raises(KeyError):
        kind("Servce")
    for name in KINDS:
        fields = {f"/spec/{one.alias}" for one in kind(name).model.model_fields.values()}
        paths = {kind(name).type_path, kind(name).status_path, *kind(name).immutable}
        assert paths - {None} <= fields


def test_every_field_is_described() -> None:
    def bare(schema: Any, path: str) -> list[str]:
        found = []
        for name, one in schema.get("properties", {}).items():
            told_by_its_model = "$ref" in json.dumps(one)
            if "description" not in one and not told_by_its_model:
                found.append(f"{path}.{name}")
        return found

    for name in KINDS:
        document = model_schema(kind(name).model)
        assert bare(document, name) == []
        for part, schema in document["definitions"].items():
            assert bare(schema, f"{name}.{part}") == []


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from hrctl.model.kinds import KINDS, GROUPS, kind; kind('Service').group", "pydantic"),
        ("from hrctl.model.kinds import kind; kind('Config').outputs('a', {})", "pydantic"),
        ("from hrctl.model.kinds import kind; kind('Route').links({})", "pydantic"),
        ("from hrctl.model.manifest import check_envelope; check_envelope({})", "pydantic"),
        (
            "from hrctl.model.validate import check_spec; check_spec('Service', {'type': 'API'})",
            "hrctl.model.kinds.component",
        ),
        (
            "from hrctl.model.validate import check_spec; check_spec('Config', {})",
            "jsonschema",
        ),
        (
            (
                "from hrctl.model.validate import check_spec;"
                "check_spec('Component', {'type': 'CACHE', 'provider': 'redis', 'redis': {}})"
            ),
            "hrctl.model.kinds.providers.postgresql",
        ),
    ],
)
def test_only_what_is_needed_is_imported(code: str, absent: str) -> None:
    script = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert absent not in done.stdout.decode().split()


@pytest.mark.parametrize(
    ("written", "body", "seconds"),
    [
        ("30s", "30s", 30),
        (30, "30s", 30),
        (0.25, "250ms", 0.25),
        ("60s", "1m", 60),
        ("90s", "90s", 90),
        ("1h30m", "90m", 5400),
        ("48h", "2d", 172800),
        ("1.5s", "1500ms", 1.5),
        (0, "0s", 0),
        ("0m", "0s", 0),
    ],
)
def test_durations(written: str | float, body: str, seconds: float) -> None:
    assert units.duration(written) == body
    assert units.seconds(written) == units.seconds(body) == seconds


@pytest.mark.parametrize("written", ["", "s", "5", "-5s", "5 s", "5m5h", -1, float("nan"), 1e300])
def test_what_is_no_duration(written: str | float) -> None:
    with pytest.raises(ValueError, match=r"^"):
        units.duration(written)


@pytest.mark.parametrize("written", ["36526d", 3.2e9, "9" * 400 + "d", "9" * 400 + "ms"])
def test_a_duration_has_an_end(written: str | float) -> None:
    with pytest.raises(units.TooLong):
        units.duration(written)
    assert units.duration("36525d") == "36525d"


@given(st.integers(0, 10**12))
def test_a_duration_keeps_its_length(milliseconds: int) -> None:
    body = units.duration(f"{milliseconds}ms")
    assert units.seconds(body) == milliseconds / 1000
    assert units.duration(body) == body


def test_sizes_and_cores() -> None:
    assert units.size("512Mi") == 2**29
    assert units.size("1.5k") == 1500
    assert units.cores("1500m") == units.cores(1.5) == 1.5
    assert units.cores("2000m") == 2
    for wrong in ("4GB", "", "Mi"):
        with pytest.raises(ValueError, match=r"^"):
            units.size(wrong)
    for amount in ("2", "x", 0, -1, float("inf")):
        with pytest.raises(ValueError, match=r"^"):
            units.cores(amount)


def of(name: str, spec: dict[str, Any]) -> dict[str, Output]:
    body = {"spec": complete(name, spec)}
    found = kind(name).outputs(f"acme:{name}/x", body)
    assert found.keys() <= kind(name).known_outputs(spec)
    return found


def values(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {key: one.value for key, one in of(name, spec).items()}


def test_outputs_of_a_service() -> None:
    ports = [{"name": "http", "port": 8080}, {"name": "rpc", "port": 9000, "protocol": "GRPC"}]
    assert values("Service", {"type": "API", "replicas": 2, "ports": ports}) == {
        "host": "127.0.0.1",
        "port": 8080,
        "endpoint": "http://127.0.0.1:8080",
        "endpoints": "http://127.0.0.1:8080,http://127.0.0.1:8081",
        "ports.http": 8080,
        "ports.rpc": 9000,
    }
    assert values("Service", {"type": "WORKER"}) == {"host": "127.0.0.1"}


def test_outputs_of_a_component_without_secrets() -> None:
    assert values("Component", {"type": "CACHE", "provider": "redis"}) == {
        "host": "127.0.0.1",
        "port": 6379,
        "endpoint": "127.0.0.1:6379",
        "url": "redis://127.0.0.1:6379",
    }
    connection = {"endpoint": "https://s3.example/x", "username": "AK", "region": "eu"}
    found = values("Component", {"type": "STORAGE", "provider": "s3", "connection": connection})
    assert found["url"] == "https://s3.example:443"
    assert found["username"] == "AK"
    brokers = {"endpoint": "a:9092,b", "tls": {}}
    found = values("Component", {"type": "QUEUE", "provider": "kafka", "connection": brokers})
    assert (found["endpoint"], found["host"], found["port"]) == ("a:9092,b:9092", "a", 9092)
    tls = {"endpoint": "[::1]:6380", "tls": {"verify": False}, "database": 2}
    found = values("Component", {"type": "CACHE", "provider": "redis", "connection": tls})
    assert (found["url"], found["host"]) == ("rediss://[::1]:6380/2", "::1")


def test_a_url_with_a_secret_is_a_template() -> None:
    connection = {
        "endpoint": "db:5432",
        "username": "orders",
        "password": PASSWORD,
        "database": "orders",
    }
    spec = {"type": "DATABASE", "provider": "postgresql", "connection": connection}
    found = of("Component", spec)
    assert found["password"] == Output(PASSWORD, sensitive=True)
    assert found["host"] == Output("db")
    assert found["url"] == Output(
        {"concat": ["postgresql://orders:", {"quote": PASSWORD}, "@db:5432/orders"]},
        sensitive=True,
    )
    assert render(found["url"].value, lambda _: "p@ss/1") == (
        "postgresql://orders:p%40ss%2F1@db:5432/orders"
    )
    assert render(found["password"].value, lambda _: "p@ss/1") == "p@ss/1"
    assert render(found["host"].value, lambda _: "never") == "db"


def test_an_endpoint_that_is_a_reference() -> None:
    source = {"valueFrom": {"config": "app", "key": "CACHE"}}
    spec = {"type": "CACHE", "provider": "redis", "connection": {"endpoint": source}}
    found = of("Component", spec)
    assert found["endpoint"] == Output(source, sensitive=True)
    assert found["url"] == Output({"concat": ["redis://", source]}, sensitive=True)
    assert render(found["url"].value, lambda _: "cache:1") == "redis://cache:1"
    assert "host" not in found


def test_outputs_of_a_config() -> None:
    age = "-----BEGIN AGE ENCRYPTED FILE-----\neA==\n-----END AGE ENCRYPTED FILE-----"
    entries = {
        "LEVEL": {"value": "info", "default": "warning"},
        "PORT": {"type": "INTEGER", "default": 80},
        "NONE": {},
        "KEY": {"type": "SECRET", "valueFrom": {"age": age}},
        "URL": {"valueFrom": {"service": "api", "output": "endpoint"}},
    }
    assert of("Config", {"entries": entries}) == {
        "LEVEL": Output("info"),
        "PORT": Output(80),
        "NONE": Output(None),
        "KEY": Output({"valueFrom": {"age": age}}, sensitive=True),
        "URL": Output({"valueFrom": {"service": "api", "output": "endpoint"}}, sensitive=True),
    }


def test_outputs_of_the_others() -> None:
    assert values("Engine", {"type": "BATCH", "capacity": {"desired": 3}}) == {"workers": 3}
    assert values("Engine", {"type": "BATCH"}) == {"workers": 1}
    assert values("Node", {"type": "WORKER", "address": "10.0.0.5:7000", "zone": "a"}) == {
        "address": "10.0.0.5:7000",
        "host": "10.0.0.5",
        "port": 7000,
        "zone": "a",
    }
    route = {"type": "WEBSOCKET", "destinations": [{"service": "api"}]}
    assert values("Route", route) == {}
    assert values("Route", {**route, "listen": "0.0.0.0:80"})["endpoint"] == "ws://0.0.0.0:80"
    assert values("FeatureFlag", {"type": "BOOLEAN"}) == {}


def test_links() -> None:
    env = {
        "A": {"valueFrom": {"component": "db", "output": "url"}},
        "B": {"valueFrom": {"env": "HOME"}},
        "C": {"valueFrom": {"service": "acme:Service/peer", "output": "port"}},
        "D": {"valueFrom": {"config": 5}},
    }
    assert kind("Service").links({"env": env}) == [
        Link("/env/A", "Component", "db", "url"),
        Link("/env/C", "Service", "acme:Service/peer", "port"),
    ]
    entries = {"K": {"type": "STRING", "valueFrom": {"config": "base", "key": "K"}}}
    assert kind("Config").links({"entries": entries}) == [Link("/entries/K", "Config", "base", "K")]
    destinations = [{"service": "api", "port": "http"}, {"address": "a:1"}, 5, {"service": "web"}]
    assert kind("Route").links({"destinations": destinations}) == [
        Link("/destinations/0/service", "Service", "api", "ports.http"),
        Link("/destinations/3/service", "Service", "web"),
    ]
    assert kind("Plugin").links({"dependsOn": ["base", 5]}) == [
        Link("/dependsOn/0", "Plugin", "base")
    ]
    assert kind("Route").links({"destinations": "api"}) == []


def test_secret_fields_are_those_of_the_schema() -> None:
    """Every field that the schema calls writeOnly, and no other."""
    document = model_schema(kind("Component").model)

    def walk(schema: dict[str, Any], path: str, *, secret: bool = False) -> list[tuple[str, bool]]:
        secret = secret or bool(schema.get("writeOnly"))
        if "$ref" in schema:
            schema = document["definitions"][schema["$ref"].rpartition("/")[2]]
        found = [(path, secret)]
        for one in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
            if "if" not in one and "valueFrom" not in one.get("properties", {}):
                found += walk(one, path, secret=secret)
        for name, one in schema.get("properties", {}).items():
            if name != "valueFrom":
                found += walk(one, f"{path}/{name}", secret=secret)
        if "items" in schema:
            found += walk(schema["items"], f"{path}/0", secret=secret)
        return found

    secret: dict[str, bool] = {}
    for path, is_secret in walk(document, "/spec"):
        secret[path] = secret.get(path, False) or is_secret
    assert sum(secret.values()) == 6
    for path, is_secret in secret.items():
        assert kind("Component").is_sensitive(path, {}) is is_secret, path


def test_secret_entries() -> None:
    body = {"spec": {"entries": {"A": {"type": "SECRET"}, "B": {"type": "STRING"}}}}
    sensitive = kind("Config").is_sensitive
    assert sensitive("/spec/entries/A/value", body)
    assert sensitive("/spec/entries/A/value/valueFrom", body)
    assert not sensitive("/spec/entries/B/value", body)
    assert not sensitive("/spec/entries/A/type", body)
    assert not kind("Service").is_sensitive("/spec/env/A", body)
    assert lookup(body, "/spec/entries/A/type") == "SECRET"
