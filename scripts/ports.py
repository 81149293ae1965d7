"""Tell which of these TCP ports of this machine are taken, and by whom; exit code 1 where one is.

python3 scripts/ports.py 18080 18081
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

LISTEN = "0A"  # the state in /proc/net/tcp


def taken(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def holder(port: int) -> str:
    """Who listens there, as `python3 services/catalog.py (process 123 in /srv/shop)`."""
    if Path("/proc/net/tcp").exists():
        return _holder_by_proc(port)
    if shutil.which("lsof"):
        return _holder_by_lsof(port)
    return "a process that this machine does not tell of"


def _holder_by_proc(port: int) -> str:
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = {str(link.readlink()) for link in process.joinpath("fd").iterdir()}
            if wanted & links:
                words = process.joinpath("cmdline").read_bytes().split(b"\0")
                command = b" ".join(words).decode(errors="replace").strip()
                folder = process.joinpath("cwd").readlink()
                return f"{command} (process {process.name} in {folder})"
        except OSError:  # it ended, or is another user's: the next one
            continue
    return "a process of another user"


def _inodes(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
            found += [
                row[9] for row in rows if row[3] == LISTEN and row[1].endswith(f":{port:04X}")
            ]
    return found


def _holder_by_lsof(port: int) -> str:
    command = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    fields = {line[:1]: line[1:] for line in done.stdout.splitlines()}
    if "p" not in fields:
        return "a process of another user"
    return f"{fields['c']} (process {fields['p']})"


def main(arguments: list[str]) -> int:
    """A line for each port that is taken."""
    found = [int(port) for port in arguments if taken(int(port))]
    for port in found:
        sys.stderr.write(f"port {port} is in use by {holder(port)}; stop that first\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
