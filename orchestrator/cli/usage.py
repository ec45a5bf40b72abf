"""`orchestrator usage`."""

from __future__ import annotations

import datetime
import os
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, echo_result, table
from orchestrator.config.settings import Config, ledger_directory
from orchestrator.ledger.months import sums_of
from orchestrator.ledger.usage import Sum, bars, since_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

_HEADER = ("requests", "calls", "failed", "hits", "prompt", "answer", "USD", "p50")


def run(arguments: argparse.Namespace) -> int:
    """Print requests, calls, tokens and cost from the ledger, as a table and a bar chart."""
    since = since_of(arguments.since, datetime.datetime.now(datetime.UTC))
    directory = ledger_directory(Config.load(None, os.environ).orchestrator.ledger, os.environ)
    found = {} if directory is None else sums_of(directory, arguments.by, since=since)
    by_name = {name: entry.as_dict() for name, entry in found.items()}
    value = {"ledger": str(directory), "since": since, "by": arguments.by, "sums": by_name}
    nothing = f"the ledger holds no request{f' since {since}' if since else ''}: {directory}"
    echo_result(arguments, value, _lines(found, arguments.by) if found else [nothing])
    return GOOD


def _lines(found: Mapping[str, Sum], by: str) -> Iterator[str]:
    yield from table((by, *_HEADER), [_row(name, entry) for name, entry in found.items()])
    has_cost = any(entry.usd for entry in found.values())
    yield ""
    yield f"{'USD' if has_cost else 'tokens'} by {by}"
    yield from bars(
        {
            name: entry.usd if has_cost else float(entry.prompt_tokens + entry.completion_tokens)
            for name, entry in found.items()
        }
    )


def _row(name: str, entry: Sum) -> tuple[str, ...]:
    marks = f" + {entry.unpriced} unpriced" if entry.unpriced else ""
    marks += f" ({entry.estimated} estimated)" if entry.estimated else ""
    counts = (entry.requests, entry.calls, entry.failed, entry.hits)
    tokens = (entry.prompt_tokens, entry.completion_tokens)
    cost, median = f"{entry.usd:.4f}{marks}", f"{entry.p50_s:g} s"
    return (name, *map(str, counts), *map(str, tokens), cost, median)
