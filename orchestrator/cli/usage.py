"""`orchestrator usage`."""

from __future__ import annotations

import datetime
import os
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, say, say_json, table
from orchestrator.config.settings import Config, ledger_directory
from orchestrator.ledger.ledger import lines_of
from orchestrator.ledger.usage import Sum, bars, since_of, sums

if TYPE_CHECKING:
    import argparse

_HEADER = ("", "requests", "calls", "failed", "hits", "prompt", "answer", "USD", "p50")


def run(arguments: argparse.Namespace) -> int:
    """What was asked and what it took, as a table and a bar chart."""
    since = since_of(arguments.since, datetime.datetime.now(datetime.UTC))
    directory = ledger_directory(Config.load(None, os.environ).orchestrator.ledger, os.environ)
    lines = [] if directory is None else list(lines_of(directory, since=since))
    found = sums(lines, arguments.by)
    if arguments.json:
        by_name = {name: entry.as_dict() for name, entry in found.items()}
        say_json({"ledger": str(directory), "since": since, "by": arguments.by, "sums": by_name})
        return GOOD
    if not found:
        say(f"nothing is booked{f' since {since}' if since else ''} in {directory}")
        return GOOD
    for line in table((arguments.by, *_HEADER[1:]), [_row(n, e) for n, e in found.items()]):
        say(line)
    has_cost = any(entry.usd for entry in found.values())
    say(f"\n{'USD' if has_cost else 'tokens'} by {arguments.by}")
    values = {
        name: entry.usd if has_cost else float(entry.prompt_tokens + entry.completion_tokens)
        for name, entry in found.items()
    }
    for line in bars(values):
        say(line)
    return GOOD


def _row(name: str, entry: Sum) -> tuple[str, ...]:
    unpriced = f" + {entry.unpriced} unpriced" if entry.unpriced else ""
    counts = (entry.requests, entry.calls, entry.failed, entry.hits)
    tokens = (entry.prompt_tokens, entry.completion_tokens)
    return (
        name,
        *map(str, counts),
        *map(str, tokens),
        f"{entry.usd:.4f}{unpriced}",
        f"{entry.p50_s:.2f} s",
    )
