"""The statements that every message needs, made once: making one takes longer than running it.

What a statement is run with is named ``of`` (the id that it is about), ``by``, and as the columns
that it sets.
"""

from __future__ import annotations

import sqlalchemy as sa

from orchestrator.agents.database import conversations, sentences, turns

_OF: sa.BindParameter[str] = sa.bindparam("of")
_BY: sa.BindParameter[str] = sa.bindparam("by")
_MOST = sa.bindparam("most", type_=sa.Integer)

CONVERSATION = sa.select(conversations).where(
    (conversations.c.id == _OF) & (conversations.c.tenant == _BY)
)
START = sa.insert(conversations)
#: A user's conversation with a persona that goes on.
NEWEST = (
    sa.select(conversations.c.id)
    .where(
        (conversations.c.tenant == _OF)
        & (conversations.c.user_id == sa.bindparam("user"))
        & (conversations.c.persona_id == sa.bindparam("persona"))
        & conversations.c.ended_at.is_(None)
    )
    .order_by(conversations.c.started_at.desc())
    .limit(1)
)
COUNT_TURN = (
    sa.update(conversations)
    .where(conversations.c.id == _OF)
    .values(turns=conversations.c.turns + 1)
    .returning(conversations.c.turns, conversations.c.ended_at)
)

TURN = sa.select(turns).where(turns.c.id == _OF)
LOCKED_TURN = TURN.with_for_update()
OF_KEY = sa.select(turns).where((turns.c.tenant == _BY) & (turns.c.key == _OF))
WRITE_TURN = sa.insert(turns)
SET_TURN = sa.update(turns).where(turns.c.id == _OF)
_OPEN = SET_TURN.where(turns.c.state != "answered")
#: Another process that has lost sight of this one may have taken the turn for a dead one's.
HEAR = _OPEN.values(state="asked")
ANSWER = _OPEN.values(state="answered", asked=None, partial=None).returning(turns)
FAIL = SET_TURN.where((turns.c.state == "asked") & turns.c.owner.is_not_distinct_from(_BY)).values(
    state="failed"
)
OPEN = sa.select(turns).where(turns.c.state == "asked").order_by(turns.c.asked_at)

#: What a question shows of turns; the rest of a row takes longer to read than all of this.
_ANSWERED = sa.select(turns.c.number, turns.c.message, turns.c.answer).where(
    (turns.c.conversation_id == _OF)
    & (turns.c.state == "answered")
    & (turns.c.number > sa.bindparam("after"))
    & (turns.c.number < sa.bindparam("before"))
)
RECENT = _ANSWERED.order_by(turns.c.number.desc()).limit(_MOST)
OLDEST = _ANSWERED.order_by(turns.c.number).limit(_MOST)
#: The newest first.
SENTENCES = (
    sa.select(sentences)
    .where(sentences.c.conversation_id == _OF)
    .order_by(sentences.c.from_turn.desc(), sentences.c.position.desc())
)
LAST_SENTENCES = SENTENCES.limit(_MOST)
