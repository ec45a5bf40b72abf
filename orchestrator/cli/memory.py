"""`orchestrator memory audit|forget`: what is kept of conversations, and why."""

from __future__ import annotations

import contextlib
import datetime
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.cli.output import GOOD, UsageError, echo_result, table
from orchestrator.client.stores import store_of
from orchestrator.config.settings import Config
from orchestrator.types.errors import MissingExtraError

if TYPE_CHECKING:
    import argparse

    from orchestrator.agents.memory import Memory

_MOST_CHARACTERS = 60


def run(arguments: argparse.Namespace) -> int:
    """Show what is kept of a conversation, list conversations, or remove one."""
    try:
        from orchestrator.agents.memory import Memory  # noqa: PLC0415  an extra
        from orchestrator.server.service import database_url  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("A memory of conversations", "server") from error
    settings = Config.load(None, os.environ).orchestrator
    with contextlib.closing(Memory(database_url(settings.server))) as memory:
        if arguments.action == "audit":
            return (_audit if arguments.id else _list)(memory, arguments)
        if not arguments.id:
            raise UsageError("which conversation? orchestrator memory audit lists them")
        memory.forget(arguments.id, tenant=arguments.tenant)
        with contextlib.closing(store_of(settings.cache, os.environ)) as store:
            removed = store.evict(arguments.id)
    value = {"forgotten": arguments.id, "cached_answers": removed}
    words = f"{arguments.id} is forgotten, with {removed} answers in the cache"
    echo_result(arguments, value, [words])
    return GOOD


def _list(memory: Memory, arguments: argparse.Namespace) -> int:
    found = memory.conversations(tenant=arguments.tenant, limit=arguments.last)
    header = ("id", "user", "persona", "since", "turns", "summed up to")
    rows = [
        (one.id, one.user_id, one.persona_id, _when(one.started_at), str(one.turns),
         str(one.summed_to)) for one in found
    ]  # fmt: skip
    echo_result(arguments, [asdict(one) for one in found], table(header, rows))
    return GOOD


def _audit(memory: Memory, arguments: argparse.Namespace) -> int:
    one = memory.conversation(arguments.id, tenant=arguments.tenant)
    turns = memory.turns(one.id, tenant=arguments.tenant)
    sentences = memory.sentences(one.id)
    said = [
        (str(turn.number), _when(turn.asked_at), turn.state, _begin(turn.message),
         _begin(turn.answer or "")) for turn in turns
    ]  # fmt: skip
    kept = [
        (", ".join(map(str, row["turns"])), row["said_by"], row["made_by"],
         _when(row["made_at"]), row["text"]) for row in sentences
    ]  # fmt: skip
    lines = [
        f"Every turn is kept until the conversation is forgotten. Those after turn {one.summed_to}"
        " are shown to the model while they fit:",
        *table(("turn", "asked", "state", "message", "answer"), said),
    ]
    if one.summed_to:
        lines += [
            "",
            f"Of the turns up to {one.summed_to} it is shown these sentences, as they were said:",
            *table(("turn", "said by", "chosen by", "when", "sentence"), kept),
        ]
    value = {
        "conversation": asdict(one), "turns": [asdict(turn) for turn in turns],
        "sentences": sentences,
    }  # fmt: skip
    echo_result(arguments, value, lines)
    return GOOD


def _when(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d %H:%M}"


def _begin(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 2]} …"
