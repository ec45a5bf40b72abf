"""Many requests, a third of them in trouble: every one ends, and every one is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import re
import time
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import openai
import pytest

from orchestrator import Orchestrator
from orchestrator.ledger.ledger import lines_of
from orchestrator.types.errors import LLMError
from tests.support.sockets import sockets_to
from tests.support.wire import PROVIDERS, Reply, WireServer, with_providers
from tests.wire.protocols import Asked

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.timeout(600),
    pytest.mark.may_block,  # watching for it would double the time
]

REQUESTS = int(os.environ.get("CHAOS_REQUESTS", "600"))
IN_FLIGHT = 60
SEED = int(os.environ.get("CHAOS_SEED", "20261121"))
GROUPS = tuple(PROVIDERS)
# Twice what an answer takes beside other tests: what is given up by chance says less.
DEADLINE_S, TIMEOUT_S = 25.0, 6.0
FAULTS = (
    Reply(status=500), Reply(status=503), Reply(status=529), Reply(status=408),
    Reply(status=429), Reply(status=429, headers={"Retry-After": "30"}),
    Reply(status=400), Reply(status=401), Reply(status=404),
    Reply(status=400, error_message="maximum context length is 10 tokens"),
    Reply(drop=True), Reply("cut short", cut_after=2), Reply(raw=""), Reply(raw='{"id": "c'),
    Reply(raw="<html>", content_type="text/html"), Reply("never", delay_s=600),
)  # fmt: skip


def config(wire: WireServer, directory: Path) -> dict[str, Any]:
    made = with_providers(
        wire,
        *GROUPS,
        generation={"timeout_s": TIMEOUT_S},
        limits={"deadline_s": DEADLINE_S, "parallel": IN_FLIGHT},
        ledger={"directory": str(directory)},
    )
    following = zip(GROUPS, (*GROUPS[1:], GROUPS[0]), strict=True)
    made["router_settings"] |= {
        "disable_cooldowns": True,
        "stream_timeout": TIMEOUT_S,
        "fallbacks": [{group: [after]} for group, after in following],
    }
    return made


class Lateness:
    """How late the event loop is: a busy machine delays every deadline on it."""

    total_s = 0.0

    async def measure(self) -> None:
        """Add up by how much sleeps are too long, until cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            self.total_s += time.monotonic() - before - 0.05


async def one(orc: Orchestrator, number: int, luck: random.Random, lateness: Lateness) -> str:
    """How one request ended."""
    ask = [{"role": "user", "content": f"question {number}"}]
    group = luck.choice(GROUPS)
    start, late_s = time.monotonic(), lateness.total_s
    try:
        if luck.random() < 0.3:
            stream = await orc.acompletion(
                model=group, messages=ask, stream=True, tenant=f"q{number}"
            )
            text = "".join(
                [c.choices[0].delta.content or "" async for c in stream if c.choices]
            ).strip()
        else:
            text = (await orc.generate(ask, model=group, tenant=f"q{number}")).text
    except LLMError as error:
        return type(error).__name__
    except openai.APIError as error:  # the root of LiteLLM's own classes, which streams raise
        return f"stream: {type(error).__name__}"
    finally:
        late_s = lateness.total_s - late_s
        assert time.monotonic() - start < DEADLINE_S + 10 + late_s
    assert text == "a good answer"
    return "answered"


@pytest.mark.slow
async def test_every_request_ends_and_is_booked(wire: WireServer, tmp_path: Path) -> None:
    chance = random.Random(SEED)

    def decide(asked: Asked) -> Reply:
        if chance.random() < 0.3:
            return chance.choice(FAULTS)
        return Reply("a good answer")

    wire.decide = decide
    held = await asyncio.to_thread(sockets_to, wire.port)  # by tests before this one
    async with Orchestrator(config(wire, tmp_path)) as orc:
        await orc.plan("a door")  # LiteLLM is loaded, and what is read from disk is read, now
        luck = random.Random(SEED + 1)
        ends: Counter[str] = Counter()
        waiting = asyncio.Semaphore(IN_FLIGHT)
        lateness = Lateness()
        measuring = asyncio.create_task(lateness.measure())

        async def bounded(number: int) -> None:
            async with waiting:
                task = asyncio.create_task(one(orc, number, luck, lateness))
                if number % 40 == 7:  # somebody loses patience
                    await asyncio.sleep(0.02)
                    task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    ends[await task] += 1

        await asyncio.gather(*(bounded(number) for number in range(REQUESTS)))
        measuring.cancel()
        await settled(wire)
    lines = await asyncio.to_thread(lambda: list(lines_of(tmp_path)))
    assert len(lines) == REQUESTS
    assert ends["answered"] > 0.85 * REQUESTS
    hold_against(lines, wire)
    assert await asyncio.to_thread(sockets_to, wire.port) <= held
    await nothing_is_left()


def hold_against(lines: list[dict[str, Any]], wire: WireServer) -> None:
    """Request by request: the calls and the tokens booked are those that the server saw."""
    came = Counter(question_of(body) for body in wire.requests)
    served: dict[str, list[int]] = {}
    for asked, said in wire.whole:
        served.setdefault(question_of(asked.body), []).append(asked.prompt_tokens + said.tokens)
    for line in lines:
        number, attempts = line["tenant"], line["wire"]
        whole = served.get(number, [])
        if line["outcome"] == "cancelled":
            # Whoever leaves cannot know whether the last one had arrived.
            assert came[number] <= len(attempts) <= came[number] + 1
            continue
        assert not {"cancelled", "failed"} & {one["outcome"] for one in attempts}, line
        # Nor can we, where our own time was over: it may not have been read, or answered just then.
        given_up = sum(is_given_up(one) for one in attempts)
        told = f"{came[number]} came, {whole} answered whole; booked as {line}"  # in full
        assert len(attempts) - given_up <= came[number] <= len(attempts), told
        answered = sum(one["outcome"] == "answered" for one in attempts)
        assert answered <= len(whole) <= answered + given_up, told
        # What broke off is at an estimate: its prompt and the parts that came.
        counted = [one["usage"] for one in attempts if not one.get("estimated")]
        assert answered <= len(counted), told
        booked = sum(one["prompt_tokens"] + one["completion_tokens"] for one in counted)
        assert booked in {sum(some) for some in combinations(whole, answered)}, told


def is_given_up(attempt: dict[str, Any]) -> bool:
    """Whether we stopped waiting; a 408 that comes early is a server's own."""
    # To LiteLLM a stream that stalls is a broken connection.
    is_timeout = attempt["status"] == 408 or attempt["outcome"] == "APIConnectionError"
    is_long = attempt["seconds"] >= TIMEOUT_S
    return bool(is_timeout and is_long) or attempt["outcome"] == "TimeoutError"


def question_of(body: dict[str, Any]) -> str:
    found = re.search(r"question (\d+)", str(body))
    assert found is not None
    return f"q{found[1]}"


async def settled(wire: WireServer) -> None:
    """Wait until the server has heard of every connection that was closed."""
    before = -1
    while before != wire.served.requests:
        before = wire.served.requests
        await asyncio.sleep(0.3)


async def nothing_is_left() -> None:
    """No task of ours, no listener, no open connection outlives the orchestrator."""
    import litellm

    for _ in range(20):
        gc.collect()
        await asyncio.sleep(0.1)
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        left = [t for t in tasks if "LoggingWorker" not in repr(t.get_coro())]
        if not left:
            break
    assert left == []
    for name in (
        "callbacks", "input_callback", "_async_failure_callback", "_async_success_callback",
    ):  # fmt: skip
        assert not [c for c in getattr(litellm, name) if "orchestrator" in type(c).__module__]
