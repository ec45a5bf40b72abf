"""`orchestrator keys create|list|revoke`."""

from __future__ import annotations

import datetime
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, UsageError, echo_result, echo_stderr, table
from orchestrator.config.settings import Config
from orchestrator.types.errors import MissingExtraError

if TYPE_CHECKING:
    import argparse

    from orchestrator.server.keys import Key, Keys


def run(arguments: argparse.Namespace) -> int:
    """Make, list or revoke keys of tenants; a key is shown once."""
    keys = _keys()
    return {"create": _create, "list": _list, "revoke": _revoke}[arguments.action](arguments, keys)


def _keys() -> Keys:
    try:
        from orchestrator.agents.database import open_database  # noqa: PLC0415  an extra
        from orchestrator.server.keys import Keys  # noqa: PLC0415
        from orchestrator.server.service import database_url  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("Keys of tenants", "server") from error
    settings = Config.load(None, os.environ).orchestrator.server
    return Keys(open_database(database_url(settings)))


def _create(arguments: argparse.Namespace, keys: Keys) -> int:
    from orchestrator.server.keys import usd_per_day  # noqa: PLC0415

    if not arguments.tenant:
        raise UsageError("whose key is it? Name the tenant: --tenant NAME")
    budget = usd_per_day(arguments.budget) if arguments.budget else None
    text, key = keys.create(arguments.tenant, usd_per_day=budget, rpm=arguments.rpm)
    echo_result(arguments, {"key": text, **asdict(key)}, [text])
    echo_stderr("This key is not shown again: only its hash is kept.")
    return GOOD


def _list(arguments: argparse.Namespace, keys: Keys) -> int:
    found = keys.all()
    header = ("id", "tenant", "budget", "a minute", "since", "state")
    rows = [_row(key) for key in found]
    echo_result(arguments, [asdict(key) for key in found], table(header, rows))
    return GOOD


def _row(key: Key) -> tuple[str, ...]:
    since = datetime.datetime.fromtimestamp(key.created_at, datetime.UTC)
    return (
        key.id,
        key.tenant,
        "" if key.usd_per_day is None else f"{key.usd_per_day:g} USD a day",
        "" if key.rpm is None else str(key.rpm),
        f"{since:%Y-%m-%d}",
        "valid" if key.revoked_at is None else "revoked",
    )


def _revoke(arguments: argparse.Namespace, keys: Keys) -> int:
    if not arguments.id:
        raise UsageError("which key? orchestrator keys list shows the ids")
    if not keys.revoke(arguments.id):
        raise UsageError(f"there is no valid key {arguments.id!r}; orchestrator keys list")
    echo_result(arguments, {"revoked": arguments.id}, [f"{arguments.id} is revoked"])
    return GOOD
