"""Recordings of answers as files for git: one readable JSON file for each question.

A project's tests replay them without a key and without a network; what changed is a diff.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from orchestrator.cache.keys import as_kept
from orchestrator.ledger.private import write_private
from orchestrator.parsing.bounds import json_value
from orchestrator.types.cached import cached_property
from orchestrator.types.errors import ConfigError
from orchestrator.types.visible import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.cache.keys import Question

#: Which deployments were asked when it was recorded; a replay has no keys to find that out.
ROUTES = "routes.json"
_KEY = re.compile(r"[0-9a-f]{64}")
#: A word as people write them: what is mixed with digits, dots or signs may be a key or an address.
_WORD = re.compile(r"(?<![^\s(\"'])[A-Z]?[a-z]{1,12}(?=[.,;:!?)\"']*(?:\s|$))")


class Cassette:
    """Answers in a directory; the same doors as the store."""

    is_remote = False

    def __init__(self, directory: Path, clean: Callable[[Any], Any] = lambda value: value) -> None:
        """Nothing is read or made yet; `clean` takes the secrets out of what is recorded."""
        self.directory = directory
        self._clean = clean

    def get(self, key: str) -> Any:
        """What was recorded under `key`, None when nothing was."""
        entry = self._files.get(key)
        return None if entry is None else entry["answer"]

    def put(
        self, key: str, value: object, *, question: Question, max_age_s: float = 0.0, tag: str = ""
    ) -> None:
        """Record an answer; a recording has no age.

        Raises: ConfigError: the directory cannot be written.
        """
        del max_age_s, tag
        asked = self._clean(as_kept(question))
        entry = {"key": key, "question": asked, "answer": self._clean(value)}
        self._write(f"{_label(asked)}-{key[:12]}.json", entry)
        self._files[key] = entry

    def delete(self, keys: Iterable[str]) -> None:
        """Keep them: a recording of a run that failed is a recording too."""

    def questions(self) -> Iterator[tuple[str, Question]]:
        """Everything that was recorded, by key."""
        for key, entry in self._files.items():
            yield key, entry["question"]

    def load(self) -> None:
        """Read every recording now.

        Raises: ConfigError: a file there is not a recording.
        """
        _ = self._files

    def note_routes(self, routes: Mapping[str, object]) -> None:
        """Record which deployments are asked, for the replay."""
        if self.routes != routes:
            self._write(ROUTES, dict(routes))

    @property
    def routes(self) -> dict[str, Any]:
        """Which deployments were asked at the recording; empty for no recording."""
        path = self.directory / ROUTES
        return _read(path) if path.is_file() else {}

    @cached_property
    def _files(self) -> dict[str, dict[str, Any]]:
        found = {}
        for path in sorted(self.directory.glob("*.json")):
            if path.name == ROUTES:
                continue
            entry = _read(path)
            is_whole = {"question", "answer"} <= entry.keys()
            if not is_whole or not _KEY.fullmatch(str(entry.get("key"))):
                fix = "Remove it, or record again."
                raise ConfigError(str(path), "it is not a recording", fix=fix)
            found[entry["key"]] = entry
        return found

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        text = json_text(content, indent=2, sort_keys=True)
        try:
            write_private(self.directory / name, f"{text}\n".encode())
        except OSError as error:
            raise ConfigError(
                "orchestrator.cache.cassette",
                f"{str(self.directory)!r} cannot be written ({error.strerror})",
            ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), f"it cannot be read ({error})", fix="Record again.") from error
    return found if isinstance(found, dict) else {}


def _label(question: Mapping[str, Any]) -> str:
    """A few plain words of what was asked, for the name of the file."""
    messages = question.get("messages") or question.get("arguments", {}).get("messages") or []
    last = messages[-1] if messages else ""
    said = last[-1] if isinstance(last, list) else last
    said = said.get("content", "") if isinstance(said, dict) else said
    return "-".join(_WORD.findall(str(said))[-6:]).lower() or "question"
