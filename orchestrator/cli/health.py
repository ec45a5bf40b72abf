"""`orchestrator health`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.client_call import call_client
from orchestrator.cli.output import GOOD, PROVIDER, echo_result, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.models.health import Health, HealthReport

_HEADER = ("available", "success", "attempts", "average", "p95", "last failure", "because")


def run(arguments: argparse.Namespace) -> int:
    """Print the health of every provider and deployment; exit 3 when none can be called."""
    found = call_client(lambda orc: orc.health_check(probe=arguments.probe))
    echo_result(arguments, found.as_dict(), _lines(found))
    return GOOD if found.available else PROVIDER


def _lines(found: HealthReport) -> Iterator[str]:
    for kind, every in (("provider", found.providers), ("deployment", found.deployments)):
        yield from table((kind, *_HEADER), [_row(one) for one in every])
        yield ""
    if not any(one.attempts for one in found.deployments):
        yield "Nothing was asked in the last day; --probe asks each deployment for one token."


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
