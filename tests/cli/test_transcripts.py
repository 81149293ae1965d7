"""Commands and what they print, told in files: `transcripts/*.txt`.

    # anything before the first command is for the reader
    $ hrctl plan --target acme/nowhere
    HR142 'acme/nowhere' selects nothing
    [1]

Lines after ``$ `` are shell commands; below stand both streams in their order, and the exit code in
brackets where it is not 0. Each file has a fresh copy of `project/` in a git repository of its
own. ``HRCTL_UPDATE=1 pytest tests/cli/test_transcripts.py`` writes what is printed now into the
files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted((HERE / "transcripts").glob("*.txt"))

# What differs from run to run.
VARIABLE = [
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "RUN"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\+00:00|Z)"), "TIME"),
    (re.compile(r"\bapplied \d{4}-\d\d-\d\d \d\d:\d\d"), "applied TIME"),
    (re.compile(r"(?<=ed) in \d+\.\d s$", re.MULTILINE), ""),
    (re.compile(r"\b\d+\.\d s\b"), "N.N s"),
    (re.compile(r"since \d{4}-\d\d-\d\d \d\d:\d\d UTC"), "since TIME"),
    (re.compile(r"(\d+ \w+, )?\d+ (second|minute|hour|day|week|month|year)s? ago"), "N days ago"),
    (re.compile(r"\bjust now$", re.MULTILINE), "N days ago"),
    (re.compile(r"(?<=first commit, )[0-9a-f]{7,}"), "COMMIT"),  # it holds the schemas
    (re.compile(r"robin@\S+ *"), "robin@host  "),
    (re.compile(r"RUN +STATUS +WHO +"), "RUN  STATUS  WHO  "),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "acme"
    shutil.copytree(HERE / "project", made)
    made.joinpath(".gitignore").write_text(".hrctl/\n*.plan\n")
    return made


def environ(home: Path) -> dict[str, str]:
    dates = "2026-01-02T03:04:05+00:00"
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "LOGNAME": "robin",
        "COLUMNS": "80",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "API_TOKEN": "a-secret-that-must-not-show",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "init.defaultBranch",
        "GIT_CONFIG_VALUE_0": "main",
        **{f"GIT_{who}_NAME": "Robin" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "robin@example.org" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_DATE": dates for who in ("AUTHOR", "COMMITTER")},
    }


def run(command: str, folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    text = done.stdout.replace(str(folder), "/acme")
    for pattern, instead in VARIABLE:
        text = pattern.sub(instead, text)
    assert "a-secret-that-must-not-show" not in text
    assert "HR159" not in text
    if text and not text.endswith("\n"):
        text += "\n"
    return text + (f"[{done.returncode}]\n" if done.returncode else "")


def begin(folder: Path, env: dict[str, str]) -> None:
    """Make a folder a git repository with all of it in the first commit."""
    start = "git init -q && git add . && git commit -qm Start"
    subprocess.run(["bash", "-c", start], cwd=folder, env=env, check=True)


def replayed(file: Path, folder: Path, env: dict[str, str], hidden: Mapping[str, str]) -> str:
    """The transcript as running its commands gives it; with HRCTL_UPDATE it is written so.

    `hidden` are patterns of what differs from run to run, and what stands for each.
    """
    head, *commands = re.split(r"(?m)^\$ ", file.read_text("utf-8"))
    got = [head]
    for block in commands:
        command = block.partition("\n")[0]
        output = run(command, folder, env)
        for pattern, instead in hidden.items():
            output = re.sub(pattern, instead, output)
        got.append(f"{command}\n{output}" + ("\n" if block.endswith("\n\n") else ""))
    text = "$ ".join(got)
    if os.environ.get("HRCTL_UPDATE"):
        file.write_text(text, "utf-8")
    return text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_transcript(file: Path, folder: Path, tmp_path: Path) -> None:
    if "jq " in file.read_text("utf-8") and shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    env = environ(tmp_path)
    begin(folder, env)
    assert replayed(file, folder, env, {}) == file.read_text("utf-8")
