"""`orchestrator generate "…"`."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from orchestrator.cli import plan
from orchestrator.cli.ask import search_lines
from orchestrator.cli.client_call import call_client
from orchestrator.cli.files import require_writable, write_result
from orchestrator.cli.output import (
    GOOD,
    INVALID,
    UNWRITABLE,
    OutputError,
    echo_json,
    echo_stderr,
    report_on_stderr,
)
from orchestrator.cli.plan import request_of
from orchestrator.cli.progress import (
    OFFLINE_NOTE,
    report_lines,
    show_event,
    show_live,
)
from orchestrator.cli.questions import answered, require_terminal
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.formats import write_json
from orchestrator.types.errors import InvalidOutputError
from orchestrator.types.events import Done

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.requests import Generation


def run(arguments: argparse.Namespace) -> int:
    """Ask for a model and print it; exit 1 when it is not accepted."""
    require_writable(arguments.output)
    if arguments.plan:
        return plan.run(arguments)
    if arguments.ask:
        require_terminal()
    asked = request_of(arguments)
    made = None
    while made is None:
        try:
            made = _made(arguments, asked)
        except InvalidOutputError as error:
            if not arguments.ask:
                raise
            asked["prompt"] = answered(asked["prompt"], error)
    code = print_generation(made, as_format(made, arguments.format), arguments)
    return code if made.report.is_accepted else INVALID


def _made(arguments: argparse.Namespace, asked: Mapping[str, Any]) -> Generation[GMNSpec]:
    return call_client(
        lambda orc: _generate_live(orc, asked) if arguments.live else orc.generate_gmn(**asked),
        hook=None if arguments.quiet else show_event,
    )


async def _generate_live(orc: Orchestrator, asked: Mapping[str, Any]) -> Generation[GMNSpec]:
    """`generate_gmn` with its arguments, and the answer on stderr as it arrives."""
    async with contextlib.aclosing(orc.stream_gmn(**asked)) as events:
        async for event in events:
            if isinstance(event, Done):
                return event.result
            show_live(event)
    raise AssertionError("a stream ends with Done or with an error")


def as_format(made: Generation[GMNSpec], form: str) -> str:
    """The model as block text, as canonical JSON, or as arrays in pymdp's layout."""
    if form == "json":
        return write_json(made.spec)
    if form == "pymdp":
        return json.dumps(compile_spec(made.spec).to_json()) + "\n"
    return made.text


def print_generation(made: Generation[GMNSpec], text: str, arguments: argparse.Namespace) -> int:
    """Print or write the model, then its report on stderr unless ``--quiet``; the exit code.

    What was paid for and cannot be written to its file is printed.
    """
    code = GOOD
    if arguments.json:
        echo_json({**made.as_dict(), "text": text})
    if arguments.output or not arguments.json:
        try:
            write_result(text, arguments.output)
        except OutputError as error:
            if not arguments.output:
                raise
            echo_stderr(f"orchestrator: {error}", "red")
            code = UNWRITABLE
            if not arguments.json:
                write_result(text, None)
    if arguments.quiet:
        return code
    report_on_stderr("answer", made.report, verbose=arguments.verbose)
    for line in (*report_lines(made), *search_lines(made.search, is_verbose=arguments.verbose)):
        echo_stderr(line)
    if made.provider == "offline":
        echo_stderr(OFFLINE_NOTE, "dim")
    return code
