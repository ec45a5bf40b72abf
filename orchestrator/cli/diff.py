"""`orchestrator diff A B`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.documents import read_as
from orchestrator.cli.files import read_source
from orchestrator.cli.output import (
    GOOD,
    INVALID,
    USAGE,
    UsageError,
    echo_json,
    echo_result,
    echo_stderr,
    report_on_stderr,
)
from orchestrator.gmn.differences import behaviour, differences
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.validate import validate
from orchestrator.types.work import TooMuchWork, allowance, doing

if TYPE_CHECKING:
    import argparse

    from orchestrator.gmn.compile import Compiled


def run(arguments: argparse.Namespace) -> int:
    """Print what the second model says otherwise; exit 0 where both are one model, else 1.

    Exits with 2 where one of the documents is not a valid model.
    """
    models: list[Compiled] = []
    for name in (arguments.file, arguments.other):
        verdict = validate(read_source(name), run_steps=0)
        if said := read_as(verdict):
            echo_stderr(f"{name}: {said}")
        if verdict.compiled is None:
            report_on_stderr(name, verdict.report)
            if arguments.json:
                echo_json({"file": name, **verdict.report.as_dict()})
            return USAGE
        models.append(verdict.compiled)
    try:
        with allowance(DEFAULT_LIMITS.work):
            doing("comparing the models", "lower --steps")
            lines = [*differences(*models)]
            acts = _acts(models, arguments) if lines else ""
    except TooMuchWork as error:
        raise UsageError(str(error)) from None
    value = {"same": not lines, "differences": lines, "behaviour": acts}
    shown = (*lines, *([f"over the same observations: {acts}"] if acts else ()))
    echo_result(arguments, value, shown or ("the same model",))
    return INVALID if lines else GOOD


def _acts(models: list[Compiled], arguments: argparse.Namespace) -> str:
    try:
        found = behaviour(*models, steps=arguments.steps, seed=arguments.seed)
    except ValueError as error:
        return str(error)
    return found or f"the same beliefs and actions in {arguments.steps} steps"
