"""`orchestrator plan "…"`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.client_call import call_client
from orchestrator.cli.output import GOOD, echo_result

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Print the most calls, seconds and dollars that a request can take."""
    found = call_client(
        lambda orc: orc.plan(
            arguments.prompt,
            arguments.agent_type,
            model=arguments.route,
            provider=arguments.provider,
        )
    )
    echo_result(arguments, asdict(found), found.lines)
    return GOOD
