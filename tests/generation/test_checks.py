"""A check that raises is an error of the product: it names the check and carries the answers."""

from __future__ import annotations

import asyncio
import functools
import pickle
import sys
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from orchestrator import CheckError, Diagnostic, Orchestrator, Severity
from tests.support.wire import WireServer, configured

GOOD = '{"ml": 200}'


class Cup(BaseModel):
    ml: int


class Strict(BaseModel):
    ml: int

    @field_validator("ml")
    @classmethod
    def known(cls, ml: int) -> int:
        return {100: ml}[ml]


def limit(cup: Cup) -> str | None:
    return {"small": "too much"}[f"{cup.ml}"]


async def limit_later(cup: Cup) -> str | None:
    return limit(cup)


def says_nothing_useful(cup: Cup) -> Any:
    return False


class Leaving(BaseModel):
    ml: int

    @field_validator("ml")
    @classmethod
    def known(cls, ml: int) -> int:
        sys.exit(ml)


class Wordless(Exception):
    def __str__(self) -> str:
        raise ValueError


def raising(error: BaseException) -> Any:
    def leaves(cup: Cup) -> str | None:
        raise error

    return leaves


async def exits_later(cup: Cup) -> str | None:
    sys.exit(4)


class Bound:
    def __call__(self, cup: Cup) -> str | None:
        raise IndexError(3)


@pytest.mark.parametrize(
    ("wanted", "checks", "name", "words"),
    [
        (Cup, [limit], "limit", "KeyError: '200'"),
        (Cup, [limit_later], "limit_later", "KeyError: '200'"),
        (Cup, [says_nothing_useful], "says_nothing_useful", "a check returns sentences or None"),
        (Strict, [], "Strict", "KeyError: 200"),
        (Leaving, [], "Leaving", "SystemExit: 200"),
        (Cup, [raising(SystemExit(3))], "leaves", "SystemExit: 3"),
        (Cup, [exits_later], "exits_later", r"SystemExit\(4\)"),
        (Cup, [raising(KeyboardInterrupt())], "leaves", "KeyboardInterrupt"),
        (Cup, [raising(asyncio.CancelledError())], "leaves", "CancelledError"),
        (Cup, [raising(GeneratorExit())], "leaves", "GeneratorExit"),
        (Cup, [raising(Wordless())], "leaves", "Wordless"),
        (Cup, [Bound()], "Bound", "IndexError: 3"),
        (Cup, [functools.partial(lambda most, cup: most[0], {})], "<lambda>", "KeyError: 0"),
        (Cup, [lambda cup: [None]], "<lambda>", "neither a sentence"),
    ],
)
@pytest.mark.parametrize("samples", [1, 2])
async def test_a_check_that_raises_names_itself_and_carries_the_answers(
    wire: WireServer, wanted: Any, checks: Any, name: str, words: str, samples: int
) -> None:
    wire.plan("m", GOOD, GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(CheckError, match=words) as raised:
            await orc.generate_structured("a cup", wanted, checks=checks, samples=samples)
        (line,) = await orc.usage()
        assert raised.value.check == name
        assert [a.answer.text for a in raised.value.attempts] == [GOOD]
        assert raised.value.attempts[0].evaluation.text == GOOD
        assert not raised.value.attempts[0].evaluation.is_accepted
        assert len(line["wire"]) >= 1
        count = len(wire.requests)
        if wanted is Cup and samples == 1:  # the answer is in the cache for the corrected check
            made = await orc.generate_structured("a cup", Cup)
            assert (made.value, len(wire.requests)) == (Cup(ml=200), count)
    again = pickle.loads(pickle.dumps(raised.value))
    assert again.check == name


async def test_answers_before_the_one_that_broke_the_check_are_carried_too(
    wire: WireServer,
) -> None:
    wire.plan("m", '{"ml": "much"}', '[{"op": "replace", "path": "/ml", "value": 200}]')
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(CheckError) as raised:
            await orc.generate_structured("a cup", Cup, checks=[limit])
    assert [a.purpose for a in raised.value.attempts] == ["generate", "patch"]


async def test_a_check_may_be_any_callable_also_one_that_is_async(wire: WireServer) -> None:
    class Check:
        async def __call__(self, cup: Cup) -> list[str]:
            return [] if cup.ml < 500 else ["too much"]

    wire.plan("m", GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured("a cup", Cup, checks=[Check()])
    assert made.value == Cup(ml=200)


async def test_one_finding_needs_no_list(wire: WireServer) -> None:
    def warm(cup: Cup) -> Any:
        return Diagnostic("WARM", Severity.WARNING, "drink it soon")

    wire.plan("m", GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_structured("a cup", Cup, checks=[warm])
    assert [d.code for d in made.report.diagnostics] == ["WARM"]


def test_a_check_that_exits_leaves_the_loop_of_the_process_running(wire: WireServer) -> None:
    wire.plan("m", GOOD, GOOD)
    orc = Orchestrator(configured(wire.base, "m"))
    with pytest.raises(CheckError):
        orc.sync.generate_structured("a cup", Cup, checks=[exits_later])
    assert orc.sync.generate_structured("a cup", Cup).value == Cup(ml=200)
    orc.sync.close()


class Broken:
    """A contract of the caller's own with a mistake in it."""

    name, version, schema, accepts_cut_off = "broken", "1", {"type": "string"}, False

    def evaluate(self, text: str) -> Any:
        return {"a": 1}[text]

    name_keyed = apply_patch = explain = read_partial = evaluate


async def test_a_contract_of_the_callers_own_that_raises_carries_the_answers(
    wire: WireServer,
) -> None:
    wire.plan("m", GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        with pytest.raises(CheckError, match="'broken' raised KeyError") as raised:
            await orc.generate_structured("a cup", Broken())
    assert [a.answer.text for a in raised.value.attempts] == [GOOD]
    assert raised.value.attempts[0].evaluation.report.errors
