from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from hrctl.diagnostics import HrctlError
from hrctl.drivers.api import Capabilities
from hrctl.drivers.discovery import BUILT_IN, check_driver, installed, load_driver, missing_module
from hrctl.drivers.local import LocalDriver


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path of imports with a distribution `shelf` that brings four driver types."""
    (tmp_path / "shelf_driver.py").write_text("class Shelf: ...\nnumber = 3\n")
    (tmp_path / "shelf_needy.py").write_text("import a_client_that_nobody_has\n")
    write_distribution(
        tmp_path,
        "shelf",
        "shelf = shelf_driver:Shelf\nneedy = shelf_needy:Needy\n"
        "vanished = shelf_driver:Gone\nnumber = shelf_driver:number\n",
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("shelf_driver", "shelf_needy"):
        sys.modules.pop(name, None)


def write_distribution(folder: Path, name: str, points: str) -> None:
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[hrctl.drivers]\n{points}")


def failure(type_name: str) -> str:
    with pytest.raises(HrctlError) as caught:
        load_driver(type_name)
    return str(caught.value)


def test_built_in_ones_load_without_metadata() -> None:
    code = (
        "import sys; from hrctl.drivers.discovery import load_driver; load_driver('local');"
        "print([m for m in ('importlib.metadata', 'pydantic', 'asyncio') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_local_is_the_local_driver() -> None:
    assert load_driver("local") is LocalDriver


@pytest.mark.usefixtures("distribution")
def test_third_party_driver_is_found() -> None:
    assert load_driver("shelf").__module__ == "shelf_driver"


@pytest.mark.usefixtures("distribution")
def test_installed_names_distribution_and_version() -> None:
    found = {info.type: info for info in installed()}
    assert [name for name, info in found.items() if info.builtin] == list(found)[: len(BUILT_IN)]
    assert found["local"].builtin
    shelf = found["shelf"]
    assert (shelf.distribution, shelf.version, shelf.builtin) == ("shelf", "1.2", False)


def test_unknown_type_names_what_is_installed() -> None:
    with pytest.raises(HrctlError) as caught:
        load_driver("locall")
    (found,) = caught.value.diagnostics
    assert str(found) == "HR081 no driver of type 'locall' is installed; did you mean local?"
    assert found.note is not None
    assert found.note.startswith("installed are ")
    assert "supervisor" in found.note


def test_two_distributions_of_one_type_are_refused(distribution: Path) -> None:
    write_distribution(distribution, "plank", "shelf = plank:Shelf\n")
    assert failure("shelf") == (
        "HR081 driver type 'shelf' is provided by plank and shelf; uninstall all but one of them"
    )


@pytest.mark.usefixtures("distribution")
def test_missing_client_library_is_named() -> None:
    assert failure("needy") == (
        "HR082 driver 'needy' needs the module 'a_client_that_nobody_has';"
        " pip install --upgrade shelf"
    )


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_driver_is_loaded_without_what_only_an_apply_needs(name: str) -> None:
    """A plan with nothing to do loads it, too."""
    heavy = {"pydantic", "rich", "git", "jsonschema", "ruamel", "asyncio", "supervisor"}
    heavy |= {"envoy", "opentelemetry", "google", "openfeature", "grpc", "tempfile"}
    code = (
        "import sys; from hrctl.drivers.discovery import load_driver;"
        f"load_driver('{name}');"
        "print(*{module.partition('.')[0] for module in sys.modules})"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert not heavy & set(found.split())


def test_missing_extra_is_named() -> None:
    error = missing_module("supervisor", ModuleNotFoundError("no", name="supervisor"))
    assert str(error) == (
        "HR082 driver 'supervisor' needs the module 'supervisor'; pip install 'hrctl[supervisor]'"
    )


@pytest.mark.usefixtures("distribution")
def test_entry_point_to_nothing_is_the_drivers_fault() -> None:
    assert failure("vanished").startswith("HR087 driver 'vanished' names shelf_driver:Gone, which")
    assert "which is not a class" in failure("number")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Loose(BaseModel):
    type: str


class Sound(LocalDriver):
    pass


def test_sound_driver_has_no_findings() -> None:
    assert check_driver(Sound) == []
    assert check_driver(LocalDriver) == []


class NoScan(LocalDriver):
    scan: ClassVar[Any] = None


class OneArgument(LocalDriver):
    def apply(self, batch: Any) -> Any:  # type: ignore[override]
        return batch


class Async(LocalDriver):
    async def read(self, addresses: Any) -> Any:  # type: ignore[override]
        return addresses


class ListOfKinds(LocalDriver):
    kinds: ClassVar[Any] = ["Service"]


class LowerKinds(LocalDriver):
    kinds = frozenset({"service"})


class NoCapabilities(LocalDriver):
    capabilities: ClassVar[Any] = {"max_batch": 3}


class NoBatch(LocalDriver):
    capabilities = Capabilities(max_batch=0)


class OddPath(LocalDriver):
    capabilities = Capabilities(immutable=frozenset({"type"}))


class NoActions(LocalDriver):
    def act(self, action: str, address: str) -> None: ...


class OddLogs(LocalDriver):
    def logs(self, address: str) -> None: ...


class NotAModel(LocalDriver):
    @classmethod
    def config_model(cls) -> Any:
        return dict


class LooseConfig(LocalDriver):
    @classmethod
    def config_model(cls) -> Any:
        return Loose


class InstanceConfig(LocalDriver):
    def config_model(self) -> Any:  # type: ignore[override]
        return Strict


@pytest.mark.parametrize(
    ("cls", "findings"),
    [
        (NoScan, ["has no method 'scan'"]),
        (OneArgument, ["has a method 'apply' that does not take 2 arguments"]),
        (Async, ["has an async method 'read'"]),
        (ListOfKinds, ["has no 'kinds'"]),
        (LowerKinds, ["names 'kinds' that are none"]),
        (NoCapabilities, ["has no 'capabilities'"]),
        (NoBatch, ["has capabilities.max_batch below 1"]),
        (OddPath, ["names 'type' in capabilities.immutable"]),
        (NoActions, ["must have both 'act' and 'actions'"]),
        (OddLogs, ["has a method 'logs' that does not take"]),
        (NotAModel, ["has a config_model that does not return a pydantic model"]),
        (LooseConfig, ["has a config_model that lets", "has a config_model with a field 'type'"]),
        (InstanceConfig, ["has a config_model that is not a classmethod"]),
    ],
)
def test_faults_are_found(cls: type[Any], findings: list[str]) -> None:
    found = check_driver(cls)
    assert {one.code for one in found} == {"HR087"}
    texts = [one.summary.removeprefix(f"driver {__name__}.{cls.__name__} ") for one in found]
    assert len(texts) == len(findings), texts
    for text, finding in zip(texts, findings, strict=True):
        assert text.startswith(finding)
