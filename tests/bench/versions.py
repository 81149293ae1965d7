"""Rows about git as the history: one resource through many commits, and two revisions compared."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import generate
from tests.bench.measure import paired

if TYPE_CHECKING:
    from tests.bench.run import Table

_OWN = 10  # of so many commits one changes the file that the history is of


def history(table: Table, folder: Path, hrctl: str, sizes: tuple[int, int]) -> None:
    """`history` of one address, beside `git log -p` of the files that it depends on."""
    resources, commits = sizes
    root = folder / f"history-{resources}"
    root.mkdir()
    generate.tree(root, resources)
    generate.commit(root)
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("services-*.yaml"))
    own = files[len(files) // 2]
    _commits(root, files, own, commits)
    number = int(own.rpartition("-")[2].removesuffix(".yaml")) * generate.PER_FILE
    above = [folder.as_posix() for folder in Path(own).parents][:-1]
    chain = [f"{one}/registry.yaml" for one in above]
    address = f"{above[0]}:Service/s{number}"
    log = (["git", "log", "-p", "--", own, *chain], root)
    ours = ([hrctl, "history", address], root)
    many = f"{resources:,} in {commits:,} commits, {commits // _OWN} of them its"

    def forget(name: str) -> None:
        if name == "history":
            (root / ".hrctl" / "cache.db").unlink(missing_ok=True)

    for label, before in (("asked again", lambda _: None), ("asked first", forget)):
        found = paired({"git": log, "history": ours}, 9, before)
        ratio = found["history"].wall / found["git"].wall
        table.add(
            f"`history` of one of {many}, {label}",
            f"{found['history'].wall * 1000:.0f} ms; git log -p"
            f" {found['git'].wall * 1000:.0f} ms: {ratio:.1f} times",
            "3 times",
            reached=ratio <= 3,
        )


def _commits(root: Path, files: list[str], own: str, count: int) -> None:
    """As many commits on top, each of one file, through one process."""
    texts: dict[str, str] = {}
    stream = []
    for number in range(count):
        path = own if number % _OWN == 0 else files[(number * 7) % len(files)]
        text = texts.get(path) or (root / path).read_text()
        head, _, rest = text.partition("replicas: ")
        texts[path] = f"{head}replicas: {100 + number}{rest[rest.index(chr(10)) :]}"
        data = texts[path].encode()
        parent = "from refs/heads/bench^0\n" if number == 0 else ""
        stream.append(
            b"commit refs/heads/bench\ncommitter Bench <bench@example.com> %d +0000\n"
            b"data 4\nEdit\n%bM 100644 inline %b\ndata %d\n%b\n"
            % (1_700_000_000 + number, parent.encode(), path.encode(), len(data), data)
        )
    for command in (["branch", "-M", "bench"], ["checkout", "-q", "--detach"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=root, input=b"".join(stream), check=True)
    for command in (["checkout", "-q", "-f", "bench"], ["gc", "-q"]):
        subprocess.run(["git", *command], cwd=root, check=True)


def diff(table: Table, folder: Path, hrctl: str, resources: int) -> None:
    """`diff` of two revisions that differ in ten documents, beside git's own."""
    root = folder / f"diff-{resources}"
    root.mkdir()
    generate.tree(root, resources)
    generate.commit(root)
    generate.edit(root, 10, 100)
    generate.commit(root, "Edit")
    found = paired(
        {
            "git": (["git", "diff", "HEAD~1", "HEAD"], root),
            "version": ([hrctl, "--version"], root),
            "diff": ([hrctl, "diff", "HEAD~1", "HEAD"], root),
        },
        9,
    )
    table.add(
        f"N = {resources:,}: `diff` of two revisions, 10 documents differ",
        f"{found['diff'].wall * 1000:.0f} ms; git diff {found['git'].wall * 1000:.0f} ms,"
        f" `hrctl --version` {found['version'].wall * 1000:.0f} ms",
        "parses only those (1 s)",
        reached=found["diff"].wall <= 1,
    )
