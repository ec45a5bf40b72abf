"""The cache over every place of answers: one call per question, ages, tags, encryption, damage."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
import yaml

from orchestrator import Orchestrator
from orchestrator.cache.cached_call import CachingCompleter, is_complete
from orchestrator.cache.encryption import Encryption
from orchestrator.cache.single_flight import SingleFlight
from orchestrator.cli.main import main
from orchestrator.types.errors import ConfigError, ServiceUnavailableError
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import Answer, Request, Usage, WireAttempt
from orchestrator.types.run_context import RunContext
from tests.support.places import Position
from tests.support.wire import WireServer, configured

# The store is opened where it is tested.
pytestmark = pytest.mark.may_block


QUESTION = Request(messages=(LLMMessage(LLMRole.USER, "a cautious explorer"),), route="default")
WIRE = WireAttempt("d1", "openai", "m", "answered", 200, 0.2, Usage(10, 5), 0.01)
ANSWER = Answer(
    "gmn 1.0", model="m", usage=Usage(10, 5), cost_usd=0.01, billed_usd=0.01, wire=(WIRE,)
)


class Scripted:
    """Answers from a list, counts, and waits while its door is closed."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []
        self.door = asyncio.Event()
        self.door.set()
        self.cancelled = 0

    async def complete(self, request: Request, context: RunContext) -> Answer:
        self.asked.append(request)
        try:
            await self.door.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def cached(inner: Scripted, place: Position) -> CachingCompleter:
    flights = SingleFlight(place.locks())
    return CachingCompleter(inner, place.opened(), fingerprint=lambda _: "f", flights=flights)


async def test_the_second_identical_question_is_not_asked_and_costs_nothing(
    place: Position,
) -> None:
    inner = Scripted(ANSWER)
    cache = cached(inner, place)
    first = await cache.complete(QUESTION, RunContext())
    second = await cache.complete(QUESTION, RunContext())
    assert len(inner.asked) == 1
    assert (first.cached, first.billed_usd) == (False, 0.01)
    assert (second.cached, second.billed_usd, second.wire) == (True, 0.0, ())
    assert (second.text, second.usage, second.cost_usd) == (ANSWER.text, ANSWER.usage, 0.01)


async def test_an_answer_survives_the_process_that_bought_it(place: Position) -> None:
    await cached(Scripted(ANSWER), place).complete(QUESTION, RunContext())
    later = await cached(Scripted(), place).complete(QUESTION, RunContext())
    assert later == ANSWER.from_cache()


async def test_refresh_asks_again_and_stores_the_new_answer(place: Position) -> None:
    new = dataclasses.replace(ANSWER, text="gmn 1.0 # new")
    inner = Scripted(ANSWER, new)
    cache = cached(inner, place)
    await cache.complete(QUESTION, RunContext())
    refreshed = await cache.complete(dataclasses.replace(QUESTION, cache="refresh"), RunContext())
    assert (refreshed.text, refreshed.cached) == (new.text, False)
    assert (await cache.complete(QUESTION, RunContext())).text == new.text


async def test_off_neither_reads_nor_writes(place: Position) -> None:
    inner = Scripted(ANSWER, ANSWER, ANSWER)
    cache = cached(inner, place)
    off = dataclasses.replace(QUESTION, cache="off")
    await cache.complete(off, RunContext())
    await cache.complete(off, RunContext())
    await cache.complete(QUESTION, RunContext())
    assert len(inner.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        dataclasses.replace(ANSWER, finish="length"),
        dataclasses.replace(ANSWER, text=""),
        dataclasses.replace(ANSWER, refusal="I cannot"),
        dataclasses.replace(ANSWER, finish="content_filter"),
    ],
)
async def test_an_incomplete_answer_is_given_but_not_kept(answer: Answer, place: Position) -> None:
    assert not is_complete(answer)
    inner = Scripted(answer, ANSWER)
    cache = cached(inner, place)
    assert await cache.complete(QUESTION, RunContext()) == answer
    assert await cache.complete(QUESTION, RunContext()) == ANSWER


async def test_withdrawn_answers_are_asked_again(place: Position) -> None:
    inner = Scripted(ANSWER, ANSWER)
    cache = cached(inner, place)
    await cache.complete(QUESTION, RunContext())
    await cache.withdraw([QUESTION, dataclasses.replace(QUESTION, cache="off")])
    assert not (await cache.complete(QUESTION, RunContext())).cached


async def test_twenty_identical_questions_at_once_are_one_call(place: Position) -> None:
    inner = Scripted(ANSWER)
    inner.door.clear()
    cache = cached(inner, place)
    asking = [asyncio.create_task(cache.complete(QUESTION, RunContext())) for _ in range(20)]
    await asyncio.sleep(place.pause_s)
    inner.door.set()
    answers = await asyncio.gather(*asking)
    assert len(inner.asked) == 1
    assert [a.billed_usd for a in answers].count(0.01) == 1
    assert {a.text for a in answers} == {ANSWER.text}


async def test_the_error_of_a_shared_call_reaches_everybody_and_is_not_stored(
    place: Position,
) -> None:
    inner = Scripted(ServiceUnavailableError("down"), ANSWER)
    inner.door.clear()
    cache = cached(inner, place)
    asking = [asyncio.create_task(cache.complete(QUESTION, RunContext())) for _ in range(3)]
    await asyncio.sleep(place.pause_s)
    inner.door.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(outcome, ServiceUnavailableError) for outcome in outcomes)
    assert not (await cache.complete(QUESTION, RunContext())).cached


async def test_identical_questions_on_several_event_loops_are_one_call(place: Position) -> None:
    inner = Scripted(ANSWER)
    cache = cached(inner, place)
    asking = [
        asyncio.to_thread(asyncio.run, cache.complete(QUESTION, RunContext())) for _ in range(4)
    ]
    answers = await asyncio.wait_for(asyncio.gather(*asking), 20)
    assert len(inner.asked) == 1
    assert {answer.text for answer in answers} == {ANSWER.text}


async def test_a_cancelled_asker_leaves_the_call_to_those_who_still_wait(place: Position) -> None:
    inner = Scripted(ANSWER)
    inner.door.clear()
    cache = cached(inner, place)
    leader, follower = (
        asyncio.create_task(cache.complete(QUESTION, RunContext())) for _ in range(2)
    )
    await asyncio.sleep(place.pause_s)
    leader.cancel()
    await asyncio.wait([leader])
    inner.door.set()
    assert (await follower).text == ANSWER.text
    assert (len(inner.asked), inner.cancelled) == (1, 0)


async def test_the_last_asker_to_be_cancelled_takes_the_call_down(place: Position) -> None:
    inner = Scripted(ANSWER)
    inner.door.clear()
    cache = cached(inner, place)
    alone = asyncio.create_task(cache.complete(QUESTION, RunContext()))
    await asyncio.sleep(place.pause_s)
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone
    assert inner.cancelled == 1
    inner.door.set()
    assert not (await cache.complete(QUESTION, RunContext())).cached


async def test_an_entry_of_another_layout_is_a_miss(place: Position) -> None:
    inner = Scripted(ANSWER, ANSWER)
    cache = cached(inner, place)
    await cache.complete(QUESTION, RunContext())
    place.plant(b'[0,"a","stop","","","",[0,0,0],null]')
    assert not (await cache.complete(QUESTION, RunContext())).cached


def test_clear_says_how_many_entries_went(place: Position) -> None:
    store = place.opened()
    store.put("a", {}, question={})
    store.put("b", {}, question={})
    assert store.info().entries == 2
    assert store.clear() == 2
    assert store.info().entries == 0


async def test_an_entry_past_its_age_is_asked_again(place: Position) -> None:
    store = place.opened()
    store.put("k", {"a": 1}, max_age_s=0.01, question={})
    await asyncio.sleep(0.03)
    assert store.get("k") is None


def test_verify_removes_what_cannot_be_read(place: Position) -> None:
    store = place.opened()
    store.put("good", {"a": 1}, question={})
    store.put("bad", {"a": 1}, question={})
    place.plant(b"{", "bad")
    assert store.verify() == ["entry bad cannot be read and is removed"]
    assert store.keys() == ["good"]
    assert store.verify() == []


def key_of_fernet() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def test_what_is_kept_can_be_encrypted_and_is_decrypted_with_the_key_alone(
    place: Position, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = key_of_fernet(), key_of_fernet()
    store = place.opened(encrypt=first)
    store.put("k", {"text": "the words of an answer"}, question={"route": "default"})
    assert store.get("k") == {"text": "the words of an answer"}
    assert list(store.questions()) == [("k", {"route": "default"})]
    store.close()
    assert b"words of an answer" not in place.raw()
    assert place.opened(encrypt=second).get("k") is None
    assert place.opened().get("k") is None
    assert "not encrypted with this key" in caplog.text
    # A key is changed by putting the new one first.
    assert place.opened(encrypt=f"{second}, {first}").get("k") is not None


def test_long_values_come_back_whole(place: Position) -> None:
    place.opened().put("k", {"text": "ü" * 200_000}, question={})
    assert place.opened().get("k") == {"text": "ü" * 200_000}


def test_a_key_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError, match="Fernet") as caught:
        Encryption("my-bad-canary")
    assert "canary" not in str(caught.value)


def test_answers_are_forgotten_by_their_tag(place: Position) -> None:
    store = place.opened()
    for n, tag in enumerate(["trial", "trial", ""]):
        store.put(f"k{n}", n, question={}, tag=tag)
    assert store.evict("trial") == 2
    assert store.keys() == ["k2"]


async def test_a_call_says_how_its_answer_is_kept(
    wire: WireServer, place: Position, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    wire.plan("m", "good")
    ask = [{"role": "user", "content": "hi"}]
    config = configured(wire.base, "m", cache=place.settings)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(tmp_path / "config.yaml"))
    async with Orchestrator(config) as orc:
        tagged = {"ttl": 60, "tag": "trial"}
        assert not (await orc.generate(ask, cache=tagged)).cached
        assert (await orc.generate(ask, cache=tagged)).cached
        await asyncio.to_thread(main, ["cache", "clear", "--tag", "trial"])
        assert "1 entries removed" in capsys.readouterr().out
        assert not (await orc.generate(ask, cache={"ttl": 0.05})).cached
        await asyncio.sleep(0.1)
        assert not (await orc.generate(ask)).cached
        assert not (await orc.generate(ask, cache={"no-cache": True})).cached
        await asyncio.sleep(0.1)
        assert (await orc.generate(ask, cache={"s-maxage": 60})).cached
        assert not (await orc.generate(ask, cache={"s-maxage": 0.05})).cached
        await orc.acompletion(model="m", messages=ask, cache={"s-maxage": 60})
        await asyncio.sleep(0.1)
        requests = len(wire.requests)
        await orc.acompletion(model="m", messages=ask, cache={"s-maxage": 60})
        assert len(wire.requests) == requests
        await orc.acompletion(model="m", messages=ask, cache={"s-maxage": 0.05})
        assert len(wire.requests) == requests + 1
        with pytest.raises(ValueError, match="known: mode"):
            await orc.generate(ask, cache={"tll": 3})
        with pytest.raises(ValueError, match="is not a mode"):
            await orc.acompletion(model="m", messages=ask, cache="sometimes")


async def test_a_truncated_entry_is_a_miss_that_is_reported_once(
    place: Position, caplog: pytest.LogCaptureFixture
) -> None:
    inner = Scripted(ANSWER, ANSWER)
    cache = cached(inner, place)
    await cache.complete(QUESTION, RunContext())
    place.plant(b'[1, "gmn 1.0", "st')
    assert not (await cache.complete(QUESTION, RunContext())).cached
    assert "is not JSON" in caplog.text


async def test_the_key_of_the_cache_comes_from_the_environment(
    wire: WireServer, place: Position
) -> None:
    wire.plan("m", "an encrypted answer")
    cache = {**place.settings, "encrypt": "os.environ/CACHE_KEY"}
    config = configured(wire.base, "m", cache=cache)
    environ = {"CACHE_KEY": key_of_fernet()}
    for _ in range(2):
        async with Orchestrator(config, environ=environ) as orc:
            answer = await orc.generate([{"role": "user", "content": "hi"}])
    assert (answer.text, answer.cached, len(wire.requests)) == ("an encrypted answer", True, 1)
    assert b"an encrypted answer" not in place.raw()
    async with Orchestrator(config, environ={}) as orc:
        with pytest.raises(ConfigError, match="CACHE_KEY is not set"):
            await orc.generate([{"role": "user", "content": "hi"}])
