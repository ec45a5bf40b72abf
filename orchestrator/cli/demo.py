"""`orchestrator demo`: what `make demo` runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, INVALID, say, say_json, tell
from orchestrator.cli.progress import generation_as_json, report_lines, show_event
from orchestrator.cli.simulate import episode_lines
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.simulate import simulate

if TYPE_CHECKING:
    import argparse

    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.requests import Generation

SENTENCE = "a cautious explorer for a 5x5 grid who must reach the corner"
EXPECTATION = "cell=r4c4 within 14 in 80%"


def run(arguments: argparse.Namespace) -> int:
    """Sentence, progress, model, report, and a few simulated steps."""
    tell(f'The sentence: "{SENTENCE}"', "bold")
    made = asyncio.run(_generate())
    if arguments.json:
        say_json(generation_as_json(made, made.text))
        return GOOD if made.report.is_accepted else INVALID
    say(made.text)
    for line in report_lines(made):
        say(line)
    for line in made.report.behaviour:
        say(f"expected: {line}")
    say(f"\n{arguments.steps} simulated steps:")
    episode = simulate(compile_spec(made.spec), steps=arguments.steps, seed=0)
    for line in episode_lines(episode):
        say(line)
    return GOOD if made.report.is_accepted else INVALID


async def _generate() -> Generation[GMNSpec]:
    async with Orchestrator(hook=show_event) as orc:
        return await orc.generate_gmn(
            SENTENCE, "explorer", {"max_states": 25}, None, [EXPECTATION], provider="offline"
        )
