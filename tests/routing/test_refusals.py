"""What a model says in ``refusal`` instead of an answer, by every door, whole and in streams."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from orchestrator import InvalidOutputError, Orchestrator
from orchestrator.cli.main import main
from orchestrator.types.events import Answered
from tests.support.wire import Reply, WireServer, configured, for_commands

DECLINED = "I can't help with that."
PROMPT = "a cautious explorer of a 3x3 grid"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
ASKED = [{"role": "user", "content": "x"}]


@pytest.fixture
async def orc(wire: WireServer) -> AsyncGenerator[Orchestrator]:
    wire.plan("m", Reply(refusal=DECLINED))
    async with Orchestrator(configured(wire.base, "m")) as made:
        yield made


async def test_an_answer_has_the_refusal_and_one_call(orc: Orchestrator, wire: WireServer) -> None:
    answer = await orc.generate("x")
    assert (answer.text, answer.refusal, answer.said) == ("", DECLINED, DECLINED)
    assert wire.served.requests == 1


async def test_a_failed_generation_says_what_the_model_said(orc: Orchestrator) -> None:
    for failing in (orc.generate_gmn(PROMPT), orc.generate_structured("x", SCHEMA)):
        with pytest.raises(InvalidOutputError, match=f'the model declined: "{DECLINED}"') as caught:
            await failing
        first, second, *_ = caught.value.attempts
        assert (first.evaluation.kind, second.reason) == (
            "refusal", "the model declined: a fresh sample",
        )  # fmt: skip


async def test_a_refusal_in_a_stream_is_not_an_empty_answer(
    orc: Orchestrator, wire: WireServer
) -> None:
    answers = []

    async def read() -> None:
        async for event in orc.stream_gmn(PROMPT):
            if isinstance(event, Answered):
                answers.append(event.answer)  # noqa: PERF401  they count although it fails

    with pytest.raises(InvalidOutputError, match=f'the model declined: "{DECLINED}"'):
        await read()
    assert wire.requests[0]["stream"]
    assert {answer.refusal for answer in answers} == {DECLINED}


async def test_a_stream_with_litellms_arguments_ends_with_the_refusal(orc: Orchestrator) -> None:
    async def refusal() -> str:
        parts = await orc.acompletion(messages=ASKED, stream=True)
        deltas = [part.choices[0].delta async for part in parts if part.choices]
        assert "".join(delta.content or "" for delta in deltas) == ""
        return "".join(getattr(delta, "refusal", None) or "" for delta in deltas)

    assert await refusal() == DECLINED


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_is_not_kept_in_the_cache(
    orc: Orchestrator, wire: WireServer, *, stream: bool
) -> None:
    for _ in range(2):
        made = await orc.acompletion(messages=ASKED, stream=stream)
        if stream:
            async for _ in made:
                pass
    assert wire.served.requests == 2


async def test_a_stream_that_goes_on_after_a_refusal_keeps_both(wire: WireServer) -> None:
    wire.plan("m", Reply("half an answer", refusal=DECLINED))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        parts = await orc.acompletion(messages=ASKED, stream=True)
        deltas = [part.choices[0].delta async for part in parts if part.choices]
    said = [(delta.content or "", getattr(delta, "refusal", None) or "") for delta in deltas]
    assert "".join(text for text, _ in said) == "half an answer"
    assert "".join(refusal for _, refusal in said) == DECLINED


async def test_a_row_of_a_batch_holds_the_refusal(orc: Orchestrator) -> None:
    rows = [one async for one in orc.batch(["x"], operation="ask")]
    assert (rows[0].data["valid"], rows[0].data["refusal"]) == (False, DECLINED)
    rows = [one async for one in orc.batch([PROMPT])]
    error = rows[0].data["error"]
    assert DECLINED in error["message"]
    assert {one["text"] for one in error["answers"]} == {DECLINED}


@pytest.fixture
def commands(wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WireServer:
    for_commands(configured(wire.base, "m"), tmp_path, monkeypatch)
    return wire


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(refusal=DECLINED), f"the model declined: {DECLINED}\n"),
        (Reply(" "), "the answer is empty (it ended with 'stop')\n"),
    ],
)
def test_a_question_without_an_answer_is_said_on_stderr_with_exit_code_1(
    commands: WireServer, capsys: pytest.CaptureFixture[str], reply: Reply, words: str
) -> None:
    commands.plan("m", reply)
    assert main(["ask", "x"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", words)
    assert main(["ask", "x", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["refusal"] == reply.refusal


def test_the_best_of_declined_answers_is_what_the_model_said(
    commands: WireServer, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.plan("m", Reply(refusal=DECLINED))
    assert main(["generate", PROMPT]) == 1
    said = capsys.readouterr().err
    assert f'the model declined: "{DECLINED}"' in said
    assert f"answers:\n{DECLINED}" in said
