"""`orchestrator models`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, UsageError, echo_result, table
from orchestrator.config.settings import Config, cache_directory, output_modes
from orchestrator.models.deployments import deployments_of
from orchestrator.models.refused_modes import MODES_FILE, RefusedModes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from orchestrator.models.deployment import Deployment
    from orchestrator.models.groups import Deployments

#: Options that ask for facts about models.
_WISHES = ("capable", "min_context", "sort", "everywhere")
#: What goes with an action, or with one of the first two options.
_TOGETHER = {
    "modes": {"modes"}, "forget_modes": {"forget_modes"}, "list": set(_WISHES), "show": {"name"},
    "probe": {"name", "plan"}, "sync": {"catalog"},
}  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print the deployments, the routes, and the skipped deployments with their reasons."""
    _refuse_odd_company(arguments)
    if arguments.action != "list" or any(getattr(arguments, name) for name in _WISHES):
        from orchestrator.cli import models_known  # noqa: PLC0415  the bare command stays fast

        return models_known.run(arguments)
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


def _refuse_odd_company(arguments: argparse.Namespace) -> None:
    """Raises: UsageError: an option that would have no effect with what else is asked."""
    given = {name for of in _TOGETHER.values() for name in of if getattr(arguments, name)}
    what = next((name for name in ("modes", "forget_modes") if name in given), arguments.action)
    for name in sorted(given - _TOGETHER[what]):
        asked = f"--{what.replace('_', '-')}" if what != arguments.action else f"models {what}"
        if name == "name":
            fix = f"; try models show {arguments.name}" if what == "list" else ""
            raise UsageError(f"{asked} takes no name{fix}")
        option = "--all" if name == "everywhere" else f"--{name.replace('_', '-')}"
        with_it = [one for one in ("list", "show", "probe", "sync") if name in _TOGETHER[one]]
        fix = f"; it goes with models {with_it[0]}" if with_it and with_it[0] != what else ""
        raise UsageError(f"{option} does not go with {asked}{fix}")


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
        learned = [f"{mode} {about['why']}" for mode, about in refused.items()]
        if why := modes.is_staged(one):
            used, learned = "staged", [*learned, f"staged {why}"]
        reasons = "; ".join(learned)
        by_mode = {str(mode): about for mode, about in refused.items()}
        value.append({"id": one.id, "model": one.model, "mode": used, "refused": by_mode})
        rows.append((one.id, one.model, used, reasons or "-"))
    echo_result(arguments, value, table(("id", "model", "is asked for", "learned"), rows))
    return GOOD
