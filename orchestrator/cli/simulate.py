"""`orchestrator simulate FILE`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.episode import drawing_lines, episode_lines, why_lines
from orchestrator.cli.files import read_source, require_writable
from orchestrator.cli.output import GOOD, INVALID, UsageError, echo_result, echo_stderr, refused
from orchestrator.gmn.codes import finding
from orchestrator.gmn.expectations import Expectation, Measured, check_names, measure
from orchestrator.gmn.limits import DEFAULT_LIMITS, HARD_LIMITS
from orchestrator.gmn.plot import check_plot, plotted
from orchestrator.gmn.simulate import doubts, simulate
from orchestrator.gmn.validate import validate
from orchestrator.types.work import TooMuchWork, allowance, doing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.simulate import Run


def run(arguments: argparse.Namespace) -> int:
    """Print one episode as a table, and how often each expectation held; exit 1 if one did not."""
    if arguments.plot:
        check_plot(Path(arguments.plot))
        require_writable(arguments.plot)
    most = max(DEFAULT_LIMITS.simulation_steps, HARD_LIMITS.simulation_steps)
    if arguments.steps > most:
        raise UsageError(f"--steps {arguments.steps} is beyond {most}")
    expectations = [Expectation.parse(text) for text in arguments.expect]
    verdict = validate(read_source(arguments.file), run_steps=0)
    if verdict.compiled is None or verdict.spec is None:
        return refused(arguments, verdict.report)
    unknown = [d for e in expectations for d in check_names(e, verdict.spec)]
    if unknown:
        raise UsageError(unknown[0].message)
    episode, measured = _simulated(verdict.compiled, expectations, arguments)
    checked = _cross_checked(verdict.compiled, arguments) if arguments.cross_check else None
    value = {
        "file": arguments.file,
        **(episode.as_dict() if arguments.json else {}),
        "expectations": [{**asdict(one), "expectation": str(one.expectation)} for one in measured],
    }
    if checked is not None:
        value["cross_check"] = checked
    warned = [str(finding("GMN904", words)) for words in doubts(episode)]
    drawings = drawing_lines(episode, verdict.spec)
    told = why_lines(episode, verdict.spec) if arguments.why else ()
    lines = (
        *episode_lines(episode), *drawings, *told, *warned, *_verdicts(measured),
        *_agreement(checked),
    )  # fmt: skip
    echo_result(arguments, value, lines)
    if arguments.plot:
        plotted(episode, Path(arguments.plot), title=verdict.spec.name)
        echo_stderr(f"plotted into {arguments.plot}", "dim")
    return GOOD if all(one.held for one in measured) else INVALID


def _simulated(
    model: Compiled, expectations: Sequence[Expectation], arguments: argparse.Namespace
) -> tuple[Run, tuple[Measured, ...]]:
    """One episode, and what was measured in many."""
    try:
        with allowance(DEFAULT_LIMITS.work):
            doing(f"simulating {arguments.steps} steps", "lower --steps")
            episode = simulate(model, steps=arguments.steps, seed=arguments.seed)
            measured = measure(
                model, expectations, episodes=arguments.episodes, seed=arguments.seed
            )
    except TooMuchWork as error:
        raise UsageError(str(error)) from None
    return episode, measured


def _cross_checked(model: Compiled, arguments: argparse.Namespace) -> list[str]:
    from orchestrator.gmn.pymdp import cross_check  # noqa: PLC0415  an extra of 850 MB

    return list(map(str, cross_check(model, steps=arguments.steps, seed=arguments.seed)))


def _agreement(checked: Sequence[str] | None) -> Sequence[str]:
    return () if checked is None else checked or ("pymdp agrees at every step",)


def _verdicts(measured: Sequence[Measured]) -> Iterator[str]:
    for one in measured:
        yield str(one)
        yield from (f"  {line}" for line in one.trace)
