"""Whatever is wrong with files or tree is told with code and place, all in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import ProjectFolder


def registry(name: str, level: str, more: str = "") -> str:
    head = "apiVersion: hrctl.dev/v1\nkind: Registry\n"
    return f"{head}metadata: {{name: {name}}}\nspec:\n  level: {level}\n{more}"


def service(name: str, more: str = "") -> str:
    head = "apiVersion: hrctl.dev/v1\nkind: Service\n"
    return f"{head}metadata: {{name: {name}}}\nspec:\n  type: API\n{more}"


ROOT = registry("acme", "ROOT")
BAD: dict[str, tuple[dict[str, str | bytes], list[str]]] = {
    "not UTF-8": ({"a.yaml": b"a: caf\xe9\n"}, ["a.yaml:1:7 HR001"]),
    "UTF-16": ({"a.yaml": service("a").encode("utf-16")}, ["a.yaml:1:1 HR001"]),
    "not YAML": ({"a.yaml": "a: [1, 2\n"}, ["a.yaml:1:4 HR002"]),
    "a tab": ({"a.yaml": service("a").replace("  type", "\ttype")}, ["a.yaml:5:1 HR003"]),
    "a duplicate key": ({"a.yaml": service("a", "  type: API\n")}, ["a.yaml:6:3 HR004"]),
    "an unknown kind": (
        {"a.yaml": service("a").replace("Service", "Servcie")},
        ["a.yaml:2:7 HR025"],
    ),
    "an unknown field": ({"a.yaml": service("a", "  replica: 2\n")}, ["a.yaml:6:3 HR020"]),
    "an unknown value": ({"a.yaml": service("a").replace("API", "APP")}, ["a.yaml:5:9 HR021"]),
    "a wrong type": ({"a.yaml": service("a", "  replicas: two\n")}, ["a.yaml:6:13 HR022"]),
    "a missing field": (
        {"a.yaml": service("a").replace("spec:\n  type: API", "spec: {}")},
        ["a.yaml:4:1 HR023"],
    ),
    "two with one address": (
        {"a.yaml": service("a"), "b.yaml": service("a")},
        ["b.yaml:3:18 HR043"],
    ),
    "a patch of nothing": (
        {"a.yaml": service("a").replace("name: a", "name: a, patch: true")},
        ["a.yaml:3:18 HR044"],
    ),
    "a level out of order": (
        {"e/registry.yaml": registry("e", "TENANT"), "e/p/registry.yaml": registry("p", "PROJECT")},
        ["e/p/registry.yaml:5:10 HR042"],
    ),
    "the same level": (
        {"e/registry.yaml": registry("e", "DOMAIN"), "e/p/registry.yaml": registry("p", "DOMAIN")},
        ["e/p/registry.yaml:5:10 HR042"],
    ),
    "a ROOT within": ({"e/registry.yaml": registry("e", "ROOT")}, ["e/registry.yaml:5:10 HR041"]),
    "a level that is missing": (
        {
            "e/registry.yaml": registry("e", "X").replace("  level: X", "  owner: me"),
            "e/p/registry.yaml": registry("p", "PROJECT", "---\n" + service("a")),
        },
        ["e/registry.yaml:4:1 HR023"],
    ),
    "a reference to nothing": (
        {"a.yaml": service("a", "dependsOn: [Service/b]\n")},
        ["a.yaml:6:13 HR045"],
    ),
    "a cycle": (
        {
            "a.yaml": service("a", "dependsOn: [Service/b]\n"),
            "b.yaml": service("b", "dependsOn: [Service/c]\n"),
            "c.yaml": service("c", "dependsOn: [Service/a]\n"),
        },
        ["a.yaml:6:13 HR046"],
    ),
    "a reference to itself": (
        {"a.yaml": service("a", "dependsOn: [Service/a]\n")},
        ["a.yaml:6:13 HR046"],
    ),
    "a registry that waits for what is in it": (
        {
            "p/registry.yaml": registry("p", "PROJECT", "dependsOn: ['acme/p:Service/a']\n"),
            "p/a.yaml": service("a"),
        },
        ["p/registry.yaml:6:13 HR046"],
    ),
    "a driver instance that is not there": (
        {"p/registry.yaml": registry("p", "PROJECT", "  drivers: {Service: nope}\n")},
        ["p/registry.yaml:6:22 HR051"],
    ),
    "a Registry of another file": ({"p/x.yaml": registry("p", "PROJECT")}, ["p/x.yaml:2:7 HR053"]),
    "two Registries in a file": (
        {"p/registry.yaml": registry("p", "PROJECT", "---\n" + registry("q", "PROJECT"))},
        ["p/registry.yaml:9:18 HR043"],
    ),
    "two registries of one path": (
        {
            "p/registry.yaml": registry("p", "PROJECT"),
            "q/registry.yaml": registry(
                "p", "PROJECT", "---\n" + service("a", "dependsOn: [Service/a]\n")
            ),
        },
        ["q/registry.yaml:3:18 HR043", "q/registry.yaml:3:18 HR050"],
    ),
    "a Registry with instances": (
        {
            "p/registry.yaml": registry("p", "PROJECT").replace(
                "name: p", "name: p, instances: TENANT"
            )
        },
        ["p/registry.yaml:3:21 HR053"],
    ),
    "a registry.yaml without a Registry": (
        {"p/registry.yaml": service("a"), "p/t/registry.yaml": registry("t", "TENANT")},
        ["p/registry.yaml:1:1 HR040"],
    ),
    "an empty registry.yaml": ({"p/registry.yaml": ""}, ["p/registry.yaml:1:1 HR040"]),
    "a move from another kind": (
        {"a.yaml": service("a").replace("name: a", "name: a, movedFrom: Config/a")},
        ["a.yaml:3:32 HR048"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_each_fault_is_told_once_with_its_place(folder: ProjectFolder, name: str) -> None:
    files, wanted = BAD[name]
    folder.write({"registry.yaml": ROOT, **files})
    assert folder.told() == wanted
    assert folder.told() == wanted, "with a cache, too"
    folder.commit()
    assert folder.told("HEAD") == wanted, "and in a commit"


def test_all_faults_of_a_tree_are_told_in_one_run(folder: ProjectFolder) -> None:
    names = ["not UTF-8", "not YAML", "a tab", "a duplicate key", "an unknown kind", "a wrong type"]
    files: dict[str, str | bytes] = {"registry.yaml": ROOT}
    wanted = []
    for number, name in enumerate([*names, "a missing field", "a reference to nothing"]):
        ((_, content),) = BAD[name][0].items()
        files[f"{number}.yaml"] = content
        wanted += [one.replace("a.yaml", f"{number}.yaml") for one in BAD[name][1]]
    folder.write(files)
    folder.write({"6.yaml": service("y").replace("spec:\n  type: API", "spec: {}")})
    folder.write({"7.yaml": service("z", "dependsOn: [Service/a]\n")})
    # "a" stands in the text of files that cannot be read, so Service/a may be declared there
    assert folder.told() == [one for one in wanted if not one.endswith("HR045")]
    folder.write({"7.yaml": service("z", "dependsOn: [Service/api]\n")})
    assert folder.told() == [*wanted[:-1], "7.yaml:6:13 HR045"]


@pytest.mark.parametrize("broken", ["a: [\n", ROOT.replace("level", "levle"), b"\xff"])
def test_a_root_that_cannot_be_read_is_the_only_fault(
    folder: ProjectFolder, broken: str | bytes
) -> None:
    folder.write(
        {
            "registry.yaml": broken,
            "one/registry.yaml": registry("one", "DOMAIN", "---\n" + service("a")),
            "two/registry.yaml": registry("two", "DOMAIN"),
            "two/p/registry.yaml": registry("p", "PROJECT"),
            "two/p/a.yaml": service("b", "dependsOn: [Service/of-the-root]\n"),
        }
    )
    (only,) = folder.told()
    assert only.startswith("registry.yaml:")


def test_documents_of_a_broken_registry_do_not_fall_into_the_one_above(
    folder: ProjectFolder,
) -> None:
    folder.write(
        {
            "registry.yaml": ROOT,
            "a.yaml": service("a", "dependsOn: ['acme/p:Service/deep', Service/nothing]\n"),
            "p/registry.yaml": registry("p", "PROJEKT"),
            "p/deep.yaml": service("deep") + "---\n" + service("a"),
            "p/wrong.yaml": service("x", "  replica: 1\n"),
            "p/t/registry.yaml": registry("t", "TENANT"),
        }
    )
    assert folder.told() == [
        "a.yaml:6:36 HR045",
        "p/registry.yaml:5:10 HR021",
        "p/wrong.yaml:6:3 HR020",
    ]
    assert set(folder.load().tree.registries) == {"acme"}


def test_the_same_fault_in_two_equal_files_is_told_of_both(folder: ProjectFolder) -> None:
    bad = service("a", "  replica: 1\n")
    folder.write({"registry.yaml": ROOT, "p/registry.yaml": registry("p", "PROJECT")})
    folder.write({"a.yaml": bad, "p/a.yaml": bad})
    wanted = ["a.yaml:6:3 HR020", "p/a.yaml:6:3 HR020"]
    assert folder.told() == folder.told() == wanted
    (folder.root / "registry.yaml").unlink()
    assert set(wanted) <= set(folder.told()), "one of them in no registry"


def test_what_is_wrong_with_a_template_is_told_once(folder: ProjectFolder) -> None:
    template = service("a", "dependsOn: [Service/b]\n").replace(
        "name: a", "name: a, instances: TENANT"
    )
    folder.write({"registry.yaml": ROOT, "a.yaml": template})
    for name in "tuv":
        folder.write({f"{name}/registry.yaml": registry(name, "TENANT")})
    assert folder.told() == ["a.yaml:6:13 HR045"]


def test_no_manifests_at_all(folder: ProjectFolder) -> None:
    assert folder.told() == ["HR040"]
    folder.write({"values.yaml": "a: 1\n"})
    assert folder.told() == ["HR040"]


def test_no_root_but_others(folder: ProjectFolder) -> None:
    folder.write(
        {"a/registry.yaml": registry("a", "DOMAIN"), "b/registry.yaml": registry("b", "TENANT")}
    )
    assert folder.told() == ["a/registry.yaml:5:10 HR042", "b/registry.yaml:5:10 HR042"]


def test_two_roots(folder: ProjectFolder) -> None:
    folder.write(
        {"a/registry.yaml": registry("a", "ROOT"), "b/registry.yaml": registry("b", "ROOT")}
    )
    assert folder.told() == ["b/registry.yaml:3:18 HR041"]
    folder.write({"b/registry.yaml": registry("a", "ROOT")})
    assert folder.told() == ["b/registry.yaml:3:18 HR041", "b/registry.yaml:3:18 HR050"]


FOREIGN = {
    "kubernetes.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}\n",
    "chart.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n",
    "compose.yaml": "x-a: &a {b: c}\nservices:\n  web:\n    <<: *a\n",
    "mkdocs.yml": "site_name: x\nmarkdown_extensions: [{slugify: !!python/name:a.b {}}]\n",
    "empty.yaml": "",
    "comment.yaml": "# nothing\n---\n# here\n",
    "values.yaml": "a: 1\n",
}


def test_files_of_other_tools_are_passed_over(folder: ProjectFolder) -> None:
    folder.write({"registry.yaml": ROOT, **FOREIGN})
    assert folder.told() == []
    assert set(folder.load().tree.rows) == {"acme:Registry/acme"}


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("apiVersion: hrctl.dev.v1\nkind: Service", "1:13 HR027"),
        ("apiVersion: hrctl/v1\nkind: Servce", "1:13 HR027"),
        ("apiVersion: hrtcl.dev/v1\nkind: Service", "1:13 HR027"),
        ("# mine\n'apiVersion':   'Hrctl.dev/v1'\nkind: Service", "2:18 HR027"),
        ("apiVersion: v1\nkind: Service", "1:13 HR027"),
        ("apiVersion: v1\nkind: Service\nspec: {{ .Values.x }}", "1:13 HR027"),
        ("apiversion: hrctl.dev/v1\nKind: Service", "1:1 HR020 1:1 HR023 1:1 HR023 2:1 HR020"),
        ("version: hrctl.dev/v1\ntype: Service", "1:1 HR020 1:1 HR023 1:1 HR023 2:1 HR020"),
    ],
)
def test_what_may_be_meant_for_hrctl_is_never_passed_over(
    folder: ProjectFolder, head: str, told: str
) -> None:
    spec = "" if "spec" in head else "\nspec: {type: API}"
    folder.write({"registry.yaml": ROOT, "a.yaml": f"{head}\nmetadata: {{name: a}}{spec}\n"})
    assert " ".join(one.removeprefix("a.yaml:") for one in folder.told()) == told


def test_files_that_the_project_ignores(folder: ProjectFolder) -> None:
    kubernetes = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {}\n"
    files = ("charts/a/templates/b.yaml", "k8s/a.yaml", "k8s/b/a.yaml", "p/kube.yml")
    folder.write({"registry.yaml": ROOT, **dict.fromkeys(files, kubernetes)})
    assert folder.told() == [f"{path}:1:13 HR027" for path in files]
    head = "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\n"
    folder.write({"hrctl.yaml": head + "spec: {ignore: [charts/**, k8s/*.yaml, '**/kube.yml']}\n"})
    assert folder.told() == ["k8s/b/a.yaml:1:13 HR027"]
    folder.commit()
    assert folder.load("HEAD").files == 2, "an earlier version, too"


def test_line_ends_of_windows(folder: ProjectFolder) -> None:
    text = service("a", "  replica: 1\n").replace("\n", "\r\n")
    folder.write({"registry.yaml": ROOT.replace("\n", "\r\n"), "a.yaml": "\ufeff" + text})
    assert folder.told() == ["a.yaml:6:3 HR020"]


def test_deep_folders_and_large_files(folder: ProjectFolder) -> None:
    deep = "/".join(["d"] * 120)
    many = "---\n".join(service(f"s{number}") for number in range(400))
    folder.write({"registry.yaml": ROOT, f"{deep}/a.yaml": many + "---\n" + service("s1")})
    assert folder.told() == [f"{deep}/a.yaml:2403:18 HR043"]


def test_manifests_in_a_folder_of_their_own(folder: ProjectFolder) -> None:
    folder.write(
        {
            "hrctl.yaml": "apiVersion: hrctl.dev/v1\nkind: Project\nmetadata: {name: acme}\n"
            "spec: {root: ./platform/}\n",
            "platform/registry.yaml": ROOT,
            "platform/p/registry.yaml": registry("p", "PROJECT"),
            "stray.yaml": service("a"),
        }
    )
    assert folder.told() == [], "the folder's name is free"
    assert set(folder.load().tree.registries) == {"acme", "acme/p"}
    folder.commit()
    assert folder.told("HEAD") == []
