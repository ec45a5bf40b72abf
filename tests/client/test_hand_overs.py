"""How often a call is handed to a thread: each time costs a tenth of a millisecond."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator import Orchestrator
from tests.support.documents import GOOD
from tests.support.wire import WireServer, configured

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
OURS = "orchestrator"


async def handed_over(
    orc: Orchestrator, prompt: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, Any]:
    """Hand-overs of one call that this package makes, and its result."""
    loop, count = asyncio.get_running_loop(), 0
    run = loop.run_in_executor

    def counted(executor: Any, work: Any, *given: Any) -> Any:
        nonlocal count
        # The judge has threads of its own; `asyncio.to_thread` hands over a bound function.
        functions = [executor, *getattr(work, "args", ())]
        count += executor is not None or any(
            getattr(one, "__module__", "").startswith(OURS) for one in functions if callable(one)
        )
        return run(executor, work, *given)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "run_in_executor", counted)
        made = await orc.generate_gmn(prompt)
    return count, made


@pytest.mark.parametrize(("cache", "first", "again"), [("off", 2, 2), ("use", 4, 2)])
async def test_a_call_is_handed_over_to_prepare_judge_and_keep_it_and_no_more(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, cache: str, first: int, again: int
) -> None:
    wire.plan("m", GOOD)
    async with Orchestrator(configured(wire.base, "m", cache={"mode": cache})) as orc:
        await orc.generate_gmn("a walker who keeps to a corridor")
        new, made = await handed_over(orc, "a walker who leaves a corridor", monkeypatch)
        assert (new, made.cached) == (first, False)
        known, made = await handed_over(orc, "a walker who leaves a corridor", monkeypatch)
        assert (known, made.cached) == (again, cache == "use")
