"""What looks like a secret, and what must not."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

from hrctl.model.suspects import entropy, reason, suspects


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # made up, in the forms that services issue
        ("AWS", "AKIA" + "QWERTYUIOPASDFGH"),
        ("CI", "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"),
        ("CI", "glpat-" + "x9Yz8Wv7Ut6Sr5Qp4On3"),
        ("HOOK", "xoxb-" + "123456789012-abcdef"),
        ("JWT", "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + "c2lnbmF0dXJl"),
        ("KEY", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE"),
        ("AGE", "AGE-SECRET-" + "KEY-1" + "Q" * 58),
        ("DSN", "postgresql://shop:hunter2@db.example.org/shop"),
        ("DB_PASSWORD", "correct-horse"),
        ("DB_PASSWORD", "hunter2"),
        ("DB_PASSWORD", "swordfish"),
        ("dbPassword", "hunter2"),
        ("PASSWORD_PROD", "hunter2"),
        ("TOKEN_V2", "abc-def-ghi"),
        ("CLIENT_SECRET", "squeamish"),
        ("SIGNING_KEY", "squeamish"),
        ("requirepass", "foobared"),
        ("Authorization", "Bearer abcdef"),
        ("apiKey", "0f1e2d3c4b5a"),
        ("SALT", "9fK2xLq7Tz0WmB4vYc8R"),
        ("SALT", "d41d8cd98f00b204e9800998ecf8427e"),
        ("SALT", "Zm9vYmFyYmF6cXV4Q29ycmVjdEhvcnNlMTIz"),
    ],
)
def test_secrets(name: str, value: str) -> None:
    assert reason(name, value) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "info"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("JAVA_OPTS", "-Xmx512m -XX:+UseG1GC -Dspring.profiles.active=production"),
        ("DB_PASSWORD_FILE", "/run/secrets/db-password"),
        ("DB_PASSWORD", "$PASSWORD"),
        ("TOKEN_TTL", "3600 seconds"),
        ("SECRET_NAME", "shop-database-credentials"),
        ("PASSWORD", "none"),
        ("PASSWORD", "changeme"),
        ("PASSWORD", "change-me-please"),
        ("PASSWORD", "<password>"),
        ("PASSWORD", "${DB_PASSWORD}"),
        ("PASSWORD", "{{ db_password }}"),
        ("PASSWORD", "********"),
        ("PASSWORD", "xxxxxxxx"),
        ("PASSWORD", "your-password-here"),
        ("PASSWORD", "example-password"),
        ("PASSWORD", "vault:secret/db#password"),
        ("PASSWORD", "op://shop/db/password"),
        ("DSN", "postgresql://shop:${PASSWORD}@db/shop"),
        ("DSN", "postgresql://user:password@db/shop"),
        ("PASSWORD_POLICY", "at-least-twelve"),
        ("TOKENIZER", "bert-base-uncased"),
        ("MAX_TOKENS", "4096"),
        ("TOKEN_ISSUER", "accounts.example.org"),
        ("SECRETARY", "margaret"),
        ("PUBLIC_KEY", "squeamish"),
        ("CACHE_KEY", "squeamish"),
        ("SORT_KEYS", "created"),
        ("IMAGE", "registry.example.org/shop/api@sha256:" + "9f86d081884c7d65" * 4),
        ("DATABASE_URL", "postgresql://shop@db.example.org:5432/shop"),
        ("CACHE_URL", "redis://127.0.0.1:6379/0"),
        ("ALLOWED_HOSTS", "shop.example.org,api.shop.example.org,admin.shop.example.org"),
        ("PYTHONPATH", "src/main/python/com/example/shop/services/Checkout2Service"),
        ("REGION", "eu-central-1"),
        ("EMPTY", ""),
    ],
)
def test_no_secrets(name: str, value: str) -> None:
    assert reason(name, value) is None


def test_where_it_looks() -> None:
    made_up = "9fK2xLq7Tz0WmB4vYc8R"
    reference = {"valueFrom": {"env": made_up}}
    document: dict[str, Any] = {
        "kind": "Registry",
        "spec": {
            "env": {"A": made_up, "B": reference, "C": 5},
            "connection": {"options": {"a/b": made_up}, "hosts": [made_up]},
            "command": made_up,  # not looked at: a program's arguments are its own business
            "defaults": {"Service": {"env": {"A": made_up}}, "Node": None},
        },
    }
    assert [one.pointer for one in suspects(document)] == [
        "/spec/env/A",
        "/spec/connection/options/a~1b",
        "/spec/connection/hosts/0",
        "/spec/defaults/Service/env/A",
    ]
    assert not any(made_up in one.why for one in suspects(document))
    assert list(suspects({"kind": "Service", "spec": None})) == []


def test_entries_and_maps_of_free_text() -> None:
    text = "squeamish"
    entries = {
        "DB_PASSWORD": {"type": "STRING", "value": text, "default": text, "description": text},
        "LEVEL": {"value": "info"},
        "API_TOKEN": {"type": "SECRET", "valueFrom": {"age": text}},
        "PIN_TOKEN": {"type": "INTEGER", "value": 123456},
        "CLIENT": {"type": "JSON", "value": {"id": text, "clientSecret": text}},
    }
    assert [one.pointer for one in suspects({"kind": "Config", "spec": {"entries": entries}})] == [
        "/spec/entries/DB_PASSWORD/value",
        "/spec/entries/DB_PASSWORD/default",
        "/spec/entries/CLIENT/value/clientSecret",
    ]
    redis = {"users": [{"name": "token"}], "settings": {"requirepass": text, "maxmemory": "1gb"}}
    servers = [{"locations": [{"headers": {"Authorization": "Basic abcdef"}}]}]
    document = {"kind": "Component", "spec": {"redis": redis, "nginx": {"servers": servers}}}
    assert [one.pointer for one in suspects(document)] == [
        "/spec/redis/settings/requirepass",
        "/spec/nginx/servers/0/locations/0/headers/Authorization",
    ]
    numbers = {"kind": "Service", "spec": {"env": {"DB_PASSWORD": 12345678, "PORT": 12345678}}}
    assert [one.pointer for one in suspects(numbers)] == ["/spec/env/DB_PASSWORD"]


def test_entropy() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2


@pytest.mark.parametrize("part", ["a", "eyJ", "://a:", "A1b", "0", "-", "BEGIN ", "sha256:"])
def test_ten_megabytes_take_no_time(part: str) -> None:
    start = process_time()
    reason("PASSWORD", part * (10_000_000 // len(part)))
    assert process_time() - start < 5  # seconds; quadratic would be hours


def test_what_another_check_refuses_is_not_told_twice() -> None:
    connection = {"password": "hunter2", "tls": {"key": "hunter2"}, "options": {"pwd": "hunter2"}}
    spec: dict[str, Any] = {"connection": connection}
    assert [one.pointer for one in suspects({"kind": "Component", "spec": spec})] == [
        "/spec/connection/options/pwd"
    ]
    entries = {"TOKEN": {"type": "SECRET", "value": "hunter2"}}
    assert not list(suspects({"kind": "Config", "spec": {"entries": entries}}))
    defaults = {"Component": spec}
    assert [
        one.pointer for one in suspects({"kind": "Registry", "spec": {"defaults": defaults}})
    ] == ["/spec/defaults/Component/connection/options/pwd"]
