"""`orchestrator health`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, PROVIDER, say, say_json, table
from orchestrator.client.orchestrator import Orchestrator

if TYPE_CHECKING:
    import argparse

    from orchestrator.models.health import Health, HealthReport

_HEADER = ("", "available", "success", "attempts", "average", "p95", "last failure", "because")


def run(arguments: argparse.Namespace) -> int:
    """How every provider and deployment fares; exit 3 when nothing can be called."""
    found = asyncio.run(_found(probe=arguments.probe))
    if arguments.json:
        say_json(found.as_dict())
    else:
        for kind, every in (("provider", found.providers), ("deployment", found.deployments)):
            for line in table((kind, *_HEADER[1:]), [_row(one) for one in every]):
                say(line)
            say()
        if not any(one.attempts for one in found.deployments):
            say("Nothing was asked in the last day; --probe asks each deployment for one token.")
    return GOOD if found.available else PROVIDER


async def _found(*, probe: bool) -> HealthReport:
    async with Orchestrator() as orc:
        return await orc.health_check(probe=probe)


def _row(one: Health) -> tuple[str, ...]:
    return (
        one.name,
        "yes" if one.available else "no",
        "" if one.success_rate is None else f"{one.success_rate:g}%",
        str(one.attempts),
        "" if one.average_s is None else f"{one.average_s:.2f} s",
        "" if one.p95_s is None else f"{one.p95_s:.2f} s",
        f"{one.last_failure[:19]} {one.last_error}".strip(),
        one.reason,
    )
