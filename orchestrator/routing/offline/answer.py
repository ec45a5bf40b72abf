"""The embedded provider's answers: deterministic, adapted to the request, honest about the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrator.gmn.examples import Example, choose, score
from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.formats.schema import as_schema_asks
from orchestrator.gmn.model import Entry
from orchestrator.routing.offline.counts import unmet_counts
from orchestrator.routing.offline.grid import build_grid
from orchestrator.routing.offline.named import build_named
from orchestrator.routing.offline.revise import revise
from orchestrator.routing.offline.rewording import adapted
from orchestrator.routing.offline.wording import CAUTION, Wording, read_wording
from orchestrator.types.requests import Description, OutputMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.gmn.model import GMNSpec, Goal, Gradient, Payoff

CHAT = (
    "The embedded provider writes GMN models from curated examples; it does not chat. Set a key"
    " such as OPENAI_API_KEY, or start a local server, to ask a language model."
)
_FEWEST_SHARED_WORDS = 2  # with a curated model, for a chat message to ask for a model


def answer(description: Description, mode: OutputMode, examples: Sequence[Example]) -> str:
    """Answer a description: a JSON Patch where it has a document, else a whole document."""
    if description.document:
        return revise(description.document, description.feedback)
    sentence, agent_type = description.sentence.strip(), description.agent_type
    spec = write_model(sentence, agent_type, description.constraints, examples)
    if mode is OutputMode.JSON_SCHEMA:
        return json.dumps(as_schema_asks(spec), ensure_ascii=False)
    if mode is OutputMode.JSON_OBJECT:
        return write_json(spec, lean=True, indent=None)
    return write_text(spec)


def answer_chat(
    messages: Sequence[Mapping[str, object]], mode: OutputMode, examples: Sequence[Example]
) -> str:
    """Answer messages that a user wrote: a document where the last one describes an agent."""
    said = [str(turn.get("content", "")) for turn in messages if turn.get("role") == "user"]
    if not said or not _describes_an_agent(said[-1], examples):
        return CHAT
    return answer(Description(said[-1]), mode, examples)


def _describes_an_agent(sentence: str, examples: Sequence[Example]) -> bool:
    wording = read_wording(sentence)
    if wording.grid or wording.mentions_grid or wording.states or wording.actions:
        return True
    return any(score(sentence, "", example) >= _FEWEST_SHARED_WORDS for example in examples)


def write_model(
    prompt: str, agent_type: str, constraints: Mapping[str, int], examples: Sequence[Example]
) -> GMNSpec:
    """The model that suits the sentence best, adapted to what it names."""
    wording = read_wording(prompt)
    assumptions: list[str] = []
    spec = _built(wording, agent_type, constraints, examples, assumptions)
    assumptions += [
        f"{words!r} could not be honoured: the model keeps its own numbers"
        for words in unmet_counts(prompt, spec)
    ]
    spec = _tempered(spec, wording, assumptions)
    most = constraints.get("max_horizon")
    if most is not None and spec.policy.horizon > most:
        assumptions.append(f"max_horizon={most}: planning {most} steps instead of "
                           f"{spec.policy.horizon}")  # fmt: skip
        spec = _with_policy(spec, horizon=most)
    spec = _few_policies(spec, constraints, assumptions)
    metadata = [Entry(key="prompt", value=prompt)]
    if assumptions:
        metadata.append(Entry(key="assumptions", value="; ".join(assumptions)))
    kept = [e for e in spec.metadata if e.key not in ("prompt", "assumptions", "expect")]
    return spec.model_copy(update={"agent_type": agent_type, "metadata": (*metadata, *kept)})


def _built(
    wording: Wording,
    agent_type: str,
    constraints: Mapping[str, int],
    examples: Sequence[Example],
    assumptions: list[str],
) -> GMNSpec:
    best = choose(wording.text, agent_type, examples, 1)
    suits = score(wording.text, agent_type, best[0]) if best else 0.0
    special = bool(best) and best[0].name != "explorer" and suits >= 2
    on_grid = wording.grid is not None or wording.mentions_grid
    if on_grid and not (special and best[0].name == "warehouse" and wording.grid in (None, (3, 4))):
        return build_grid(wording, constraints, assumptions)
    if wording.states:
        return build_named(wording, constraints, assumptions)
    if best and (suits >= 1.5 or (suits >= 1 and not wording.actions)):
        found = adapted(best[0], wording, constraints, assumptions)
        if found is not None:
            return found
    if wording.actions:
        return build_named(wording, constraints, assumptions)
    if agent_type == "explorer":
        return build_grid(wording, constraints, assumptions)
    by_type = next((e for e in examples if e.agent_type == agent_type != "general"), None)
    if by_type is not None:
        assumptions.append(f"nothing in the sentence was recognised: the usual {agent_type}")
        found = adapted(by_type, wording, constraints, assumptions)
        if found is not None:
            return found
    return build_named(wording, constraints, assumptions)


def _tempered(spec: GMNSpec, wording: Wording, assumptions: list[str]) -> GMNSpec:
    if "cautious" in wording.temper:
        weighed = _weighed(_with_policy(spec, info_gain=True), liked=1.0, disliked=CAUTION)
        more = f", and what is disliked weighs {CAUTION:g} times as much"
        is_averse = weighed.preferences != spec.preferences
        assumptions.append("cautious: information gain counts" + (more if is_averse else ""))
        return weighed
    if "greedy" in wording.temper:
        assumptions.append("greedy: information gain does not count")
        return _with_policy(spec, info_gain=False)
    if "curious" in wording.temper:
        assumptions.append("curious: utilities are halved, so information weighs more")
        return _weighed(_with_policy(spec, info_gain=True), liked=0.5, disliked=0.5)
    return spec


def _weighed(spec: GMNSpec, *, liked: float, disliked: float) -> GMNSpec:
    """The same model with utilities above and below 0 multiplied."""

    def times(utility: float) -> float:
        return utility * (disliked if utility < 0 else liked)

    def weighed(parts: Sequence[Goal | Gradient | Payoff]) -> tuple[Goal | Gradient | Payoff, ...]:
        return tuple(one.model_copy(update={"utility": times(one.utility)}) for one in parts)

    preferences = tuple(
        p.model_copy(
            update={
                "values": tuple(map(times, p.values)),
                "goals": weighed(p.goals),
                "goal_gradient": weighed(p.goal_gradient),
                "rules": weighed(p.rules),
            }
        )
        for p in spec.preferences
    )
    return spec.model_copy(update={"preferences": preferences})


def _with_policy(spec: GMNSpec, **changes: object) -> GMNSpec:
    return spec.model_copy(update={"policy": spec.policy.model_copy(update=changes)})


def _few_policies(spec: GMNSpec, constraints: Mapping[str, int], assumptions: list[str]) -> GMNSpec:
    most = constraints.get("max_policies", 4096)
    per_step = 1
    for action in spec.actions:
        per_step *= action.n
    horizon = spec.policy.horizon
    while horizon > 1 and per_step**horizon > most:
        horizon -= 1
    if horizon != spec.policy.horizon:
        assumptions.append(f"planning {horizon} steps keeps the number of plans within {most}")
    return _with_policy(spec, horizon=horizon)
