"""How much of ours lies between a caller and LiteLLM's Router: frames, functions, and the page.

The stack is taken where the Router is entered, the await chains of every task included; docs/
architecture.md prints the same stacks.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator import Orchestrator
from tests.support.documents import GOOD

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = f"{ROOT / 'orchestrator'}/"
PAGE = ROOT / "docs" / "architecture.md"

pytestmark = pytest.mark.may_block  # the profiler slows everything down


class Door(BaseModel):
    size: int


class Entrance:
    """A Router that only notes how it was reached, and answers."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.stacks: list[list[str]] = []
        self.functions: set[tuple[str, str]] = set()
        self.called: set[tuple[str, str]] = set()

    async def acompletion(self, **_: Any) -> Any:
        import litellm

        if not self.stacks:
            self.stacks = [stack for task in asyncio.all_tasks() if (stack := of_ours(task))]
            self.functions = set(self.called)
        choice = {
            "message": {"role": "assistant", "content": self.text},
            "finish_reason": "stop",
        }
        return litellm.ModelResponse(choices=[choice], model="m")

    def retire(self) -> None:
        """Nothing is registered."""

    def profile(self, frame: FrameType, event: str, _: object) -> None:
        """Note every function of ours that is called."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            self.called.add((code.co_filename, code.co_qualname))


def of_ours(task: asyncio.Task[Any]) -> list[str]:
    """Our functions in a task's await chain, outermost first."""
    is_running = task is asyncio.current_task()
    frames = running() if is_running else suspended(task.get_coro())
    codes = [frame.f_code for frame in frames]
    return [code.co_qualname for code in codes if code.co_filename.startswith(PACKAGE)]


def running() -> list[FrameType]:
    """The frames on the stack of the task that runs, outermost first."""
    found: list[FrameType] = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        found.insert(0, frame)
        frame = frame.f_back
    return found


def suspended(part: Any) -> list[FrameType]:
    """The frames of a coroutine that waits, and of those that it waits for."""
    found: list[FrameType] = []
    while part is not None:
        frame = getattr(part, "cr_frame", None) or getattr(part, "ag_frame", None)
        found += [frame] if frame is not None else []
        part = getattr(part, "cr_await", None) or getattr(part, "ag_await", None)
    return found


def asked(orc: Orchestrator, operation: str, words: str) -> Awaitable[Any]:
    """The call of a user."""
    if operation == "acompletion":
        return orc.acompletion(model="m", messages=[{"role": "user", "content": words}])
    if operation == "generate_structured":
        return orc.generate_structured(words, Door)
    return orc.generate_gmn(words)


async def entered(operation: str) -> Entrance:
    """The Router, entered by an operation that is not in the cache, nor the process' first."""
    texts = {"acompletion": "hi", "generate_structured": '{"size": 1}', "generate_gmn": GOOD}
    entrance = Entrance(texts[operation])
    deployment = {"model_name": "m", "litellm_params": {"model": "openai/m", "api_key": "k"}}
    config: dict[str, Any] = {
        "model_list": [deployment], "orchestrator": {"routes": {"default": ["m"]}},
    }  # fmt: skip
    async with Orchestrator(config, router=entrance) as orc:
        for words in ("a walker", "a runner"):  # what is loaded or read at first use is there
            await asked(orc, operation, words)
        entrance.stacks.clear()
        with profiled(entrance.profile):
            await asked(orc, operation, "a walker once more")
    return entrance


class profiled:  # noqa: N801  reads as a statement
    """Runs a block under a profile function, in this thread: others come and go with the load."""

    def __init__(self, function: Callable[[FrameType, str, object], None]) -> None:
        self.function = function

    def __enter__(self) -> None:
        sys.setprofile(self.function)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


#: Own frames and own functions, which may only fall; the aims are (5, 25), (7, 60) and (7, 60).
#: Some 30 of the functions put each call on the bill before it is sent.
BOUNDS = {
    "acompletion": (6, 83),
    "generate_structured": (8, 138),
    "generate_gmn": (8, 145),
}


@pytest.mark.parametrize("operation", sorted(BOUNDS))
async def test_no_more_of_ours_lies_before_the_router_than_stated(operation: str) -> None:
    entrance = await entered(operation)
    most_frames, most_functions = BOUNDS[operation]
    assert sum(len(stack) for stack in entrance.stacks) <= most_frames
    assert len(entrance.functions) <= most_functions
    printed = re.search(rf"^{operation}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert printed is not None
    names = re.findall(r"[\w.]*[A-Za-z]\w*(?:\.<locals>\.\w+)?", printed[1])
    taken = [name for stack in entrance.stacks for name in stack]
    assert sorted(names) == sorted(taken), "docs/architecture.md prints other stacks"
