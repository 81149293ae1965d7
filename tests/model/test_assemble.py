"""One resource in full: layers, values, and where each of them was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrctl.model.address import Address
from hrctl.model.values import references

if TYPE_CHECKING:
    from hrctl.model.tree import Tree
    from tests.conftest import ProjectFolder

FILES: dict[str, str | bytes] = {
    "registry.yaml": """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: acme}
spec:
  level: ROOT
  defaults:
    Service:
      stopTimeout: 5s
      env: {REGION: eu, TEAM: core}
""",
    "shop/registry.yaml": """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: shop}
spec:
  level: PROJECT
  defaults: {Service: {env: {TEAM: shop, ZONE: a}}}
""",
    "api.yaml": """
apiVersion: hrctl.dev/v1
kind: Service
metadata:
  name: api
  instances: TENANT
  labels: {tier: web}
spec:
  type: API
  replicas: 2
  command: [serve, --port, "80"]
  ports:
    - {name: http, port: 80}
    - {name: admin, port: 81}
  env:
    LEVEL: info
    PLAIN: base
lifecycle: {protect: true}
""",
    "shop/api.yaml": """
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: api, patch: true, labels: {team: shop}}
spec:
  replicas: 3
  env:
    LEVEL: debug
    ZONE: null
""",
    "shop/one/registry.yaml": """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: one}
spec: {level: TENANT}
""",
    "shop/one/api.yaml": """
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: api, patch: true}
spec:
  replicas: null
  ports:
    - {name: http, port: 8080}
  env: {PLAIN: inner}
lifecycle: {deletion: retain}
""",
    "two/registry.yaml": """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: two}
spec: {level: TENANT}
""",
}
ONE = Address("acme/shop/one:Service/api")
TWO = Address("acme/two:Service/api")


def whole(folder: ProjectFolder, files: dict[str, str | bytes]) -> Tree:
    loaded = folder.write(files).load()
    assert [one for one in loaded.diagnostics if one.code != "HR062"] == []
    return loaded.tree


def test_the_layers_from_the_outside_in(folder: ProjectFolder) -> None:
    tree = whole(folder, FILES)
    one = tree.resource(ONE)
    spec: Any = one.body["spec"]
    assert spec["env"] == {"REGION": "eu", "TEAM": "shop", "LEVEL": "debug", "PLAIN": "inner"}
    assert spec["replicas"] == 1, "null gives way to what is built in"
    assert [port["port"] for port in spec["ports"]] == [8080], "lists replace"
    assert spec["stopTimeout"] == "5s"
    assert one.labels == {"tier": "web", "team": "shop"}
    assert (one.lifecycle.protect, one.lifecycle.deletion) == (True, "retain")
    assert str(one.span) == "api.yaml:1:1"
    two: Any = tree.resource(TWO).body["spec"]
    assert two["env"] == {"REGION": "eu", "TEAM": "core", "LEVEL": "info", "PLAIN": "base"}
    assert two["replicas"] == 2


@pytest.mark.parametrize(
    ("pointer", "place", "layer"),
    [
        ("/spec/stopTimeout", "registry.yaml:8:20", "defaults"),
        ("/spec/env/REGION", "registry.yaml:9:21", "defaults"),
        ("/spec/env/TEAM", "shop/registry.yaml:6:36", "defaults"),
        ("/spec/type", "api.yaml:8:9", "document"),
        ("/metadata/labels/tier", "api.yaml:6:18", "document"),
        ("/metadata/labels/team", "shop/api.yaml:3:51", "patch"),
        ("/spec/env/LEVEL", "shop/api.yaml:7:12", "patch"),
        ("/spec/env/PLAIN", "shop/one/api.yaml:8:16", "patch"),
        ("/spec/ports/0/port", "shop/one/api.yaml:7:26", "patch"),
        ("/spec/replicas", None, "built in"),
        ("/spec/ports/0/protocol", None, "built in"),
        ("/lifecycle/protect", "api.yaml:17:22", "document"),
        ("/lifecycle/deletion", "shop/one/api.yaml:9:23", "patch"),
    ],
)
def test_the_origin_of_each_value(
    folder: ProjectFolder, pointer: str, place: str | None, layer: str
) -> None:
    tree = whole(folder, FILES)
    (found,) = (one for one in tree.explain(ONE) if one.pointer == pointer)
    assert (str(found.span) if found.span else None, found.layer) == (place, layer)
    assert tree.origin(ONE, pointer) == found.span


def test_the_driver_comes_from_the_registry_that_binds_it(folder: ProjectFolder) -> None:
    tree = whole(folder, FILES)
    last = tree.explain(ONE)[-1]
    assert (last.pointer, last.value, last.span, last.layer) == (
        "/driver",
        "local",
        None,
        "built in",
    )
    bound = FILES["shop/registry.yaml"]
    assert isinstance(bound, str)
    tree = whole(folder, {"shop/registry.yaml": bound + "  drivers: {Service: local}\n"})
    found = tree.explain(ONE)[-1]
    assert (str(found.span), found.layer) == ("shop/registry.yaml:7:22", "registry")


def test_every_value_is_explained(folder: ProjectFolder) -> None:
    tree = whole(folder, FILES)
    for address in tree.rows:
        for one in tree.explain(address):
            if one.span is not None:
                line = (folder.root / one.span.path).read_text().splitlines()[one.span.line - 1]
                assert one.span.column <= len(line)
            else:
                assert one.layer == "built in"


VALUES: dict[str, str | bytes] = {
    "registry.yaml": FILES["registry.yaml"],
    "a.yaml": """
apiVersion: hrctl.dev/v1
kind: Config
metadata: {name: app}
spec:
  scope: GLOBAL
  entries:
    COUNT: {type: INTEGER, value: 7}
    FLAG: {type: BOOLEAN, default: true}
    TOKEN:
      type: SECRET
      valueFrom:
        age: |
          -----BEGIN AGE ENCRYPTED FILE-----
          YWdlLWVuY3J5cHRpb24ub3JnL3Yx
          -----END AGE ENCRYPTED FILE-----
    COPY: {type: INTEGER, valueFrom: {config: other, key: N}}
---
apiVersion: hrctl.dev/v1
kind: Config
metadata: {name: other}
spec: {scope: GLOBAL, entries: {N: {type: INTEGER, value: 9}}}
---
apiVersion: hrctl.dev/v1
kind: Component
metadata: {name: db}
spec:
  type: DATABASE
  provider: postgresql
  connection:
    endpoint: "db.example.org:5433"
    username: app
    password: {valueFrom: {config: app, key: TOKEN}}
---
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: api}
spec:
  type: API
  env:
    COUNT: {valueFrom: {config: app, key: COUNT}}
    FLAG: {valueFrom: {config: app, key: FLAG}}
    COPY: {valueFrom: {config: app, key: COPY}}
    TOKEN: {valueFrom: {config: app, key: TOKEN}}
    HOST: {valueFrom: {component: db, output: host}}
    URL: {valueFrom: {component: db, output: url}}
    HOME: {valueFrom: {env: HOME}}
""",
}


def test_references_are_resolved_and_secrets_stay_references(folder: ProjectFolder) -> None:
    tree = whole(folder, VALUES)
    api = tree.resource(Address("acme:Service/api"))
    env: Any = api.body["spec"]["env"]
    assert env["COUNT"] == "7", "text where text is wanted"
    assert env["FLAG"] == "true"
    assert env["COPY"] == "9"
    assert env["HOST"] == "db.example.org"
    assert env["TOKEN"] == {"valueFrom": {"config": "acme:Config/app", "key": "TOKEN"}}
    assert env["URL"] == {"valueFrom": {"component": "acme:Component/db", "output": "url"}}
    assert env["HOME"] == {"valueFrom": {"env": "HOME"}}
    assert {(one.path, one.sensitive, one.address, one.output) for one in api.deferred} == {
        ("/spec/env/TOKEN", True, "acme:Config/app", "TOKEN"),
        ("/spec/env/URL", True, "acme:Component/db", "url"),
        ("/spec/env/HOME", True, None, None),
    }
    app: Any = tree.resource(Address("acme:Config/app")).body["spec"]["entries"]
    assert app["COPY"]["value"] == 9, "a number where a number is wanted"
    source = app["TOKEN"]["value"]["valueFrom"]
    assert source.keys() == {"age", "for"}
    assert source["for"] == "acme:Config/app#/spec/entries/TOKEN"
    places = {one.pointer: str(one.span) for one in tree.explain(Address("acme:Config/app"))}
    assert places["/spec/entries/TOKEN/value"] == "a.yaml:11:7"
    assert places["/spec/entries/COPY/value"] == "a.yaml:16:38"


def test_a_patch_of_a_value_replaces_a_reference(folder: ProjectFolder) -> None:
    config = """
apiVersion: hrctl.dev/v1
kind: Config
metadata: {name: c, %s}
spec: %s
"""
    base = "{scope: GLOBAL, entries: {K: {type: STRING, valueFrom: {env: A}}}}"
    files = {
        **FILES,
        "c.yaml": config % ("instances: TENANT", base),
        "shop/c.yaml": config % ("patch: true", "{entries: {K: {value: plain}}}"),
    }
    tree = whole(folder, files)
    entry: Any = tree.resource(Address("acme/shop/one:Config/c")).body["spec"]["entries"]["K"]
    assert entry["value"] == "plain"
    assert tree.resource(Address("acme/shop/one:Config/c")).deferred == ()
    entry = tree.resource(Address("acme/two:Config/c")).body["spec"]["entries"]["K"]
    assert entry["value"] == {"valueFrom": {"env": "A"}}


def test_a_reference_among_defaults_gives_way_to_a_value(folder: ProjectFolder) -> None:
    root = """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: acme}
spec:
  level: ROOT
  defaults: {Config: {entries: {K: {type: STRING, valueFrom: {env: A}}}}}
---
apiVersion: hrctl.dev/v1
kind: Config
metadata: {name: c}
spec: {scope: GLOBAL, entries: {K: {value: plain}}}
"""
    tree = whole(folder, {"registry.yaml": root})
    found = tree.resource(Address("acme:Config/c"))
    entries: Any = found.body["spec"]["entries"]
    assert (entries["K"]["value"], found.deferred) == ("plain", ())


def test_what_inheritance_makes_wrong_is_told_where_it_was_written(folder: ProjectFolder) -> None:
    folder.write(
        {
            **FILES,
            "shop/one/api.yaml": """
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: api, patch: true}
spec: {type: null}
""",
        }
    )
    assert folder.told() == ["shop/one/api.yaml:4:1 HR023"]


def test_an_encrypted_value_bears_the_place_that_declares_it(folder: ProjectFolder) -> None:
    begin, end = (f"-----{word} AGE ENCRYPTED FILE-----" for word in ("BEGIN", "END"))
    one = f"{{valueFrom: {{age: '{begin} x {end}'}}}}"
    files: dict[str, str | bytes] = {
        "registry.yaml": f"""
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {{name: acme}}
spec:
  level: ROOT
  defaults:
    Service: {{env: {{OF_ROOT: {one}}}}}
    Config: {{entries: {{K: {{type: SECRET, {one[1:-1]}}}}}}}
""",
        "shop/registry.yaml": """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: shop}
spec: {level: PROJECT}
""",
        "shop/one/registry.yaml": """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: one}
spec: {level: TENANT}
""",
        "all.yaml": f"""
apiVersion: hrctl.dev/v1
kind: Service
metadata: {{name: api, instances: TENANT}}
spec: {{type: API, env: {{BASE: {one}, PATCHED: {one}}}}}
---
apiVersion: hrctl.dev/v1
kind: Config
metadata: {{name: c, instances: TENANT}}
spec: {{scope: GLOBAL, entries: {{L: {{type: SECRET, value: {one}}}}}}}
""",
        "shop/patches.yaml": f"""
apiVersion: hrctl.dev/v1
kind: Service
metadata: {{name: api, patch: true}}
spec: {{env: {{PATCHED: {one}}}}}
""",
        "shop/one/cache.yaml": f"""
apiVersion: hrctl.dev/v1
kind: Component
metadata: {{name: cache}}
spec:
  type: CACHE
  provider: redis
  redis: {{users: [{{name: app, password: {one}}}]}}
""",
    }
    tree = whole(folder, files)

    def places(address: str) -> dict[str, str]:
        body = tree.resource(Address(address)).body
        return {path: str(source["for"]) for path, source in references(body)}

    assert places("acme/shop/one:Service/api") == {
        "/spec/env/OF_ROOT": "acme:Registry/acme#/spec/defaults/Service/env/OF_ROOT",
        "/spec/env/BASE": "acme:Service/api#/spec/env/BASE",
        "/spec/env/PATCHED": "acme/shop:Service/api#/spec/env/PATCHED",
    }
    assert places("acme/shop/one:Config/c") == {
        "/spec/entries/K/value": "acme:Registry/acme#/spec/defaults/Config/entries/K",
        "/spec/entries/L/value": "acme:Config/c#/spec/entries/L",
    }
    cache = "acme/shop/one:Component/cache"
    assert places(cache) == {
        "/spec/redis/users/0/password": f"{cache}#/spec/redis/users/app/password"
    }
    assert sorted(str(row.place) for row in tree.secrets()) == [
        f"{cache}#/spec/redis/users/app/password",
        "acme/shop:Service/api#/spec/env/PATCHED",
        "acme:Config/c#/spec/entries/L",
        "acme:Registry/acme#/spec/defaults/Config/entries/K",
        "acme:Registry/acme#/spec/defaults/Service/env/OF_ROOT",
        "acme:Service/api#/spec/env/BASE",
        "acme:Service/api#/spec/env/PATCHED",
    ]
