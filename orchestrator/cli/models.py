"""`orchestrator models`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, say, say_json, table
from orchestrator.config import Config
from orchestrator.routing import deployments_of

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Who can be called, who serves which route, and who was left out and why."""
    config = Config.load(None, os.environ)
    found = deployments_of(config, os.environ)
    if arguments.json:
        say_json(
            {
                "config": config.source,
                "ready": [{"group": r.group, "model": r.model, "id": r.id} for r in found.ready],
                "dropped": [
                    {"group": d.group, "model": d.model, "reason": d.reason} for d in found.dropped
                ],
                "routes": {role: list(groups) for role, groups in found.routes.items()},
            }
        )
        return GOOD
    say(f"config: {config.source}\n")
    for line in table(("group", "model", "id"), [(r.group, r.model, r.id) for r in found.ready]):
        say(line)
    say()
    routes = [(role, ", then ".join(groups)) for role, groups in found.routes.items()]
    for line in table(("route", "model groups"), routes):
        say(line)
    if found.dropped:
        say()
        left = [(d.group, d.model, d.reason) for d in found.dropped]
        for line in table(("left out", "model", "because"), left):
            say(line)
    return GOOD
