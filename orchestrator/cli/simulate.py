"""`orchestrator simulate FILE`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.compare import compared_with, comparison_json, comparison_lines
from orchestrator.cli.files import read_source
from orchestrator.cli.output import GOOD, INVALID, UsageError, echo_result, refused, table
from orchestrator.gmn.codes import finding
from orchestrator.gmn.expectations import Expectation, Measured, check_names, measure
from orchestrator.gmn.limits import DEFAULT_LIMITS, HARD_LIMITS
from orchestrator.gmn.simulate import Run, doubts, simulate
from orchestrator.gmn.validate import validate
from orchestrator.types.work import TooMuchWork, allowance, doing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.gmn.compile import Compiled


def run(arguments: argparse.Namespace) -> int:
    """Print one episode as a table, and how often each expectation held; exit 1 if one did not."""
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
    try:
        with allowance(DEFAULT_LIMITS.work):
            doing(f"simulating {arguments.steps} steps", "lower --steps")
            episode = simulate(verdict.compiled, steps=arguments.steps, seed=arguments.seed)
            measured = measure(
                verdict.compiled, expectations, episodes=arguments.episodes, seed=arguments.seed
            )
    except TooMuchWork as error:
        raise UsageError(str(error)) from None
    compared = compared_with(verdict.compiled, arguments) if arguments.compare else None
    checked = _cross_checked(verdict.compiled, arguments) if arguments.cross_check else None
    value = _as_json(arguments.file, episode, measured)
    if compared is not None:
        value["comparison"] = comparison_json(compared)
    if checked is not None:
        value["cross_check"] = checked
    warned = [str(finding("GMN904", words)) for words in doubts(episode)]
    lines = (
        *episode_lines(episode),
        *warned,
        *_verdicts(measured),
        *(comparison_lines(compared) if compared else ()),
        *_agreement(checked),
    )
    echo_result(arguments, value, lines)
    return GOOD if all(one.held for one in measured) else INVALID


def _cross_checked(model: Compiled, arguments: argparse.Namespace) -> list[str]:
    from orchestrator.gmn.pymdp import cross_check  # noqa: PLC0415  an extra of 850 MB

    return list(map(str, cross_check(model, steps=arguments.steps, seed=arguments.seed)))


def _agreement(checked: Sequence[str] | None) -> Sequence[str]:
    return () if checked is None else checked or ("pymdp agrees at every step",)


def episode_lines(episode: Run) -> list[str]:
    """A table of one episode: step, observation, belief and action, in labels."""
    rows = [
        (
            str(number),
            _pairs(step.observation),
            ", ".join(f"{name}={label} {p:.0%}" for name, (label, p) in step.belief.items()),
            _pairs(step.action),
        )
        for number, step in enumerate(episode.steps, 1)
    ]
    return table(("step", "observation", "belief", "action"), rows)


def _pairs(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={label}" for name, label in labels.items())


def _verdicts(measured: Sequence[Measured]) -> Iterator[str]:
    for one in measured:
        yield str(one)
        yield from (f"  {line}" for line in one.trace)


def _as_json(name: str, episode: Run, measured: Sequence[Measured]) -> dict[str, object]:
    return {
        "file": name,
        "seed": episode.seed,
        "warnings": list(doubts(episode)),
        "steps": [
            {
                "observation": dict(step.observation),
                "state": dict(step.state),
                "action": dict(step.action),
                "belief": {k: {"label": v[0], "p": v[1]} for k, v in step.belief.items()},
            }
            for step in episode.steps
        ],
        "expectations": [{**asdict(one), "expectation": str(one.expectation)} for one in measured],
    }
