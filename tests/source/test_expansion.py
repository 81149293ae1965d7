"""Trees that expand stop at a limit, with one diagnostic, before the memory is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hrctl.model import expansion
from tests.conftest import ProjectFolder

ROOT = """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: acme}
spec: {level: ROOT}
"""
ENVIRONMENT = """
apiVersion: hrctl.dev/v1
kind: Registry
metadata: {name: %s}
spec: {level: ENVIRONMENT}
"""
SERVICE = """
---
apiVersion: hrctl.dev/v1
kind: Service
metadata: {name: %s, instances: ENVIRONMENT}
spec: {type: API, command: [run]}
"""


def expand(folder: ProjectFolder, documents: int, registries: int) -> None:
    folder.write(
        {"registry.yaml": ROOT, "all.yaml": "".join(SERVICE % f"s{at}" for at in range(documents))}
        | {f"e{at}/registry.yaml": ENVIRONMENT % f"e{at}" for at in range(registries)}
    )


def run(folder: ProjectFolder, command: str) -> tuple[int, str, int]:
    """Run a command of hrctl; its exit code, its report and its peak of memory in MiB."""
    words = [sys.executable, "-m", "hrctl", "-C", str(folder.root), command]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *words], capture_output=True, text=True, check=True
    )
    code, memory = map(int, done.stderr.split())
    return code, done.stdout, memory // 1024


# A process starts with the peak of the one that it was forked from: a worker of pytest is large.
MEASURE = """
import os, sys
both = [(os.POSIX_SPAWN_DUP2, 1, 2)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=both)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, file=sys.stderr)
"""


CONFIG = """
---
apiVersion: hrctl.dev/v1
kind: Config
metadata: {name: c%d}
spec:
  entries:
    K: {type: JSON, value: %s}
"""


def test_references_that_double_are_not_followed_to_the_end(folder: ProjectFolder) -> None:
    """Each Config of 25 refers twice to the next: the first would stand for 2**24 values."""
    twice = "[{valueFrom: {config: c%d, key: K}}, {valueFrom: {config: c%d, key: K}}]"
    configs = [CONFIG % (at, twice % (at + 1, at + 1)) for at in range(24)]
    folder.write({"registry.yaml": ROOT, "all.yaml": "".join([*configs, CONFIG % (24, "x")])})
    code, report, memory = run(folder, "plan")
    assert code == 1
    assert "HR344 references stand for more than 1,000,000 characters and values" in report
    assert "all.yaml:" in report
    assert memory < 512


def test_millions_of_instances_are_not_made(folder: ProjectFolder) -> None:
    expand(folder, 1500, 1500)
    code, report, memory = run(folder, "validate")
    assert code == 1
    assert report.count("HR343") == 2, report  # and the line on `hrctl explain`
    assert "more than 200,000 instances of documents in the whole tree" in report
    assert "1 error" in report
    assert memory < 1024


@pytest.mark.parametrize("cached", [False, True])
def test_the_limit_counts_what_the_cache_spares(
    folder: ProjectFolder,
    monkeypatch: pytest.MonkeyPatch,
    cached: bool,  # noqa: FBT001
) -> None:
    expand(folder, 10, 10)
    if cached:
        records = folder.load().tree.records
        assert sum(len(record.addresses) for record in records) == 111
    folder.close()
    monkeypatch.setattr("hrctl.source.load.Allowance", lambda: expansion.Allowance(instances=99))
    (told,) = [one for one in folder.told() if "HR343" in one]
    assert told.startswith("e9/registry.yaml" if cached else "all.yaml")


def test_what_was_left_out_is_not_kept(folder: ProjectFolder) -> None:
    expand(folder, 10, 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hrctl.source.load.Allowance", lambda: expansion.Allowance(instances=55))
        assert len([one for one in folder.told() if "HR343" in one]) == 1
    folder.close()
    assert folder.told() == []


def test_inherited_text_is_counted_for_each_resource(
    folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "hrctl.source.load.Allowance", lambda: expansion.Allowance(characters=100_000)
    )
    large = "x" * 5_000
    services = "".join(
        SERVICE.replace(", instances: ENVIRONMENT", "") % f"s{at}" for at in range(21)
    )
    folder.write(
        {
            "registry.yaml": ROOT.replace(
                "{level: ROOT}",
                f"{{level: ROOT, defaults: {{Service: {{env: {{A: {large}}}}}}}}}",
            ),
            "all.yaml": services,
        }
    )
    (told,) = [one for one in folder.load().diagnostics if one.code != "HR062"]
    assert told.code == "HR343"
    assert "inherit more than" in told.summary
