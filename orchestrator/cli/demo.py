"""`orchestrator demo`: what `make demo` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.client_call import call_client
from orchestrator.cli.episode import episode_lines
from orchestrator.cli.output import GOOD, INVALID, echo_result, echo_stderr
from orchestrator.cli.progress import report_lines, show_event
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.compile import compile_spec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.requests import Generation

SENTENCE = "a cautious explorer for a 5x5 grid who must reach the corner"
EXPECTATION = "cell=r4c4 within 14 in 80%"


def run(arguments: argparse.Namespace) -> int:
    """Print a sentence, the model made from it, its report, and a few simulated steps."""
    echo_stderr(f'The sentence: "{SENTENCE}"', "bold")
    made = call_client(
        lambda orc: orc.generate_gmn(
            SENTENCE, "explorer", {"max_states": 25}, None, [EXPECTATION], provider="offline"
        ),
        hook=show_event,
    )
    echo_result(arguments, made.as_dict(), _lines(made, arguments.steps))
    return GOOD if made.report.is_accepted else INVALID


def _lines(made: Generation[GMNSpec], steps: int) -> Iterator[str]:
    yield from made.text.split("\n")
    yield from report_lines(made)
    yield from (f"expected: {line}" for line in made.report.behaviour)
    yield ""
    yield f"{steps} simulated steps:"
    yield from episode_lines(simulate(compile_spec(made.spec), steps=steps, seed=0))
