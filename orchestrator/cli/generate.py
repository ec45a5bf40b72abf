"""`orchestrator generate "…"`."""

from __future__ import annotations

import contextlib
import functools
import json
from typing import TYPE_CHECKING, Any

from orchestrator.cli.client_call import call_client
from orchestrator.cli.output import (
    GOOD,
    INVALID,
    echo_json,
    echo_stderr,
    read_source,
    read_text,
    report_on_stderr,
    require_writable,
    write_result,
)
from orchestrator.cli.progress import (
    OFFLINE_NOTE,
    report_lines,
    show_event,
    show_live,
)
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.formats import write_json
from orchestrator.types.events import Done

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable

    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.requests import Generation


def run(arguments: argparse.Namespace) -> int:
    """Ask for a model and print it; exit 1 when it is not accepted."""
    require_writable(arguments.output)
    made = call_client(
        functools.partial(_generate, arguments), hook=None if arguments.quiet else show_event
    )
    print_generation(made, as_format(made, arguments.format), arguments)
    return GOOD if made.report.is_accepted else INVALID


def _generate(arguments: argparse.Namespace, orc: Orchestrator) -> Awaitable[Generation[GMNSpec]]:
    prompt = read_text("-") if arguments.prompt == "-" else arguments.prompt
    examples = [read_source(name) for name in arguments.example] if arguments.example else None
    return (_generate_live if arguments.live else type(orc).generate_gmn)(
        orc,
        prompt,
        arguments.agent_type,
        dict(arguments.constraint),
        examples,
        arguments.expect,
        model=arguments.route,
        provider=arguments.provider,
        cache=arguments.cache,
        seed=arguments.seed,
        samples=arguments.samples,
        images=arguments.image,
        infer_expectations=arguments.infer,
    )


async def _generate_live(orc: Orchestrator, *args: Any, **kwargs: Any) -> Generation[GMNSpec]:
    """`generate_gmn` with its arguments, and the answer on stderr as it arrives."""
    async with contextlib.aclosing(orc.stream_gmn(*args, **kwargs)) as events:
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


def print_generation(made: Generation[GMNSpec], text: str, arguments: argparse.Namespace) -> None:
    """Print or write the model, then its report on stderr unless ``--quiet``."""
    if arguments.json:
        echo_json({**made.as_dict(), "text": text})
    if arguments.output or not arguments.json:
        write_result(text, arguments.output)
    if arguments.quiet:
        return
    report_on_stderr("answer", made.report, verbose=arguments.verbose)
    for line in report_lines(made):
        echo_stderr(line)
    if made.provider == "offline":
        echo_stderr(OFFLINE_NOTE, "dim")
