"""A running agent whose queries a language model answers, as every other request is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.client.arguments import check_arguments
from orchestrator.gmn.acting.actor import Actor
from orchestrator.gmn.acting.queries import Question, most_questions
from orchestrator.gmn.acting.simulate import advance, episode_of
from orchestrator.gmn.acting.world import World
from orchestrator.gmn.agent import Agent
from orchestrator.types.errors import LLMError
from orchestrator.types.work import judge

if TYPE_CHECKING:
    from orchestrator.client.wiring import Wiring
    from orchestrator.gmn.acting.episode import Run
    from orchestrator.gmn.acting.world import Environment
    from orchestrator.gmn.agent import Described
    from orchestrator.types.caching import Caching
    from orchestrator.types.events import Hook

#: Calls for one question: its answer, and one more where that is not one of the labels.
CALLS = 2
_MOST_CHARACTERS = 2_000  # of a note


async def run_agent(
    self: Wiring,
    agent: Actor | Described,
    environment: Environment | None = None,
    steps: int = 10,
    *,
    seed: int = 0,
    max_calls: int = 100,
    model: str | None = None,
    provider: str | None = None,
    cache: Caching | None = None,
    tenant: str = "",
    hook: Hook | None = None,
) -> Run:
    """Run an agent as `orchestrator.gmn.acting.simulate.run` does, and ask what its queries ask.

    `agent` is an `Agent`, or what makes one; without an environment it acts in its own model.
    Where the trigger of a query holds, its prompt is sent with the labels of its inputs, and the
    answer is one label of its target. `max_calls` bounds what the whole run may ask: what could be
    more is refused before anything is asked. Equal questions are answered from the cache.

    Raises:
        GMNError: `agent` is a document that is not valid.
        ValueError: the queries could take more calls than `max_calls`.
        InvalidOutputError, LLMError: as `generate_structured`; earlier answers stay in the cache,
            so that the same run with the same seed does not pay for them again.
    """
    check_arguments(locals())
    actor = agent if isinstance(agent, Actor) else await judge(Agent, agent)
    _require_calls(actor, steps, max_calls)
    await self._open()
    place = World(actor.model) if environment is None else environment
    episode = episode_of(actor, place, steps, seed=seed)
    found = await judge(advance, episode)
    while isinstance(found, Question):
        wanted = {"type": "string", "enum": list(found.labels)}
        note = {"type": "string", "minLength": 1, "maxLength": _MOST_CHARACTERS}
        task, entry = await self._structured.task(
            found.prompt, wanted if found.labels else note, refine=CALLS - 1, model=model,
            provider=provider, cache=cache, tenant=tenant, operation="run_agent",
        )  # fmt: skip
        try:
            made = await self._loop.run(task, entry, hook=hook)
        except LLMError as error:
            error.add_note(f"asked by query {found.query.name} at step {found.step} of the run")
            raise
        found = await judge(advance, episode, made.value)
    return found


def _require_calls(actor: Actor, steps: int, max_calls: int) -> None:
    each = most_questions(actor.queries, steps)
    calls = CALLS * sum(count for _, count in each)
    if calls > max_calls:
        listed = ", ".join(f"{name} {count} times" for name, count in each)
        raise ValueError(
            f"{steps} steps of this model can ask up to {calls} times ({listed}, {CALLS} calls"
            f" each), and max_calls is {max_calls}. Raise it, or run fewer steps"
        )
