"""A process that has everything loaded and runs batches by forking, to be killed one by one.

Reads a line for each batch to run, its arguments as JSON; answers with the process id, and with the
exit code once it is over: negative where it was killed.
"""

from __future__ import annotations

import json
import logging
import os
import sys

from orchestrator.cli import batch  # noqa: F401  loaded before the forks
from orchestrator.cli.main import main
from orchestrator.routing import _litellm


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def load_all() -> None:
    """Load LiteLLM, and what its first Router and first count of tokens load: half of a batch."""
    litellm = _litellm.load()
    litellm.Router(model_list=[])
    litellm.token_counter("m", text="x")


def run() -> None:
    load_all()
    logging.disable(logging.INFO)
    say(0)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(main(json.loads(line)))
        say(child)
        say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    run()
