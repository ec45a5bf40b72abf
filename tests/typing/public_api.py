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
    acompletion,
    completion,
)


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
        assert_type(is_valid, Any)
        assert_type(errors, Any)
        assert_type(report.errors, tuple[Diagnostic, ...])
        again = await orchestrator.refine_gmn(made.spec, "add memory")
        assert_type(again, Generation[GMNSpec])
        answer = await orchestrator.generate([{"role": "user", "content": "x"}], temperature=0)
        assert_type(answer, Answer)
        assert_type(await orchestrator.acompletion(model="default", messages=[]), Any)


def blocking() -> None:
    """The same under `sync`."""
    orchestrator = Orchestrator.from_config("config.yaml")
    assert_type(orchestrator.sync.generate_gmn("an explorer", "explorer"), Generation[GMNSpec])
    assert_type(orchestrator.sync.validate_gmn(b"gmn 1.0"), Report)


async def dropped_in() -> None:
    """LiteLLM's calls keep LiteLLM's types, which are not ours to state."""
    assert_type(await acompletion(model="default", messages=[]), Any)
    assert_type(completion(model="default", messages=[]), Any)
