"""`orchestrator plan "…"`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, say, say_json
from orchestrator.client.orchestrator import Orchestrator

if TYPE_CHECKING:
    import argparse

    from orchestrator.routing.plan import Plan


def run(arguments: argparse.Namespace) -> int:
    """The bounds of a request, line by line."""
    found = asyncio.run(_plan(arguments))
    if arguments.json:
        say_json(asdict(found))
    else:
        for line in found.lines:
            say(line)
    return GOOD


async def _plan(arguments: argparse.Namespace) -> Plan:
    async with Orchestrator() as orc:
        return await orc.plan(
            arguments.prompt,
            arguments.agent_type,
            model=arguments.route,
            provider=arguments.provider,
        )
