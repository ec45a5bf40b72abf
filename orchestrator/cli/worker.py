"""`orchestrator worker`."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from orchestrator.cli.batch import end_signals
from orchestrator.cli.batch_arguments import database_of
from orchestrator.cli.output import GOOD, echo_stderr
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.types.errors import MissingExtraError

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Answer rows until a signal; rows in flight are finished, and on a second one left to others.

    Raises: MissingExtraError: the extra `dbos` is not installed.
    """
    try:
        import dbos  # noqa: F401, PLC0415  an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError("A worker", "dbos") from error
    return asyncio.run(_run(database_of(arguments)))


async def _run(url: str) -> int:
    from orchestrator.client.batch.worker import Worker  # noqa: PLC0415  an extra

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    ends = end_signals()

    def interrupt() -> None:
        stop.set()
        echo_stderr("finishes what is in flight; once more to leave it to others", "yellow")
        for one in (signal.SIGINT, signal.SIGTERM):  # the next one ends the process
            loop.remove_signal_handler(one)
            signal.signal(one, signal.SIG_DFL)

    for one in ends:
        loop.add_signal_handler(one, interrupt)
    async with Orchestrator(Config.load(None, os.environ)) as orc:
        await Worker(orc, url, lambda words: echo_stderr(words, "dim")).run(stop)
    return GOOD
