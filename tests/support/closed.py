"""Models that answer the closed questions of staged mode: at random, by a key, or not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.types.requests import Answer, Request, Usage
from orchestrator.types.run_context import RunContext

#: By the name of a slot, its choices.
Slots = Mapping[str, list[str]]


def slots_of(schema: Mapping[str, Any]) -> Slots:
    """The slots of the schema of a closed question, each with its choices."""
    return {name: part["enum"] for name, part in schema["properties"].items()}


def is_closed(schema: Mapping[str, Any] | None) -> bool:
    """Whether a schema is that of a closed question: an object of choices, and nothing else."""
    parts = (schema or {}).get("properties", {}).values()
    return bool(parts) and all(set(part) == {"type", "enum"} for part in parts)


def at_random(seed: int) -> Callable[[Slots], str]:
    """A model that follows its grammar, and nothing else."""
    rng = random.Random(seed)
    return lambda slots: json.dumps({name: rng.choice(choices) for name, choices in slots.items()})


def by_key(key: Mapping[str, str]) -> Callable[[Slots], str]:
    """A model that knows the answers: by slot, its choice; the last one where it knows none."""
    return lambda slots: json.dumps(
        {n: key[n] if key.get(n) in c else c[-1] for n, c in slots.items()}
    )


@dataclass
class Answering:
    """A completer that answers closed questions by a function, and anything else with `whole`."""

    answer: Callable[[Slots], str]
    whole: str = "I would rather talk about the weather."
    asked: list[Request] = field(default_factory=list)

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """The answer, with its tokens counted as four characters each."""
        del context
        self.asked.append(request)
        text = self.whole
        if request.schema is not None and is_closed(request.schema):
            text = self.answer(slots_of(request.schema))
        usage = Usage(sum(len(turn.text) for turn in request.messages) // 4, -(-len(text) // 4))
        return Answer(text, usage=usage, deployment="small", cost_usd=0.0, billed_usd=0.0)
