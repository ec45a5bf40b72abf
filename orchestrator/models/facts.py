"""What is known about a model: each statement with its source and date, and yes, no or unknown.

An absent statement is unknown, and nothing unknown counts as yes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestrator.models.deployment import Deployment
    from orchestrator.models.table import Table

#: Facts that are yes or no, with their key in `model_info` and in LiteLLM's table.
ABILITIES: Mapping[str, str] = {
    **{
        name: f"supports_{name}"
        for name in (
            "vision", "audio_input", "audio_output", "pdf_input", "video_input",
            "function_calling", "parallel_function_calling", "tool_choice", "response_schema",
            "json_object", "system_messages", "reasoning", "prompt_caching", "web_search",
        )
    },
    "streaming": "supports_native_streaming",
    "stream_usage": "supports_stream_usage",
}  # fmt: skip
#: Facts that are tokens.
LIMITS = {"max_context_window": "max_input_tokens", "max_output_tokens": "max_output_tokens"}
#: Facts that are dollars per token.
PRICES = ("input_cost_per_token", "output_cost_per_token")
NAMES = (*ABILITIES, *LIMITS, *PRICES)
CONFIGURED, HERE = "configuration", "runs on this machine"

FactValue = bool | int | float


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement about a model.

    Attributes:
        value: whether it can, how many tokens, or dollars per token.
        source: who says so.
        at: when it was found out, ISO 8601; empty where the source does not say.
    """

    value: FactValue
    source: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What several sources say about one deployment, or about the weakest of a group.

    Attributes:
        said: the statements by the name of the fact, the one that counts first.
    """

    said: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> FactValue | None:
        """The value that counts; None for unknown."""
        found = self.said.get(name)
        return found[0].value if found else None

    def disputed(self) -> tuple[str, ...]:
        """The facts about which sources disagree."""
        return tuple(n for n, said in self.said.items() if len({one.value for one in said}) > 1)


def facts_of(
    one: Deployment, table: Table, *, found: Iterable[Mapping[str, Fact]] = (),
    catalogue: Mapping[str, Fact] | None = None, source: str = "LiteLLM",
) -> Facts:  # fmt: skip
    """The facts of a deployment.

    In this order, the first that speaks counts: its configuration, `found` (a probe, then what
    calls have taught), LiteLLM's table, a second catalogue. `source` is the name of the table.
    """
    stated = stated_in({**one.model_info, **one.params.value})
    here = dict.fromkeys(PRICES, 0.0) if one.is_local else {}
    entry = stated_in(one.entry_in(table))
    return combined(
        [
            _by(CONFIGURED, stated),
            *found,
            _by(HERE, here),
            _by(source, entry),
            catalogue or {},
        ]
    )


def combined(sources: Iterable[Mapping[str, Fact]]) -> Facts:
    """What sources say together, the strongest first."""
    said: dict[str, list[Fact]] = {}
    for one in sources:
        for name, fact in one.items():
            said.setdefault(name, []).append(fact)
    return Facts({name: tuple(said[name]) for name in NAMES if name in said})


def minimum(every: Sequence[Facts]) -> Facts:
    """The facts of a group: what each deployment can, the smallest limit, the dearest price.

    One "no" is a no; else one unknown makes it unknown.
    """
    if len(every) == 1:
        return every[0]
    said: dict[str, tuple[Fact, ...]] = {}
    for name in NAMES:
        stated = [facts.said[name] for facts in every if facts.said.get(name)]
        if not stated:
            continue
        worst = max if name in PRICES else min
        least = worst(stated, key=lambda found: found[0].value)
        if len(stated) == len(every) or least[0].value is False:
            said[name] = least
    return Facts(said)


def _by(source: str, values: Mapping[str, FactValue], at: str = "") -> dict[str, Fact]:
    return {name: Fact(value, source, at) for name, value in values.items()}


def stated_in(entry: Mapping[str, Any]) -> dict[str, FactValue]:
    """The facts in a `model_info`, or in an entry of LiteLLM's table.

    A price of 0 beside another price (per second, per character) is not a price.
    """
    if not entry:  # as of two sources of three, for most models of the table
        return {}
    made: dict[str, FactValue] = {
        name: entry[key] for name, key in ABILITIES.items() if isinstance(entry.get(key), bool)
    }
    for name, key in LIMITS.items():
        if (number := _number(entry.get(key))) is not None and number >= 1:
            made[name] = int(number)
    prices = {n: p for n in PRICES if (p := _number(entry.get(n))) is not None}
    if any(prices.values()) or not any(_other_prices(entry)):
        made.update(prices)
    return made


def _other_prices(entry: Mapping[str, Any]) -> Iterator[bool]:
    for key, value in entry.items():
        if "cost" in key and key not in PRICES and not key.startswith("search_context"):
            yield (_number(value) or 0.0) > 0
    yield bool(entry.get("tiered_pricing"))


def _number(value: object) -> float | None:
    """A number that is neither negative, nor infinite, nor a truth value; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
