"""`orchestrator generate "…"`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import (
    GOOD,
    INVALID,
    read_source,
    say_json,
    tell,
    tell_report,
    write_result,
)
from orchestrator.cli.progress import (
    OFFLINE_NOTE,
    generation_as_json,
    report_lines,
    show_event,
    show_live,
)
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.formats import write_json
from orchestrator.types.events import Done

if TYPE_CHECKING:
    import argparse

    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.requests import Generation


def run(arguments: argparse.Namespace) -> int:
    """Ask for a model and print it."""
    made = asyncio.run(_generate(arguments))
    text = as_format(made, arguments.format)
    if arguments.json:
        say_json(generation_as_json(made, text))
    else:
        write_result(text, arguments.output)
    if arguments.json and arguments.output:
        write_result(text, arguments.output)
    show_end(made, arguments)
    return GOOD if made.report.is_accepted else INVALID


async def _generate(arguments: argparse.Namespace) -> Generation[GMNSpec]:
    prompt = arguments.prompt
    if prompt == "-":
        prompt = read_source("-").decode(errors="replace")
    examples = [read_source(name) for name in arguments.example] if arguments.example else None
    async with Orchestrator(hook=None if arguments.quiet else show_event) as orc:
        asked = functools.partial(
            _live if arguments.live else type(orc).generate_gmn,
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
        return await asked()


async def _live(
    orc: Orchestrator,
    *args: Any,
    **kwargs: Any,  # those of `generate_gmn`
) -> Generation[GMNSpec]:
    """The same, with the answer on stderr while it comes."""
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


def show_end(made: Generation[GMNSpec], arguments: argparse.Namespace) -> None:
    """The report on stderr, and once who answered when it was the embedded provider."""
    if arguments.quiet:
        return
    tell_report("answer", made.report, verbose=arguments.verbose)
    for line in report_lines(made):
        tell(line)
    if made.provider == "offline":
        tell(OFFLINE_NOTE, "dim")
