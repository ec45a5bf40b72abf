"""Which output modes each deployment has refused or ignored, remembered on disk.

What a model takes is a fact to be learned: LiteLLM's table is only a first guess.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from orchestrator.ledger.usage import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.models.deployments import Deployment
    from orchestrator.types.requests import OutputMode

_log = logging.getLogger(__name__)
MODES_FILE = "modes.json"  # in the cache directory


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

    def note(self, one: Deployment, mode: OutputMode, why: str) -> None:
        """Remember that a mode does not work; what other processes learned is kept."""
        refused = {**self.refused(one), mode: {"why": why, "at": stamp()}}
        self._known[one.id] = {"model": one.model, "refused": refused}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Several may learn at once, in this process and in others.
            with FileLock(self.path.with_suffix(".lock"), thread_local=False):
                self._write({**self._read(), one.id: self._known[one.id]})
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
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read (%s): output modes are learned anew.", self.path, error)
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, known: Mapping[str, Any]) -> None:
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix="modes-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(known, file, indent=1)
        os.replace(name, self.path)  # noqa: PTH105  whole or not at all
