"""Progress of a generation on stderr, and the report at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.output import echo_stderr
from orchestrator.generation.answers import NOTES
from orchestrator.types.events import Answered, Asked, Delta, Evaluated, Failed, Partial, Searched

if TYPE_CHECKING:
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.events import Event
    from orchestrator.types.fits import Fits
    from orchestrator.types.requests import Generation

OFFLINE_NOTE = (
    "note: answered by the embedded provider, which is not a language model; set a key such as"
    " OPENAI_API_KEY to ask a language model"
)


def show_event(event: Event) -> None:
    """Print one line on stderr for `event`."""
    if isinstance(event, Asked):
        why = f" ({event.reason})" if event.reason else ""
        echo_stderr(f"[{event.attempt}] {event.purpose}: asking {event.route}{why}", "dim")
    elif isinstance(event, Answered):
        answer = event.answer
        source = "the cache" if answer.cached else f"{answer.provider}/{answer.model}"
        tokens = f"{answer.usage.prompt_tokens} + {answer.usage.completion_tokens} tokens"
        echo_stderr(f"[{event.attempt}] answered by {source}: {tokens}", "dim")
    elif isinstance(event, Searched):
        by = f" by {event.engine}, {_count(event.sources, 'source')}" if event.engine else ""
        echo_stderr(f"search for {event.query!r}: {event.status}{by}", "dim")
    elif isinstance(event, Evaluated):
        report = event.evaluation.report
        runs = {True: ", runs", False: ", does not run", None: ""}[report.runs]
        behaves = {True: ", behaves", False: ", does not behave", None: ""}[report.behaves]
        fits = f", fits {report.fits}" if report.fits and report.fits.of else ""
        counts = f"{_count(len(report.errors), 'error')}, {_count(len(report.repairs), 'repair')}"
        echo_stderr(
            f"[{event.attempt}] {event.evaluation.kind}: {counts}{runs}{behaves}{fits}", "dim"
        )
    elif isinstance(event, Failed):
        echo_stderr(f"[{event.attempt}] failed: {event.message}", "red")


def show_live(event: Event) -> None:
    """Print the text of a streamed answer as it arrives, and its findings, on stderr."""
    if isinstance(event, Delta):
        echo_stderr(event.text, end="", lines=True)
    elif isinstance(event, Asked) and event.attempt > 1:
        echo_stderr("")
    elif isinstance(event, Partial):
        for finding in event.findings:
            echo_stderr(f"\n{finding}", "yellow", lines=True)
    elif isinstance(event, Evaluated):
        for finding in event.evaluation.report.diagnostics:
            echo_stderr(f"\n{finding}", "yellow", lines=True)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def fits_lines(fits: Fits | None) -> list[str]:
    """How much of the sentence is in the model, what is not, and what nobody understood."""
    if fits is None:
        return []
    lines = [f"fits:     {fits if fits.of else 'nothing to compare'}"]
    lines += [
        f"  {one.outcome}: {one.kind} {one.value} ({one.said!r}): {one.where}" for one in fits.unmet
    ]
    if fits.not_understood:
        lines.append(f"  not understood: {', '.join(fits.not_understood)}")
    return lines


def report_lines(made: Generation[GMNSpec]) -> list[str]:
    """Validity, repairs, attempts, tokens and cost, one line each."""
    report = made.report
    runs = {True: "yes", False: "no", None: "not tried"}
    cost = "price not known" if made.cost_usd is None else f"{made.cost_usd:.6f} USD"
    lines = [
        f"valid:    {runs[report.is_valid]}"
        + (f", {_count(len(report.warnings), 'warning')}" if report.warnings else ""),
        f"runs:     {runs[report.runs]}",
        f"behaves:  {'not asked' if report.behaves is None else runs[report.behaves]}",
        f"repairs:  {', '.join(d.code for d in report.repairs) or 'none'}",
        f"attempts: {len(made.attempts)}" + (" (from the cache)" if made.cached else ""),
        f"tokens:   {made.usage.prompt_tokens} prompt, {made.usage.completion_tokens} answer",
        f"cost:     {cost}",
    ]
    lines += fits_lines(report.fits)
    notes = [d.message for d in report.diagnostics if d.code == NOTES]
    if assumed := "; ".join(notes) or made.spec.meta("assumptions"):
        lines.append(f"assumed:  {assumed}")
    return lines
