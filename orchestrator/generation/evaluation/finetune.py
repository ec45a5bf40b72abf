"""Keeps accepted results beside the cache and exports them as fine-tuning conversations."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.ledger import jsonl as jsonlines
from orchestrator.ledger.usage import stamp
from orchestrator.models.secrets import Secrets
from orchestrator.types.messages import LLMRole
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from orchestrator.types.requests import Generation, Request

_log = logger_of(__name__)
ACCEPTED = "accepted.jsonl"  # in the cache directory


@dataclass
class Accepted:
    """The file of accepted results; without a path nothing is kept."""

    path: Path | None
    _is_broken: bool = False

    def keep(self, first: Request, made: Generation[Any]) -> None:
        """Append a result, unless the cache answered it and it is already in the file.

        An OSError is logged once and never fails the request.
        """
        if self.path is None or made.cached:
            return
        line = {
            "at": stamp(),
            "contract": first.schema_name,
            "system": [t.text for t in first.messages if t.role is LLMRole.SYSTEM],
            "messages": [
                {"role": str(t.role), "content": t.text}
                for t in first.messages
                if t.role is not LLMRole.SYSTEM
            ],
            "answer": made.text,
            "model": made.model,
            "provider": made.provider,
            "templates": dict(first.templates),
            "calls": len(made.attempts),
        }
        try:
            jsonlines.append(self.path, json.dumps(line, ensure_ascii=False))
        except OSError as error:
            if not self._is_broken:
                self._is_broken = True
                _log.warning("Accepted results cannot be kept in %s (%s).", self.path, error)

    def lines(self) -> list[dict[str, Any]]:
        """All kept results, oldest first."""
        is_there = self.path is not None and self.path.is_file()
        return list(jsonlines.read([self.path])) if is_there and self.path is not None else []


@dataclass(frozen=True, slots=True)
class Examples:
    """Conversations in the chat format of fine-tuning APIs, and their provenance.

    Attributes:
        train, valid: the conversations; a hash of the question decides between the two.
        provenance: one entry per conversation, those of `train` first.
        duplicates: number of repeated questions left out.
        scrubbed: number of secrets removed.
    """

    train: tuple[dict[str, Any], ...]
    valid: tuple[dict[str, Any], ...]
    provenance: tuple[dict[str, Any], ...]
    duplicates: int
    scrubbed: int


def examples_of(
    lines: Iterable[Mapping[str, Any]],
    *,
    secrets: Sequence[str] | Secrets = (),
    valid_percent: int = 10,
) -> Examples:
    """Conversations from kept lines, with the last answer to each question.

    Occurrences of `secrets` and of text that looks like a key are replaced by "[removed]", but for
    the names of providers and models.
    """
    private = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
    kept: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    duplicates = scrubbed = 0
    for line in lines:
        clean, found = private.removed_from(line)
        scrubbed += found
        system = [{"role": "system", "content": words} for words in clean["system"]]
        answer = {"role": "assistant", "content": clean["answer"]}
        example = {"messages": [*system, *clean["messages"], answer]}
        # The system prompt changes with the templates, so it is not part of the key.
        key = hashlib.sha256(json.dumps(clean["messages"]).encode()).hexdigest()
        duplicates += key in kept
        about = {k: clean[k] for k in ("at", "contract", "model", "provider", "templates", "calls")}
        kept[key] = (example, {"question": key[:16], **about})
    sides: dict[bool, list[tuple[dict[str, Any], dict[str, Any]]]] = {True: [], False: []}
    for key, pair in kept.items():
        sides[int(key[:8], 16) % 100 < valid_percent].append(pair)
    return Examples(
        tuple(example for example, _ in sides[False]),
        tuple(example for example, _ in sides[True]),
        tuple(about for side in (False, True) for _, about in sides[side]),
        duplicates,
        scrubbed,
    )
