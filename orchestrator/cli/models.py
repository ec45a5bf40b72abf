"""`orchestrator models`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, echo_result, table
from orchestrator.config.settings import Config, cache_directory, output_modes
from orchestrator.models.deployments import deployments_of
from orchestrator.routing.output_modes import MODES_FILE, RefusedModes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from orchestrator.models.deployments import Deployment, Deployments


def run(arguments: argparse.Namespace) -> int:
    """Print the deployments, the routes, and the skipped deployments with their reasons."""
    config = Config.load(None, os.environ)
    found = deployments_of(config, os.environ)
    modes = RefusedModes(cache_directory(config.orchestrator.cache, os.environ) / MODES_FILE)
    if arguments.forget_modes:
        count = modes.forget()
        words = f"forgot the output modes of {count} deployments"
        echo_result(arguments, {"forgotten": count}, [words])
        return GOOD
    if arguments.modes:
        return _modes(arguments, found.ready, modes)
    value = {
        "config": config.source,
        "ready": [{"group": r.group, "model": r.model, "id": r.id} for r in found.ready],
        "dropped": [
            {"group": d.group, "model": d.model, "reason": d.reason} for d in found.skipped
        ],
        "routes": {role: list(groups) for role, groups in found.routes.items()},
    }
    echo_result(arguments, value, _lines(config, found))
    return GOOD


def _lines(config: Config, found: Deployments) -> Iterator[str]:
    yield f"config: {config.source}"
    yield ""
    yield from table(("group", "model", "id"), [(r.group, r.model, r.id) for r in found.ready])
    yield ""
    routes = [(role, ", then ".join(groups)) for role, groups in found.routes.items()]
    yield from table(("route", "model groups"), routes)
    if found.skipped:
        yield ""
        skipped = [(d.group, d.model, d.reason) for d in found.skipped]
        yield from table(("left out", "model", "because"), skipped)


def _modes(arguments: argparse.Namespace, ready: Sequence[Deployment], modes: RefusedModes) -> int:
    """Print the output mode used for each deployment, and the stricter ones it refused."""
    value: list[dict[str, object]] = []
    rows: list[tuple[str, ...]] = []
    for one in ready:
        refused = modes.refused(one)
        left = [mode for mode in output_modes("auto") if mode not in refused]
        used = "prompt" if one.provider == "offline" else left[0]
        reasons = "; ".join(f"{mode} {about['why']}" for mode, about in refused.items())
        by_mode = {str(mode): about for mode, about in refused.items()}
        value.append({"id": one.id, "model": one.model, "mode": used, "refused": by_mode})
        rows.append((one.id, one.model, used, reasons or "-"))
    echo_result(arguments, value, table(("id", "model", "is asked for", "learned"), rows))
    return GOOD
