"""`orchestrator import FILE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.documents import validated
from orchestrator.cli.files import require_writable, write_result
from orchestrator.cli.output import GOOD, echo_json, refused, report_on_stderr
from orchestrator.gmn.formats import write_text

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Print the document as GMN; what it was and every reinterpretation on stderr.

    Exits with 1 where it is not a valid model, and prints no document then.
    """
    require_writable(arguments.output)
    verdict = validated(arguments)
    report = verdict.report
    if verdict.spec is None or not report.is_valid:
        return refused(arguments, report)
    report_on_stderr(arguments.file, report, verbose=True)
    text = write_text(verdict.spec)
    if arguments.json:
        echo_json(
            {"file": arguments.file, "kind": verdict.spelling, **report.as_dict(), "text": text}
        )
    if arguments.output or not arguments.json:
        write_result(text, arguments.output)
    return GOOD
