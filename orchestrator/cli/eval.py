"""`orchestrator eval`."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.client_call import call_client
from orchestrator.cli.files import require_writable, write_result
from orchestrator.cli.output import GOOD, echo_result, echo_stderr, table
from orchestrator.config.paths import shipped
from orchestrator.config.settings import Config, ledger_directory
from orchestrator.generation.evaluation.evaluate import (
    CALLS,
    EvaluationRun,
    evaluate,
    load_cases,
    previous,
    remember,
    summed,
)
from orchestrator.generation.evaluation.plot import plotted
from orchestrator.gmn.draw.writing import encoded, require_suffix

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.generation.evaluation.evaluate import Score

_HEAD = ("agent type", "cases", *(f"valid@{n}" for n in CALLS), "runs", "behaves", "fits",
         "round trip", "calls", "tokens", "USD", "errors")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Generate every prompt of a file, print the scores, and compare them with the last run."""
    if arguments.plot:
        require_suffix(arguments.plot)
        require_writable(arguments.plot)
    made = call_client(functools.partial(_evaluated, arguments))
    history = _history()
    before = previous(history, made) if history is not None else None
    value = {**made.as_dict(), "previous": before.as_dict() if before else None}
    echo_result(arguments, value, _lines(made, before))
    if history is not None:
        remember(history, made)
    if arguments.plot:
        picture = encoded(plotted(made, before), require_suffix(arguments.plot))
        write_result(picture, arguments.plot)
        echo_stderr(f"plotted into {arguments.plot}", "dim")
    return GOOD


async def _evaluated(arguments: argparse.Namespace, orc: Orchestrator) -> EvaluationRun:
    named = Path(arguments.prompts) if arguments.prompts else shipped("prompts", "eval.yaml")
    cases = load_cases(named)
    generate = functools.partial(
        orc.generate_gmn,
        model=arguments.route,
        provider=arguments.provider,
        cache=arguments.cache or "off",
    )
    outcomes = await evaluate(
        generate, cases, parallel=arguments.parallel, is_round_trip=arguments.round_trip
    )
    route = arguments.route or arguments.provider or "default"
    return summed(outcomes, route=route, templates=orc.templates)


def _history() -> Path | None:
    config = Config.load(None, os.environ)
    directory = ledger_directory(config.orchestrator.ledger, os.environ)
    return directory.parent / "evaluations.jsonl" if directory is not None else None


def _lines(made: EvaluationRun, before: EvaluationRun | None) -> Iterator[str]:
    yield f"route {made.route}, templates {made.templates}, cases {made.cases}"
    yield ""
    yield from table(_HEAD, [_row(name, one) for name, one in made.scores.items()])
    yield ""
    if before is None:
        yield "no earlier run over the same cases and route"
        return
    changed = "" if before.templates == made.templates else f", templates {before.templates}"
    yield f"before ({before.at[:16]}{changed}):"
    yield from table(_HEAD, [_row(name, one) for name, one in before.scores.items()])


def _row(name: str, one: Score) -> tuple[str, ...]:
    errors = ", ".join(f"{count} {error}" for error, count in one.errors.items()) or "-"
    shares = [f"{share:.0%}" for share in (*one.valid_at, one.runs, one.behaves)]
    return (
        name, str(one.cases), *shares, _share(one.fits), _share(one.round_trip),
        _per(one.calls, 2), _per(one.tokens, 0), _per(one.usd, 6), errors,
    )  # fmt: skip


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _per(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
