"""`orchestrator ask "…"`: a question answered in words, with the sources that the answer names."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.client_call import call_client
from orchestrator.cli.files import read_text
from orchestrator.cli.output import GOOD, INVALID, echo, echo_json, echo_stderr
from orchestrator.cli.progress import OFFLINE_NOTE
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    import argparse

    from orchestrator.types.searching import SearchReport


def run(arguments: argparse.Namespace) -> int:
    """Print the answer, then its sources; what became of the search goes to stderr."""
    text = read_text("-") if arguments.prompt == "-" else arguments.prompt
    answer = call_client(
        lambda orc: orc.generate(
            text, model=arguments.route, provider=arguments.provider, cache=arguments.cache,
            search=arguments.search,
        )
    )  # fmt: skip
    code = GOOD if answer.text.strip() else INVALID
    if arguments.json:
        echo_json(asdict(answer))
        return code
    if code:
        said = answer.said.strip() or f"the answer is empty (it ended with {answer.finish!r})"
        echo_stderr(f"the model declined: {said}" if answer.refusal else said, "red", lines=True)
        return code
    echo(visible(answer.text, lines=True))
    for one in answer.citations:
        echo(visible(f"[{one.number}] {one.title} {one.url} ({one.retrieved_at[:10]})"))
    if arguments.quiet:
        return GOOD
    for line in search_lines(answer.search, is_verbose=arguments.verbose):
        echo_stderr(line, "dim")
    if answer.provider == "offline":
        echo_stderr(OFFLINE_NOTE, "dim")
    return GOOD


def search_lines(report: SearchReport, *, is_verbose: bool = False) -> list[str]:
    """What became of a search: a line, and with `is_verbose` one for each note."""
    if report.status == "off":
        return []
    asked = f" ({report.query!r}, {report.engine or 'no engine'})" if report.query else ""
    notes = [f"  {note}" for note in report.notes] if is_verbose else []
    lines = [f"search:   {report.status.replace('_', ' ')}{asked}. {report.reason}", *notes]
    return [visible(line) for line in lines]
