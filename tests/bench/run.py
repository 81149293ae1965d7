"""`make bench`: how long hrctl takes, beside what the same work costs otherwise.

    python -m tests.bench.run [--quick] [--no-terraform] [--keep DIR]

Every row compares commands that ran in turn in this run; quote the ratios, not the seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import generate, limits, mesh, secrets, versions
from tests.bench.measure import Run, median, once, paired

HERE = Path(__file__).parent
PYTHON = sys.executable
HRCTL = str(Path(PYTHON).with_name("hrctl"))
BARE = ([PYTHON, "-c", "pass"], HERE)
YAML_ONLY = """
import sys, yaml
from pathlib import Path
for path in sorted(Path(sys.argv[1]).rglob("*.yaml")):
    for _ in yaml.load_all(path.read_text(), yaml.CSafeLoader):
        pass
"""


# The programs that a row compares with, beside git and Python.
NEEDS = {"decrypt": ("age",)}


class Table:
    """Rows of work, what was measured, and what is to be reached."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []

    def add(self, work: str, measured: str, wanted: str, *, reached: bool | None) -> None:
        """One row; `reached` is None where nothing is wanted."""
        verdict = "" if reached is None else "yes" if reached else "NO"
        self.rows.append((work, measured, wanted, verdict))
        print(f"  {work}: {measured}  [{wanted}] {verdict}", file=sys.stderr, flush=True)

    def markdown(self) -> Iterator[str]:
        """The table for docs/performance.md."""
        yield "| work | measured | to reach | reached |"
        yield "|---|---|---|---|"
        for row in self.rows:
            yield f"| {' | '.join(row)} |"


def _project(folder: Path, resources: int) -> Path:
    root = folder / f"tree-{resources}"
    root.mkdir()
    generate.tree(root, resources)
    generate.commit(root)
    return root


def _hrctl(root: Path, *arguments: str, ok: tuple[int, ...] = (0,)) -> Run:
    return once([HRCTL, *arguments], root, ok)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def startup(table: Table) -> None:
    """The commands that touch no project, over bare python."""
    found = paired(
        {
            "bare": BARE,
            "version": ([HRCTL, "--version"], HERE),
            "help": ([HRCTL, "--help"], HERE),
        },
        15,
    )
    bare = found["bare"].wall
    for name, limit in (("version", 0.025), ("help", 0.080)):
        over = found[name].wall - bare
        table.add(
            f"`hrctl --{name}`, over bare python ({_ms(bare)})",
            _ms(over),
            f"{limit * 1000:.0f} ms",
            reached=over <= limit,
        )


def quickstart(table: Table, folder: Path) -> None:
    """A plan of the smallest example, second run."""
    root = folder / "quickstart"
    shutil.copytree(HERE.parent.parent / "examples" / "quickstart", root)
    generate.commit(root)
    _hrctl(root, "plan")
    found = paired({"bare": BARE, "plan": ([HRCTL, "plan"], root)}, 9)
    over = found["plan"].wall - found["bare"].wall
    table.add(
        "plan of `quickstart`, second run, over bare python",
        _ms(over),
        "350 ms",
        reached=over <= 0.350,
    )


def ten_thousand(table: Table, folder: Path, terraform: str | None, resources: int) -> None:
    """Nothing to do, and ten edits, beside terraform."""
    root = _project(folder, resources)
    _hrctl(root, "apply", "--yes")
    _hrctl(root, "plan")
    still = median([_hrctl(root, "plan") for _ in range(7)])
    edited = []
    nothing = []
    for turn in range(7):  # in turn; each edit is one that was never seen
        nothing.append(_hrctl(root, "plan"))
        generate.edit(root, 10, 100 + turn)
        edited.append(_hrctl(root, "plan"))
        generate.undo(root)
        _hrctl(root, "plan")
    ratio = median(edited).wall / median(nothing).wall
    figures = f"{still.wall:.2f} s wall, {still.cpu:.2f} s processor, {still.memory:.0f} MiB"
    label = f"N = {resources:,}: plan with nothing to do, second run"
    if terraform:
        other = folder / "terraform-plan"
        generate.terraform(other, resources)
        once([terraform, "init", "-input=false"], other)
        generate.terraform_state(other, resources)
        theirs = once([terraform, "plan", "-input=false", "-detailed-exitcode"], other)
        ours = _hrctl(root, "plan")
        faster, leaner = theirs.wall / ours.wall, theirs.memory / ours.memory
        table.add(
            label,
            f"{figures}; terraform {theirs.wall:.1f} s wall, {theirs.cpu:.1f} s processor,"
            f" {theirs.memory:.0f} MiB: {faster:.0f} times faster, {leaner:.0f} times leaner",
            "50 times faster, 15 times leaner",
            reached=faster >= 50 and leaner >= 15,
        )
    else:
        table.add(label, figures, "no terraform here to compare with", reached=None)
    table.add("same, 10 documents edited", f"{ratio:.2f} times", "1.2 times", reached=ratio <= 1.2)


def hooks(table: Table, folder: Path, resources: int) -> None:
    """What a commit of ten files waits for, beside bare python: the hooks of pre-commit."""
    root = folder / f"tree-{resources}"
    if not root.exists():
        root = _project(folder, resources)
    _hrctl(root, "validate")
    files = [str(path.relative_to(root)) for path in sorted(root.rglob("services-*.yaml"))[:10]]
    commands = {
        "hrctl-validate": ["validate", "--changed", *files],
        "hrctl-secrets": ["validate", "--secrets", "--changed", *files],
        "hrctl-fmt": ["fmt", *files],
    }
    for name, command in commands.items():
        bare, ours = [], []
        for turn in range(7):  # in turn; each edit is one that was never seen
            generate.edit(root, 10, 1000 + turn + 100 * len(name))
            bare.append(once(*BARE))
            ours.append(_hrctl(root, *command))
            generate.undo(root)
        over = median(ours).wall - median(bare).wall
        table.add(
            f"N = {resources:,}: hook `{name}`, 10 documents edited, over bare python",
            _ms(over),
            "500 ms",
            reached=over <= 0.5,
        )


def thousand(table: Table, folder: Path, terraform: str | None, resources: int) -> None:
    """Apply everything, and how that grows."""
    walls = {}
    for count in (resources, 2 * resources):
        root = _project(folder, count)
        runs = []
        for _ in range(3):
            shutil.rmtree(root / ".hrctl", ignore_errors=True)
            runs.append(_hrctl(root, "apply", "--yes"))
        walls[count] = median(runs)
    growth = walls[2 * resources].wall / walls[resources].wall
    label = f"N = {resources:,}: apply all"
    ours = walls[resources]
    if terraform:
        other = folder / "terraform-apply"
        generate.terraform(other, resources)
        once([terraform, "init", "-input=false"], other)
        theirs = once([terraform, "apply", "-auto-approve", "-input=false"], other)
        faster = theirs.wall / ours.wall
        table.add(
            label,
            f"{ours.wall:.2f} s wall, {ours.cpu:.2f} s processor; terraform {theirs.wall:.1f} s:"
            f" {faster:.0f} times faster",
            "50 times faster",
            reached=faster >= 50,
        )
    else:
        table.add(label, f"{ours.wall:.2f} s wall, {ours.cpu:.2f} s processor", "-", reached=None)
    table.add(
        f"N = {2 * resources:,} against {resources:,}: apply all",
        f"{growth:.2f} times",
        "linear: 2.2 times",
        reached=growth <= 2.2,
    )


def hundred_thousand(table: Table, folder: Path, resources: int) -> None:
    """First validate beside bare parsing; plan with nothing to do beside a bare script."""
    root = _project(folder, resources)

    def fresh(name: str) -> None:
        if name == "validate":
            shutil.rmtree(root / ".hrctl", ignore_errors=True)

    found = paired(
        {
            "parse": ([PYTHON, "-c", YAML_ONLY, str(root)], HERE),
            "validate": ([HRCTL, "validate"], root),
        },
        2,
        fresh,
    )
    ratio = found["validate"].wall / found["parse"].wall
    table.add(
        f"N = {resources:,}: first validate, empty cache",
        f"{found['validate'].wall:.1f} s; CSafeLoader {found['parse'].wall:.1f} s: {ratio:.2f}",
        "0.8 of parsing alone",
        reached=ratio <= 0.8,
    )
    _hrctl(root, "apply", "--yes")
    _hrctl(root, "plan")
    database = folder / "bare.db"
    _copy_rows(root, database)
    both = paired(
        {
            "bare": ([PYTHON, str(HERE / "bare.py"), str(root), str(database)], HERE),
            "plan": ([HRCTL, "plan"], root),
        },
        5,
    )
    ratio = both["plan"].wall / both["bare"].wall
    memory = both["plan"].memory
    table.add(
        f"N = {resources:,}: plan with nothing to do, second run",
        f"{both['plan'].wall:.2f} s, {memory:.0f} MiB; bare script {both['bare'].wall:.2f} s:"
        f" {ratio:.2f} times",
        "4 times, 500 MB",
        reached=ratio <= 4 and memory < 500,
    )


def _copy_rows(root: Path, database: Path) -> None:
    """The three tables of the bare script, from what was applied."""
    source = sqlite3.connect(root / ".hrctl" / "ledger.db")
    rows = source.execute("SELECT address, digest, version FROM entries").fetchall()
    source.close()
    target = sqlite3.connect(database)
    with target:
        for name in ("desired", "applied", "live"):
            target.execute(f"CREATE TABLE {name} (address TEXT PRIMARY KEY, digest, version)")
            target.executemany(f"INSERT INTO {name} VALUES (?, ?, ?)", rows)
    target.close()


def main() -> None:
    """Run all rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of every size")
    parser.add_argument("--no-terraform", action="store_true", help="do not run terraform")
    parser.add_argument("--only", default="", help="rows: startup,quickstart,1k,10k,history,...")
    parser.add_argument("--keep", type=Path, help="a folder for the trees, which stays")
    given = parser.parse_args()
    scale = 10 if given.quick else 1
    terraform = None if given.no_terraform else shutil.which("terraform")
    only = set(filter(None, given.only.split(",")))
    table = Table()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="hrctl-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Callable[[], None]] = {
        "startup": lambda: startup(table),
        "quickstart": lambda: quickstart(table, folder),
        "10k": lambda: ten_thousand(table, folder, terraform, 10_000 // scale),
        "hooks": lambda: hooks(table, folder, 10_000 // scale),
        "1k": lambda: thousand(table, folder, terraform, 1_000 // scale),
        "history": lambda: versions.history(
            table, folder, HRCTL, (10_000 // scale, 2_000 // scale)
        ),
        "diff": lambda: versions.diff(table, folder, HRCTL, 100_000 // scale),
        "decrypt": lambda: secrets.decrypt(table, folder, HRCTL, 200),
        "rotate": lambda: secrets.rotate(table, folder, HRCTL, 1_000 // scale),
        "mesh": lambda: mesh.rows(table, folder, HRCTL, (1_000 // scale, 5_000 // scale)),
        "limits": lambda: limits.rows(table, folder, HRCTL, 1_000 // scale),
        "100k": lambda: hundred_thousand(table, folder, 100_000 // scale),
    }
    try:
        for name, measure in rows.items():
            lacking = [program for program in NEEDS.get(name, ()) if shutil.which(program) is None]
            if only and name not in only:
                continue
            if lacking:
                reason = f"not measured: {' and '.join(lacking)} not installed"
                table.add(f"`{name}`", reason, "-", reached=None)
            else:
                measure()
    finally:
        if given.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{platform.system()} {platform.machine()}, {os.cpu_count()} processors,", end=" ")
    print(f"Python {platform.python_version()}" + ("" if terraform else ", no terraform on PATH"))
    print("\n".join(table.markdown()))


if __name__ == "__main__":
    main()
