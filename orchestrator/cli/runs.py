"""`orchestrator runs list` and `orchestrator runs show ID`."""

from __future__ import annotations

import contextlib
import os
from itertools import islice
from typing import TYPE_CHECKING, Any

from orchestrator.cache.accepted import failed_run
from orchestrator.cli.output import GOOD, UsageError, echo_result, table
from orchestrator.client.stores import failed_runs_of
from orchestrator.config.settings import Config, ledger_directory
from orchestrator.ledger.ledger import runs_of
from orchestrator.types.requests import Evaluation

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestrator.cache.accepted import KeptAttempt

Run = dict[str, Any]


def run(arguments: argparse.Namespace) -> int:
    """Print the last runs of the ledger, or every answer of one run."""
    directory = ledger_directory(Config.load(None, os.environ).orchestrator.ledger, os.environ)
    if arguments.action == "show":
        return _show(arguments, directory)
    if arguments.id:
        raise UsageError("runs list takes no ID; name one with: orchestrator runs show ID")
    last = [] if directory is None else list(islice(runs_of(directory), arguments.last))
    runs = last[::-1]
    nothing = [f"the ledger holds no run: {directory or 'it is not kept'}"]
    rows = [
        (str(one.get("id")), str(one.get("at"))[:19], str(one.get("operation")),
         str(one.get("outcome")), str(len(one["rounds"])), _usd(one.get("billed_usd")))
        for one in runs
    ]  # fmt: skip
    header = ("id", "ended (UTC)", "operation", "outcome", "answers", "USD")
    echo_result(arguments, runs, table(header, rows) if runs else nothing)
    return GOOD


def _show(arguments: argparse.Namespace, directory: Path | None) -> int:
    if not arguments.id:
        raise UsageError("runs show takes an ID; see: orchestrator runs list")
    line: Run = {}
    for one in () if directory is None else runs_of(directory, arguments.id):
        if line and one.get("id") != line["id"]:
            raise UsageError(f"several runs begin with {arguments.id!r}; name more of the ID")
        line = line or one
        if line["id"] == arguments.id:
            break
    run_id = str(line.get("id", arguments.id))
    kept = _kept(run_id)
    if not kept and not line:
        raise UsageError(f"no run begins with {arguments.id!r}; see: orchestrator runs list")
    answers = [_answer(one) for one in kept] or [_round(one) for one in line["rounds"]]
    facts = ("at", "operation", "route", "outcome", "billed_usd")
    value = {"id": run_id, **{name: line.get(name) for name in facts}, "answers": answers}
    echo_result(arguments, value, _lines(value, answers, is_kept=bool(kept)))
    return GOOD


def _kept(run_id: str) -> tuple[KeptAttempt, ...]:
    settings = Config.load(None, os.environ).orchestrator
    ledger = ledger_directory(settings.ledger, os.environ)
    if ledger is None or not (ledger / "runs").is_dir():
        return ()
    with contextlib.closing(failed_runs_of(ledger, settings.cache, os.environ)) as store:
        return failed_run(store, run_id)


def _answer(one: KeptAttempt) -> Run:
    """An answer with everything that is kept of it."""
    answer, report = one.answer, one.report
    return {
        "purpose": one.purpose,
        "reason": one.reason,
        "deployment": answer.deployment,
        "model": answer.model,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "cost_usd": answer.cost_usd,
        "cached": answer.cached,
        "finish": answer.finish,
        "kind": Evaluation(one.kind, None, "", report).kind,
        "findings": [d.as_dict() for d in report.diagnostics],
        "repairs": [d.as_dict() for d in report.repairs],
        "text": answer.said,
    }


def _round(one: Mapping[str, Any]) -> Run:
    """What the ledger says of an answer whose text is not kept."""
    usage = one.get("usage", {})
    same = ("purpose", "reason", "deployment", "model", "cached", "finish", "kind")
    return {
        **{name: one.get(name) for name in same},
        "prompt_tokens": usage.get("prompt_tokens"),
        "completion_tokens": usage.get("completion_tokens"),
        "cost_usd": None,
        "findings": [{"code": code} for code in one.get("codes", ())],
        "repairs": [{"code": code} for code in one.get("repairs", ())],
        "text": None,
    }


def _lines(value: Run, answers: Sequence[Run], *, is_kept: bool) -> Iterator[str]:
    said = [str(value[name]) for name in ("operation", "outcome", "at") if value[name]]
    yield f"run {value['id']}: {', '.join(said) or 'not in the ledger'}"
    for number, one in enumerate(answers, 1):
        why = f" ({one['reason']})" if one["reason"] else ""
        source = f"{'the cache, first ' if one['cached'] else ''}{one['deployment']}"
        tokens = f"{one['prompt_tokens']} + {one['completion_tokens']} tokens"
        yield ""
        yield f"[{number}] {one['purpose']}{why}: {one['kind']}"
        yield f"    {source} ({one['model']}), {tokens}, {_usd(one['cost_usd'])} USD"
        for mark, name in (("", "findings"), (" [repaired]", "repairs")):
            for found in one[name]:
                yield f"    {found['code']}{mark}: {found.get('message', '')}".removesuffix(": ")
        if one["text"] is not None:
            yield from str(one["text"]).split("\n")
    if not is_kept:
        yield ""
        yield (
            "The texts are not kept: those of an accepted run are in the cache (orchestrator"
            " cache list), those of a failed one are kept for 30 days unless the cache is off."
        )


def _usd(value: float | None) -> str:
    return "?" if value is None else f"{value:.6f}"
