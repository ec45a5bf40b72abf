"""What users' type checkers see; checked by mypy, never run."""

from __future__ import annotations

from typing import Any, assert_type

from orchestrator import (
    Answer,
    Config,
    Diagnostic,
    Generation,
    GMNSpec,
    Orchestrator,
    Report,
    Router,
    acompletion,
    completion,
)


class Door:
    """A type that an answer is held to."""


def is_wide(door: Door) -> str | None:
    """A rule of the caller's own."""


async def asynchronous() -> None:
    """The facade, awaited."""
    async with Orchestrator({"model_list": []}) as orchestrator:
        assert_type(orchestrator, Orchestrator)
        assert_type(orchestrator.config, Config)
        made = await orchestrator.generate_gmn("an explorer", constraints={"max_states": 4})
        assert_type(made, Generation[GMNSpec])
        assert_type(made.spec, GMNSpec)
        assert_type(made.report, Report)
        report = await orchestrator.validate_gmn(made.text)
        is_valid, errors = report
        assert_type(is_valid, bool)
        assert_type(errors, tuple[Diagnostic, ...])
        assert_type(report.errors, tuple[Diagnostic, ...])
        again = await orchestrator.refine_gmn(made.spec, "add memory")
        assert_type(again, Generation[GMNSpec])
        answer = await orchestrator.generate([{"role": "user", "content": "x"}], temperature=0)
        assert_type(answer, Answer)
        assert_type(await orchestrator.acompletion(model="default", messages=[]), Any)
        door = await orchestrator.generate_structured("a door", Door, refine=1)
        assert_type(door, Generation[Door])
        doors = await orchestrator.generate_structured("doors", list[Door])
        assert_type(doors.value, list[Door])
        tree = await orchestrator.generate_structured("a tree", {"type": "object"})
        assert_type(tree, Generation[Any])


def blocking() -> None:
    """The same under `sync`."""
    orchestrator = Orchestrator.from_config("config.yaml")
    assert_type(orchestrator.sync.generate_gmn("an explorer", "explorer"), Generation[GMNSpec])
    assert_type(orchestrator.sync.validate_gmn(b"gmn 1.0"), Report)
    assert_type(orchestrator.sync.generate_structured("a door", Door).value, Door)
    parsed = orchestrator.sync.completion(messages=[], response_format=Door, refine=1).parsed
    assert_type(parsed, Door)
    with Orchestrator() as opened:
        assert_type(opened, Orchestrator)
    opened.sync.generate_gmn("an explorer", "wizard")  # type: ignore[arg-type]
    opened.sync.generate_gmn("an explorer", cache="never")  # type: ignore[arg-type]


async def dropped_in() -> None:
    """LiteLLM's calls keep LiteLLM's types, which are not ours to state."""
    assert_type(await acompletion(model="default", messages=[]), Any)
    assert_type(completion(model="default", messages=[]), Any)
    held = completion("default", [], response_format=Door, checks=[is_wide])
    assert_type(held.parsed, Door)
    assert_type(held.generation, Generation[Door])
    assert_type(held.choices, Any)
    again = await Router(model_list=[]).acompletion("m", [], response_format=Door, refine=0)
    assert_type(again.parsed, Door)
