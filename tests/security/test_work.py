"""Judging ends: with its request, with its steps, and without others who wait behind it."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import DeadlineExceededError, Orchestrator
from orchestrator.cli.main import main
from orchestrator.generation.contract import contract_of
from orchestrator.gmn.acting import expectations
from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.validate import Validation, validate
from orchestrator.parsing import json_reader, schemas
from orchestrator.parsing.lenient_json import value_at
from orchestrator.types import work
from orchestrator.types.cached import cached_property
from tests.support.documents import GOOD, swapped
from tests.support.wire import WireServer, configured

SENTENCE = "a walker on three fields that likes the last one"
LONG = ["place=c at 9000"]  # 360,000 simulated steps: half a minute, and within the steps allowed


def large(n: int, horizon: int) -> str:
    """A valid document with as many policies as are allowed, over a table of n * n * 4 numbers."""
    return json.dumps(
        {
            "states": [{"name": "s", "size": n}],
            "observations": [{"name": "o", "size": n}],
            "actions": [{"name": "a", "size": 4}],
            "likelihoods": [
                {"of": "o", "given": ["s"], "table": {"kind": "identity", "noise": 0.1}}
            ],
            "transitions": [{"of": "s", "given": ["s", "a"], "table": {"kind": "uniform"}}],
            "preferences": [{"on": "o", "goals": [{"value": "1", "utility": 2.0}]}],
            "policy": {"horizon": horizon},
        }
    )


def judging() -> int:
    """How many threads are at work on a document."""
    count = 0
    for thread, top in sys._current_frames().items():
        frame = top if thread != threading.get_ident() else None
        while frame is not None and "orchestrator/gmn" not in frame.f_code.co_filename:
            frame = frame.f_back
        count += frame is not None
    return count


async def until(holds: Callable[[], bool], *, tries: int = 400) -> bool:
    for _ in range(tries):
        if holds():
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.fixture
async def asked(wire: WireServer) -> Any:
    """An orchestrator with a deadline that one document of three exceeds."""
    wire.plan("small", GOOD)
    settings = {"deadline_s": 5.0, "max_calls": 1}
    async with Orchestrator(configured(wire.base, "small")) as orc:
        await orc.generate_gmn(SENTENCE)  # LiteLLM is loaded, for which the deadline is too short
    async with Orchestrator(configured(wire.base, "small", generation=settings)) as orc:
        await orc.generate([{"role": "user", "content": "a word"}])  # and its Router is built
        yield orc


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(GOOD, LONG[0]), (large(128, 6), "o=1 at 200"), (large(16, 6), "o=1 at 400")],
    ids=["many steps", "largest tables", "most policies"],
)
async def test_nothing_of_a_request_runs_on_after_its_deadline(
    asked: Orchestrator, wire: WireServer, answer: str, expected: str
) -> None:
    wire.plan("small", answer)
    with pytest.raises(DeadlineExceededError) as raised:
        await asked.generate_gmn(SENTENCE, expectations=[expected], cache="off")
    assert await until(lambda: judging() == 0)
    # What was paid for is there, though nobody had the time to judge it.
    assert [one.answer.text for one in raised.value.attempts] == [answer]
    assert "deadline" in str(raised.value.attempts[0].evaluation.report.errors[0])


async def test_nothing_runs_on_when_the_caller_leaves(asked: Orchestrator) -> None:
    task = asyncio.create_task(asked.validate_gmn(GOOD, expectations=LONG))
    assert await until(lambda: judging() > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await until(lambda: judging() == 0)


async def test_samples_that_were_not_judged_in_time_are_in_the_error(asked: Orchestrator) -> None:
    with pytest.raises(DeadlineExceededError) as raised:
        await asked.generate_gmn(SENTENCE, expectations=LONG, cache="off", samples=2)
    assert [one.answer.text for one in raised.value.attempts] == [GOOD, GOOD]
    assert await until(lambda: judging() == 0)


async def test_a_cached_call_does_not_wait_behind_judging(wire: WireServer) -> None:
    wire.plan("small", GOOD)
    async with Orchestrator(configured(wire.base, "small")) as orc:
        await orc.generate_gmn(SENTENCE)
        eight = [
            asyncio.create_task(orc.generate_gmn(f"{SENTENCE}, {n}", expectations=LONG))
            for n in range(8)
        ]
        assert await until(lambda: judging() > work.AT_ONCE, tries=1000)
        assert (await orc.generate_gmn(SENTENCE)).cached
        assert not any(one.done() for one in eight)
        for one in eight:
            one.cancel()
        await asyncio.gather(*eight, return_exceptions=True)
        assert await until(lambda: judging() == 0)


async def test_a_job_that_waits_inside_a_property_holds_nobody_up() -> None:
    class Slow:
        @cached_property
        def value(self) -> int:
            for _ in range(200):
                work.look(steps=1)
                time.sleep(0.001)  # so that several slices pass, and others get their turn
            return 1

    def one() -> int:
        return Slow().value

    jobs = [asyncio.create_task(work.judge(one)) for _ in range(4 * work.AT_ONCE)]
    assert await asyncio.wait_for(asyncio.gather(*jobs), 60) == [1] * len(jobs)


async def test_an_async_check_ends_with_its_request(asked: Orchestrator, wire: WireServer) -> None:
    wire.plan("small", '{"size": 3}')
    seen: list[str] = []

    async def waits(value: object) -> None:
        del value
        seen.append("begun")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    schema = {"type": "object", "properties": {"size": {"type": "integer"}}}
    with pytest.raises(DeadlineExceededError):
        await asked.generate_structured("a size", schema, checks=[waits], cache="off")
    assert await until(lambda: seen == ["begun", "ended"])


async def test_short_work_overtakes_long_work() -> None:
    stop = threading.Event()

    def long() -> None:
        while not stop.is_set():
            work.look()

    busy = [asyncio.create_task(work.judge(long)) for _ in range(2 * work.AT_ONCE)]
    try:
        assert await work.judge(sum, (1, 2)) == 3
    finally:
        stop.set()
        await asyncio.gather(*busy)


def verdict(document: str, *expected: str) -> Validation:
    return validate(document, expectations=[Expectation.parse(text) for text in expected])


def test_steps_that_do_not_suffice_are_a_finding_that_says_for_what() -> None:
    found = verdict(large(64, 6), "o=1 within 10000")
    assert found.compiled is not None
    (error,) = found.report.errors
    assert error.code == "GMN712"
    assert "simulating 40 episodes of 10000 steps takes more than 40,000,000 steps" in error.message
    assert "expect it within fewer steps" in error.message
    assert found.report == verdict(large(64, 6), "o=1 within 10000").report


def test_a_check_of_quality_that_takes_too_much_leaves_the_model_valid() -> None:
    # From each of 3,840 joint states every other one can be reached, and 256 never are.
    states = [{"name": f"s{n}", "size": 16} for n in range(3)]
    uniform: dict[str, Any] = {"kind": "uniform"}
    tables = (uniform, uniform, {"kind": "rows", "rows": [[1 / 15] * 15 + [0]] * 32})
    first = {"kind": "map", "map": ["0"]}
    document = {
        "states": states,
        "observations": [{"name": "o", "size": 16}],
        "actions": [{"name": "a", "size": 2}],
        "likelihoods": [{"of": "o", "given": ["s0"], "table": {"kind": "identity"}}],
        "transitions": [
            {"of": s["name"], "given": ["a", s["name"]], "table": table}
            for s, table in zip(states, tables, strict=True)
        ],
        "priors": [{"of": s["name"], "given": [], "table": first} for s in states],
        "preferences": [{"on": "o", "goals": [{"value": "1", "utility": 2.0}]}],
    }
    report = validate(json.dumps(document)).report
    assert (report.is_valid, report.runs) == (True, True)
    (found,) = (d for d in report.diagnostics if d.code == "GMN515")
    assert "looking whether goals are within reach takes more than" in found.message


MANY: dict[str, dict[str, Any]] = {
    "GMN701": {"states": [{"name": "s", "labels": [f"{n}..{n}" for n in range(3000)]}]},
    "GMN708": {"states": [{"name": f"s{n}", "size": 2} for n in range(6000)]},
    "GMN707": {"preferences": [{"on": f"o{n}", "goals": []} for n in range(6000)]},
    "GMN702": {"states": [{"name": "s", "size": 4, "shape": [10**6, 10**6]}]},
}


@pytest.mark.parametrize("code", sorted(MANY))
def test_findings_about_size_stop_the_checks_that_they_make_pointless(code: str) -> None:
    document = {**json.loads(large(4, 1)), **MANY[code]}
    with work.allowance(DEFAULT_LIMITS.work // 20):
        report = validate(json.dumps(document)).report
    codes = {d.code for d in report.diagnostics}
    assert codes <= {"GMN701", "GMN702", "GMN707", "GMN708", "GMN709"}, codes
    assert len(report.diagnostics) <= 3


def test_a_size_of_thousands_of_digits_is_a_finding() -> None:
    document = json.loads(large(4, 1))
    document["likelihoods"][0]["given"] = ["s"] * 20_000
    assert [d.code for d in validate(json.dumps(document)).report.errors] == ["GMN707"]
    document["likelihoods"][0]["given"] = ["s"]
    document["states"] += [{"name": f"s{n}", "size": 250} for n in range(7)]
    report = validate(json.dumps(document), constraints={"max_states": 9}).report
    assert any("over 10^15 joint hidden states" in d.message for d in report.errors)


def test_so_many_findings_are_listed_and_the_rest_is_counted() -> None:
    document = json.loads(large(4, 1))
    document["likelihoods"][0]["table"] = {"kind": "map", "map": ["no"] * 20_000}
    report = validate(json.dumps(document)).report
    assert len(report.diagnostics) == DEFAULT_LIMITS.findings + 1
    last = report.diagnostics[-1]
    assert last.code == "GMN713"
    assert last.message.startswith("and 19,902 more: 19,900 GMN106")
    assert last.got == "20002"


def test_simulating_ends_on_the_command_line_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "walker.gmn"
    path.write_text(GOOD)
    command = ["simulate", str(path), "--expect", "place=c within 9", "--episodes", "100000000"]
    assert main(command) == 2
    assert "simulating 100000000 episodes of 9 steps takes more than" in capsys.readouterr().err


def test_a_long_answer_is_not_read_again_and_again_while_it_comes() -> None:
    lines = "\n".join(f"node state s{n} {{ size: 2 }}" for n in range(9000))
    document = swapped("node state pos", f"{lines}\nnode state pos")
    read: list[int] = []

    class Noting:
        def read_partial(self, text: str) -> None:
            read.append(len(text))

    from orchestrator.generation.streaming import MOST_READ, StreamHook
    from orchestrator.types.events import Asked

    hook = StreamHook(lambda _: None, contract=Noting())  # type: ignore[arg-type]
    hook(Asked(1, "small", "generate", ""))
    for at in range(0, len(document), 500):
        hook.on_text(document[at : at + 500])
    assert 0 < max(read) <= MOST_READ


def test_the_findings_of_a_schema_are_counted_too() -> None:
    wanted = {"type": "object", "properties": {"a": {"items": {"type": "integer"}}}}
    report = contract_of(wanted).evaluate(json.dumps({"a": ["no"] * 9000})).report
    assert (len(report.diagnostics), report.is_valid) == (101, False)
    assert report.diagnostics[-1].message == "and 8,900 more: 8,900 SCHEMA"


@pytest.mark.parametrize("n", [7, 8, 12])
def test_the_orders_of_many_axes_are_not_all_tried(n: int) -> None:
    rows: object = 0.5
    for _ in range(n):
        rows = [rows, rows]
    document = {
        "states": [{"name": f"s{i}", "size": 2} for i in range(n - 1)],
        "observations": [{"name": "o", "size": 2}],
        "likelihoods": [
            {
                "of": "o",
                "given": [f"s{i}" for i in range(n - 1)],
                "table": {"kind": "rows", "rows": rows},
            }
        ],
    }
    with work.allowance(2_000_000):
        found = {d.code for d in validate(json.dumps(document)).report.errors}
    assert "GMN712" not in found
    assert found


def test_parents_are_not_listed_once_for_each_of_many_arrays() -> None:
    document = {"A": [[[1.0]]] * 9000, "B": [[[[1.0]]]] * 6000}
    with work.allowance(2_000_000):
        report = validate(json.dumps(document)).report
    # So many are counted and not read.
    assert [(d.code, d.got) for d in report.errors] == [("GMN708", "9000"), ("GMN708", "6000")]
    noisy, moved = [[0.5], [0.5]], [[[1.0], [0.0]], [[0.0], [1.0]]]
    most = {"A": [*[[[1.0]]] * 63, noisy], "B": [*[[[[1.0]]]] * 63, moved]}
    with work.allowance(2_000_000):
        spec = validate(json.dumps(most)).spec
    assert spec is not None
    assert (len(spec.likelihoods), len(spec.transitions)) == (64, 64)
    assert max(len(one.given) for one in (*spec.likelihoods, *spec.transitions)) <= 6


def test_labels_are_matched_once_each_and_not_at_every_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matched: list[str] = []

    def globs(labels: tuple[str, ...]) -> list[Callable[[str], bool]]:
        def fits(label: str) -> bool:
            matched.append(label)
            return False

        return [fits] * len(labels)

    monkeypatch.setattr(expectations, "_globs", globs)
    many = "|".join(["a", "b", "*c"] * 99)
    verdict(GOOD, f"always place={many} within 40")
    assert 0 < len(matched) <= 3 * 297


def test_so_many_values_of_one_answer_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def noted(text: str, start: int, *rest: Any, **more: Any) -> Any:
        read.append(start)
        return value_at(text, start, *rest, **more)

    monkeypatch.setattr(json_reader, "value_at", noted)
    wanted = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    (error,) = contract_of(wanted).evaluate('{"x":1}' * 1500).report.errors
    assert len(read) < 500
    assert "more than 200 values stand in the answer; send the one" in error.message
    thoughts = '{"x":2} ' * 300 + '</think> {"x":1}'
    assert contract_of(wanted).evaluate(thoughts).value == {"x": 1}


def test_a_part_of_an_answer_is_held_against_its_schema_in_few_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[int] = []

    def noted(steps: int = 1) -> None:
        looks.append(steps)
        work.look(steps)

    monkeypatch.setattr(schemas, "look", noted)
    items = {"items": {"anyOf": [{"type": "string"}] * 20}}
    contract = contract_of({"type": "object", "properties": {"a": items, "b": {}}})
    short = contract.read_partial('{"a": [1], "b": 2, "c')
    assert short is not None
    assert [d.pointer for d in short.findings] == ["/a/0"]
    looks.clear()
    long = contract.read_partial(json.dumps({"a": [1] * 9000, "b": 2}))
    assert long is not None
    assert (long.findings, "/b" in long.closed) == ((), True)
    assert len(looks) < 8_000


async def test_a_turn_that_ends_wakes_one_job_and_not_all_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woken, jobs = 0, 40
    wait = threading.Condition.wait

    def counted(self: threading.Condition, timeout: float | None = None) -> bool:
        nonlocal woken
        is_called = wait(self, timeout)
        woken += is_called and threading.current_thread().name.startswith("orchestrator-judge")
        return is_called

    monkeypatch.setattr(threading.Condition, "wait", counted)
    await asyncio.gather(*(work.judge(time.sleep, 0.01) for _ in range(jobs)))
    assert woken <= 2 * jobs  # a job may be called twice before it runs


def test_joint_states_are_not_listed_before_they_are_counted() -> None:
    # Four factors of 90 values: 65 million joint states, 4 GB once they are listed.
    lines = ["gmn 1.0", "agent large { type: explorer }", "node action go { size: 3 }"]
    for i in range(4):
        lines += [
            f"node state s{i} {{ size: 90 }}",
            f"node observation o{i} {{ size: 90 }}",
            f"node emission A{i} {{ from: [s{i}] to: o{i} identity noise: 0.5 }}",
            f"node transition B{i} {{ from: [go, s{i}] to: s{i} uniform }}",
        ]
    lines.append("node policy pi { horizon: 1 gamma: 1 }")
    tracemalloc.start()
    try:
        assert validate("\n".join(lines), run_steps=0).report.is_valid
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
