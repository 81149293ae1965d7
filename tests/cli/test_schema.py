"""`hrctl schema --write` and `--check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrctl.cli.cmd_schema import check_schemas, write_schemas
from hrctl.diagnostics import HrctlError
from hrctl.model.kinds import KINDS


def test_write_tells_what_changed(tmp_path: Path) -> None:
    names = {*map(str.lower, KINDS), "hrctl", "project", "plan"}
    made = tmp_path / "schemas"
    assert {path.name for path in write_schemas(made)} == {f"{one}.schema.json" for one in names}
    assert write_schemas(made) == []
    (made / "node.schema.json").write_text("{}")
    assert write_schemas(made) == [made / "node.schema.json"]


def test_check_looks_at_what_is_there(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    for path in tmp_path.iterdir():
        if path.name != "hrctl.schema.json":
            path.unlink()
    (tmp_path / "theirs.schema.json").write_text("{}")
    assert check_schemas(tmp_path) == ["hrctl.schema.json"]
    path = tmp_path / "hrctl.schema.json"
    path.write_text(path.read_text().replace("draft-07", "draft-08"))
    with pytest.raises(HrctlError, match=r"HR295 .*hrctl\.schema\.json is not of this version"):
        check_schemas(tmp_path)


def test_check_of_a_folder_without_any(tmp_path: Path) -> None:
    with pytest.raises(HrctlError, match="HR295 there is no schema of hrctl in"):
        check_schemas(tmp_path)
