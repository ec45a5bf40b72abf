"""`orchestrator simulate FILE`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.bundle import asked, difference
from orchestrator.cli.compare import compared_with, comparison_json, comparison_lines
from orchestrator.cli.documents import validated
from orchestrator.cli.episode import drawing_lines, episode_lines, why_lines
from orchestrator.cli.files import read_source, require_writable, write_result
from orchestrator.cli.output import GOOD, INVALID, UsageError, echo_result, echo_stderr, refused
from orchestrator.gmn.acting.episode import unasked
from orchestrator.gmn.acting.expectations import Expectation, Measured, check_names, measure
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.acting.walk import doubts
from orchestrator.gmn.acting.worlds import WORLDS
from orchestrator.gmn.codes import finding
from orchestrator.gmn.draw.picture import episode_picture
from orchestrator.gmn.draw.writing import encoded, require_suffix
from orchestrator.gmn.limits import DEFAULT_LIMITS, HARD_LIMITS
from orchestrator.types.work import TooMuchWork, allowance, doing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.acting.episode import Run
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import GMNSpec


def run(arguments: argparse.Namespace) -> int:
    """Print one episode as a table, and how often each expectation held; exit 1 if one did not."""
    _refuse(arguments)
    expectations = [Expectation.parse(text) for text in arguments.expect]
    source = read_source(arguments.file)
    verdict = validated(arguments, source)
    if verdict.compiled is None or verdict.spec is None:
        return refused(arguments, verdict.report)
    wanted = asked(source, verdict.spelling, arguments.steps, arguments.seed)
    arguments.steps, arguments.seed = wanted.steps, wanted.seed
    _refuse_names(arguments, expectations, verdict.spec)
    world = _world(verdict.compiled, arguments.world)
    episode, measured = _simulated(verdict.compiled, world, verdict.spec, expectations, arguments)
    compared = compared_with(verdict.compiled, world, arguments) if arguments.compare else None
    checked = _cross_checked(verdict.compiled, arguments) if arguments.cross_check else None
    differs = None if wanted.trace is None or world else difference(episode, wanted.trace)
    more: dict[str, object] = {
        "differs_from_bundle": differs,
        "comparison": comparison_json(compared) if compared is not None else None,
        "cross_check": checked,
    }
    lines = (
        *((f"in the world {arguments.world}",) if arguments.world else ()),
        *episode_lines(episode),
        *drawing_lines(episode, verdict.spec),
        *(why_lines(episode, verdict.spec) if arguments.why else ()),
        *(str(finding("GMN904", words)) for words in doubts(episode)),
        *unasked(episode),
        *_verdicts(measured),
        *(comparison_lines(compared, arguments.world) if compared else ()),
        *_agreement(checked),
        *_same(differs),
    )
    echo_result(arguments, _value(arguments, episode, measured) | _there(more), lines)
    if arguments.plot:
        made = episode_picture(episode, title=verdict.spec.name)
        write_result(encoded(made, require_suffix(arguments.plot)), arguments.plot)
        echo_stderr(f"plotted into {arguments.plot}", "dim")
    return GOOD if all(one.held for one in measured) and not differs else INVALID


def _value(
    arguments: argparse.Namespace, episode: Run, measured: Sequence[Measured]
) -> dict[str, object]:
    return {
        "file": arguments.file,
        "world": arguments.world or None,
        **(episode.as_dict() if arguments.json else {}),
        "expectations": [{**asdict(one), "expectation": str(one.expectation)} for one in measured],
    }


def _there(more: dict[str, object]) -> dict[str, object]:
    return {key: said for key, said in more.items() if said is not None}


def _refuse(arguments: argparse.Namespace) -> None:
    """Raise, before anything is computed, where the arguments do not go together."""
    if arguments.plot:
        require_suffix(arguments.plot)
        require_writable(arguments.plot)
    if arguments.world and arguments.cross_check:
        raise UsageError("--cross-check runs in the model's own world; leave --world out")


def _refuse_names(
    arguments: argparse.Namespace, expectations: Sequence[Expectation], spec: GMNSpec
) -> None:
    """Raise where the document has other names, or its bundle asks for more than may be done."""
    most = max(DEFAULT_LIMITS.simulation_steps, HARD_LIMITS.simulation_steps)
    if arguments.steps > most:
        raise UsageError(f"--steps {arguments.steps} is beyond {most}")
    unknown = [d for e in expectations for d in check_names(e, spec)]
    if unknown:
        raise UsageError(unknown[0].message)


def _simulated(
    model: Compiled,
    world: Compiled | None,
    spec: GMNSpec,
    expectations: Sequence[Expectation],
    arguments: argparse.Namespace,
) -> tuple[Run, tuple[Measured, ...]]:
    """One episode, and what was measured in many."""
    seed = arguments.seed
    try:
        with allowance(DEFAULT_LIMITS.work):
            doing(f"simulating {arguments.steps} steps", "lower --steps")
            episode = simulate(
                model, steps=arguments.steps, seed=seed, world=world, queries=spec.queries
            )
            measured = measure(
                model, expectations, episodes=arguments.episodes, seed=seed, world=world
            )
    except TooMuchWork as error:
        raise UsageError(str(error)) from None
    return episode, measured


def _world(model: Compiled, name: str) -> Compiled | None:
    try:
        return WORLDS[name](model) if name else None
    except ValueError as error:
        raise UsageError(f"--world {name}: {error}") from None


def _cross_checked(model: Compiled, arguments: argparse.Namespace) -> list[str]:
    from orchestrator.gmn.pymdp import cross_check  # noqa: PLC0415  an extra of 850 MB

    return list(map(str, cross_check(model, steps=arguments.steps, seed=arguments.seed)))


def _agreement(checked: Sequence[str] | None) -> Sequence[str]:
    return () if checked is None else checked or ("pymdp agrees at every step",)


def _same(differs: str | None) -> Iterator[str]:
    if differs is not None:
        yield f"differs from the bundle at {differs}" if differs else "the episode of the bundle"


def _verdicts(measured: Sequence[Measured]) -> Iterator[str]:
    for one in measured:
        yield str(one)
        yield from (f"  {line}" for line in one.trace)
