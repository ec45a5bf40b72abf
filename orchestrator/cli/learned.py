"""`orchestrator refine FILE --data LOG`: what a log teaches, without asking a model."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.files import read_source, write_result
from orchestrator.cli.output import (
    GOOD,
    UsageError,
    diagnostic_line,
    echo_json,
    echo_stderr,
    refused,
    report_on_stderr,
)
from orchestrator.gmn.formats import comments_of, moved, write_text
from orchestrator.gmn.imports import read
from orchestrator.gmn.learning.learn import learn
from orchestrator.gmn.learning.logs import MOST_BYTES, read_log
from orchestrator.gmn.validate import validate
from orchestrator.gmn.words.wording import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.gmn.learning.contradictions import LearnedTable
    from orchestrator.gmn.learning.learn import Lesson
    from orchestrator.gmn.learning.logs import ReadLog
    from orchestrator.gmn.model import GMNSpec

_MOST_ROWS = 8  # of one table, unless --verbose
_ASKING = ("route", "provider", "cache", "expect")


def run(arguments: argparse.Namespace) -> int:
    """Print the document with the tables that the log teaches, and a report on stderr; exit 1
    when the document is not valid."""
    _require_sense(arguments)
    source = read_source(arguments.file)
    verdict = validate(source, run_steps=0, kind=arguments.kind)
    if verdict.spec is None or verdict.compiled is None:
        return refused(arguments, verdict.report)
    shown = "standard input" if arguments.data == "-" else arguments.data
    data = read_source(arguments.data, MOST_BYTES)
    try:
        log = read_log(data, verdict.compiled)
    except ValueError as error:
        raise UsageError(f"{shown}: {error}") from None
    name = "a log" if arguments.data == "-" else Path(arguments.data).name
    lesson = learn(verdict.spec, log.log, arguments.learn, source=name)
    text = commented(source, lesson.spec)
    if not arguments.quiet:
        report_on_stderr(arguments.file, verdict.report)
        places = read(source, kind=arguments.kind).places
        for line in _lines(shown, log, lesson, verbose=arguments.verbose):
            echo_stderr(line)
        for one in lesson.findings:
            place = places.of(one.pointer) if places.text and one.pointer else None
            echo_stderr(diagnostic_line(arguments.file, replace(one, place=place), None))
    if arguments.json:
        echo_json(_as_json(arguments, log, lesson, text))
    if arguments.output or not arguments.json:
        write_result(text, arguments.output)
    return GOOD


def _require_sense(arguments: argparse.Namespace) -> None:
    """Raises: UsageError: an option has no meaning here, or would destroy the log."""
    given = [f"--{name}" for name in _ASKING if getattr(arguments, name)]
    if given:
        raise UsageError(f"{given[0]} goes with --feedback; with --data no model is asked")
    if arguments.file == arguments.data == "-":
        raise UsageError("standard input can be the document or the log, not both")
    here, log = Path(arguments.output or ""), Path(arguments.data)
    if arguments.output and here.exists() and log.exists() and here.samefile(log):
        raise UsageError(f"{here} is the log itself. Write the document to another file.")


def commented(source: bytes, spec: GMNSpec) -> str:
    """The new document with the comments of the old one."""
    comments = comments_of(read(source).places)
    old = validate(source, run_steps=0).spec
    if old is None or not comments:
        return write_text(spec)
    return write_text(spec, moved(comments, old.to_json(), spec.to_json()))


def _lines(shown: str, log: ReadLog, lesson: Lesson, *, verbose: bool) -> Iterator[str]:
    steps, episodes = f"{len(log.log):,}", f"{log.episodes:,}"
    yield f"{shown}: {counted(steps, 'step')} in {counted(episodes, 'episode')}"
    yield from (f"{shown}: {note}" for note in log.notes)
    learned = [table for table in lesson.tables if table.is_learned]
    after = f", {lesson.nats_after:.4f} with what was learned" if learned else ""
    yield (
        f"log likelihood in nats per step: {lesson.nats_before:.4f} under the document{after};"
        f" a uniform guess {lesson.nats_uniform:.4f}"
    )
    if not learned:
        yield "no table is marked learn: true, so the document is as it was; --learn NAME marks one"
    elif not lesson.is_settled:
        yield f"learning stopped after {lesson.passes} passes, before nothing changed any more"
    for table in learned:
        yield from _table_lines(table, verbose=verbose)
    if lesson.is_repeated:
        yield (
            f"warning: the document has learned from {Path(shown).name} with as many steps before"
            " (metadata learned); what is there twice now counts twice"
        )
    for weight in lesson.weights:
        if weight.lost:
            yield f"warning: {weight.title}: {weight.lost}"


def _table_lines(table: LearnedTable, *, verbose: bool) -> Iterator[str]:
    observed = counted(f"{sum(row.observed for row in table.rows):,.0f}", "observation")
    yield f"{table.title}: {observed} in {counted(str(len(table.rows)), 'row')}"
    rows = table.rows if verbose else table.rows[:_MOST_ROWS]
    for row in rows:
        changed = sorted(
            zip(table.labels, row.before, row.after, strict=True), key=lambda c: -abs(c[2] - c[1])
        )
        said = ", ".join(
            f"{label} {before:.3f} -> {after:.3f}"
            for label, before, after in changed[:_MOST_ROWS]
            if before or after
        )
        where = f"({row.context})" if row.context else "(start)"
        yield f"  {where} {row.observed:,.1f} observations: {said}"
    if len(table.rows) > len(rows):
        rest = counted(str(len(table.rows) - len(rows)), "row")
        yield f"  … {rest} that changed less; -v shows all"


def _as_json(
    arguments: argparse.Namespace, log: ReadLog, lesson: Lesson, text: str
) -> dict[str, object]:
    return {
        "file": arguments.file,
        "data": arguments.data,
        "steps": len(log.log),
        "episodes": log.episodes,
        "notes": list(log.notes),
        "nats_per_step": {
            "document": lesson.nats_before,
            "learned": lesson.nats_after,
            "uniform": lesson.nats_uniform,
        },
        "passes": lesson.passes,
        "settled": lesson.is_settled,
        "tables": [asdict(table) for table in lesson.tables],
        "concentrations": [asdict(weight) for weight in lesson.weights],
        "findings": [one.as_dict() for one in lesson.findings],
        "text": text,
    }
