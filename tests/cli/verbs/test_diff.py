"""Two revisions compared by resource and field."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell

WEB = """\
    apiVersion: hrctl.dev/v1
    kind: Service
    metadata: {name: web%s}
    spec:
      type: API
      command: web
      env: {REGION: eu-1, MODE: fast}
      ports: [{name: http, port: 80}, {name: admin, port: 81}]
    """
LISTS = """\
    apiVersion: hrctl.dev/v1
    kind: Config
    metadata: {name: lists}
    spec:
      entries:
        LEVEL: {type: STRING, value: info, allowed: [debug, info, warning, error]}
        TOKEN: {type: STRING, value: not-yet-secret}
        NOTE: {type: STRING, value: "one\\ntwo\\nthree\\n"}
    """


def begin(shell: Shell) -> None:
    shell.write("shop/web.yaml", WEB % "")
    shell.write("lists.yaml", LISTS)
    shell.git("add", "-A")
    shell.git("commit", "-qm", "More")


def test_a_value_that_was_pulled_up_has_moved(shell: Shell) -> None:
    begin(shell)
    shell.write("shop/web.yaml", (WEB % "").replace("REGION: eu-1, ", ""))
    root = "      spec: {level: ROOT, defaults: {Service: {env: {REGION: eu-1}}}}\n"
    head = "      apiVersion: hrctl.dev/v1\n      kind: Registry\n      metadata: {name: acme}\n"
    shell.write("registry.yaml", head + root)
    assert shell.hrctl("diff", "HEAD").splitlines() == [
        "acme",
        "  ~ Registry/acme                       registry.yaml:1",
        '      defaults.Service.env.REGION   "eu-1"',
        "        moved from acme/shop:Service/web env.REGION",
        "",
        "acme/shop",
        "  ~ Service/web                         shop/web.yaml:1",
        '      env.REGION             "eu-1"',
        "        moved to acme:Registry/acme defaults.Service.env.REGION",
        "",
        "Diff: 2 changed.",
    ]


def test_elements_of_lists_are_known_by_name(shell: Shell) -> None:
    begin(shell)
    ports = "[{name: admin, port: 81}, {name: http, port: 8080}]"
    text = (WEB % "").replace("[{name: http, port: 80}, {name: admin, port: 81}]", ports)
    shell.write("shop/web.yaml", text)
    shell.git("commit", "-qam", "Ports")
    (found,) = shell.json("diff", "HEAD~1", "HEAD")["changes"]
    assert [(one["field"], one["old"], one["new"], one["order"]) for one in found["fields"]] == [
        ("ports[http].port", 80, 8080, False),
        ("ports", ["http", "admin"], ["admin", "http"], True),
    ]
    assert "ports (order)" in shell.hrctl("diff", "HEAD~1")


def test_items_and_lines_tell_what_came_and_went(shell: Shell) -> None:
    begin(shell)
    text = LISTS.replace("[debug, info, warning, error]", "[fatal, info, error]")
    shell.write("lists.yaml", text.replace("two", "2"))
    said = shell.hrctl("diff", "HEAD").splitlines()
    assert said[2:10] == [
        "      entries.LEVEL.allowed",
        '        - "debug"',
        '        - "warning"',
        '        + "fatal"',
        "      entries.NOTE.value",
        "        - two",
        "        + 2",
        "",
    ]


def test_what_is_a_secret_on_one_side_is_one_on_both(shell: Shell) -> None:
    begin(shell)
    shell.write("lists.yaml", LISTS.replace("STRING, value: not-yet-secret", "SECRET"))
    for layout in ("text", "json", "markdown"):
        said = shell.hrctl("diff", "HEAD", "-o", layout)
        assert "not-yet-secret" not in said
        assert "(sensitive #1)" in said


def test_a_moved_document_is_told_with_what_an_apply_makes_of_it(shell: Shell) -> None:
    begin(shell)
    shell.git("mv", "shop/web.yaml", "shop/prod/web.yaml")
    said = shell.hrctl("diff", "HEAD")
    assert "  > Service/web" in said
    assert "moved from             acme/shop:Service/web" in said
    assert "without movedFrom, so an apply deletes the one and creates the other" in said
    shell.write("shop/prod/web.yaml", WEB % ', movedFrom: "shop:Service/web"')
    assert "without movedFrom" not in shell.hrctl("diff", "HEAD")
    assert shell.fails("diff", "HEAD", "--detailed-exitcode") == 2
    (found,) = shell.json("diff", "HEAD")["changes"]
    assert (found["action"], found["declaredMove"]) == ("moved", True)
    assert found["movedFrom"] == "acme/shop:Service/web"


def test_what_cannot_be_read_is_told_and_the_rest_is_shown(shell: Shell) -> None:
    begin(shell)
    shell.write("lists.yaml", "kind: [\n")
    shell.write("shop/web.yaml", (WEB % "").replace("fast", "slow"))
    said = shell.hrctl("diff", "HEAD")
    assert 'env.MODE               "fast" -> "slow"' in said
    assert "HR191" in shell.err
    assert "lists.yaml" in shell.err


def test_from_where_two_branches_parted(shell: Shell) -> None:
    shell.git("checkout", "-qb", "side")
    begin(shell)
    shell.git("checkout", "-q", "main")
    (shell.root / "shop/dev/jobs.yaml").unlink()
    shell.git("commit", "-qam", "Fewer")
    assert shell.json("diff", "main...side")["summary"]["removed"] == 0
    assert shell.json("diff", "main..side")["summary"]["added"] == 4


def test_outside_of_git(shell: Shell) -> None:
    (shell.root / ".git").rename(shell.root / "no-git")
    assert shell.fails("diff", "HEAD") == 1
    assert "HR062" in shell.err
