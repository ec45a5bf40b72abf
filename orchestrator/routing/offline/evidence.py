"""Which curated model a sentence is about: on clear evidence, else none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.examples import words_of
from orchestrator.gmn.request.tokens import words
from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.examples import Example
    from orchestrator.gmn.request.commitment import RequestReading

#: Words of which one has to be there, and words that the sentence may have besides.
_SIGNS = {
    "bandit": ("bandit bandits", "arm armed player better change pull hint"),
    "coordinator": (
        "coordinator coordinates coordinate dispatcher workers workload",
        "dispatcher sends jobs shorter queues teams tasks overloaded something",
    ),
    "diagnosis": ("doctor physician disease diseases", "treat treating treatment test tests find"),
    "foraging": ("forager forages foraging forage", "nest food patches starve"),
    "patrol": ("patrol patrols patrolling guard", "intruder posts robot ring find"),
    "support": ("customer customers", "support dialog agent asks answers clarifying questions"),
    "thermostat": ("thermostat", "room cold warm heating cooling noisy thermometer keeps"),
    "tmaze": ("t-maze tmaze", "rat cue cheese arm left right says where look"),
    "trader": (
        "trader trades trading market",
        "buys sells holds buy sell hold signal noisy hidden trend regimes losses gains watches",
    ),
    "umbrella": ("umbrella", "forecast unreliable decides take rain"),
    "warehouse": ("warehouse parcel parcels", "robot picks delivers dock grid"),
}
#: Shares of the words that tell which are unknown to the model and its signs; more of them where
#: the type that is asked for says the same.
_MOST_STRANGE, _MOST_OF_TYPE = 1 / 3, 2 / 3
_WORD = pattern(r"[a-z]+(?:-[a-z]+)*")


def evident(
    reading: RequestReading, agent_type: str, examples: Sequence[Example]
) -> tuple[Example, str] | None:
    """The curated model that a sentence names, with the word that does; None for none or several.

    A type that was asked for is such a word where the sentence itself says nothing.
    """
    said = dict.fromkeys(_WORD.findall(reading.text.casefold()))
    signs = {e.name: words(_SIGNS.get(e.name, ("", ""))[0]) for e in examples}
    found = [(e, sign) for e in examples for sign in said if sign in signs[e.name]]
    kinds = list(dict.fromkeys(example.name for example, _ in found))
    if len(kinds) > 1:
        found = [(e, sign) for e, sign in found if e.agent_type == agent_type != "general"]
    if found and len({e.name for e, _ in found}) == 1:
        most = _MOST_OF_TYPE if found[0][0].agent_type == agent_type != "general" else _MOST_STRANGE
        return found[0] if _is_about(reading, found[0][0], most) else None
    by_type = [e for e in examples if e.agent_type == agent_type not in ("general", "explorer")]
    if by_type and not kinds and not reading.commitments and not reading.effects:
        strange = {
            word for word in reading.not_understood if not words_of(word) <= _known(by_type[0])
        }
        return (by_type[0], f"type {agent_type}") if not strange else None
    return None


def _known(example: Example) -> frozenset[str]:
    signs = " ".join(_SIGNS.get(example.name, ("", "")))
    return example.words | words_of(signs)


def _is_about(reading: RequestReading, example: Example, most: float) -> bool:
    """Whether few words of the sentence are strange to a curated model."""
    own = words_of(reading.text)
    strange = words_of(" ".join(reading.not_understood)) - _known(example)
    return len(strange) <= most * max(len(own), 3)
