"""`orchestrator explain FILE`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.files import read_source
from orchestrator.cli.output import GOOD, echo_result, refused
from orchestrator.gmn.explain import explain, passages
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Print the document in English; exit 1 when it is not valid."""
    verdict = validate(read_source(arguments.file), run_steps=0)
    if verdict.spec is None or not verdict.report.is_valid:
        return refused(arguments, verdict.report)
    text = explain(verdict.spec, is_whole=arguments.all)
    parts = [asdict(one) for one in passages(verdict.spec)] if arguments.json else []
    value = {"file": arguments.file, "explanation": text, "passages": parts}
    echo_result(arguments, value, text.split("\n"))
    return GOOD
