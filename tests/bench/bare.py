"""The least that any plan has to do, as one flat script: the yardstick for 100,000 resources.

Runs `git status`, reads (address, digest, version) from three SQLite tables and compares them.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys


def main(repository: str, database: str) -> None:
    """Compare the three tables and print how many rows differ."""
    subprocess.run(
        ["git", "-C", repository, "status", "--porcelain"], capture_output=True, check=True
    )
    connection = sqlite3.connect(database)
    tables = [
        {
            address: (digest, version)
            for address, digest, version in connection.execute(
                f"SELECT address, digest, version FROM {name}"
            )
        }
        for name in ("desired", "applied", "live")
    ]
    connection.close()
    desired, applied, live = tables
    differing = [
        address
        for address, row in desired.items()
        if applied.get(address) != row or live.get(address) != row
    ]
    print(len(differing))


if __name__ == "__main__":
    main(*sys.argv[1:])
