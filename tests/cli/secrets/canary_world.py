"""A project with a canary in every sensitive place of every kind, and where such places are."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from hrctl.model.kinds import KINDS, kind
from hrctl.model.kinds.base import Lazy
from hrctl.model.kinds.reference import Reference, _SecretForm, _TextForm
from hrctl.model.places import place_in, sealed_in
from hrctl.source.edit import dump

if TYPE_CHECKING:
    from tests.cli.secrets.conftest import Vault

AGE, OF_ENV = 50, 3  # how many canaries are encrypted, and how many come from the environment
SHOP, PROD = "acme/shop", "acme/shop/prod"


class Plant:
    """Stands in a manifest where a canary is to be."""


def sensitive_places() -> set[str]:
    """``Component/spec/connection/password``: every field that may hold a secret, ``*`` for any."""
    found: set[str] = set()
    for name in KINDS:
        found.update(f"{name}/spec{path}" for path in _walk(kind(name).model, "", ()))
    return found


def _walk(annotation: Any, path: str, above: tuple[Any, ...]) -> Iterator[str]:
    if get_origin(annotation) is Annotated:
        base, *marks = get_args(annotation)
        if any(isinstance(mark, _SecretForm | _TextForm) for mark in marks):
            yield path
            return
        lazy = next((mark for mark in marks if isinstance(mark, Lazy)), None)
        yield from _walk(lazy.model if lazy else base, path, above)
    elif isinstance(annotation, type) and issubclass(annotation, Reference):
        yield path.removesuffix("/valueFrom")
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in above:
            return
        for name, field in annotation.model_fields.items():
            marked = Annotated[(field.annotation, *field.metadata)] if field.metadata else None
            inner = marked or field.annotation
            yield from _walk(inner, f"{path}/{field.alias or name}", (*above, annotation))
    elif get_origin(annotation) is dict:
        yield from _walk(get_args(annotation)[1], f"{path}/*", above)
    elif get_origin(annotation) in {list, tuple}:
        yield from _walk(get_args(annotation)[0], f"{path}/*", above)
    else:
        for one in get_args(annotation):
            yield from _walk(one, path, above)


def component(name: str, kind_type: str, **spec: Any) -> dict[str, Any]:
    return manifest("Component", name, {"type": kind_type, **spec})


def manifest(named: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    head = {"apiVersion": "hrctl.dev/v1", "kind": named, "metadata": {"name": name, **metadata}}
    return {**head, "spec": spec}


def documents() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """File -> the registry and the documents in it."""
    c = Plant
    connection = {
        "endpoint": "cache.example.org:6379",
        "database": c(),
        "username": c(),
        "password": c(),
        "token": c(),
        "region": c(),
        "tls": {"ca": c(), "certificate": c(), "key": c()},
        "options": {"hint": c()},
    }
    cache = component(
        "cache",
        "CACHE",
        provider="redis",
        connection=connection,
        redis={"users": [{"name": "app", "password": c()}], "settings": {"requirepass": c()}},
    )
    database = component(
        "db",
        "DATABASE",
        provider="postgresql",
        connection={"endpoint": c(), "password": c()},
        postgresql={"roles": [{"name": "app", "password": c()}], "settings": {"x": c()}},
    )
    mongo = component(
        "docs",
        "DATABASE",
        provider="mongodb",
        mongodb={
            "databases": [{"name": "app"}],
            "users": [{"name": "app", "database": "app", "password": c()}],
        },
    )
    kafka = component(
        "events",
        "QUEUE",
        provider="kafka",
        kafka={"topics": [{"name": "t", "partitions": 1, "configs": {"x": c()}}]},
    )
    worker = manifest(
        "Service",
        "worker",
        {
            "type": "WORKER",
            "command": "sleep 600",
            "env": {
                "OWN": c(),
                "OF_CONFIG": {"valueFrom": {"config": "app", "key": "K00"}},
                "OF_CACHE": {"valueFrom": {"component": "cache", "output": "url"}},
                "OF_ENV": {"valueFrom": {"env": "CANARY_0"}},
            },
        },
    )
    entries: dict[str, Any] = {
        f"K{number:02}": {"type": "SECRET", "value": c()} for number in range(15)
    }
    entries["TEXT"] = {"type": "STRING", "value": c()}
    entries["PLAIN"] = {"type": "STRING", "value": "plain"}
    entries["OF_ENV"] = {"type": "STRING", "value": {"valueFrom": {"env": "CANARY_1"}}}
    root = manifest(
        "Registry",
        "acme",
        {
            "level": "ROOT",
            "defaults": {
                "Service": {"env": {"OF_ROOT": c()}},
                "Config": {"entries": {"OF_ROOT": {"type": "SECRET", "value": c()}}},
                "Component": {"connection": {"options": {"of_root": c()}}},
            },
        },
    )
    template = manifest(
        "Service",
        "api",
        {"type": "API", "command": "sleep 600", "env": {"OF_BASE": c(), "PATCHED": c()}},
        instances="ENVIRONMENT",
    )
    patch = manifest("Service", "api", {"env": {"PATCHED": c()}}, patch=True)
    global_entries = {
        f"G{number:02}": {"type": "SECRET", "value": c()} for number in range(AGE - 45)
    }
    return {
        "registry.yaml": [("acme", root)],
        "global.yaml": [
            ("acme", manifest("Config", "global", {"scope": "GLOBAL", "entries": global_entries}))
        ],
        "shop/services.yaml": [(SHOP, template)],
        "shop/prod/services.yaml": [(PROD, worker), (PROD, patch)],
        "shop/prod/components.yaml": [(PROD, one) for one in (cache, database, mongo, kafka)],
        "shop/prod/proxies.yaml": [(PROD, one) for one in proxies()],
        "shop/prod/config.yaml": [
            (PROD, manifest("Config", "app", {"scope": "SERVICE", "entries": entries}))
        ],
    }


def proxies() -> Iterator[dict[str, Any]]:
    c = Plant
    location = {"path": "/", "proxyPass": c(), "headers": {"X-Key": c()}, "settings": {"x": c()}}
    yield component(
        "web",
        "PROXY",
        provider="nginx",
        nginx={
            "servers": [
                {"name": "a", "listen": ["80"], "locations": [location], "settings": {"x": c()}}
            ],
            "upstreams": [{"name": "u", "servers": [{"address": c()}]}],
        },
    )
    server = {"name": "s", "address": c()}
    yield component(
        "lb",
        "LOADBALANCER",
        provider="haproxy",
        haproxy={
            "backends": [{"name": "b", "servers": [server], "settings": {"x": c()}}],
            "frontends": [
                {"name": "f", "bind": ["*:80"], "defaultBackend": "b", "settings": {"x": c()}}
            ],
        },
    )
    yield component(
        "edge",
        "PROXY",
        provider="envoy",
        envoy={"clusters": [{"name": "c", "endpoints": [{"address": c()}]}]},
    )


class World:
    """The canaries, and the project that they are planted in."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.canaries: list[str] = []
        self.places: set[str] = set()
        self.of_env = [f"canary-env-{number}-{secrets.token_hex(8)}" for number in range(OF_ENV)]
        for number, value in enumerate(self.of_env):
            vault.patch.setenv(f"CANARY_{number}", value)
        for file, found in documents().items():
            texts = [dump(self._planted(registry, one)) for registry, one in found]
            (vault.root / file).write_text("---\n".join(texts))
        vault.rules("{path: '**', keys: [ANN]}")
        project = vault.root / "hrctl.yaml"
        drivers = (
            "  safety: {maxUpdatePercent: 100}\n"
            "  drivers: {procs: {type: supervisor, mode: embedded}}\n"
        )
        project.write_text(project.read_text() + drivers)
        prod = manifest(
            "Registry", "prod", {"level": "ENVIRONMENT", "drivers": {"Service": "procs"}}
        )
        (vault.root / "shop/prod/registry.yaml").write_text(dump(prod))
        vault.commit()

    def _planted(self, registry: str, one: dict[str, Any]) -> dict[str, Any]:
        """The document with a ciphertext in the place of each `Plant`."""
        address = f"{registry}:{one['kind']}/{one['metadata']['name']}"

        def walk(value: Any, path: str) -> Any:
            if isinstance(value, Plant):
                canary = f"canary-{len(self.canaries):02}-{secrets.token_hex(8)}"
                self.canaries.append(canary)
                self._note(one["kind"], path)
                place = place_in(address, one, path)
                sealed = self.vault.sealed(canary, place.address, place.field, "ann")
                return {"valueFrom": sealed}
            if isinstance(value, dict):
                return {key: walk(item, f"{path}/{key}") for key, item in value.items()}
            if isinstance(value, list):
                return [walk(item, f"{path}/{at}") for at, item in enumerate(value)]
            return value

        made: dict[str, Any] = walk(one, "")
        assert len(list(sealed_in(made))) <= len(self.canaries)
        return made

    def _note(self, named: str, path: str) -> None:
        parts = path.split("/")
        if named == "Registry":
            named, parts = parts[3], ["", "spec", *parts[4:]]
        if named == "Config":
            parts = parts[:-1]  # an entry is one place, whichever way it is written
        self.places.add(f"{named}{'/'.join(parts)}")

    def is_planted(self, place: str) -> bool:
        """Whether a canary stands at a place, `*` being any name or number."""
        wanted = place.split("/")
        return any(
            len(parts) == len(wanted)
            and all(theirs in {ours, "*"} for ours, theirs in zip(parts, wanted, strict=True))
            for parts in (one.split("/") for one in self.places)
        )
