"""The cache: correct keys, one call per question, JSON only, and a disk that may be broken."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pickle
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import Orchestrator
from orchestrator.cache.cached import Cached, is_complete
from orchestrator.cache.disk import Store
from orchestrator.cache.keys import digest, key_of, question_of
from orchestrator.cache.seal import Seal
from orchestrator.cli.main import main
from orchestrator.errors import ConfigError, ServiceUnavailableError
from orchestrator.messages import LLMMessage, LLMRole
from orchestrator.result import Answer, Request, Usage, WireAttempt
from tests.support.wire import WireServer, configured

# The store is opened where it is tested.
pytestmark = pytest.mark.may_block


def cache_key(request: Request, *, fingerprint: str) -> str:
    return key_of(question_of(request, fingerprint=fingerprint))


QUESTION = Request(messages=(LLMMessage(LLMRole.USER, "a cautious explorer"),), route="default")
WIRE = WireAttempt("d1", "openai", "m", "answered", 200, 0.2, Usage(10, 5), 0.01)
ANSWER = Answer(
    "gmn 1.0", model="m", usage=Usage(10, 5), cost_usd=0.01, billed_usd=0.01, wire=(WIRE,)
)


class Scripted:
    """Answers from a list, counts, and waits when told to."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0

    async def complete(self, request: Request) -> Answer:
        self.asked.append(request)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def cached(inner: Scripted, directory: Path, fingerprint: str = "f") -> Cached:
    return Cached(inner, Store(directory), fingerprint=lambda _: fingerprint)


async def test_the_second_identical_question_is_not_asked_and_costs_nothing(tmp_path: Path) -> None:
    inner = Scripted(ANSWER)
    cache = cached(inner, tmp_path)
    first = await cache.complete(QUESTION)
    second = await cache.complete(QUESTION)
    assert len(inner.asked) == 1
    assert (first.cached, first.billed_usd) == (False, 0.01)
    assert (second.cached, second.billed_usd, second.wire) == (True, 0.0, ())
    assert (second.text, second.usage, second.cost_usd) == (ANSWER.text, ANSWER.usage, 0.01)


async def test_an_answer_survives_the_process_that_bought_it(tmp_path: Path) -> None:
    await cached(Scripted(ANSWER), tmp_path).complete(QUESTION)
    later = await cached(Scripted(), tmp_path).complete(QUESTION)
    assert later == ANSWER.from_cache()


async def test_refresh_asks_again_and_stores_the_new_answer(tmp_path: Path) -> None:
    new = dataclasses.replace(ANSWER, text="gmn 1.0 # new")
    inner = Scripted(ANSWER, new)
    cache = cached(inner, tmp_path)
    await cache.complete(QUESTION)
    refreshed = await cache.complete(dataclasses.replace(QUESTION, cache="refresh"))
    assert (refreshed.text, refreshed.cached) == (new.text, False)
    assert (await cache.complete(QUESTION)).text == new.text


async def test_off_neither_reads_nor_writes(tmp_path: Path) -> None:
    inner = Scripted(ANSWER, ANSWER, ANSWER)
    cache = cached(inner, tmp_path)
    off = dataclasses.replace(QUESTION, cache="off")
    await cache.complete(off)
    await cache.complete(off)
    await cache.complete(QUESTION)
    assert len(inner.asked) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (LLMMessage(LLMRole.SYSTEM, "a cautious explorer"),)},
        {"messages": (LLMMessage(LLMRole.USER, "a cautious explorer "),)},
        {"route": "strong"},
        {"parameters": {"temperature": 0.5}},
        {"parameters": {"extra_body": {"top_k": 3}}},
        {"mode": "json_object"},
        {"templates": {"generate": "abc"}},
        {"sample": 1},
    ],
)
def test_whatever_shapes_the_answer_changes_the_key(change: dict[str, object]) -> None:
    changed = dataclasses.replace(QUESTION, **change)  # type: ignore[arg-type]
    assert cache_key(changed, fingerprint="f") != cache_key(QUESTION, fingerprint="f")


@pytest.mark.parametrize(
    "change", [{"timeout_s": 1.0}, {"cache": "refresh"}, {"purpose": "patch"}, {"schema": {"a": 1}}]
)
def test_what_does_not_shape_the_answer_leaves_the_key_alone(change: dict[str, object]) -> None:
    changed = dataclasses.replace(QUESTION, **change)  # type: ignore[arg-type]
    assert cache_key(changed, fingerprint="f") == cache_key(QUESTION, fingerprint="f")


def test_other_deployments_or_another_schema_are_another_question() -> None:
    assert cache_key(QUESTION, fingerprint="f") != cache_key(QUESTION, fingerprint="g")
    strict = dataclasses.replace(QUESTION, mode="json_schema", schema={"type": "object"})
    other = dataclasses.replace(strict, schema={"type": "array"})
    assert cache_key(strict, fingerprint="f") != cache_key(other, fingerprint="f")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=6), json_values, min_size=2, max_size=5))
def test_the_order_of_parameters_does_not_count(parameters: dict[str, object]) -> None:
    backwards = dict(reversed(parameters.items()))
    one = dataclasses.replace(QUESTION, parameters=parameters)
    two = dataclasses.replace(QUESTION, parameters=backwards)
    assert cache_key(one, fingerprint="f") == cache_key(two, fingerprint="f")


@given(json_values, json_values)
def test_digests_are_equal_only_for_equal_values(one: object, two: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (digest(one) == digest(two)) is same


def test_a_whole_number_means_the_same_with_and_without_a_point() -> None:
    keys = {
        cache_key(
            dataclasses.replace(QUESTION, parameters={"temperature": value, "stop": [value]}),
            fingerprint="f",
        )
        for value in (1, 1.0)
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    "answer",
    [
        dataclasses.replace(ANSWER, finish="length"),
        dataclasses.replace(ANSWER, text=""),
        dataclasses.replace(ANSWER, refusal="I cannot"),
        dataclasses.replace(ANSWER, finish="content_filter"),
    ],
)
async def test_an_incomplete_answer_is_given_but_not_kept(answer: Answer, tmp_path: Path) -> None:
    assert not is_complete(answer)
    inner = Scripted(answer, ANSWER)
    cache = cached(inner, tmp_path)
    assert await cache.complete(QUESTION) == answer
    assert await cache.complete(QUESTION) == ANSWER


async def test_withdrawn_answers_are_asked_again(tmp_path: Path) -> None:
    inner = Scripted(ANSWER, ANSWER)
    cache = cached(inner, tmp_path)
    await cache.complete(QUESTION)
    await cache.withdraw([QUESTION, dataclasses.replace(QUESTION, cache="off")])
    assert not (await cache.complete(QUESTION)).cached


async def test_twenty_identical_questions_at_once_are_one_call(tmp_path: Path) -> None:
    inner = Scripted(ANSWER)
    inner.gate.clear()
    cache = cached(inner, tmp_path)
    asking = [asyncio.create_task(cache.complete(QUESTION)) for _ in range(20)]
    await asyncio.sleep(0)
    inner.gate.set()
    answers = await asyncio.gather(*asking)
    assert len(inner.asked) == 1
    assert [a.billed_usd for a in answers].count(0.01) == 1
    assert {a.text for a in answers} == {ANSWER.text}


async def test_the_error_of_a_shared_call_reaches_everybody_and_is_not_stored(
    tmp_path: Path,
) -> None:
    inner = Scripted(ServiceUnavailableError("down"), ANSWER)
    inner.gate.clear()
    cache = cached(inner, tmp_path)
    asking = [asyncio.create_task(cache.complete(QUESTION)) for _ in range(3)]
    await asyncio.sleep(0)
    inner.gate.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(outcome, ServiceUnavailableError) for outcome in outcomes)
    assert not (await cache.complete(QUESTION)).cached


async def test_a_cancelled_asker_leaves_the_call_to_those_who_still_wait(tmp_path: Path) -> None:
    inner = Scripted(ANSWER)
    inner.gate.clear()
    cache = cached(inner, tmp_path)
    leader, follower = (asyncio.create_task(cache.complete(QUESTION)) for _ in range(2))
    await asyncio.sleep(0)
    leader.cancel()
    await asyncio.wait([leader])
    inner.gate.set()
    assert (await follower).text == ANSWER.text
    assert (len(inner.asked), inner.cancelled) == (1, 0)


async def test_the_last_asker_to_be_cancelled_takes_the_call_down(tmp_path: Path) -> None:
    inner = Scripted(ANSWER)
    inner.gate.clear()
    cache = cached(inner, tmp_path)
    alone = asyncio.create_task(cache.complete(QUESTION))
    await asyncio.sleep(0.01)
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone
    assert inner.cancelled == 1
    inner.gate.set()
    assert not (await cache.complete(QUESTION)).cached


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return Path("exploded").touch, ()


def plant(directory: Path, column: str, value: object) -> None:
    with sqlite3.connect(directory / "cache.db") as database:
        database.execute(f"UPDATE Cache SET {column} = ?", (value,))
    database.close()


async def test_a_planted_pickle_is_refused_and_never_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "cache")
    key = digest("k")
    store.put(key, {"a": 1}, question={})
    plant(tmp_path / "cache", "value", pickle.dumps(Bomb()))
    plant(tmp_path / "cache", "mode", 4)
    assert store.get(key) is None
    assert store.get(key) is None
    assert store.info().refused == 2
    assert not (tmp_path / "exploded").exists()
    assert len(caplog.records) == 1


async def test_a_value_file_outside_the_store_is_never_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("[1]")
    store = Store(tmp_path / "cache")
    store.put("k", {"a": 1}, question={})
    plant(tmp_path / "cache", "filename", "../secret.json")
    plant(tmp_path / "cache", "mode", 2)
    assert store.get("k") is None


async def test_large_values_live_in_files_and_come_back_whole(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("k", {"text": "x" * 200_000}, question={})
    assert store.get("k") == {"text": "x" * 200_000}
    assert list(tmp_path.rglob("*.val"))


async def test_a_truncated_entry_is_a_miss_that_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inner = Scripted(ANSWER, ANSWER)
    cache = cached(inner, tmp_path)
    await cache.complete(QUESTION)
    plant(tmp_path, "value", b'[1, "gmn 1.0", "st')
    assert not (await cache.complete(QUESTION)).cached
    assert "is not JSON" in caplog.text


async def test_an_entry_of_another_layout_is_a_miss(tmp_path: Path) -> None:
    inner = Scripted(ANSWER, ANSWER)
    cache = cached(inner, tmp_path)
    await cache.complete(QUESTION)
    plant(tmp_path, "value", b'[0,"a","stop","","","",[0,0,0],null]')
    assert not (await cache.complete(QUESTION)).cached


async def test_a_database_destroyed_under_us_costs_a_call_and_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inner = Scripted(ANSWER, ANSWER)
    cache = cached(inner, tmp_path)
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("DROP TABLE Cache")
    database.close()
    assert (await cache.complete(QUESTION)).text == ANSWER.text
    assert (await cache.complete(QUESTION)).text == ANSWER.text
    await cache.withdraw([QUESTION])
    assert len([r for r in caplog.records if "cannot be" in r.getMessage()]) == 2


def test_the_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    Store(tmp_path / "cache").close()
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_a_file_in_place_of_the_directory_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a directory")
    with pytest.raises(ConfigError, match="ORCHESTRATOR_CACHE_DIR"):
        Store(tmp_path / "cache")


def test_clear_says_how_many_entries_went(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("a", {}, question={})
    store.put("b", {}, question={})
    assert store.info().entries == 2
    assert store.clear() == 2
    assert store.info().entries == 0


async def test_an_entry_past_its_age_is_asked_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("k", {"a": 1}, max_age_s=0.01, question={})
    await asyncio.sleep(0.03)
    assert store.get("k") is None


def test_only_bytes_under_text_keys_can_be_stored(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(TypeError, match="not text"):
        store._disk.set(1, b"x")
    with pytest.raises(TypeError, match="not bytes"):
        store._disk.set("k", {"a": 1})


async def test_a_value_file_that_became_a_link_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("[1]")
    store = Store(tmp_path / "cache")
    store.put("k", {"text": "x" * 200_000}, question={})
    (file,) = (tmp_path / "cache").rglob("*.val")
    file.unlink()
    file.symlink_to(secret)
    assert store.get("k") is None
    assert store.info().refused == 1


def test_a_database_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.db").write_bytes(b"")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "cache.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(ConfigError, match="leads elsewhere"):
        Store(tmp_path / "cache")


def test_a_file_that_is_no_database_is_set_aside_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache.db").write_bytes(b"garbage" * 1000)
    store = Store(tmp_path)
    store.put("k", {"a": 1}, question={})
    assert store.get("k") == {"a": 1}
    (aside,) = tmp_path.glob("damaged-*")
    assert (aside / "cache.db").read_bytes() == b"garbage" * 1000
    assert caplog.text.count("set aside") == 1


def test_a_directory_that_cannot_be_used_keeps_nothing_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store(Path("/proc/no-such-place/cache"))
    store.put("k", {"a": 1}, question={})
    store.delete(["k"])
    assert store.get("k") is None
    assert (store.info().entries, store.clear(), store.prune()) == (0, 0, 0)
    assert store.verify() == ["/proc/no-such-place/cache cannot be used"]
    assert len(caplog.records) == 1


def test_a_full_disk_costs_no_request_and_no_valid_entry(tmp_path: Path) -> None:
    script = f"""
import resource, signal
from pathlib import Path
from orchestrator.cache.disk import Store
store = Store(Path({str(tmp_path)!r}))
store.put("small", {{"a": 1}}, question={{}})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
for n in range(30):
    store.put(f"large{{n}}", {{"text": "x" * 500_000}}, question={{}})
    store.put(f"middle{{n}}", {{"text": "x" * 20_000}}, question={{}})
assert store.get("small") == {{"a": 1}}
assert store.get("large0") is None
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("cannot be written") == 1
    store = Store(tmp_path)
    assert store.get("small") == {"a": 1}


def test_a_writer_that_is_killed_loses_nothing_that_was_whole(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from orchestrator.cache.disk import Store
store = Store(Path({str(tmp_path)!r}))
for n in range(100_000):
    store.put(f"k{{n}}", {{"n": n, "text": "x" * 40_000}}, question={{"n": n}})
    print(n, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        last = [int(writer.stdout.readline()) for _ in range(50)][-1]
        writer.kill()
    store = Store(tmp_path)
    for n in range(last + 1):
        assert store.get(f"k{n}") == {"n": n, "text": "x" * 40_000}
    assert store.verify() == [] or all("removed" in line or "file" in line.lower()
                                       for line in store.verify())  # fmt: skip
    store.put("after", {"a": 1}, question={})
    assert store.get("after") == {"a": 1}


def test_verify_removes_what_cannot_be_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("good", {"a": 1}, question={})
    store.put("bad", {"a": 1}, question={})
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("UPDATE Cache SET value = ? WHERE key = 'bad'", (b"{",))
    database.close()
    assert store.verify() == ["entry bad cannot be read and is removed"]
    assert store.keys() == ["good"]
    assert store.verify() == []


def key_of_fernet() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def test_what_is_kept_can_be_sealed_and_opens_with_the_key_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = key_of_fernet(), key_of_fernet()
    store = Store(tmp_path, seal=Seal(first))
    store.put("k", {"text": "the words of an answer"}, question={"route": "default"})
    assert store.get("k") == {"text": "the words of an answer"}
    assert list(store.questions()) == [("k", {"route": "default"})]
    store.close()
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"words of an answer" not in path.read_bytes()
    assert Store(tmp_path, seal=Seal(second)).get("k") is None
    assert Store(tmp_path).get("k") is None
    assert "not sealed with this key" in caplog.text
    # A key is changed by putting the new one first.
    assert Store(tmp_path, seal=Seal(f"{second}, {first}")).get("k") is not None


def test_a_key_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError, match="Fernet") as caught:
        Seal("my-bad-canary")
    assert "canary" not in str(caught.value)


async def test_the_key_of_the_cache_comes_from_the_environment(
    wire: WireServer, tmp_path: Path
) -> None:
    wire.plan("m", "a sealed answer")
    config = configured(
        wire.base, "m", cache={"directory": str(tmp_path), "encrypt": "os.environ/CACHE_KEY"}
    )
    environ = {"CACHE_KEY": key_of_fernet(), "ORCHESTRATOR_CACHE_DIR": str(tmp_path)}
    for _ in range(2):
        async with Orchestrator(config, environ=environ) as orc:
            answer = await orc.generate([{"role": "user", "content": "hi"}])
    assert (answer.text, answer.cached, len(wire.requests)) == ("a sealed answer", True, 1)
    assert b"a sealed answer" not in (tmp_path / "cache.db").read_bytes()
    async with Orchestrator(config, environ={}) as orc:
        with pytest.raises(ConfigError, match="CACHE_KEY is not set"):
            await orc.generate([{"role": "user", "content": "hi"}])


@pytest.mark.parametrize("mode", [1, 2, 3, 4])
@pytest.mark.parametrize("where", ["inline", "file"])
@pytest.mark.parametrize("column", ["value", "key"])
def test_a_pickle_planted_in_any_way_never_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, where: str, column: str
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "cache")
    store.put("k", {"text": "x" * (100_000 if where == "file" else 10)}, question={})
    bomb = pickle.dumps(Bomb())
    if column == "key":
        plant_where(tmp_path / "cache", "key = ?, raw = 0", "key = 'k'", bomb)
    elif where == "file":
        (file,) = (tmp_path / "cache").rglob("*.val")
        file.write_bytes(bomb)
        plant_where(tmp_path / "cache", "mode = ?", "key = 'k'", mode)
    else:
        plant_where(tmp_path / "cache", "value = ?", "key = 'k'", bomb)
        plant_where(tmp_path / "cache", "mode = ?", "key = 'k'", mode)
    assert store.get("k") is None
    store.verify()
    assert not (tmp_path / "exploded").exists()


def plant_where(directory: Path, change: str, row: str, value: object) -> None:
    with sqlite3.connect(directory / "cache.db") as database:
        database.execute(f"UPDATE Cache SET {change} WHERE {row}", (value,))
    database.close()


def test_answers_are_forgotten_by_their_tag(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for n, tag in enumerate(["trial", "trial", ""]):
        store.put(f"k{n}", n, question={}, tag=tag)
    assert store.evict("trial") == 2
    assert store.keys() == ["k2"]


async def test_a_call_says_how_its_answer_is_kept(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    wire.plan("m", "good")
    ask = [{"role": "user", "content": "hi"}]
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        tagged = {"ttl": 60, "tag": "trial"}
        assert not (await orc.generate(ask, cache=tagged)).cached
        assert (await orc.generate(ask, cache=tagged)).cached
        await asyncio.to_thread(main, ["cache", "clear", "--tag", "trial"])
        assert "1 entries removed" in capsys.readouterr().out
        assert not (await orc.generate(ask, cache={"ttl": 0.05})).cached
        await asyncio.sleep(0.1)
        assert not (await orc.generate(ask)).cached
        assert not (await orc.generate(ask, cache={"no-cache": True})).cached
        with pytest.raises(ValueError, match="known: mode"):
            await orc.generate(ask, cache={"tll": 3})
        with pytest.raises(ValueError, match="is no mode"):
            await orc.acompletion(model="m", messages=ask, cache="sometimes")
