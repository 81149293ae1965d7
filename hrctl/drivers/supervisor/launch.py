"""Become a service: read a launch file, write down the start, and exec.

supervisord runs this as ``python -I -S launch.py FILE REPLICA``. So secrets are in FILE (mode 0600)
and in the environment of the process, and neither in supervisord's configuration nor in arguments;
and no value has to survive the quoting and ``%`` rules of ``environment=``.

``python -I -S launch.py --as NOTE COMMAND...`` only writes down the start and execs.

Standard library only, and as little of it as can be: it runs before every start.
"""

import json
import os
import sys
import time


def started() -> str:
    """When this process started, in a form that `procs.start_time` gives too."""
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123  # pathlib costs 10 ms here
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return f"@{time.time():.0f}"


def record(path: str) -> None:
    """Count the start and note who it is: a process may outlive its supervisord."""
    try:
        with open(path) as file:  # noqa: PTH123
            count = int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        count = 0
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:  # noqa: PTH123
        file.write(f"{count + 1} {os.getpid()} {started()}\n")
    os.replace(temporary, path)  # noqa: PTH105


def main(path: str, replica: str) -> None:
    """Exec the service's command; where that cannot be, say why and end with 127."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            plan = json.load(file)
        record(f"{plan['starts']}.{replica}")
        environment = {**os.environ, **plan["env"], **plan["replicas"][int(replica)]}
        os.chdir(plan["cwd"])
        os.execvpe(plan["argv"][0], plan["argv"], environment)  # noqa: S606  # what it is for
    except OSError as error:
        what = f": {error.filename}" if error.filename else ""
        reason = f"{error.strerror}{what}"
    except (ValueError, KeyError, IndexError, TypeError) as error:
        reason = f"{path} is damaged ({type(error).__name__})"
    sys.stderr.write(f"hrctl: cannot start the service: {reason}\n")
    sys.exit(127)


def become(note: str, argv: list[str]) -> None:
    """Exec a command, its start written down; where that cannot be, say why and end with 127."""
    try:
        record(note)
        os.execvp(argv[0], argv)  # noqa: S606  # what it is for
    except OSError as error:
        sys.stderr.write(f"hrctl: cannot start {argv[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    if sys.argv[1] == "--as":
        become(sys.argv[2], sys.argv[3:])
    main(sys.argv[1], sys.argv[2])
