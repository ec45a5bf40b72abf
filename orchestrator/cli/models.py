"""`orchestrator models`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, say, say_json, table
from orchestrator.config.settings import Config, cache_directory, output_modes
from orchestrator.models.deployments import deployments_of
from orchestrator.routing.output_modes import MODES_FILE, RefusedModes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from orchestrator.models.deployments import Deployment


def run(arguments: argparse.Namespace) -> int:
    """Who can be called, who serves which route, and who was left out and why."""
    config = Config.load(None, os.environ)
    found = deployments_of(config, os.environ)
    modes = RefusedModes(cache_directory(config.orchestrator.cache, os.environ) / MODES_FILE)
    if arguments.forget_modes:
        say(f"forgot what was learned of {modes.forget()} deployments")
        return GOOD
    if arguments.modes:
        return _modes(arguments, found.ready, modes)
    if arguments.json:
        say_json(
            {
                "config": config.source,
                "ready": [{"group": r.group, "model": r.model, "id": r.id} for r in found.ready],
                "dropped": [
                    {"group": d.group, "model": d.model, "reason": d.reason} for d in found.skipped
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
    if found.skipped:
        say()
        left = [(d.group, d.model, d.reason) for d in found.skipped]
        for line in table(("left out", "model", "because"), left):
            say(line)
    return GOOD


def _modes(arguments: argparse.Namespace, ready: Sequence[Deployment], modes: RefusedModes) -> int:
    """Which output modes each deployment is asked in, and what it did with the stricter ones."""
    rows = []
    for one in ready:
        refused = modes.refused(one)
        left = [mode for mode in output_modes("auto") if mode not in refused]
        asked = "prompt" if one.provider == "offline" else left[0]
        rows.append((one, asked, refused))
    if arguments.json:
        say_json([
            {
                "id": one.id, "model": one.model, "mode": asked,
                "refused": {str(mode): about for mode, about in refused.items()},
            }
            for one, asked, refused in rows
        ])  # fmt: skip
        return GOOD
    shown = [
        (
            one.id, one.model, asked,
            "; ".join(f"{mode} {about['why']}" for mode, about in refused.items()) or "-",
        )
        for one, asked, refused in rows
    ]  # fmt: skip
    for line in table(("id", "model", "is asked for", "learned"), shown):
        say(line)
    return GOOD
