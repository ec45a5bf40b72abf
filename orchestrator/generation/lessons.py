"""What a run teaches about its deployments: which output modes work, which need small questions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.generation.cut_off import is_endless
from orchestrator.generation.staged.staging import PURPOSE
from orchestrator.models.refused_modes import ENDLESS
from orchestrator.parsing.endings import is_looping
from orchestrator.parsing.json_reader import is_json
from orchestrator.types.requests import OutputMode
from orchestrator.types.work import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.routing.complete import RouterCompleter
    from orchestrator.types.requests import Attempt


async def learn(router: RouterCompleter, attempts: Sequence[Attempt[Any]]) -> None:
    """Downgrade a deployment that accepted a response_format and ignored it, or that does not come
    to an end in it: in a loop, or cut off twice. One that gave no valid whole document, and then a
    document in stages, is asked in stages from now on."""
    cut_off: Counter[tuple[str, str]] = Counter()
    for attempt in attempts:
        mode, answer, kind = attempt.request.mode, attempt.answer, attempt.evaluation.kind
        is_forced = mode.sends_schema and not answer.cached
        if is_forced and kind == "unparsed" and not await judge(is_json, answer.text):
            await router.ignored(answer.deployment, mode)
        if mode is OutputMode.PROMPT or answer.cached or not is_endless(attempt):
            continue
        cut_off[answer.deployment, mode] += 1
        if cut_off[answer.deployment, mode] == 2 or is_looping(answer.text, is_cut_off=True):
            await router.ignored(answer.deployment, mode, ENDLESS)
    if attempts and attempts[-1].purpose == PURPOSE and attempts[-1].evaluation.is_accepted:
        whole = [one.answer for one in attempts if one.purpose != PURPOSE]
        for deployment in {one.deployment for one in whole if not one.cached}:
            await router.staged(deployment, "its whole documents were not valid")
