"""The curated models on disk, and which of them suit a request."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.gmn.formats import coerce, read
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.types.cached import cached_property
from orchestrator.types.errors import GMNError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "agent",
        "as",
        "at",
        "be",
        "by",
        "can",
        "create",
        "for",
        "from",
        "has",
        "have",
        "in",
        "into",
        "is",
        "it",
        "its",
        "make",
        "model",
        "must",
        "of",
        "on",
        "or",
        "should",
        "that",
        "the",
        "their",
        "then",
        "there",
        "they",
        "to",
        "want",
        "wants",
        "which",
        "who",
        "with",
        "world",
    ]
)


@dataclass(frozen=True)
class Example:
    """One curated model.

    Attributes:
        prompt: the sentence it answers.
        text: the file as it was written, comments included.
        words: what it is about, for `score`.
    """

    name: str
    prompt: str
    agent_type: str
    text: str
    words: frozenset[str]

    @cached_property
    def spec(self) -> GMNSpec:
        """The document, checked when it is first needed: most of them never are.

        Raises: GMNError: it is not valid.
        """
        verdict = validate(self.text, run_steps=0)
        if verdict.spec is None or not verdict.report.is_valid:
            first = verdict.report.errors[0]
            raise GMNError(f"{self.name}.gmn is not valid: {first}", report=verdict.report)
        return verdict.spec


@functools.cache
def load(directory: Path) -> tuple[Example, ...]:
    """Every ``*.gmn`` file of `directory`, in the order of their names."""
    return tuple(_example(path) for path in sorted(directory.glob("*.gmn")))


def _example(path: Path) -> Example:
    text = path.read_text(encoding="utf-8")
    head, _, _ = text.partition("\nnode ")  # the agent's block, which is read in no time
    spec = coerce(read(head).tree or {}).spec or GMNSpec()
    words = words_of(f"{spec.meta('prompt')} {path.stem} {spec.description}")
    return Example(path.stem, spec.meta("prompt"), spec.agent_type, text, words)


@functools.lru_cache(maxsize=64)
def words_of(text: str) -> frozenset[str]:
    """The telling words of a sentence, in lower case, plurals and endings cut."""
    found = re.findall(r"[a-z]{3,}", text.lower())
    return frozenset(_stem(word) for word in found if word not in _COMMON)


def _stem(word: str) -> str:
    for ending in ("ing", "er", "or", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def score(prompt: str, agent_type: str, example: Example) -> float:
    """How well an example suits: shared words, and a bonus for the same agent type.

    The words of a prompt are looked for once, however many examples there are.
    """
    shared = len(words_of(prompt) & example.words)
    same = agent_type == example.agent_type and agent_type != "general"
    return shared + (0.5 if same else 0.0)


def choose(
    prompt: str, agent_type: str, examples: Sequence[Example], count: int = 1
) -> tuple[Example, ...]:
    """The `count` examples that suit best; ties go by name, so the choice is deterministic."""
    ranked = sorted(examples, key=lambda e: (-score(prompt, agent_type, e), e.name))
    return tuple(ranked[:count])
