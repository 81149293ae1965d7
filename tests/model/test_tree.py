"""What a whole tree comes to: instances, references, cycles, moves, digests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrctl.model.address import Address
from hrctl.model.plan import Lifecycle

if TYPE_CHECKING:
    from hrctl.model.tree import Tree
    from tests.conftest import ProjectFolder

LEVELS = ("ROOT", "DOMAIN", "PROJECT", "ENVIRONMENT", "TENANT")


def registry(name: str, level: str, more: str = "") -> str:
    head = "apiVersion: hrctl.dev/v1\nkind: Registry\n"
    return f"{head}metadata: {{name: {name}}}\nspec:\n  level: {level}\n{more}"


def service(name: str, more: str = "", metadata: str = "") -> str:
    head = "apiVersion: hrctl.dev/v1\nkind: Service\n"
    return f"{head}metadata: {{name: {name}{metadata}}}\nspec:\n  type: API\n{more}"


def config(name: str, **values: str) -> str:
    entries = "".join(f"    {key}: {{type: STRING, value: {one}}}\n" for key, one in values.items())
    head = "apiVersion: hrctl.dev/v1\nkind: Config\n"
    return f"{head}metadata: {{name: {name}}}\nspec:\n  scope: GLOBAL\n  entries:\n{entries}"


FIVE: dict[str, str | bytes] = {
    "registry.yaml": registry("acme", "ROOT"),
    "d/registry.yaml": registry("d", "DOMAIN"),
    "d/p/registry.yaml": registry("p", "PROJECT"),
    "d/p/e/registry.yaml": registry("e", "ENVIRONMENT"),
    "d/p/e/t/registry.yaml": registry("t", "TENANT"),
    "x/registry.yaml": registry("x", "TENANT"),
}


def whole(folder: ProjectFolder, files: dict[str, str | bytes]) -> Tree:
    folder.close()
    folder.write(files)
    loaded = folder.load()
    assert [one for one in loaded.diagnostics if one.code != "HR062"] == []
    return loaded.tree


def env(tree: Tree, address: str) -> Any:
    return tree.resource(Address(address)).body["spec"].get("env", {})


def test_five_levels_and_skipped_ones(folder: ProjectFolder) -> None:
    tree = whole(folder, FIVE)
    assert [(one.path, one.level, one.parent) for one in tree.registries.values()] == [
        ("acme", "ROOT", None),
        ("acme/d", "DOMAIN", "acme"),
        ("acme/x", "TENANT", "acme"),
        ("acme/d/p", "PROJECT", "acme/d"),
        ("acme/d/p/e", "ENVIRONMENT", "acme/d/p"),
        ("acme/d/p/e/t", "TENANT", "acme/d/p/e"),
    ]
    assert set(tree.within("acme/d/p")) == {
        "acme/d/p:Registry/p",
        "acme/d/p/e:Registry/e",
        "acme/d/p/e/t:Registry/t",
    }


def test_documents_belong_to_the_nearest_registry_above(folder: ProjectFolder) -> None:
    tree = whole(folder, FIVE | {"d/p/some/where/a.yaml": service("a"), "d/b.yaml": service("b")})
    assert {"acme/d/p:Service/a", "acme/d:Service/b"} <= set(tree.rows)


def test_instances_at_each_level(folder: ProjectFolder) -> None:
    documents = [service(f"at-{one.lower()}", metadata=f", instances: {one}") for one in LEVELS[1:]]
    tree = whole(folder, FIVE | {"all.yaml": "---\n".join(documents)})
    assert {one for one in tree.rows if one.kind == "Service"} == {
        "acme/d:Service/at-domain",
        "acme/d/p:Service/at-project",
        "acme/d/p/e:Service/at-environment",
        "acme/d/p/e/t:Service/at-tenant",
        "acme/x:Service/at-tenant",
    }


def test_instances_of_one_name_at_two_levels_both_stand(folder: ProjectFolder) -> None:
    tree = whole(
        folder,
        FIVE
        | {
            "a.yaml": service("a", "  env: {FROM: root}\n", ", instances: ENVIRONMENT"),
            "d/a.yaml": service("a", "  env: {FROM: domain}\n", ", instances: TENANT"),
            "d/p/a.yaml": service("a", "  env: {BY: project}\n", ", patch: true"),
            "d/p/e/t/a.yaml": service("a", "  env: {IN: tenant}\n", ", patch: true"),
        },
    )
    both = {"BY": "project"}
    assert env(tree, "acme/d/p/e:Service/a") == {"FROM": "root", **both}
    assert env(tree, "acme/d/p/e/t:Service/a") == {"FROM": "domain", **both, "IN": "tenant"}
    assert Address("acme/x:Service/a") not in tree.rows


def test_instances_of_one_name_at_one_level_collide(folder: ProjectFolder) -> None:
    folder.write(FIVE | {"a.yaml": service("a", metadata=", instances: TENANT")})
    folder.write({"d/a.yaml": service("a", metadata=", instances: TENANT")})
    assert folder.told() == ["d/a.yaml:3:18 HR043"]


def test_null_removes_in_the_whole_of_a_patch(folder: ProjectFolder) -> None:
    base = service(
        "a",
        "dependsOn: [Service/b]\nlifecycle: {protect: true, ignore: [/spec/env]}\n",
        ", instances: TENANT, labels: {team: shop, tier: web}, annotations: {note: x}",
    )
    files = FIVE | {"a.yaml": base + "---\n" + service("b")}
    patch = service(
        "a",
        "dependsOn: null\nlifecycle: {ignore: null}\n",
        ", patch: true, labels: {team: null}, annotations: null",
    )
    tree = whole(folder, files | {"d/p/e/t/a.yaml": patch})
    one, other = (tree.resource(Address(f"acme/{at}:Service/a")) for at in ("d/p/e/t", "x"))
    assert one.body["metadata"] == {"labels": {"tier": "web"}, "annotations": {}}
    assert Address("acme:Service/b") not in one.depends_on
    assert one.lifecycle == Lifecycle(protect=True)
    assert other.labels == {"team": "shop", "tier": "web"}
    assert Address("acme:Service/b") in other.depends_on
    assert other.lifecycle.ignore == ("/spec/env",)
    whole_block = service("a", "lifecycle: null\n", ", patch: true, labels: null")
    tree = whole(folder, files | {"d/p/e/t/a.yaml": whole_block})
    one = tree.resource(Address("acme/d/p/e/t:Service/a"))
    assert (one.labels, one.lifecycle) == ({}, Lifecycle())
    folder.write({"d/p/e/t/a.yaml": base.replace("[Service/b]", "null")})
    assert "d/p/e/t/a.yaml:6:12 HR022" in folder.told(), "there is nothing to remove"


def test_a_reference_in_a_patch_is_whole(folder: ProjectFolder) -> None:
    use = "  env: {V: {valueFrom: {config: c, key: K}}}\n"
    files = FIVE | {
        "a.yaml": service("a", use, ", instances: TENANT"),
        "c.yaml": config("c", K="k", L="l"),
    }
    patch = service("a", use.replace("key: K", "key: L"), ", patch: true")
    tree = whole(folder, files | {"x/a.yaml": patch})
    assert env(tree, "acme/x:Service/a") == {"V": "l"}
    assert env(tree, "acme/d/p/e/t:Service/a") == {"V": "k"}
    part = service("a", "  env: {V: {valueFrom: {key: L}}}\n", ", patch: true")
    folder.write({"x/a.yaml": part})
    assert [one.rpartition(" ")[2] for one in folder.told()] == ["HR028"]


def test_drivers_cascade_and_the_nearer_wins(folder: ProjectFolder) -> None:
    folder.write(
        {
            "hrctl.yaml": "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\n"
            "spec: {drivers: {one: {type: supervisor}, two: {type: supervisor}}}\n"
        }
    )
    tree = whole(
        folder,
        FIVE
        | {
            "registry.yaml": registry("acme", "ROOT", "  drivers: {Service: one}\n"),
            "d/p/registry.yaml": registry("p", "PROJECT", "  drivers: {Service: two}\n"),
            "all.yaml": service("r") + "---\n" + service("t", metadata=", instances: TENANT"),
            "d/d.yaml": service("d"),
        },
    )
    assert tree.rows[Address("acme:Service/r")].driver == "one"
    assert tree.rows[Address("acme/d:Service/d")].driver == "one"
    assert tree.rows[Address("acme/x:Service/t")].driver == "one"
    assert tree.rows[Address("acme/d/p/e/t:Service/t")].driver == "two"
    assert tree.rows[Address("acme:Registry/acme")].driver == "local"


def test_references_look_upwards_and_the_nearer_shadows(folder: ProjectFolder) -> None:
    use = "  env: {V: {valueFrom: {config: c, key: K}}}\n"
    tree = whole(
        folder,
        FIVE
        | {
            "c.yaml": config("c", K="root"),
            "d/c.yaml": config("c", K="domain"),
            "d/p/e/a.yaml": service("a", use),
            "x/a.yaml": service("a", use),
            "x/b.yaml": service(
                "b", "  env: {V: {valueFrom: {config: 'acme/d:Config/c', key: K}}}\n"
            ),
        },
    )
    assert env(tree, "acme/d/p/e:Service/a") == {"V": "domain"}
    assert env(tree, "acme/x:Service/a") == {"V": "root"}
    assert env(tree, "acme/x:Service/b") == {"V": "domain"}
    assert tree.dependents(Address("acme/d:Config/c")) == (
        "acme/x:Service/b",
        "acme/d/p/e:Service/a",
    )
    assert tree.resource(Address("acme/x:Service/b")).depends_on == (
        "acme/x:Registry/x",
        "acme/d:Config/c",
    )


def test_depends_on_is_replaced_by_a_patch(folder: ProjectFolder) -> None:
    names = "---\n".join(map(service, "abc"))
    patch = service("w", "dependsOn: [Service/c]\n", ", patch: true")
    tree = whole(
        folder,
        FIVE
        | {
            "all.yaml": names,
            "w.yaml": service(
                "w", "dependsOn: [Service/a, 'acme:Service/b']\n", ", instances: TENANT"
            ),
            "x/w.yaml": patch,
        },
    )
    assert tree.resource(Address("acme/d/p/e/t:Service/w")).depends_on[1:] == (
        "acme:Service/a",
        "acme:Service/b",
    )
    assert tree.resource(Address("acme/x:Service/w")).depends_on[1:] == ("acme:Service/c",)


def test_a_cycle_is_told_step_by_step(folder: ProjectFolder) -> None:
    folder.write(
        FIVE
        | {
            "a.yaml": service("a", "dependsOn: [Service/b]\n"),
            "b.yaml": service("b", "  env: {V: {valueFrom: {config: c, key: K}}}\n"),
            "c.yaml": config("c", K="{valueFrom: {service: a, output: host}}"),
            "z.yaml": service("z", "dependsOn: [Service/a]\n"),
        }
    )
    loaded = folder.load()
    (one,) = (one for one in loaded.diagnostics if one.code == "HR046")
    assert one.summary == "a cycle: Service/a -> Service/b -> Config/c -> Service/a"
    assert [(step.message, str(step.span)) for step in one.related] == [
        ("acme:Service/a needs acme:Service/b", "a.yaml:6:13"),
        ("acme:Service/b needs acme:Config/c", "b.yaml:6:12"),
        ("acme:Config/c needs acme:Service/a", "c.yaml:7:30"),
    ]
    loaded.tree.resource(Address("acme:Service/z"))  # comes to an end all the same


def test_a_long_chain_of_values(folder: ProjectFolder) -> None:
    links = [config("c0", K="end")]
    links += [
        config(f"c{n}", K=f"{{valueFrom: {{config: c{n - 1}, key: K}}}}") for n in range(1, 300)
    ]
    tree = whole(folder, FIVE | {"c.yaml": "---\n".join(links)})
    entries = tree.resource(Address("acme:Config/c299")).body["spec"]["entries"]
    assert entries["K"]["value"] == "end"


def test_moves(folder: ProjectFolder) -> None:
    tree = whole(
        folder,
        FIVE
        | {
            "a.yaml": service("a", metadata=", movedFrom: Service/old-a"),
            "b.yaml": service("b", metadata=", movedFrom: 'd/gone:Service/b'"),
            "c.yaml": service("c", metadata=", movedFrom: 'acme/d:Service/c'"),
            "t.yaml": service("t", metadata=", instances: TENANT, movedFrom: Service/old-t"),
        },
    )
    assert tree.moves == {
        "acme:Service/old-a": "acme:Service/a",
        "acme/d/gone:Service/b": "acme:Service/b",
        "acme/d:Service/c": "acme:Service/c",
        "acme/x:Service/old-t": "acme/x:Service/t",
        "acme/d/p/e/t:Service/old-t": "acme/d/p/e/t:Service/t",
    }
    assert tree.resource(Address("acme:Service/a")).moved_from == "acme:Service/old-a"


def test_moves_that_cannot_be(folder: ProjectFolder) -> None:
    folder.write(
        FIVE
        | {
            "a.yaml": service("a", metadata=", movedFrom: Service/b"),
            "b.yaml": service("b"),
            "c.yaml": service("c", metadata=", movedFrom: Service/old"),
            "d.yaml": service("d", metadata=", movedFrom: Service/old"),
            "t.yaml": service("t", metadata=", instances: TENANT, movedFrom: 'acme:Service/t'"),
        }
    )
    assert folder.told() == ["a.yaml:3:32 HR048", "c.yaml:3:32 HR048", "t.yaml:3:51 HR048"]


def test_an_unknown_key_names_the_nearest(folder: ProjectFolder) -> None:
    folder.write(
        FIVE
        | {
            "c.yaml": config("c", LEVEL="x"),
            "x/a.yaml": service("a", "  env: {V: {valueFrom: {config: c, key: LEVLE}}}\n"),
            "x/b.yaml": service("b", "  env: {V: {valueFrom: {service: a, output: ports.web}}}\n"),
        }
    )
    told = [one for one in folder.load().diagnostics if one.code == "HR047"]
    assert [(one.summary, one.hint) for one in told] == [
        ("acme:Config/c has no key 'LEVLE'", "did you mean LEVEL?"),
        ("acme/x:Service/a has no output 'ports.web'", "did you mean port?"),
    ]


def test_a_digest_changes_with_what_matters_and_nothing_else(folder: ProjectFolder) -> None:
    use = service("a", "  env: {V: {valueFrom: {config: c, key: K}}}\n")
    files = FIVE | {"c.yaml": config("c", K="v1"), "d/a.yaml": use, "x/b.yaml": service("b")}
    first = whole(folder, files)

    def changed(more: dict[str, str | bytes]) -> set[str]:
        tree = whole(folder, files | more)
        assert (tree.digest != first.digest) is (tree.rows != first.rows)
        return {
            one
            for one in tree.rows.keys() | first.rows.keys()
            if tree.rows.get(one) != first.rows.get(one)
        }

    assert changed({"c.yaml": "# a comment\n\n" + config("c", K="'v1'")}) == set()
    assert changed({"x/b.yaml": service("b").replace("name: b", '"name": "b"')}) == set()
    assert changed({"c.yaml": config("c", K="v2")}) == {"acme:Config/c", "acme/d:Service/a"}
    assert changed(
        {"c.yaml": config("c", K="v1"), "x/b.yaml": service("b", "  replicas: 2\n")}
    ) == {"acme/x:Service/b"}
    shadow = changed({"x/b.yaml": service("b"), "d/c.yaml": config("c", K="v1")})
    assert shadow == {"acme/d:Config/c", "acme/d:Service/a"}, "another Config, though equal"
    (folder.root / "d/c.yaml").unlink()
    defaults = "  defaults: {Service: {env: {X: y}}}\n"
    assert changed({"x/registry.yaml": registry("x", "TENANT", defaults)}) == {
        "acme/x:Registry/x",
        "acme/x:Service/b",
    }
