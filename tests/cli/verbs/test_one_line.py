"""A change of one value is a change of one line, however long the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.verbs.conftest import Shell


def test_one_value_of_a_thousand_lines(shell: Shell) -> None:
    entries = "".join(
        f"    KEY_{number}:   {{type: INTEGER, value:  {number}}}  # 'kept' {number}\n"
        for number in range(1000)
    )
    head = "# head\napiVersion: hrctl.dev/v1\nkind: Config\nmetadata: {name: long}\n"
    (shell.root / "long.yaml").write_text(f"{head}spec:\n  entries:\n{entries}# foot\n")
    shell.git("add", "-A")
    shell.git("commit", "-qm", "Long")
    before = shell.read("long.yaml").splitlines()
    shell.hrctl("config", "set", "KEY_500", "7", "--in", "acme", "--commit")
    after = shell.read("long.yaml").splitlines()
    changed = [
        number for number, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) > 1
    ]
    assert [after[number] for number in changed] == [
        "    KEY_500:   {type: INTEGER, value:  7}  # 'kept' 500"
    ]
    assert shell.git("show", "--format=", "--numstat", "HEAD").split() == ["1", "1", "long.yaml"]
    shell.hrctl("config", "rollback", "KEY_500", "--in", "acme", "--to", "HEAD~1")
    assert shell.read("long.yaml").splitlines() == before
