"""`orchestrator format FILE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.documents import read_as, written
from orchestrator.cli.files import read_source, write_result
from orchestrator.cli.output import (
    GOOD,
    INVALID,
    UsageError,
    echo_json,
    echo_stderr,
    refused,
    report_on_stderr,
)
from orchestrator.gmn.formats import comments_of, with_shares, write_text
from orchestrator.gmn.imports import read
from orchestrator.gmn.validate import validate
from orchestrator.types.diagnostics import Report
from orchestrator.types.errors import GMNError

if TYPE_CHECKING:
    import argparse

    from orchestrator.gmn.model import GMNSpec


def run(arguments: argparse.Namespace) -> int:
    """Print or write the canonical form, and report on stderr what it cannot hold."""
    if arguments.write and arguments.file == "-":
        raise UsageError("--write needs a file, not standard input")
    raw = read_source(arguments.file)
    # Formatting changes the spelling, never the model, so repairs stay off.
    verdict = validate(raw, repair="none", run_steps=0, kind=arguments.kind)
    if said := read_as(verdict):
        echo_stderr(f"{arguments.file}: {said}")
    if verdict.spec is None:
        return refused(arguments, verdict.report)
    report_on_stderr(arguments.file, Report((), verdict.report.repairs))
    try:
        text = _written(arguments, raw, verdict.spec)
    except GMNError as error:
        if not validate(raw, run_steps=0, kind=arguments.kind).report.is_valid:
            raise
        repairs = f"orchestrator export {arguments.file} --to {arguments.to}"
        raise GMNError(f"{error}; format repairs nothing, {repairs} does") from error
    is_canonical = raw == text.encode()
    if arguments.json:
        echo_json({"file": arguments.file, "canonical": is_canonical, "text": text})
        return GOOD if is_canonical or not arguments.check else INVALID
    if arguments.check:
        echo_stderr(f"{arguments.file}: {'canonical' if is_canonical else 'would be reformatted'}")
        return GOOD if is_canonical else INVALID
    write_result(text, arguments.file if arguments.write else None)
    return GOOD


def _written(arguments: argparse.Namespace, raw: bytes, spec: GMNSpec) -> str:
    reading = read(raw, kind=arguments.kind)
    comments = comments_of(reading.places)
    if arguments.to == "gmn" and reading.spelling == "text":
        return write_text(with_shares(spec, reading.places), comments)
    if lost := sum(len(lines) for lines in comments.values()):
        echo_stderr(f"{arguments.file}: {lost} comments left out; only block text can hold them")
    return written(arguments, spec)
