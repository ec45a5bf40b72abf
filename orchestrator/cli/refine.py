"""`orchestrator refine FILE --feedback "…"`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from orchestrator.cli.generate import show_end
from orchestrator.cli.output import GOOD, read_source, say_json, write_result
from orchestrator.cli.progress import generation_as_json, show_event
from orchestrator.client.orchestrator import Orchestrator

if TYPE_CHECKING:
    import argparse

    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.requests import Generation


def run(arguments: argparse.Namespace) -> int:
    """Ask for a patch and print the document it leads to."""
    made = asyncio.run(_refine(arguments))
    if arguments.json:
        say_json(generation_as_json(made, made.text))
    if arguments.output or not arguments.json:
        write_result(made.text, arguments.output)
    show_end(made, arguments)
    return GOOD


async def _refine(arguments: argparse.Namespace) -> Generation[GMNSpec]:
    source = read_source(arguments.file)
    async with Orchestrator(hook=None if arguments.quiet else show_event) as orc:
        return await orc.refine_gmn(
            source,
            arguments.feedback,
            expectations=arguments.expect,
            model=arguments.route,
            provider=arguments.provider,
            cache=arguments.cache,
        )
