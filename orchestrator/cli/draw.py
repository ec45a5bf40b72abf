"""`orchestrator draw FILE -o model.svg`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.bundle import asked
from orchestrator.cli.documents import validated
from orchestrator.cli.files import read_source, require_writable, write_result
from orchestrator.cli.output import (
    GOOD,
    INVALID,
    UsageError,
    echo_json,
    echo_stderr,
    refused,
    report_on_stderr,
)
from orchestrator.gmn.draw.mermaid import mermaid
from orchestrator.gmn.draw.picture import PARTS, picture
from orchestrator.gmn.draw.writing import encoded, require_suffix

if TYPE_CHECKING:
    import argparse

    from orchestrator.gmn.validate import Validation


def run(arguments: argparse.Namespace) -> int:
    """Draw a document; one with errors as far as it can be drawn, with exit code 1."""
    is_printed = arguments.output in (None, "-")
    suffix = ".svg" if is_printed else require_suffix(arguments.output, ".mmd")
    require_writable(arguments.output)
    if suffix == ".mmd" and (arguments.trace or arguments.part not in ([], ["graph"])):
        raise UsageError("Mermaid draws the graph alone; leave --trace and other parts out")
    source = read_source(arguments.file)
    verdict = validated(arguments, source)
    if verdict.spec is None:
        return refused(arguments, verdict.report)
    report_on_stderr(arguments.file, verdict.report)
    made = _drawn(arguments, verdict, suffix, source)
    if arguments.json:
        text = made.decode() if is_printed else ""
        shown = {"svg": text} if is_printed else {"output": arguments.output}
        echo_json({"file": arguments.file, **verdict.report.as_dict(), **shown})
    elif is_printed:
        write_result(made.decode(), None)
    if not is_printed:
        write_result(made, arguments.output)
        echo_stderr(f"drawn into {arguments.output}", "dim")
    return GOOD if verdict.report.is_valid else INVALID


def _drawn(arguments: argparse.Namespace, verdict: Validation, suffix: str, source: bytes) -> bytes:
    assert verdict.spec is not None
    if suffix == ".mmd":
        return mermaid(verdict.spec).encode()
    wanted = asked(source, verdict.spelling, arguments.steps, arguments.seed)
    parts = [*(arguments.part or PARTS), *(["trace"] if arguments.trace else [])]
    made = picture(verdict, parts=parts, steps=wanted.steps, seed=wanted.seed)
    return encoded(made, suffix)
