"""A message in, an answer of a persona out, and every turn kept; on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orchestrator import BudgetExceededError, Orchestrator, ServiceUnavailableError
from orchestrator.agents.agent import LLMAgent
from orchestrator.agents.bus import EventBus, TurnEvent
from orchestrator.agents.errors import EndedError, KeyInUseError, NotFoundError
from orchestrator.agents.interaction import Call
from orchestrator.agents.live import Heard
from orchestrator.agents.memory import Memory
from orchestrator.agents.personas import Personas
from tests.support.wire import Reply, WireServer, configured

pytestmark = pytest.mark.may_block


class Room:
    """An agent over a loopback model, with what it is made of."""

    def __init__(self, wire: WireServer, directory: Path, url: str, **settings: Any) -> None:
        config = configured(
            wire.base, "chat", "small", routes={"default": ["chat"], "fast": ["small"]},
            cache={"directory": str(directory / "cache")},
            ledger={"directory": str(directory / "ledger")}, **settings,
        )  # fmt: skip
        self.wire = wire
        self.orc = Orchestrator(config)
        self.memory = Memory(url)
        self.personas = Personas(directory / "personas")
        self.bus = EventBus()
        self.events: list[TurnEvent] = []
        self.bus.subscribe(self.events.append)
        self.agent = LLMAgent(self.orc, self.memory, self.personas, bus=self.bus)

    async def aclose(self) -> None:
        await self.agent.aclose()
        await self.orc.aclose()
        self.memory.close()


@pytest_asyncio.fixture
async def room(wire: WireServer, tmp_path: Path, database: str) -> AsyncIterator[Room]:
    made = Room(wire, tmp_path, database)
    yield made
    await made.aclose()


async def test_the_next_message_is_answered_with_what_was_said_before(room: Room) -> None:
    room.wire.plan("chat", "I am Cherry.", "You are Ada.")
    first = await room.agent.interact("hello, I am Ada", "ada")
    second = await room.agent.interact("who am I?", "ada", session_id=first.session_id)
    assert (first.text, first.number, first.persona) == ("I am Cherry.", 1, "cherry")
    assert second.number == 2
    assert second.session_id == first.session_id
    asked = room.wire.asked("chat")[1]["messages"]
    assert [one["role"] for one in asked] == ["system", "user", "assistant", "user"]
    assert "Cherry" in asked[0]["content"]
    assert [one["content"] for one in asked[1:]] == [
        "hello, I am Ada", "I am Cherry.", "who am I?",
    ]  # fmt: skip
    assert second.usage["prompt_tokens"] > 0
    assert second.cost_usd is not None


async def test_a_user_goes_on_without_a_session_and_another_does_not(room: Room) -> None:
    room.wire.plan("chat", "yes")
    first = await room.agent.interact("one", "ada")
    again = await room.agent.interact("two", "ada")
    other = await room.agent.interact("three", "bob")
    tutor = await room.agent.interact("four", "ada", "tutor")
    assert again.session_id == first.session_id
    assert len({first.session_id, other.session_id, tutor.session_id}) == 3
    with pytest.raises(NotFoundError):
        await room.agent.interact("five", "bob", session_id=first.session_id)
    with pytest.raises(NotFoundError):
        await room.agent.interact("five", "ada", session_id=first.session_id, tenant="other")
    with pytest.raises(NotFoundError, match="did you mean 'cherry'"):
        await room.agent.interact("six", "ada", "chery")
    room.memory.end(first.session_id, tenant="")
    with pytest.raises(EndedError):
        await room.agent.interact("seven", "ada", session_id=first.session_id)


async def test_a_key_stores_and_pays_once(room: Room) -> None:
    room.wire.plan("chat", Reply("yes", delay_s=0.2))
    calls = [room.agent.interact("hello", "ada", key="k-1") for _ in range(5)]
    answers = await asyncio.gather(*calls)
    later = await room.agent.interact("hello", "ada", key="k-1")
    assert len(room.wire.asked("chat")) == 1
    assert len({one.interaction_id for one in (*answers, later)}) == 1
    assert later.is_repeated
    assert later.cost_usd == 0
    assert len(room.memory.turns(later.session_id, tenant="")) == 1
    with pytest.raises(KeyInUseError):
        await room.agent.interact("something else", "ada", key="k-1")


async def test_a_turn_is_written_before_it_is_asked_and_asked_again_after_a_failure(
    room: Room,
) -> None:
    seen: list[list[str]] = []

    def decide(asked: Any) -> Reply:
        (conversation,) = room.memory.conversations(tenant="")
        turns = room.memory.turns(conversation.id, tenant="")
        seen.append([turn.state for turn in turns])
        return Reply(status=503) if len(seen) < 3 else Reply("at last")

    room.wire.decide = decide
    with pytest.raises(ServiceUnavailableError):
        await room.agent.interact("hello", "ada", key="k")
    (conversation,) = room.memory.conversations(tenant="")
    (failed,) = room.memory.turns(conversation.id, tenant="")
    assert (failed.state, failed.details["error"]) == ("failed", "ServiceUnavailableError")
    answer = await room.agent.interact("hello", "ada", key="k")
    assert answer.text == "at last"
    assert answer.interaction_id == failed.id
    assert seen == [["asked"], ["asked"], ["asked"]]
    kinds = [type(event).__name__ for event in room.events]
    assert kinds == [
        "InteractionStarted", "Retrieved", "InteractionFailed",
        "InteractionStarted", "Generated", "Stored",
    ]  # fmt: skip


async def test_equal_messages_of_two_users_are_two_answers(room: Room) -> None:
    room.wire.plan("chat", "for the first", "for the second")
    texts = [(await room.agent.interact("hi", user)).text for user in ("ada", "bob")]
    assert texts == ["for the first", "for the second"]


async def test_a_stream_goes_on_when_its_reader_leaves(room: Room) -> None:
    room.wire.plan("chat", Reply("a long answer in many parts", trickle_s=0.02))
    live = await room.agent.begin(Call("hello", "ada", is_streamed=True))
    heard = ""
    async for piece in live.pieces():
        heard += piece.text
        assert piece.heard == Heard.of(heard)
        if len(heard) > 3:
            break
    rest = "".join([piece.text async for piece in live.pieces(Heard.of(heard))])
    assert heard + rest == "a long answer in many parts"
    assert (await live.result()).text == heard + rest
    turn = room.memory.turn(live.turn_id, tenant="")
    assert (turn.state, turn.answer, turn.asked) == ("answered", heard + rest, None)
    assert len(room.wire.asked("chat")) == 1


async def test_what_does_not_fit_is_remembered_in_sentences_with_their_turns(room: Room) -> None:
    room.personas.put({
        "id": "short", "name": "Short", "limits": {"history_tokens": 300},
    })  # fmt: skip
    room.wire.plan("small", json.dumps({"keep": [1, 999, -1]}))
    room.wire.plan("chat", "noted " + "and so on " * 30)
    first = await room.agent.interact("My dog is called Bello. X" + " x" * 60, "ada", "short")
    for n in range(4):
        last = await room.agent.interact(f"message {n} " + "y " * 60, "ada", "short")
    rows = room.memory.sentences(first.session_id)
    assert (rows[0]["text"], rows[0]["turns"]) == ("My dog is called Bello.", [1])
    assert (rows[0]["said_by"], rows[0]["made_by"]) == ("user", "small")
    question = room.wire.asked("chat")[-1]["messages"]
    assert "dog is called Bello" in question[-1]["content"]
    assert "Bello" not in question[0]["content"]  # never in the system message
    assert len(room.wire.asked("small")) < 4
    assert last.number == 5


async def test_a_summary_that_cannot_be_had_leaves_turns_out_and_says_so(room: Room) -> None:
    room.personas.put({"id": "short", "name": "S", "limits": {"history_tokens": 60}})
    room.wire.plan("small", Reply(status=500))
    room.wire.plan("chat", "word " * 40)
    for n in range(3):
        last = await room.agent.interact(f"message {n}", "ada", "short")
    assert any("could not be summed up" in note for note in last.notes)
    assert any("left out" in note for note in last.notes)


async def test_a_subscriber_that_raises_or_sleeps_breaks_nothing(room: Room) -> None:
    def raises(event: TurnEvent) -> None:
        raise ValueError("mine")

    async def sleeps(event: TurnEvent) -> None:
        await asyncio.sleep(60)

    room.bus.subscribe(raises)
    end = room.bus.subscribe(sleeps)
    room.wire.plan("chat", "yes")
    assert (await room.agent.interact("hello", "ada")).text == "yes"
    end()


async def test_a_turn_left_open_gets_the_answer_that_was_paid_for(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.wire.plan("chat", "paid for")
    with monkeypatch.context() as patched:
        patched.setattr(room.memory, "answer", _died)
        patched.setattr(room.memory, "fail", lambda *_: None)
        with pytest.raises(SystemError):
            await room.agent.interact("hello", "ada", key="k")
    (turn,) = room.memory.open_turns()
    assert await room.agent.recover() == (1, 0)
    assert room.memory.turn(turn.id, tenant="").answer == "paid for"
    assert (await room.agent.interact("hello", "ada", key="k")).text == "paid for"
    assert len(room.wire.asked("chat")) == 1


async def test_first_messages_at_once_are_one_conversation(room: Room) -> None:
    room.wire.plan("chat", "yes")
    made = await asyncio.gather(*(room.agent.interact(f"message {n}", "new") for n in range(6)))
    assert len({one.session_id for one in made}) == 1
    assert sorted(one.number for one in made) == [1, 2, 3, 4, 5, 6]


async def test_a_key_is_known_whatever_the_conversation_has_become(room: Room) -> None:
    room.wire.plan("chat", "yes")
    first = await room.agent.interact("hello", "ada", key="k")
    room.memory.end(first.session_id, tenant="")
    await room.agent.interact("something else", "ada")  # begins the next conversation
    again = await room.agent.interact("hello", "ada", key="k")
    assert (again.interaction_id, again.is_repeated) == (first.interaction_id, True)
    for user, session in (("bob", None), ("ada", "another")):
        with pytest.raises(KeyInUseError):
            await room.agent.interact("hello", user, session_id=session, key="k")


async def test_a_turn_that_was_not_asked_yet_is_asked_as_it_was_given(room: Room) -> None:
    room.wire.plan("small", "yes")
    call = Call("hello", "ada", model="small", key="k", temperature=0.25, context="a fact")
    turn = room.memory.begin(call, "cherry")  # and its process dies
    assert (await (await room.agent.resume(turn)).result()).text == "yes"
    (asked,) = room.wire.asked("small")
    assert asked["temperature"] == 0.25
    assert "> a fact" in asked["messages"][-1]["content"]


async def test_two_services_store_and_pay_a_key_once(
    wire: WireServer, tmp_path: Path, database: str
) -> None:
    rooms = [Room(wire, tmp_path, database) for _ in range(2)]
    wire.plan("chat", Reply("yes", delay_s=0.3), "another")
    first, second = await asyncio.gather(
        *(room.agent.interact("hello", "ada", key="k") for room in rooms)
    )
    assert (first.interaction_id, first.text) == (second.interaction_id, second.text)
    assert len(wire.asked("chat")) == 1
    assert len(rooms[0].memory.turns(first.session_id, tenant="")) == 1
    for room in rooms:
        await room.aclose()


async def test_a_service_that_starts_breaks_no_turn_of_one_that_runs(
    wire: WireServer, tmp_path: Path, database: str
) -> None:
    first, second = (Room(wire, tmp_path, database) for _ in range(2))
    wire.plan("chat", Reply("one two three four five six", trickle_s=0.3))
    live = await first.agent.begin(Call("hello", "ada", is_streamed=True))
    while not live.text:
        await asyncio.sleep(0.02)
    assert await second.agent.recover() == (0, 0)
    assert second.memory.turn(live.turn_id, tenant="").state == "asked"
    assert (await live.result()).text.split()[-1] == "six"
    kept = second.memory.turn(live.turn_id, tenant="")
    assert (kept.state, kept.answer) == ("answered", live.text)
    assert len(wire.asked("chat")) == 1
    for room in (first, second):
        await room.aclose()


async def test_the_answer_that_was_stored_first_is_everybody_s(room: Room) -> None:
    def decide(asked: Any) -> Reply:
        (turn,) = room.memory.open_turns()
        room.memory.answer(turn.id, "stored first", {
            "model": "m", "provider": "p", "usage": {}, "billed_usd": 0.0, "notes": [],
        })  # fmt: skip
        return Reply("came later")

    room.wire.decide = decide
    answer = await room.agent.interact("hello", "ada", key="k")
    assert answer.text == "stored first"
    assert (await room.agent.interact("hello", "ada", key="k")).text == "stored first"


def _died(*_: object) -> None:
    raise SystemError("killed")


async def test_a_budget_is_said_and_nothing_is_asked(
    wire: WireServer, tmp_path: Path, database: str
) -> None:
    room = Room(wire, tmp_path, database, budgets={"usd_per_request": 1e-9})
    with pytest.raises(BudgetExceededError):
        await room.agent.interact("hello", "ada")
    assert wire.requests == []
    await room.aclose()


def test_the_bus_has_a_failure_under_both_names() -> None:
    from orchestrator.agents.bus import Failed, InteractionFailed

    assert Failed is InteractionFailed
