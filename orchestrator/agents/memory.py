"""`Memory`: conversations and their turns. A turn is written before it is asked.

Its methods block for a moment of the database's time; an event loop calls them in threads.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from orchestrator.agents import statements as made
from orchestrator.agents.database import (
    close_database,
    conversations,
    open_database,
    reading,
    sentences,
    turns,
    writing,
)
from orchestrator.agents.errors import EndedError, KeyInUseError, NotFoundError
from orchestrator.agents.interaction import PastTurn
from orchestrator.agents.presence import Presence
from orchestrator.cache.keys import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.agents.interaction import Call
    from orchestrator.agents.summaries import Sentence


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation of one user with one persona.

    Attributes:
        started_at, ended_at: seconds since 1970; None while it goes on.
        turns: how many turns it has, those without an answer included.
        summed_to: number of the last turn of which no more than sentences are shown.
    """

    id: str
    tenant: str
    user_id: str
    persona_id: str
    started_at: float
    ended_at: float | None = None
    turns: int = 0
    summed_to: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """A message and its answer.

    Attributes:
        number: its place in the conversation, from 1.
        state: ``asked`` until it is known what became of it, ``answered`` or ``failed``.
        asked: messages, model and parameters as they are sent, until the answer is there; before
            that what the call gave for them.
        partial: what has come of a streamed answer that is not whole; None for nothing.
        details: model, provider, tokens and dollars of an answer; the error of a failure.
        owner: the process that asked it last; see `orchestrator.agents.presence`.
    """

    id: str
    conversation_id: str
    number: int
    tenant: str
    key: str | None
    message: str
    state: str
    asked: Mapping[str, Any] | None = None
    partial: str | None = None
    answer: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    asked_at: float = 0.0
    answered_at: float | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What a conversation held before a turn.

    Attributes:
        since: number of the last turn of which no more than sentences are shown.
        turns: the newest answered ones after that, in order.
        sentences: the newest ones of the turns before, in order; the columns of their table.
    """

    since: int
    turns: list[PastTurn]
    sentences: list[dict[str, Any]]


class Memory:
    """What is kept of conversations, in SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        """Raises: as `orchestrator.agents.database.open_database`."""
        self.engine = open_database(url)
        self._presence = Presence(self.engine)

    def close(self) -> None:
        """Close the connections."""
        self._presence.release()
        close_database(self.engine)

    def start(self, *, tenant: str, user_id: str, persona_id: str) -> Conversation:
        """Begin a conversation."""
        with writing(self.engine) as connection:
            return _started(connection, tenant, user_id, persona_id)

    def conversation(self, conversation_id: str, *, tenant: str) -> Conversation:
        """Raises: NotFoundError: this tenant has none of that id."""
        with reading(self.engine) as connection:
            return _conversation(connection, conversation_id, tenant)

    def conversations(
        self, *, tenant: str, user_id: str | None = None, persona_id: str | None = None,
        is_active: bool | None = None, limit: int = 100, before: float | None = None,
        before_id: str = "",
    ) -> list[Conversation]:  # fmt: skip
        """A tenant's conversations, the newest first; `before` and `before_id` are `started_at` and
        `id` of the last one of the page before."""
        wanted = sa.select(conversations).where(conversations.c.tenant == tenant)
        if user_id is not None:
            wanted = wanted.where(conversations.c.user_id == user_id)
        if persona_id is not None:
            wanted = wanted.where(conversations.c.persona_id == persona_id)
        if is_active is not None:
            wanted = wanted.where(conversations.c.ended_at.is_(None) == is_active)
        place = sa.tuple_(conversations.c.started_at, conversations.c.id)
        if before is not None:
            wanted = wanted.where(place < (before, before_id))
        wanted = wanted.order_by(*(column.desc() for column in place)).limit(limit)
        with reading(self.engine) as connection:
            return [Conversation(**row) for row in connection.execute(wanted).mappings()]

    def end(self, conversation_id: str, *, tenant: str) -> Conversation:
        """End a conversation; ending it twice changes nothing. Raises: NotFoundError."""
        self.conversation(conversation_id, tenant=tenant)
        still = (conversations.c.id == conversation_id) & conversations.c.ended_at.is_(None)
        with writing(self.engine) as connection:
            connection.execute(sa.update(conversations).where(still).values(ended_at=time.time()))
        return self.conversation(conversation_id, tenant=tenant)

    def forget(self, conversation_id: str, *, tenant: str) -> None:
        """Remove a conversation and all that was remembered of it.

        Raises: NotFoundError: this tenant has none of that id.
        """
        self.conversation(conversation_id, tenant=tenant)
        held = conversations.c.id == conversation_id
        with writing(self.engine) as connection:
            # Locks it against another that begins a turn.
            connection.execute(sa.update(conversations).where(held).values(ended_at=time.time()))
            for table in (sentences, turns):
                of_it = table.c.conversation_id == conversation_id
                connection.execute(sa.delete(table).where(of_it))
            connection.execute(sa.delete(conversations).where(held))

    def begin(self, call: Call, persona_id: str) -> Turn:
        """Write a turn before it is asked; the one that has the key already, where there is one.

        Without `session_id` the user's newest conversation with the persona goes on, or one
        begins. The turn keeps what the call says beside its message, so that asked again it is
        asked the same.

        Raises: as `of_key`; EndedError: the conversation has ended; NotFoundError: it is gone.
        """
        owner = self._presence.hold()
        while True:
            try:
                with writing(self.engine) as connection:
                    return self._begun(connection, call, persona_id, owner)
            except sa.exc.IntegrityError:
                # Another process wrote the key's turn since it was looked for.
                if self.of_key(call) is None:
                    raise

    def _begun(self, connection: sa.Connection, call: Call, persona_id: str, owner: str) -> Turn:
        if known := _of_key(connection, call):
            return known
        conversation_id = call.session_id or self._newest(connection, call, persona_id)
        # The update locks the conversation, so that no other turn gets the number.
        counted = connection.execute(made.COUNT_TURN, {"of": conversation_id}).first()
        if counted is None:
            raise NotFoundError(f"there is no conversation {conversation_id!r}")
        if counted.ended_at is not None:
            raise EndedError(f"conversation {conversation_id!r} has ended; start another one")
        given = {"model": call.model, "temperature": call.temperature,
                 "max_tokens": call.max_tokens, "context": call.context}  # fmt: skip
        turn = Turn(
            str(uuid.uuid4()), conversation_id, counted.turns, call.tenant, call.key,
            call.message, "asked", asked={"given": given, "persona": persona_id},
            asked_at=time.time(), owner=owner,
        )  # fmt: skip
        connection.execute(
            made.WRITE_TURN,
            {
                "id": turn.id, "conversation_id": turn.conversation_id, "number": turn.number,
                "tenant": turn.tenant, "key": turn.key, "message": turn.message,
                "asked": turn.asked, "state": turn.state, "details": {},
                "asked_at": turn.asked_at, "owner": owner,
            },
        )  # fmt: skip
        return turn

    @staticmethod
    def _newest(connection: sa.Connection, call: Call, persona_id: str) -> str:
        """The user's newest conversation with a persona that goes on, or one that begins."""
        if connection.dialect.name == "postgresql":
            # Two first messages would begin two conversations.
            who = digest([call.tenant, call.user_id, persona_id])
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(who[:15], 16))))
        theirs = {"of": call.tenant, "user": call.user_id, "persona": persona_id}
        if found := connection.execute(made.NEWEST, theirs).scalar():
            return str(found)
        return _started(connection, call.tenant, call.user_id, persona_id).id

    def of_key(self, call: Call) -> Turn | None:
        """The turn that was written under the call's key.

        Raises: KeyInUseError: it has another message, user or conversation.
        """
        with reading(self.engine) as connection:
            return _of_key(connection, call)

    def ask(self, turn_id: str, question: Mapping[str, Any]) -> Turn:
        """Keep a question as it is about to be sent, and give the turn as it is now.

        The first question stays: asked again, by whatever process, it must be the same.

        Raises: NotFoundError: its conversation was removed.
        """
        owner = self._presence.hold()
        with writing(self.engine) as connection:
            row = connection.execute(made.LOCKED_TURN, {"of": turn_id}).mappings().first()
            if row is None:
                raise NotFoundError(f"there is no turn {turn_id!r}")
            turn = _turn(row)
            if turn.state == "answered":
                return turn
            asked = turn.asked if turn.asked and "messages" in turn.asked else dict(question)
            values = {"state": "asked", "asked": asked, "owner": owner}
            connection.execute(made.SET_TURN, {"of": turn_id, **values})
        return replace(turn, state="asked", asked=asked, owner=owner)

    def hear(self, turn_id: str, partial: str) -> None:
        """Keep what has come of a streamed answer so far."""
        with writing(self.engine) as connection:
            connection.execute(made.HEAR, {"of": turn_id, "partial": partial})

    def answer(self, turn_id: str, text: str, details: Mapping[str, Any]) -> Turn | None:
        """Keep the whole answer, and give the turn: the first to answer it does, once.

        None where its conversation was removed.
        """
        values = {"answer": text, "details": dict(details), "answered_at": time.time()}
        with writing(self.engine) as connection:
            kept = connection.execute(made.ANSWER, {"of": turn_id, **values}).mappings().first()
            if kept is None:  # answered by another, or gone
                kept = connection.execute(made.TURN, {"of": turn_id}).mappings().first()
        return None if kept is None else _turn(kept)

    def fail(self, turn: Turn, details: Mapping[str, Any]) -> None:
        """Keep why there is no answer, unless another process has taken the turn since; asked
        again with its key, it is the same one."""
        known = {"of": turn.id, "by": turn.owner, "details": dict(details)}
        with writing(self.engine) as connection:
            connection.execute(made.FAIL, known)

    def turn(self, turn_id: str, *, tenant: str) -> Turn:
        """Raises: NotFoundError: this tenant has none of that id."""
        wanted = (turns.c.id == turn_id) & (turns.c.tenant == tenant)
        found = self._turns(sa.select(turns).where(wanted))
        if not found:
            raise NotFoundError(f"there is no turn {turn_id!r}")
        return found[0]

    def turns(
        self, conversation_id: str, *, tenant: str, after: int = 0, limit: int | None = None
    ) -> list[Turn]:
        """Turns of a conversation, in order, those without an answer included."""
        wanted = (turns.c.conversation_id == conversation_id) & (turns.c.tenant == tenant)
        found = sa.select(turns).where(wanted & (turns.c.number > after)).order_by(turns.c.number)
        return self._turns(found if limit is None else found.limit(limit))

    def past(self, turn: Turn, *, turns: int, sentences: int) -> Past:
        """What its conversation held before a turn; at most so many turns and sentences.

        Raises: NotFoundError: the conversation was removed.
        """
        of = turn.conversation_id
        with reading(self.engine) as connection:
            since = _conversation(connection, of, turn.tenant).summed_to
            bounds = {"of": of, "after": since, "before": turn.number, "most": turns}
            found = connection.execute(made.RECENT, bounds).all()
            rows = connection.execute(made.LAST_SENTENCES, {"of": of, "most": sentences}).mappings()
            past = [PastTurn(*row) for row in reversed(found)]
            return Past(since, past, [dict(one) for one in rows][::-1])

    def oldest(self, turn: Turn, *, after: int, limit: int) -> list[PastTurn]:
        """The first answered turns of its conversation after a number and before it, in order."""
        bounds = {"of": turn.conversation_id, "after": after, "before": turn.number, "most": limit}
        with reading(self.engine) as connection:
            return [PastTurn(*row) for row in connection.execute(made.OLDEST, bounds)]

    def open_turns(self) -> list[Turn]:
        """Turns of every tenant of whose end nothing is known, and which no other process that
        lives has asked; this one's are among them."""
        found = self._turns(made.OPEN)
        others = {one.owner for one in found} - {None, self._presence.id}
        living = {owner for owner in others if owner and self._presence.lives(owner)}
        return [one for one in found if one.owner not in living]

    def _turns(self, wanted: sa.Select[Any]) -> list[Turn]:
        with reading(self.engine) as connection:
            return [_turn(row) for row in connection.execute(wanted).mappings()]

    def remember(
        self, conversation_id: str, kept: Sequence[Sentence], made_by: str, *, from_turn: int,
        to_turn: int,
    ) -> None:  # fmt: skip
        """Keep sentences of the turns from one number to another, and that these are summed up,
        with or without any sentence; what another process kept of them stays instead."""
        rows = [
            {
                "id": str(uuid.uuid4()), "conversation_id": conversation_id, "position": position,
                "from_turn": from_turn, "to_turn": to_turn, "text": one.text,
                "said_by": one.said_by, "turns": [one.turn], "made_by": made_by,
                "made_at": time.time(),
            }
            for position, one in enumerate(kept)
        ]  # fmt: skip
        is_first = (conversations.c.id == conversation_id) & (conversations.c.summed_to < from_turn)
        summed = sa.update(conversations).where(is_first).values(summed_to=to_turn)
        with writing(self.engine) as connection:
            if connection.execute(summed).rowcount and rows:
                connection.execute(sa.insert(sentences), rows)

    def sentences(self, conversation_id: str) -> list[dict[str, Any]]:
        """What is remembered of old turns, in order: the columns of the table as they are."""
        with reading(self.engine) as connection:
            found = connection.execute(made.SENTENCES, {"of": conversation_id})
            return [dict(row) for row in found.mappings()][::-1]


def _conversation(connection: sa.Connection, conversation_id: str, tenant: str) -> Conversation:
    wanted = {"of": conversation_id, "by": tenant}
    row = connection.execute(made.CONVERSATION, wanted).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no conversation {conversation_id!r}")
    return Conversation(**row)


def _started(connection: sa.Connection, tenant: str, user_id: str, persona_id: str) -> Conversation:
    one = Conversation(str(uuid.uuid4()), tenant, user_id, persona_id, time.time())
    connection.execute(
        made.START,
        {"id": one.id, "tenant": tenant, "user_id": user_id, "persona_id": persona_id,
         "started_at": one.started_at, "turns": 0},
    )  # fmt: skip
    return one


def _of_key(connection: sa.Connection, call: Call) -> Turn | None:
    if call.key is None:
        return None
    row = connection.execute(made.OF_KEY, {"by": call.tenant, "of": call.key}).mappings().first()
    if row is None:
        return None
    turn = _turn(row)
    is_same = (
        turn.message == call.message
        and call.session_id in (None, turn.conversation_id)
        and _conversation(connection, turn.conversation_id, call.tenant).user_id == call.user_id
    )
    if not is_same:
        raise KeyInUseError(
            f"the key {call.key!r} was used for another message; use a new key for each"
        )
    return turn


def _turn(row: sa.RowMapping) -> Turn:
    return Turn(**row)
