"""Which output modes each deployment has refused or ignored.

What a model takes is a fact to be learned: LiteLLM's table is only a first guess. What was learned
is remembered on disk.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.ledger.private import private_lock, write_private
from orchestrator.ledger.usage import stamp
from orchestrator.models.facts import Fact
from orchestrator.parsing.bounds import json_value
from orchestrator.types.cached import cached_property
from orchestrator.types.requests import OutputMode
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.models.deployment import Deployment

_log = logger_of(__name__)
MODES_FILE = "modes.json"  # in the cache directory
#: Why a mode is not used with a server that takes it: whole documents run on and on.
ENDLESS = "its answers do not end in it"
#: The ability that a mode needs.
NEEDS = {
    OutputMode.JSON_SCHEMA: "response_schema",
    OutputMode.TOOL_CALL: "tool_choice",
    OutputMode.JSON_OBJECT: "json_object",
}


class RefusedModes:
    """The refusals, by deployment; those of another model than the one configured do not count."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _known(self) -> dict[str, Any]:
        return self._read()

    def load(self) -> None:
        """Read the file now."""
        _ = self._known

    def refused(self, one: Deployment) -> Mapping[OutputMode, Mapping[str, str]]:
        """The modes that do not work with a deployment, each with ``why`` and ``at``."""
        entry = self._known.get(one.id, {})
        refused: Mapping[OutputMode, Mapping[str, str]] = entry.get("refused", {})
        return refused if entry.get("model") == one.model else {}

    def is_staged(self, one: Deployment) -> str:
        """Why a deployment is asked in stages; empty where it is not."""
        entry = self._known.get(one.id, {})
        said: Mapping[str, str] = entry.get("staged") or {}
        return said.get("why", "") if entry.get("model") == one.model else ""

    def facts(self, one: Deployment) -> dict[str, Fact]:
        """What calls have taught about a deployment: what it cannot."""
        return {
            ability: Fact(False, "learned from calls", str(refused[mode].get("at", "")))
            for refused in [self.refused(one)]
            for mode, ability in NEEDS.items()
            if mode in refused
        }

    def note(self, one: Deployment, mode: OutputMode, why: str) -> None:
        """Remember that a mode does not work, or with an empty `why` that it does; what other
        processes learned is kept."""
        refused = {known: said for known, said in self.refused(one).items() if known != mode}
        if why:
            refused[mode] = {"why": why, "at": stamp()}
        self._keep(one, {"refused": refused})

    def stage(self, one: Deployment, why: str) -> None:
        """Remember that a deployment is asked in stages, for the reason `why`."""
        self._keep(one, {"staged": {"why": why, "at": stamp()}})

    def _keep(self, one: Deployment, more: Mapping[str, Any]) -> None:
        before = self._known.get(one.id, {})
        before = before if before.get("model") == one.model else {"refused": {}}
        self._known[one.id] = {**before, "model": one.model, **more}
        try:
            # Several may learn at once, in this process and in others.
            with private_lock(self.path.with_suffix(".lock")):
                known = {**self._read(), one.id: self._known[one.id]}
                write_private(self.path, json.dumps(known, indent=1).encode())
        except OSError as error:
            _log.warning("%s cannot be written (%s).", self.path, error)

    def forget(self) -> int:
        """Forget everything; return how many deployments something was known of."""
        count = len(self._known)
        self._known.clear()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        return count

    def _read(self) -> dict[str, Any]:
        try:
            found = json_value(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read (%s): starting without it.", self.path, error)
            return {}
        return found if isinstance(found, dict) else {}
