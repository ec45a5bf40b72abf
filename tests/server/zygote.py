"""A process that has everything loaded and makes services by forking, to be killed one by one.

Reads a line for each service to make; answers with the process id once it is ready to be asked.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys

from orchestrator import Orchestrator
from orchestrator.routing import _litellm
from orchestrator.server.app import create_app


def serve(config: dict[str, object], listener: socket.socket) -> None:
    import uvicorn

    app = create_app(Orchestrator(config))
    uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listener])


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main() -> None:
    import uvicorn  # noqa: F401  loaded before the forks

    _litellm.load()
    logging.disable(logging.INFO)
    with open(sys.argv[1]) as file:  # noqa: PTH123
        config = json.load(file)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    say(listener.getsockname()[1])
    child = 0
    for _ in sys.stdin:
        if child:  # was killed: it is gone before there is another
            os.waitpid(child, 0)
        child = os.fork()
        if not child:
            serve(config, listener)
            os._exit(0)
        say(child)


if __name__ == "__main__":
    main()
