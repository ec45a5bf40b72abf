"""A process that has everything loaded and forks coordinators and workers, to be killed one by one.

Reads a line for each command to run, as JSON: its arguments, a file for what it says, and what
its environment has beside; answers with the process id. The exit code is the last
line of that file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from orchestrator.cli import batch, worker  # noqa: F401  loaded before the forks
from orchestrator.cli.main import main
from orchestrator.client.batch import worker as many  # noqa: F401
from tests.client.batch_zygote import load_all


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def child(arguments: list[str], said: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    os.setpgid(0, 0)
    with Path(said).open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        code = main(arguments)
        file.write(f"\nexit {code}\n".encode())
    os._exit(code)


def run() -> None:
    load_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    say(0)
    for line in sys.stdin:
        made = os.fork()
        if not made:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            child(*json.loads(line))
        say(made)


if __name__ == "__main__":
    run()
