"""The embedded provider's answers: deterministic, adapted to the request, honest about the rest."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.formats.schema import as_schema_asks
from orchestrator.gmn.model import Entry
from orchestrator.gmn.request.read import read
from orchestrator.gmn.validate import validate
from orchestrator.routing.offline.draft import MOST_PLANS, Draft
from orchestrator.routing.offline.evidence import evident
from orchestrator.routing.offline.from_words import build_from_words
from orchestrator.routing.offline.grid import build_grid, is_on_grid
from orchestrator.routing.offline.revise import CAUTION, revise
from orchestrator.routing.offline.rewording import adapted
from orchestrator.routing.offline.verdict import build_verdict, is_verdict
from orchestrator.types.requests import Description, OutputMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.gmn.examples import Example
    from orchestrator.gmn.model import GMNSpec, Goal, Gradient, Payoff
    from orchestrator.types.fits import Fitted

CHAT = (
    "The embedded provider writes GMN models from curated examples; it does not chat. Set a key"
    " such as OPENAI_API_KEY, or start a local server, to ask a language model."
)
_QUESTION = "question_"


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
    draft = Draft(read(sentence), {})
    if is_on_grid(draft, "general") or draft.names.states or draft.names.actions:
        return True
    return evident(draft.reading, "general", examples) is not None


def questions_of(spec: GMNSpec) -> tuple[str, ...]:
    """What has to be said before a model that was written from a sentence is one."""
    return tuple(e.value for e in spec.metadata if e.key.startswith(_QUESTION))


def still_to_be_said(spec: GMNSpec, examples: Sequence[Example]) -> str:
    """The questions of a model in a sentence; empty where it has none."""
    questions = " ".join(questions_of(spec))
    kinds = {12: "twelve"}.get(len(examples), str(len(examples)))
    known = f"the embedded provider knows {kinds} kinds of agents and what you named"
    lost = ", ".join(read(spec.meta("prompt")).not_understood)
    rest = f"; not understood: {lost}" if lost else ""
    return f"{known}; still to be said: {questions}{rest}" if questions else ""


def write_model(
    prompt: str, agent_type: str, constraints: Mapping[str, int], examples: Sequence[Example]
) -> GMNSpec:
    """The model of a sentence, with what was assumed and what has to be asked in its metadata."""
    return _written(prompt, agent_type, tuple(sorted(constraints.items())), tuple(examples))


@functools.lru_cache(maxsize=64)
def _written(
    prompt: str,
    agent_type: str,
    constraints: tuple[tuple[str, int], ...],
    examples: tuple[Example, ...],
) -> GMNSpec:
    draft = Draft(read(prompt), dict(constraints))
    spec = _curated(draft, agent_type, examples)
    if spec is None:
        spec = _bounded(draft, _tempered(draft, _built(draft, agent_type)))
        _ask_of_the_rest(draft, spec)
    said = [Entry(key="prompt", value=prompt)]
    if draft.assumptions:
        said.append(Entry(key="assumptions", value="; ".join(draft.assumptions)))
    said += [Entry(key=f"{_QUESTION}{n}", value=q) for n, q in enumerate(draft.questions, 1)]
    kept = [e for e in spec.metadata if e.key not in ("prompt", "assumptions", "expect")]
    return spec.model_copy(update={"agent_type": agent_type, "metadata": (*said, *kept)})


def _curated(draft: Draft, agent_type: str, examples: Sequence[Example]) -> GMNSpec | None:
    """The curated model that the sentence names, where all of the sentence is in it."""
    found = evident(draft.reading, agent_type, examples)
    if found is None or draft.reading.effects or draft.reading.unclear:
        return None
    example, sign = found
    own = Draft(draft.reading, draft.constraints)
    spec = adapted(example, own)
    if spec is None or _counts_otherwise(draft, example):
        draft.assumptions[:] = own.assumptions
        return None
    own.assume(f"adapted from the curated {example.name} ({sign!r}), whose structure is kept")
    spec = _bounded(own, _tempered(own, spec))
    if lost := _misfits(own, spec):
        draft.assume(f"the curated {example.name} was not taken: {lost[0].said!r} is not in it")
        return None
    draft.assumptions[:] = own.assumptions
    return spec


def _counts_otherwise(draft: Draft, example: Example) -> bool:
    """Whether the sentence has another number of what the curated model counts: three arms."""
    own = {one.value for one in read(example.prompt).commitments if one.kind == "count"}
    said = {one.value for one in draft.of("count")}
    nouns = {value[1] for value in own if isinstance(value, tuple)}
    return any(isinstance(v, tuple) and v[1] in nouns and v not in own for v in said)


def _built(draft: Draft, agent_type: str) -> GMNSpec:
    if is_on_grid(draft, agent_type):
        return build_grid(draft, agent_type)
    for names in draft.names.others:
        draft.ask(f"what are {', '.join(names)}: actions, observations or further states?")
    return build_verdict(draft) if is_verdict(draft) else build_from_words(draft)


def _ask_of_the_rest(draft: Draft, spec: GMNSpec) -> None:
    """Questions for what was read by no rule, and for what the model is not."""
    for span in draft.reading.unclear:
        said = draft.reading.text[span.start : span.end]
        draft.ask(f"what does {said!r} mean for the model?")
    if draft.questions:
        return
    for one in _misfits(draft, spec):
        draft.ask(f"what is meant by {one.said!r} ({one.where})?")


def _misfits(draft: Draft, spec: GMNSpec) -> list[Fitted]:
    """What the sentence says and the model is not, but for what an assumption speaks of."""
    verdict = validate(spec, run_steps=0, constraints=draft.constraints)
    if verdict.spec is None or verdict.compiled is None or verdict.report.errors:
        words = "; ".join(str(one) for one in verdict.report.errors)
        raise AssertionError(f"a model of the embedded provider is not valid: {words}")
    from orchestrator.gmn.request.fits import fits_of  # noqa: PLC0415  # numpy, on demand

    found = fits_of(draft.reading.text, verdict.spec, verdict.compiled)
    said = "; ".join(draft.assumptions)
    return [one for one in found.unmet if one.outcome == "contradicted" or one.value not in said]


def _bounded(draft: Draft, spec: GMNSpec) -> GMNSpec:
    """The model within the bounds on the horizon and on the number of plans."""
    most = draft.constraints.get("max_horizon")
    if most is not None and spec.policy.horizon > most:
        draft.assume(f"max_horizon={most}: planning {most} steps instead of {spec.policy.horizon}")
        spec = _with_policy(spec, horizon=most)
    policy: dict[str, object] = {}
    for kind, key in (("precision", "gamma"), ("discount", "discount")):
        if (number := draft.number(kind)) is not None:  # type: ignore[arg-type]  # both are kinds
            policy[key] = number
    return _few_policies(_with_policy(spec, **policy) if policy else spec, draft)


def _tempered(draft: Draft, spec: GMNSpec) -> GMNSpec:
    tempers = {one.value for one in draft.of("temper")}
    if "cautious" in tempers:
        weighed = _weighed(_with_policy(spec, info_gain=True), liked=1.0, disliked=CAUTION)
        more = f", and what is disliked weighs {CAUTION:g} times as much"
        is_averse = weighed.preferences != spec.preferences
        draft.assume("cautious: information gain counts" + (more if is_averse else ""))
        return weighed
    if tempers & {"greedy", "bold"}:
        draft.assume("greedy or bold: information gain does not count")
        return _with_policy(spec, info_gain=False)
    if "curious" in tempers:
        draft.assume("curious: utilities are halved, so information weighs more")
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


def _few_policies(spec: GMNSpec, draft: Draft) -> GMNSpec:
    most = draft.constraints.get("max_policies", MOST_PLANS)
    per_step = 1
    for action in spec.actions:
        per_step *= action.n
    horizon = spec.policy.horizon
    while horizon > 1 and per_step**horizon > most:
        horizon -= 1
    if horizon != spec.policy.horizon:
        draft.assume(f"planning {horizon} steps keeps the number of plans within {most}")
    return _with_policy(spec, horizon=horizon)
