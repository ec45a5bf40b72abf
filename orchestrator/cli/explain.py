"""`orchestrator explain FILE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, INVALID, read_source, say, say_json, tell_report
from orchestrator.gmn.explain import explain
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Say what the document says."""
    verdict = validate(read_source(arguments.file), run_steps=0)
    if verdict.spec is None or not verdict.report.is_valid:
        tell_report(arguments.file, verdict.report)
        return INVALID
    text = explain(verdict.spec)
    if arguments.json:
        say_json({"file": arguments.file, "explanation": text})
    else:
        say(text)
    return GOOD
